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
	s, _, err := read(ctx, c)
	return s, err
}

func read(ctx context.Context, c wire.Conn) (s driver.State, status shelly.Status, err error) {
	var info shelly.DeviceInfo
	if err := call(ctx, c, "Shelly.GetDeviceInfo", nil, &info); err != nil {
		return s, status, err
	}
	if info.Model == "" || info.Version == "" {
		return s, status, firmward.Errorf(firmward.Unavailable, "the device does not say what it is")
	}
	s = driver.State{
		Version: info.Version, Variant: info.App, Model: info.Model, Serial: info.ID,
		Hardware: fmt.Sprintf("gen%d", info.Gen),
	}
	if err := call(ctx, c, "Shelly.GetStatus", nil, &status); err != nil {
		return s, status, err
	}
	for _, u := range status.Sys.Available {
		s.Offered = append(s.Offered, u.Version)
	}
	slices.Sort(s.Offered)
	return s, status, nil
}

// Preflight refuses an image that is not for this model.
func (Driver) Preflight(ctx context.Context, c wire.Conn, img driver.Image) (v firmward.Vitals, err error) {
	s, status, err := read(ctx, c)
	if err != nil {
		return v, err
	}
	v.Signal = status.Signal()
	v.Battery, v.External = status.Battery()
	return v, driver.MustFit(s, img.Release)
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
