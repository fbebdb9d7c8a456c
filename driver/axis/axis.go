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
	if err != nil {
		return driver.State{}, fmt.Errorf("read device information: %w", err)
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
func (d Driver) Preflight(ctx context.Context, c wire.Conn, img driver.Image) error {
	s, err := d.Read(ctx, c)
	if err != nil {
		return err
	}
	if s.Uncommitted {
		return firmward.Errorf(firmward.Unavailable, "the camera runs an uncommitted version on trial; it must commit or fall back first")
	}
	return driver.MustFit(s, img.Release)
}

// Install uploads the image; the camera restarts into it on trial.
func (Driver) Install(ctx context.Context, c wire.Conn, img driver.Image) error {
	// The challenge of digest authentication must be answered before the image is on its way: a
	// request that fails half-way through 30 MB would leave us in doubt for nothing.
	if err := call(ctx, c, "status", nil); err != nil {
		return &firmward.Error{Code: firmward.Unavailable, Message: "the camera did not answer before the upload", Err: errors.Join(driver.ErrNotSent, err)}
	}
	b, err := upload(ctx, c, img)
	if err != nil {
		return err
	}
	err = vapix.Response(b, nil)
	if ve, ok := errors.AsType[*vapix.Error](err); ok {
		code := firmward.Unavailable
		if ve.Refusal() || ve.Code == 423 || ve.Code == 412 {
			code = firmward.Refused
		}
		return &firmward.Error{Code: code, Message: "the camera refused the image", Err: ve}
	}
	return err
}

// upload streams the image between the frame's head and tail.
func upload(ctx context.Context, c wire.Conn, img driver.Image) ([]byte, error) {
	contentType, head, tail, err := vapix.Upgrade(img.Release.FileName, img.FallBack)
	if err != nil {
		return nil, errors.Join(driver.ErrNotSent, err)
	}
	b, err := driver.Upload(ctx, c, port, vapix.FirmwarePath, contentType, driver.Framed(head, img.Open, tail))
	if err != nil {
		return nil, fmt.Errorf("upload: %w", err)
	}
	return b, nil
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
		return fmt.Errorf("%s: %w", method, err)
	}
	return nil
}
