// Package axis drives Axis devices by VAPIX firmware management. An upgrade is never committed by the
// camera itself: it runs on trial and falls back unless Commit is called in time (dead-man commit).
package axis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/driver"
	"github.com/firmward/firmward/proto/vapix"
	"github.com/firmward/firmward/wire"
)

// Driver implements driver.Driver, Preflighter, Installer, Committer and Reverter.
type Driver struct{}

const port = 80

// Info declares the driver.
func (Driver) Info() driver.Info {
	return driver.Info{
		Name: "axis-vapix", Path: driver.Push, Progress: "none", Rollback: firmward.RollbackDeadMan,
		Reboots: true, Settle: 4 * time.Minute,
	}
}

// Read asks basicdeviceinfo for who it is and firmwaremanagement for its slots.
func (Driver) Read(ctx context.Context, c wire.Conn) (driver.State, error) {
	body, err := vapix.Request("getAllProperties", nil)
	if err != nil {
		return driver.State{}, err
	}
	b, err := driver.Post(ctx, c, port, vapix.InfoPath, "application/json", body)
	if err != nil {
		return driver.State{}, fmt.Errorf("read device information: %w", err)
	}
	props, err := vapix.Properties(b)
	switch {
	case err != nil:
		return driver.State{}, said("read device information", err)
	case props["Version"] == "" || props["ProdNbr"] == "":
		return driver.State{}, firmward.Errorf(firmward.Unavailable, "read device information: the camera does not say what it is")
	}
	s := driver.State{
		Version: props["Version"], Model: "AXIS " + props["ProdNbr"], Hardware: props["HardwareID"], Serial: props["SerialNumber"],
	}
	var status vapix.Status
	if err := call(ctx, c, "status", &status); err != nil {
		return s, err
	}
	s.Inactive, s.Uncommitted, s.FallsBackIn = status.Inactive, status.Uncommitted(), status.FallsBackIn()
	if status.Active != "" {
		s.Version = status.Active
	}
	return s, nil
}

// Preflight refuses an image for another model or hardware id, and a camera that is on trial already.
func (d Driver) Preflight(ctx context.Context, c wire.Conn, img driver.Image) (firmward.Vitals, error) {
	s, err := d.Read(ctx, c)
	if err != nil {
		return firmward.Vitals{}, err
	}
	if s.Uncommitted {
		return firmward.Vitals{}, firmward.Errorf(firmward.Unavailable, "the camera runs an uncommitted version on trial; it must commit or fall back first")
	}
	return firmward.Vitals{}, driver.MustFit(s, img.Release)
}

// Install uploads the image; the camera restarts into it on trial.
func (Driver) Install(ctx context.Context, c wire.Conn, img driver.Image) error {
	// A camera that does not answer or wants another password must not leave us in doubt half-way
	// through 30 MB.
	if err := call(ctx, c, "status", nil); err != nil {
		return driver.NotBegun(fmt.Errorf("before the upload: %w", err))
	}
	contentType, head, tail, err := vapix.Upgrade(img.Release.FileName, img.FallBack)
	if err != nil {
		return driver.NotBegun(err)
	}
	b, err := driver.Upload(ctx, c, port, vapix.FirmwarePath, driver.Form{
		ContentType: contentType, Head: head, Tail: tail, Open: img.Open, Size: img.Release.Size,
	})
	if err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	var taken vapix.Upgraded
	err = vapix.Response(b, &taken)
	if ve, ok := errors.AsType[*vapix.Error](err); ok {
		return refused(ve)
	}
	if err == nil && taken.Version == "" {
		err = errors.New("the answer names no version")
	}
	if err != nil {
		return said("upload", err)
	}
	return nil
}

// refused sorts what a camera says instead of installing: not now, never this image, or something that
// leaves us in doubt.
func refused(ve *vapix.Error) error {
	switch {
	case ve.Code == vapix.Busy:
		return driver.NotBegun(&firmward.Error{Code: firmward.Unavailable, Message: "the camera is busy with another update", Err: ve})
	case ve.Code == vapix.Uncommitted:
		return driver.NotBegun(&firmward.Error{Code: firmward.Unavailable, Message: "the camera runs a version on trial", Err: ve})
	case ve.Refusal():
		return &firmward.Error{Code: firmward.Refused, Message: "the camera refused the image", Err: ve}
	}
	return &firmward.Error{Code: firmward.Unavailable, Message: "the camera answered the image with an error", Err: ve}
}

// Commit keeps the running version.
func (Driver) Commit(ctx context.Context, c wire.Conn) error { return call(ctx, c, "commit", nil) }

// Revert goes back to the version before.
func (Driver) Revert(ctx context.Context, c wire.Conn) error { return call(ctx, c, "rollback", nil) }

func call(ctx context.Context, c wire.Conn, method string, data any) error {
	body, err := vapix.Request(method, nil)
	if err != nil {
		return err
	}
	b, err := driver.Post(ctx, c, port, vapix.FirmwarePath, "application/json", body)
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	if err := vapix.Response(b, data); err != nil {
		return said(method, err)
	}
	return nil
}

// said is an error about an answer that came, but is an error itself or cannot be read.
func said(doing string, err error) error {
	return &firmward.Error{Code: firmward.Unavailable, Message: doing, Err: err}
}
