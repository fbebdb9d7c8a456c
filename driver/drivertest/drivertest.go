// Package drivertest is what every driver must pass against a simulated device.
//
// A driver is trusted with hardware that cannot be bought again on the same day. So the suite asks
// less whether an update works than whether everything else is refused, bounded and told in words.
package drivertest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/driver"
	"github.com/firmward/firmward/wire"
)

// Device is one simulated device as the suite needs it. Each call of Case.New gives a fresh one.
type Device struct {
	Conn    wire.Conn
	Image   driver.Image            // fits the device
	Fault   func(name string)       // injects a fault of the lab
	Mend    func()                  // takes all faults away
	Truth   func() (version string) // what it really runs
	Flashes func() int              // attempts to install that reached it
	Bytes   func() int64            // payload that it has received
	Settle  time.Duration           // until it answers again after an update
	Close   func()
}

// Case is one driver with its simulated device.
type Case struct {
	Driver  driver.Driver
	Model   string
	Version string // that the fresh device runs
	Deaf    bool   // the device has no word for "busy": it begins anew whenever it is told to
	New     func(t *testing.T) Device
}

// few bounds what a refused update may send: requests, no image.
const few = 16 << 10

// patience is the limit that control gives to one exchange.
const patience = time.Minute

// Run runs the suite, each part with a fresh device in its own bubble.
func Run(t *testing.T, c Case) {
	for _, part := range []struct {
		name string
		run  func(*testing.T, Case, Device)
	}{
		{"read", read},
		{"wrong model sends nothing", wrongModel},
		{"wrong hardware sends nothing", wrongHardware},
		{"accepted is not installed", accepted},
		{"silent ends", silent},
		{"busy is told and tried again", busy},
		{"wrong password", wrongPassword},
		{"secrets stay secret", secrets},
		{"uncommitted falls back", fallsBack},
		{"automatic updates are what it says afterwards", automatic},
		{"committed stays", commits},
		{"revert goes back", reverts},
	} {
		t.Run(part.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := c.New(t)
				defer d.Close()
				part.run(t, c, d)
			})
		})
	}
	t.Run("hostile answers", func(t *testing.T) { hostile(t, c) })
}

// within runs do with the time limit of control and fails when it does not end by then.
func within(t *testing.T, limit time.Duration, do func(ctx context.Context) error) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	began := time.Now()
	err := do(ctx)
	if took := time.Since(began); took > limit {
		t.Errorf("took %s, the limit was %s", took, limit)
	}
	return err
}

func state(t *testing.T, c Case, d Device) (driver.State, error) {
	t.Helper()
	var s driver.State
	err := within(t, patience, func(ctx context.Context) (err error) {
		s, err = c.Driver.Read(ctx, d.Conn)
		return err
	})
	return s, err
}

func read(t *testing.T, c Case, d Device) {
	s, err := state(t, c, d)
	if err != nil || s.Model != c.Model || s.Version != c.Version || s.Hardware == "" || s.Serial == "" {
		t.Errorf("%+v, %v; want %s %s with hardware and serial", s, err, c.Model, c.Version)
	}
	if info := c.Driver.Info(); info.Name == "" || info.Path == "" || info.Rollback == "" {
		t.Errorf("the driver does not declare itself: %+v", info)
	}
}

func wrongModel(t *testing.T, c Case, d Device) {
	d.Image.Release.Models = []string{"Another " + c.Model}
	refused(t, c, d, "model")
}

func wrongHardware(t *testing.T, c Case, d Device) {
	d.Image.Release.Hardware = []string{"another revision"}
	refused(t, c, d, "hardware")
}

// refused shows that a release that does not fit is refused with words before a byte of it is sent.
func refused(t *testing.T, c Case, d Device, word string) {
	t.Helper()
	if _, ok := c.Driver.(driver.Installer); !ok {
		t.Skip("the driver does not install")
	}
	pf, ok := c.Driver.(driver.Preflighter)
	if !ok {
		t.Fatal("a driver that installs must be able to refuse before")
	}
	opened := false
	open := d.Image.Open
	d.Image.Open = func() (io.ReadCloser, error) { opened = true; return open() }
	err := within(t, patience, func(ctx context.Context) error { _, err := pf.Preflight(ctx, d.Conn, d.Image); return err })
	if firmward.CodeOf(err) != firmward.Refused || !strings.Contains(err.Error(), word) {
		t.Errorf("%v, want a refusal that names the %s", err, word)
	}
	if opened || d.Flashes() != 0 || d.Bytes() > few {
		t.Errorf("image opened %v, %d flashes, %d bytes received", opened, d.Flashes(), d.Bytes())
	}
}

func install(t *testing.T, c Case, d Device) {
	t.Helper()
	in, ok := c.Driver.(driver.Installer)
	if !ok {
		t.Skip("the driver does not install")
	}
	if err := within(t, long, func(ctx context.Context) error { return in.Install(ctx, d.Conn, d.Image) }); err != nil {
		t.Fatalf("install: %v", err)
	}
}

// accepted shows that the driver's yes comes before the device runs the new version, so that nobody
// may take it for success, and that a device that says yes and does nothing is seen through.
func accepted(t *testing.T, c Case, d Device) {
	d.Fault("accepted-and-nothing")
	install(t, c, d)
	time.Sleep(d.Settle)
	if s, err := state(t, c, d); err != nil || s.Version != c.Version || d.Truth() != c.Version {
		t.Errorf("reads %q (%v), runs %q; want the old %s", s.Version, err, d.Truth(), c.Version)
	}
}

func silent(t *testing.T, c Case, d Device) {
	d.Fault("silent")
	if _, err := state(t, c, d); firmward.CodeOf(err) != firmward.Unavailable {
		t.Errorf("%v, want unavailable", err)
	}
	in, ok := c.Driver.(driver.Installer)
	if !ok {
		return
	}
	err := within(t, patience, func(ctx context.Context) error { return in.Install(ctx, d.Conn, d.Image) })
	if err == nil || firmward.CodeOf(err) == firmward.Refused {
		t.Errorf("install on a silent device: %v", err)
	}
}

// busy shows that a device that is at another update, or too busy to answer, takes nothing and is told from
// one that refuses the image; later the same image is taken.
func busy(t *testing.T, c Case, d Device) {
	in, ok := c.Driver.(driver.Installer)
	if !ok {
		t.Skip("the driver does not install")
	}
	for _, fault := range []string{"busy", "overloaded"} {
		if fault == "busy" && c.Deaf {
			continue
		}
		d.Fault(fault)
		err := within(t, patience, func(ctx context.Context) error { return in.Install(ctx, d.Conn, d.Image) })
		if !errors.Is(err, driver.ErrNotBegun) || firmward.CodeOf(err) != firmward.Unavailable || !strings.Contains(err.Error(), "busy") {
			t.Errorf("%s: %v; want a word that it is busy and has begun nothing", fault, err)
		}
		time.Sleep(d.Settle)
		if d.Flashes() != 0 || d.Truth() != c.Version {
			t.Errorf("%s: %d flashes, runs %s", fault, d.Flashes(), d.Truth())
		}
		d.Mend()
	}
	install(t, c, d)
	time.Sleep(d.Settle)
	if d.Flashes() != 1 || d.Truth() != d.Image.Release.Version {
		t.Errorf("when it is free again: %d flashes, runs %s", d.Flashes(), d.Truth())
	}
}

func wrongPassword(t *testing.T, c Case, d Device) {
	if d.Conn.Secret.Password == "" {
		t.Skip("the device has no password")
	}
	d.Conn.Secret.Password = "not-the-password"
	_, err := state(t, c, d)
	if firmward.CodeOf(err) != firmward.Unauthorized || !strings.Contains(err.Error(), "password") {
		t.Errorf("%v, want unauthorized in words", err)
	}
}

// secrets shows that no error and no transcript holds the password.
func secrets(t *testing.T, c Case, d Device) {
	password := d.Conn.Secret.Password
	if password == "" {
		t.Skip("the device has no password")
	}
	var mu sync.Mutex // a request that has timed out may still be written
	var sent []byte
	d.Conn.Network = wire.Guarded(d.Conn.Network, wire.Guard{
		Allow: func(netip.Addr) error { return nil }, Secrets: []string{password},
		Record: func(s wire.Sent) {
			mu.Lock()
			defer mu.Unlock()
			sent = append(sent, s.Bytes...)
		},
	}, nil)
	if _, err := state(t, c, d); err != nil {
		t.Fatal(err)
	}
	d.Fault("silent")
	_, err := state(t, c, d)
	mu.Lock()
	defer mu.Unlock()
	if err == nil || strings.Contains(err.Error(), password) || len(sent) == 0 || bytes.Contains(sent, []byte(password)) {
		t.Errorf("error %v, %d bytes sent, password among them: %v", err, len(sent), bytes.Contains(sent, []byte(password)))
	}
	if bytes.Contains(sent, []byte("response=")) {
		t.Error("the answer to a digest challenge is in the record: passwords could be guessed from it")
	}
}

func trial(t *testing.T, c Case, d Device) driver.State {
	t.Helper()
	if c.Driver.Info().Rollback != firmward.RollbackDeadMan {
		t.Skip("the driver has no dead-man switch")
	}
	install(t, c, d)
	time.Sleep(d.Settle)
	s, err := state(t, c, d)
	if err != nil || s.Version != d.Image.Release.Version || !s.Uncommitted || s.FallsBackIn <= 0 {
		t.Fatalf("%+v, %v; want %s on trial", s, err, d.Image.Release.Version)
	}
	pf := c.Driver.(driver.Preflighter)
	if err := within(t, patience, func(ctx context.Context) error { _, err := pf.Preflight(ctx, d.Conn, d.Image); return err }); err == nil {
		t.Error("a device on trial takes another update")
	}
	return s
}

func fallsBack(t *testing.T, c Case, d Device) {
	s := trial(t, c, d)
	time.Sleep(s.FallsBackIn + d.Settle)
	if s, err := state(t, c, d); err != nil || s.Version != c.Version || d.Truth() != c.Version {
		t.Errorf("%+v, %v, runs %s; want %s again", s, err, d.Truth(), c.Version)
	}
}

func commits(t *testing.T, c Case, d Device) {
	s := trial(t, c, d)
	com, ok := c.Driver.(driver.Committer)
	if !ok {
		t.Fatal("a driver with a dead-man switch must be able to commit")
	}
	if err := within(t, patience, func(ctx context.Context) error { return com.Commit(ctx, d.Conn) }); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2*s.FallsBackIn + d.Settle)
	if s, err := state(t, c, d); err != nil || s.Version != d.Image.Release.Version || s.Uncommitted {
		t.Errorf("%+v, %v; want %s for good", s, err, d.Image.Release.Version)
	}
}

func reverts(t *testing.T, c Case, d Device) {
	rev, ok := c.Driver.(driver.Reverter)
	if !ok {
		t.Skip("the driver cannot go back")
	}
	install(t, c, d)
	time.Sleep(d.Settle)
	if err := within(t, patience, func(ctx context.Context) error { return rev.Revert(ctx, d.Conn) }); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	time.Sleep(d.Settle)
	if s, err := state(t, c, d); err != nil || s.Version != c.Version {
		t.Errorf("%+v, %v; want %s again", s, err, c.Version)
	}
}

// automatic switches the device's own automatic updates, and shows that a device which says yes and does nothing is seen through.
func automatic(t *testing.T, c Case, d Device) {
	auto, ok := c.Driver.(driver.AutoUpdater)
	if !ok {
		t.Skip("the driver knows no automatic updates")
	}
	is := func() (on bool) {
		if err := within(t, patience, func(ctx context.Context) error {
			a, err := auto.AutoUpdates(ctx, d.Conn)
			on = a.On
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return on
	}
	set := func(on bool) {
		if err := within(t, patience, func(ctx context.Context) error { return auto.SetAutoUpdates(ctx, d.Conn, on) }); err != nil {
			t.Fatal(err)
		}
	}
	was := is()
	set(!was)
	if is() == was {
		t.Error("it was switched and is as before")
	}
	d.Fault("accepted-and-nothing")
	set(was)
	if is() == was {
		t.Error("the device did nothing, and the driver reads what was wanted")
	}
}
