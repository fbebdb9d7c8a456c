package control

import (
	"context"
	"fmt"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/driver"
	"github.com/firmward/firmward/store"
)

// AutoUpdates asks a device now whether it installs by itself what its maker offers.
func (c *Control) AutoUpdates(ctx context.Context, ref string) (driver.Auto, error) {
	var is driver.Auto
	err := c.withAuto(ctx, ref, func(_ firmward.Device, read func() (driver.Auto, error), _ func(bool) error) (err error) {
		is, err = read()
		return err
	})
	return is, err
}

// SetAutoUpdates switches a device's own automatic updates and asks it afterwards: what counts is its second answer. A device in
// clinical or process use is touched only while its owner has released it.
func (c *Control) SetAutoUpdates(ctx context.Context, who firmward.Person, ref string, on bool) (driver.Auto, error) {
	var is driver.Auto
	err := c.withAuto(ctx, ref, func(d firmward.Device, read func() (driver.Auto, error), set func(bool) error) error {
		if err := c.mayTouch(ctx, d); err != nil {
			return err
		}
		err := set(on)
		if err == nil {
			is, err = read()
		}
		said := "the device says: " + onOff(is.On)
		if err != nil {
			said = err.Error()
		}
		if kept := c.Store.Tx(ctx, func(tx *store.Tx) error {
			if err := c.emit(ctx, tx, "device", d.ID, fmt.Sprintf("%s: %s switched automatic updates %s; %s", d.Name, who.Name, onOff(on), said)); err != nil {
				return err
			}
			return c.leaf(ctx, tx, who.Name, "auto-updates-set", d.ID, map[string]string{"want": onOff(on), "outcome": said})
		}); kept != nil {
			return kept
		}
		if err == nil && is.On != on {
			err = firmward.Errorf(firmward.Unavailable, d.Name+" accepted it, but its automatic updates are still "+onOff(is.On))
		}
		if err != nil {
			return err
		}
		_, err = c.look(ctx, d) // so that evidence says it too
		c.touch(d.ID)
		return err
	})
	return is, err
}

// withAuto finds a device whose driver knows its automatic updates and keeps what is sent to it.
func (c *Control) withAuto(ctx context.Context, ref string, do func(d firmward.Device, read func() (driver.Auto, error), set func(bool) error) error) error {
	d, err := c.find(ctx, ref)
	if err != nil {
		return err
	}
	drv := c.byDriver[c.Catalog.Model(d).Driver]
	auto, ok := drv.(driver.AutoUpdater)
	if !ok || len(d.Addrs) == 0 {
		return firmward.Errorf(firmward.NotSupported, "firmward does not know how "+d.Name+" updates itself: look in its app or on its web page")
	}
	network, err := c.networkOf(ctx, d)
	if err != nil {
		return err
	}
	secret, err := c.secretFor(ctx, d)
	if err != nil {
		return err
	}
	conn, tr := c.conn(network, d, drv, secret)
	exchange := func(f func(context.Context) error) error {
		ctx, cancel := context.WithTimeout(ctx, readLimit)
		defer cancel()
		return f(ctx)
	}
	err = do(d, func() (is driver.Auto, err error) {
		err = exchange(func(ctx context.Context) error { is, err = auto.AutoUpdates(ctx, conn); return err })
		return is, err
	}, func(on bool) error {
		return exchange(func(ctx context.Context) error { return auto.SetAutoUpdates(ctx, conn, on) })
	})
	if kept := c.keepSent(context.WithoutCancel(ctx), d.ID, tr); err == nil {
		err = kept
	}
	return err
}

// mayTouch refuses a change outside of rollouts where one would not start either.
func (c *Control) mayTouch(ctx context.Context, d firmward.Device) error {
	stop, err := c.stopped(ctx)
	switch {
	case err != nil:
		return err
	case stop:
		return firmward.Errorf(firmward.Refused, "the red button is pressed: nothing starts anywhere")
	case d.Class.LifeSupport():
		return firmward.Errorf(firmward.Refused, d.Name+" keeps people alive: firmward changes no setting of it")
	case d.Zone.Careful() && d.Zone != firmward.ZoneUnmarked && !d.Released.Contains(c.Clock.Now()):
		return firmward.Errorf(firmward.Refused, "its owner has not released "+d.Name+" for now (devices set "+d.Name+" --released-from … --released-to …)")
	}
	return nil
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
