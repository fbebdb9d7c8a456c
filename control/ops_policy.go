package control

import (
	"context"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/policy"
	"github.com/firmward/firmward/store"
)

// Ruled says which devices a rollout policy rules: those that no policy before it takes.
type Ruled struct {
	Policy  policy.Rollout
	Matches int       // devices that its selector matches
	Rules   int       // of those, the ones that fall under it
	Changed []Changed // devices that have come under it or left it since
}

// Changed is a device that falls under another policy than before.
type Changed struct {
	Device firmward.Device
	Before string // name of the policy; empty: none
	Now    string // the same
	New    bool   // it was not known before
}

// PolicyPreview is what policies mean for the inventory.
type PolicyPreview struct {
	Devices int
	Since   time.Time
	Ruled   []Ruled
	None    int // devices that no policy takes
}

// PreviewPolicies says how many devices fall under each rollout policy of a file, and which of them fell under another one at a time
// before. Nothing changes.
func (c *Control) PreviewPolicies(ctx context.Context, f policy.File, since time.Time) (PolicyPreview, error) {
	out := PolicyPreview{Since: since, Ruled: make([]Ruled, len(f.Rollout))}
	at := map[string]int{}
	for i, p := range f.Rollout {
		out.Ruled[i].Policy, at[p.Name] = p, i
	}
	name := func(d firmward.Device) string {
		p, _ := f.For(d)
		return p.Name
	}
	retired := false
	err := c.eachDevice(ctx, store.DeviceFilter{Retired: &retired}, func(d firmward.Device) error {
		out.Devices++
		for i, p := range f.Rollout {
			if p.Select.Match(d) {
				out.Ruled[i].Matches++
			}
		}
		if now := name(d); now != "" {
			out.Ruled[at[now]].Rules++
		} else {
			out.None++
		}
		return nil
	})
	if err != nil {
		return out, err
	}
	ids, err := c.Store.ChangedDevices(ctx, since)
	if err != nil {
		return out, err
	}
	for _, id := range ids {
		d, err := c.Store.Device(ctx, id)
		if firmward.CodeOf(err) == firmward.NotFound || err == nil && d.ID != id { // it has become part of another
			continue
		}
		if err != nil {
			return out, err
		}
		change := Changed{Device: d}
		switch before, err := c.Store.DeviceAsOf(ctx, id, since); {
		case firmward.CodeOf(err) == firmward.NotFound:
			change.New = true
		case err != nil:
			return out, err
		case !before.Retired:
			change.Before = name(before)
		}
		if !d.Retired {
			change.Now = name(d)
		}
		if change.Before == change.Now {
			continue
		}
		for _, p := range []string{change.Before, change.Now} {
			if i, ok := at[p]; ok {
				out.Ruled[i].Changed = append(out.Ruled[i].Changed, change)
			}
		}
	}
	return out, nil
}
