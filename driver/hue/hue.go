// Package hue reads a Hue bridge and switches its own automatic updates. The maker alone brings images to it, over his cloud;
// firmward never starts an installation there and cannot go back.
package hue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/driver"
	"github.com/firmward/firmward/proto/hue"
	"github.com/firmward/firmward/wire"
)

// Driver implements driver.Driver and AutoUpdater.
type Driver struct{}

const port = 80

// Info declares the driver.
func (Driver) Info() driver.Info {
	return driver.Info{
		Name: "hue", Path: driver.Trigger, Progress: "none", Rollback: firmward.RollbackNone,
		NeedsInternet: true, Reboots: true, Settle: 3 * time.Minute,
	}
}

// Read asks the bridge's configuration, with the key when there is one.
func (d Driver) Read(ctx context.Context, c wire.Conn) (driver.State, error) {
	cfg, err := config(ctx, c)
	if err != nil {
		return driver.State{}, err
	}
	return driver.State{Version: cfg.Version, Model: cfg.Model, Hardware: cfg.Model, Serial: cfg.BridgeID, Busy: cfg.Update != nil && cfg.Update.State == "installing"}, nil
}

// AutoUpdates tells whether the bridge installs what its maker offers by itself.
func (Driver) AutoUpdates(ctx context.Context, c wire.Conn) (driver.Auto, error) {
	cfg, err := config(ctx, c)
	if err != nil {
		return driver.Auto{}, err
	}
	if cfg.Update == nil {
		return driver.Auto{}, wantsKey(nil)
	}
	return driver.Auto{On: cfg.Update.Auto.On, At: cfg.Update.Time()}, nil
}

// SetAutoUpdates switches that on or off.
func (Driver) SetAutoUpdates(ctx context.Context, c wire.Conn, on bool) error {
	key := c.Secret.Password
	if !hue.Key(key) {
		return wantsKey(nil)
	}
	c.Secret = wire.Secret{}
	b, err := driver.Put(ctx, c, port, hue.ConfigPath(key), "application/json", hue.SetAuto(on))
	if err != nil {
		return fmt.Errorf("set automatic updates: %w", err)
	}
	return inWords("set automatic updates", hue.ReadSet(b))
}

func config(ctx context.Context, c wire.Conn) (hue.Config, error) {
	key := c.Secret.Password
	if key != "" && !hue.Key(key) {
		return hue.Config{}, wantsKey(nil)
	}
	c.Secret = wire.Secret{}
	b, err := driver.Get(ctx, c, port, hue.ConfigPath(key))
	if err != nil {
		return hue.Config{}, fmt.Errorf("read configuration: %w", err)
	}
	cfg, err := hue.ReadConfig(b)
	if err == nil && key != "" && cfg.Update == nil {
		return cfg, wantsKey(nil) // to a key that it does not know, a bridge talks as to a stranger
	}
	return cfg, inWords("read configuration", err)
}

func wantsKey(err error) error {
	return &firmward.Error{Code: firmward.Unauthorized, Message: "the bridge wants the application key of its owner as password (firmward credentials set)", Err: err}
}

func inWords(what string, err error) error {
	if e, ok := errors.AsType[*hue.Error](err); ok && e.Unauthorized() {
		return wantsKey(err)
	}
	if err != nil {
		return &firmward.Error{Code: firmward.Unavailable, Message: what, Err: err}
	}
	return nil
}
