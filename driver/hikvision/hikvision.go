// Package hikvision drives Hikvision cameras by ISAPI: the bare image is put to updateFirmware, the camera writes it and says
// whether it must be told to restart. It keeps no version before and has no way back; what a vendor's cloud offers to it is
// not used.
package hikvision

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/driver"
	"github.com/firmward/firmward/proto/isapi"
	"github.com/firmward/firmward/wire"
)

// Driver implements driver.Driver, Preflighter and Installer.
type Driver struct{}

const port = 80

// Info declares the driver. The camera counts percents while it writes.
func (Driver) Info() driver.Info {
	return driver.Info{
		Name: "hikvision-isapi", Path: driver.Push, Progress: "percent", Rollback: firmward.RollbackNone,
		Reboots: true, Settle: 3 * time.Minute,
	}
}

// Read asks deviceInfo.
func (Driver) Read(ctx context.Context, c wire.Conn) (driver.State, error) {
	b, err := driver.Get(ctx, c, port, isapi.InfoPath)
	if err != nil {
		return driver.State{}, fmt.Errorf("read device information: %w", err)
	}
	i, err := isapi.ReadInfo(b)
	if err != nil {
		return driver.State{}, unreadable(err)
	}
	return driver.State{Version: i.Version(), Model: i.Model, Hardware: i.Hardware(), Serial: i.Serial}, nil
}

// Preflight refuses an image for another model or platform.
func (d Driver) Preflight(ctx context.Context, c wire.Conn, img driver.Image) (firmward.Vitals, error) {
	s, err := d.Read(ctx, c)
	if err != nil {
		return firmward.Vitals{}, err
	}
	return firmward.Vitals{}, driver.MustFit(s, img.Release)
}

// Install puts the image and, where the camera asks for it, tells it to restart.
func (Driver) Install(ctx context.Context, c wire.Conn, img driver.Image) error {
	// A camera that does not answer, is at another update or wants another password must not leave us in doubt half-way.
	b, err := driver.Get(ctx, c, port, isapi.StatusPath)
	if err != nil {
		return driver.NotBegun(fmt.Errorf("before the upload: %w", err))
	}
	p, err := isapi.ReadProgress(b)
	switch {
	case err != nil:
		return driver.NotBegun(unreadable(err))
	case p.Upgrading:
		return driver.NotBegun(firmward.Errorf(firmward.Unavailable, fmt.Sprintf("the camera is busy with another update (%d %% of it)", p.Percent)))
	}
	s, err := status(driver.Upload(ctx, c, port, isapi.UpdatePath, driver.Form{
		Method: http.MethodPut, ContentType: "application/octet-stream", Open: img.Open, Size: img.Release.Size,
	}))
	switch {
	case err != nil:
		return fmt.Errorf("upload: %w", err)
	case s.Reboot():
		return restart(ctx, c)
	case s.OK():
		return nil
	case s.Busy():
		return driver.NotBegun(&firmward.Error{Code: firmward.Unavailable, Message: "the camera is busy", Err: &s})
	case s.Refusal():
		return &firmward.Error{Code: firmward.Refused, Message: "the camera refused the image: it is not made for this model", Err: &s}
	}
	return &firmward.Error{Code: firmward.Unavailable, Message: "the camera answered the image with an error", Err: &s}
}

// status reads the device's status out of an answer, good or bad.
func status(b []byte, err error) (isapi.Status, error) {
	if said, ok := errors.AsType[*driver.Said](err); ok {
		if s, bad := isapi.ReadStatus(said.Body); bad == nil {
			return s, nil
		}
	}
	if err != nil {
		return isapi.Status{}, err
	}
	s, err := isapi.ReadStatus(b)
	if err != nil {
		err = unreadable(err)
	}
	return s, err
}

// restart tells the camera to restart into what it wrote. From here on something was begun, whatever comes back.
func restart(ctx context.Context, c wire.Conn) error {
	s, err := status(driver.Put(ctx, c, port, isapi.RebootPath, "", nil))
	switch {
	case err == nil && s.OK():
		return nil
	case err == nil:
		err = &s
	}
	return firmward.Errorf(firmward.Unavailable, fmt.Sprintf("the camera has written the image and waits for a restart, which it did not confirm: %v", err))
}

func unreadable(err error) error {
	return &firmward.Error{Code: firmward.Unavailable, Message: "the camera's answer cannot be read", Err: err}
}
