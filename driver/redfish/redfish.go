// Package redfish drives the management controllers of servers (BMC) by Redfish: the image is pushed as a multipart form. The
// other way, SimpleUpdate, lets the controller fetch the image; it would need a path from the management network to firmward,
// which such networks exist to prevent. An image is for the controller; what the server itself runs is left alone.
//
// The controller says "accepted" and goes on by itself. Its task is not followed: the probes say what it runs in the end. The
// password goes along with each request (no session stays open that nobody closes), to none but the certificate for which it
// was entered.
package redfish

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/driver"
	"github.com/firmward/firmward/proto/redfish"
	"github.com/firmward/firmward/wire"
)

// Driver implements driver.Driver, Preflighter and Installer.
type Driver struct{}

const port = 443

// Info declares the driver. The way back differs from maker to maker, so there is none.
func (Driver) Info() driver.Info {
	return driver.Info{
		Name: "redfish", Path: driver.Push, Progress: "none", Rollback: firmward.RollbackNone,
		Reboots: true, Settle: 4 * time.Minute,
	}
}

// Read goes from the service root to the manager and its server. Model is that of the server, hardware that of the controller.
func (Driver) Read(ctx context.Context, c wire.Conn) (driver.State, error) {
	r, err := root(ctx, c)
	if err != nil {
		return driver.State{}, err
	}
	m, s, err := redfish.Walk(r, func(path string) ([]byte, error) { return driver.Get(ctx, c, port, path) })
	if err != nil {
		return driver.State{}, fmt.Errorf("read the controller: %w", unreadable(err))
	}
	return driver.State{Version: m.FirmwareVersion, Model: s.Model, Hardware: m.Model, Serial: s.SerialNumber}, nil
}

func root(ctx context.Context, c wire.Conn) (redfish.Root, error) {
	b, err := driver.Get(ctx, c, port, redfish.RootPath)
	if err != nil {
		return redfish.Root{}, fmt.Errorf("read the service root: %w", err)
	}
	r, err := redfish.ReadRoot(b)
	return r, unreadable(err)
}

// Preflight refuses an image for another server or controller, one that is too large, and a controller that takes none so.
func (d Driver) Preflight(ctx context.Context, c wire.Conn, img driver.Image) (firmward.Vitals, error) {
	s, err := d.Read(ctx, c)
	if err == nil {
		err = driver.MustFit(s, img.Release)
	}
	if err == nil {
		_, err = door(ctx, c, img)
	}
	return firmward.Vitals{}, err
}

// door finds the path to which the image is pushed.
func door(ctx context.Context, c wire.Conn, img driver.Image) (string, error) {
	r, err := root(ctx, c)
	if err != nil {
		return "", err
	}
	path, err := redfish.Path(r.UpdateService.ID)
	if err != nil {
		return "", firmward.Errorf(firmward.Refused, "the controller has no update service")
	}
	b, err := driver.Get(ctx, c, port, path)
	if err != nil {
		return "", fmt.Errorf("read the update service: %w", err)
	}
	u, err := redfish.ReadUpdateService(b)
	if err != nil {
		return "", unreadable(err)
	}
	switch path, err = redfish.Path(u.Push); {
	case err != nil:
		return "", firmward.Errorf(firmward.Refused, "the controller takes no image by multipart push: a person must update it in its web page")
	case u.Enabled != nil && !*u.Enabled:
		return "", firmward.Errorf(firmward.Unavailable, "the controller's update service is switched off")
	case u.Max > 0 && img.Release.Size > u.Max:
		return "", firmward.Errorf(firmward.Refused, fmt.Sprintf("the image has %d bytes, the controller takes %d at most", img.Release.Size, u.Max))
	}
	return path, nil
}

// Install pushes the image.
func (Driver) Install(ctx context.Context, c wire.Conn, img driver.Image) error {
	path, err := door(ctx, c, img)
	if firmward.CodeOf(err) == firmward.Refused {
		return err
	}
	if err != nil {
		return driver.NotBegun(fmt.Errorf("before the upload: %w", err))
	}
	contentType, head, tail, err := redfish.Form(img.Release.FileName)
	if err != nil {
		return driver.NotBegun(err)
	}
	b, err := driver.Upload(ctx, c, port, path, driver.Form{
		ContentType: contentType, Head: head, Tail: tail, Open: img.Open, Size: img.Release.Size,
	})
	if said, ok := errors.AsType[*driver.Said](err); ok {
		if told := redfish.ReadError(said.Body); len(told) > 0 {
			return failed(told)
		}
	}
	if err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	err = redfish.ReadTask(b)
	if told, ok := errors.AsType[redfish.Failure](err); ok {
		return failed(told)
	}
	return unreadable(err)
}

// failed sorts what a controller says instead of installing: never this image, not now, or something that leaves us in doubt.
func failed(told redfish.Failure) error {
	switch {
	case told.Refusal():
		return &firmward.Error{Code: firmward.Refused, Message: "the controller refused the image", Err: told}
	case told.Busy():
		return driver.NotBegun(&firmward.Error{Code: firmward.Unavailable, Message: "the controller is busy", Err: told})
	}
	return &firmward.Error{Code: firmward.Unavailable, Message: "the controller answered the image with an error", Err: told}
}

// unreadable is an error about an answer that came and cannot be read; one about no answer stays what it is.
func unreadable(err error) error {
	if _, ok := errors.AsType[*firmward.Error](err); ok || err == nil {
		return err
	}
	return &firmward.Error{Code: firmward.Unavailable, Message: "the controller's answer cannot be used", Err: err}
}
