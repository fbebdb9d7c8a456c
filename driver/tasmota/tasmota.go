// Package tasmota drives devices with Tasmota by its web commands: it is told where the image is (OtaUrl), then to
// fetch it (Upgrade 1), and restarts by itself. It says nothing of progress, and to a further Upgrade not that it is
// busy: it begins anew. There is no way back; verification carries the weight.
//
// Both commands are sent one by one and not as a Backlog, because a Backlog is answered before its commands run: the
// answers prove that the address was kept and that the update begins. The address stays in the device's settings: it
// is read again at each of its attempts, seconds after the answer, so that nothing can be put back in between. Only
// where the update does not begin the one before is put back. The model card tells its owner.
//
// Tasmota's web password is sent in clear with each command: it knows no other form.
package tasmota

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/driver"
	"github.com/firmward/firmward/proto/tasmota"
	"github.com/firmward/firmward/version"
	"github.com/firmward/firmward/wire"
)

// Driver implements driver.Driver, Preflighter and Installer.
type Driver struct{}

const port = 80

// Info declares the driver.
func (Driver) Info() driver.Info {
	return driver.Info{
		Name: "tasmota", Path: driver.Pull, Progress: "none", Rollback: firmward.RollbackNone,
		Reboots: true, Settle: 2 * time.Minute,
	}
}

// Read asks Status 2 for the firmware and Status 5 for the hardware address.
func (Driver) Read(ctx context.Context, c wire.Conn) (driver.State, error) {
	s, _, err := read(ctx, c)
	return s, err
}

func read(ctx context.Context, c wire.Conn) (driver.State, tasmota.Firmware, error) {
	f, err := ask(ctx, c, tasmota.AskFirmware, tasmota.ReadFirmware)
	if err != nil {
		return driver.State{}, f, err
	}
	n, err := ask(ctx, c, tasmota.AskNetwork, tasmota.ReadNetwork)
	return driver.State{Version: f.Version, Variant: f.Build, Model: f.Model(), Hardware: f.Hardware, Serial: n.MAC}, f, err
}

// Preflight refuses an image of another build or for another chip (Tasmota itself takes any build), one that leaves
// out a step that an old version needs, and one for which there is no room. Status 11 tells its signal; Tasmota knows of no battery of its own.
func (Driver) Preflight(ctx context.Context, c wire.Conn, img driver.Image) (v firmward.Vitals, err error) {
	s, f, err := read(ctx, c)
	if err == nil {
		err = driver.MustFit(s, img.Release)
	}
	if err == nil {
		err = step(f.Version, img.Release.Version)
	}
	if err != nil {
		return v, err
	}
	m, err := ask(ctx, c, tasmota.AskMemory, tasmota.ReadMemory)
	if err == nil {
		err = room(f, m, img.Release.Size)
	}
	if err != nil {
		return v, err
	}
	v.Signal, err = ask(ctx, c, tasmota.AskState, tasmota.ReadSignal)
	return v, err
}

// stops are the versions at which an older one must stop on its way (Tasmota's documentation, "Upgrading", migration
// path): from the last of them on every later version can be installed.
var stops = [...]string{"3.9.22", "4.2.0", "5.14.0", "6.7.1", "7.2.0", "8.5.1", "9.1.0"}

// step refuses a release behind the next stop.
func step(installed, wanted string) error {
	for _, stop := range stops {
		if before(installed, stop) && before(stop, wanted) {
			return firmward.Errorf(firmward.Refused, fmt.Sprintf("Tasmota %s must go to %s first, not to %s at once: its settings are rewritten on the way", installed, stop, wanted))
		}
	}
	return nil
}

func before(a, b string) bool {
	o, _ := version.Compare("dotted", a, b)
	return o == version.Less
}

// room refuses an image that does not fit. An ESP8266 keeps it beside the running one until it restarts; an ESP32
// writes it over the running one.
func room(f tasmota.Firmware, m tasmota.Memory, size int64) error {
	free, how := m.Free, "beside the running one: a person must go by the minimal build, or take a compressed image (.bin.gz)"
	if !f.ESP8266() {
		free, how = m.Program+m.Free, "in place of the running one: its flash must be divided anew by a person"
	}
	if size > int64(free)<<10 {
		return firmward.Errorf(firmward.Refused, fmt.Sprintf("the image has %d KiB, and the device has room for %d KiB %s", (size+1023)>>10, free, how))
	}
	return nil
}

// Install tells the device where the image is and to fetch it. "It begins" is all that it answers.
func (Driver) Install(ctx context.Context, c wire.Conn, img driver.Image) error {
	set, err := tasmota.SetURL(img.URL)
	if err != nil {
		return driver.NotBegun(&firmward.Error{Code: firmward.Invalid, Message: "the image cannot be offered", Err: err})
	}
	was, err := ask(ctx, c, tasmota.AskURL, tasmota.ReadURL)
	if err != nil {
		return driver.NotBegun(fmt.Errorf("before the update: %w", err))
	}
	kept, err := ask(ctx, c, set, tasmota.ReadURL)
	if err == nil && kept != img.URL {
		err = firmward.Errorf(firmward.Unavailable, "the device does not keep the address of the image")
	}
	if err != nil {
		putBack(ctx, c, was)
		return driver.NotBegun(fmt.Errorf("before the update: %w", err))
	}
	b, err := command(ctx, c, tasmota.Start)
	if err == nil {
		if err = tasmota.ReadStart(b); err != nil {
			err = driver.NotBegun(&firmward.Error{Code: firmward.Unavailable, Message: "the device did not begin the update", Err: err})
		}
	}
	if errors.Is(err, driver.ErrNotBegun) {
		putBack(ctx, c, was)
	}
	return err
}

// putBack gives the device its own address again, as far as it listens. It may hold what SetURL refuses of ours.
func putBack(ctx context.Context, c wire.Conn, was string) {
	if was != "" {
		_, _ = command(ctx, c, tasmota.AskURL+" "+was)
	}
}

// ask gives a command and reads its answer.
func ask[T any](ctx context.Context, c wire.Conn, what string, read func([]byte) (T, error)) (T, error) {
	b, err := command(ctx, c, what)
	if err != nil {
		var none T
		return none, err
	}
	v, err := read(b)
	if err != nil {
		err = &firmward.Error{Code: firmward.Unavailable, Message: what, Err: err}
	}
	return v, err
}

func command(ctx context.Context, c wire.Conn, what string) ([]byte, error) {
	if c.Secret.User == "" {
		c.Secret.User = tasmota.User
	}
	return driver.GetInClear(ctx, c, port, tasmota.Path(what))
}
