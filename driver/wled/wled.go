// Package wled drives light controllers with WLED: an image is uploaded to /update, and the controller restarts
// by itself. Nothing tells of progress; verification carries the weight. The override with which WLED takes an
// image of another build ("ignore firmware validation") is never used.
package wled

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/driver"
	"github.com/firmward/firmward/proto/wled"
	"github.com/firmward/firmward/wire"
)

// Driver implements driver.Driver, Preflighter, Installer, Reverter, Backuper and Restorer.
type Driver struct{}

const port = 80

// Info declares the driver. An ESP32 keeps the version before in its second slot; an ESP8266 has one slot, and its
// model card says so.
func (Driver) Info() driver.Info {
	return driver.Info{
		Name: "wled", Path: driver.Push, Progress: "none", Rollback: firmward.RollbackSlot,
		Reboots: true, Settle: time.Minute,
	}
}

// Read asks /json/info, which is open also where a PIN guards the settings.
func (Driver) Read(ctx context.Context, c wire.Conn) (driver.State, error) {
	i, err := read(ctx, c)
	return state(i), err
}

func state(i wled.Info) driver.State {
	return driver.State{Version: i.Version, Variant: i.Release, Model: i.Model(), Hardware: i.Arch, Serial: i.MAC}
}

func read(ctx context.Context, c wire.Conn) (wled.Info, error) {
	c.Secret = wire.Secret{} // the PIN has no business here
	b, err := driver.Get(ctx, c, port, wled.InfoPath)
	if err != nil {
		return wled.Info{}, fmt.Errorf("read information: %w", err)
	}
	i, err := wled.ReadInfo(b)
	if err != nil {
		return wled.Info{}, &firmward.Error{Code: firmward.Unavailable, Message: "the device does not say what it is", Err: err}
	}
	return i, nil
}

// Preflight refuses an image for another build or chip, and a version that does not tell which build it is.
func (Driver) Preflight(ctx context.Context, c wire.Conn, img driver.Image) (firmward.Vitals, error) {
	i, err := read(ctx, c)
	v := firmward.Vitals{Signal: i.Signal()}
	if err != nil {
		return v, err
	}
	s := state(i)
	if s.Model == "" {
		return v, firmward.Errorf(firmward.Refused, "WLED "+s.Version+" does not name its build, so no image can be matched to it: a person must update it once in its web page")
	}
	return v, driver.MustFit(s, img.Release)
}

// Install uploads the image. It asks for the update page first: a controller whose updates are locked, or that is
// not there, must not leave us in doubt half-way through an image.
func (Driver) Install(ctx context.Context, c wire.Conn, img driver.Image) error {
	c, err := unlock(ctx, c)
	if err == nil {
		_, err = driver.Get(ctx, c, port, wled.UpdatePath)
	}
	if err != nil {
		return driver.NotBegun(fmt.Errorf("before the upload: %w", locked(err)))
	}
	contentType, head, tail, err := wled.Form(img.Release.FileName)
	if err != nil {
		return driver.NotBegun(err)
	}
	page, err := driver.Upload(ctx, c, port, wled.UpdatePath, driver.Form{
		ContentType: contentType, Head: head, Tail: tail, Open: img.Open, Size: img.Release.Size,
	})
	said, answered := errors.AsType[*driver.Said](err)
	switch {
	case answered && wled.Mismatch(said.Body):
		return &firmward.Error{Code: firmward.Refused, Message: "the controller refused the image: it is made for another build", Err: err}
	case err != nil:
		return fmt.Errorf("upload: %w", locked(err))
	case !wled.Accepted(page):
		return firmward.Errorf(firmward.Unavailable, "upload: the controller's answer does not say that it took the image")
	}
	return nil
}

// Revert boots the version in the other slot.
func (Driver) Revert(ctx context.Context, c wire.Conn) error {
	c, err := unlock(ctx, c)
	if err != nil {
		return fmt.Errorf("revert: %w", err)
	}
	page, err := driver.Get(ctx, c, port, wled.RevertPath)
	if err != nil {
		return fmt.Errorf("revert: %w", locked(err))
	}
	if !wled.Reverted(page) {
		return firmward.Errorf(firmward.Unavailable, "revert: the controller keeps no version before this one")
	}
	return nil
}

// unlock tells the PIN, when there is one, and gives the connection without it: WLED knows no other form of a
// password. Whether the PIN was right, only the next answer tells.
func unlock(ctx context.Context, c wire.Conn) (wire.Conn, error) {
	pin := c.Secret.Password
	c.Secret = wire.Secret{}
	if pin == "" {
		return c, nil
	}
	body, err := wled.Unlock(pin)
	if err == nil {
		_, err = driver.Post(ctx, c, port, wled.StatePath, "application/json", body)
	}
	return c, err
}

// locked puts a refusal at the door into the words of WLED's settings.
func locked(err error) error {
	if firmward.CodeOf(err) != firmward.Unauthorized {
		return err
	}
	return driver.NotBegun(&firmward.Error{
		Code: firmward.Unauthorized, Err: err,
		Message: "its updates are locked (its security settings: OTA lock, or a PIN that firmward does not know)",
	})
}
