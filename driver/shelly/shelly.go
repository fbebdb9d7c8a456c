// Package shelly drives Shelly Gen2 and later devices by their RPC: the device fetches the image from
// a URL that we serve. There is no progress over HTTP and no way back; verification carries the weight.
package shelly

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/driver"
	"github.com/firmward/firmward/proto/shelly"
	"github.com/firmward/firmward/wire"
)

// Driver implements driver.Driver, Preflighter and Installer.
type Driver struct{}

const port = 80

// Info declares the driver.
func (Driver) Info() driver.Info {
	return driver.Info{
		Name: "shelly-gen2", Path: driver.Pull, Progress: "none", Rollback: firmward.RollbackNone,
		Reboots: true, Settle: time.Minute,
	}
}

// Read asks Shelly.GetDeviceInfo and Shelly.GetStatus.
func (Driver) Read(ctx context.Context, c wire.Conn) (driver.State, error) {
	var info shelly.DeviceInfo
	if err := call(ctx, c, "Shelly.GetDeviceInfo", nil, &info); err != nil {
		return driver.State{}, err
	}
	if info.Model == "" || info.Version == "" {
		return driver.State{}, firmward.Errorf(firmward.Unavailable, "the device does not say what it is")
	}
	s := driver.State{
		Version: info.Version, Variant: info.App, Model: info.Model, Serial: info.ID,
		Hardware: fmt.Sprintf("gen%d", info.Gen),
	}
	var status shelly.Status
	if err := call(ctx, c, "Shelly.GetStatus", nil, &status); err != nil {
		return s, err
	}
	for _, u := range status.Sys.Available {
		s.Offered = append(s.Offered, u.Version)
	}
	slices.Sort(s.Offered)
	return s, nil
}

// Preflight refuses an image that is not for this model.
func (d Driver) Preflight(ctx context.Context, c wire.Conn, img driver.Image) error {
	s, err := d.Read(ctx, c)
	if err != nil {
		return err
	}
	return driver.MustFit(s, img.Release)
}

// Install tells the device to fetch the image. "Accepted" is all that it answers.
func (Driver) Install(ctx context.Context, c wire.Conn, img driver.Image) error {
	err := call(ctx, c, "Shelly.Update", map[string]string{"url": img.URL}, nil)
	if re, ok := errors.AsType[*shelly.Error](err); ok {
		if re.NotNow() {
			return driver.NotBegun(&firmward.Error{Code: firmward.Unavailable, Message: "the device is busy", Err: re})
		}
		return &firmward.Error{Code: firmward.Refused, Message: "the device refused the update", Err: re}
	}
	return err
}

func call(ctx context.Context, c wire.Conn, method string, params, result any) error {
	body, err := shelly.Request(1, method, params)
	if err != nil {
		return err
	}
	b, err := driver.Post(ctx, c, port, "/rpc", "application/json", body)
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	if err := shelly.Response(b, result); err != nil {
		return &firmward.Error{Code: firmward.Unavailable, Message: method, Err: err}
	}
	return nil
}
