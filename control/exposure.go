package control

import (
	"context"
	"fmt"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/remedy"
	"github.com/firmward/firmward/store"
)

// Exposure tells how long the open findings have been open to the world, by site, class, vendor, model or device; "" is all of
// them together.
func (c *Control) Exposure(ctx context.Context, by string) ([]remedy.Exposure, error) {
	group, ok := map[string]func(firmward.Device) string{
		"": func(firmward.Device) string { return "all" }, "site": func(d firmward.Device) string { return d.Site },
		"class": func(d firmward.Device) string { return string(d.Class) }, "vendor": func(d firmward.Device) string { return d.Vendor },
		"model": func(d firmward.Device) string { return d.Vendor + " " + d.Model }, "device": func(d firmward.Device) string { return d.Name },
	}[by]
	if !ok {
		return nil, firmward.Errorf(firmward.Invalid, fmt.Sprintf("no group is called %q: site, class, vendor, model or device", by))
	}
	var ages remedy.Ages
	now := c.Clock.Now()
	releases := map[string][]firmward.Release{}
	err := c.eachDevice(ctx, store.DeviceFilter{}, func(d firmward.Device) error {
		if d.Retired {
			return nil
		}
		findings, err := c.Store.FindingsOf(ctx, d.ID)
		if err != nil {
			return err
		}
		for _, f := range findings {
			if !f.Open() {
				continue
			}
			if _, known := releases[d.Family]; !known {
				if releases[d.Family], err = store.Every(func(p store.Page) ([]firmward.Release, string, error) {
					return c.Store.Releases(ctx, store.ReleaseFilter{Family: d.Family}, p)
				}); err != nil {
					return err
				}
			}
			ages.Add(group(d), f, remedy.FixAt(releases[d.Family], d, c.Catalog.Model(d), f), now)
		}
		return nil
	})
	return ages.Table(), err
}
