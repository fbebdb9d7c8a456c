package control

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/calendar"
	"github.com/firmward/firmward/store"
)

// maxFreezes bounds the freezes of one site: each start weighs them all.
const maxFreezes = 100

// AddFreeze lets nothing start at a site for a time. What is on its way there goes on. The name is the first day unless
// one is given.
func (c *Control) AddFreeze(ctx context.Context, who firmward.Person, site string, f firmward.Freeze) (firmward.Freeze, error) {
	f.Name = cmp.Or(f.Name, f.From)
	f.By, f.At = who.Name, c.Clock.Now()
	if f.Why = strings.TrimSpace(f.Why); f.Why == "" {
		return f, firmward.Errorf(firmward.Invalid, "say why nothing may start (--why): whoever waits for the end will read it")
	}
	if err := calendar.CheckFreeze(f); err != nil {
		return f, err
	}
	if err := checkName("freeze", f.Name); err != nil {
		return f, err
	}
	at, err := c.placeTime(ctx, site, f.At)
	if err != nil {
		return f, err
	}
	if _, to, ok := calendar.Span(f, at.local); !ok {
		return f, firmward.Errorf(firmward.Invalid, fmt.Sprintf("this freeze was over at %s: give a later end, or say that it comes each year", to.Format("2006-01-02 15:04 MST")))
	}
	err = c.Store.Tx(ctx, func(tx *store.Tx) error {
		if _, err := knownSite(ctx, tx.Reader, site); err != nil {
			return err
		}
		have, err := tx.Freezes(ctx, site)
		if err != nil {
			return err
		}
		if len(have) >= maxFreezes {
			return firmward.Errorf(firmward.Conflict, fmt.Sprintf("%s has %d freezes, that is the limit: take out those that are over (sites unfreeze)", site, len(have)))
		}
		if err := tx.AddFreeze(ctx, site, f); err != nil {
			return err
		}
		return c.leaf(ctx, tx, who.Name, "site-freeze", site, freezeDetail(f))
	})
	if err == nil {
		c.wake(loopDeploy)
	}
	return f, err
}

// LiftFreeze takes a freeze of a site away, whether it holds, is ahead or is over.
func (c *Control) LiftFreeze(ctx context.Context, who firmward.Person, site, name string) error {
	err := c.Store.Tx(ctx, func(tx *store.Tx) error {
		if _, err := knownSite(ctx, tx.Reader, site); err != nil {
			return err
		}
		all, err := tx.Freezes(ctx, site)
		if err != nil {
			return err
		}
		var names []string
		for _, f := range all {
			if f.Name == name {
				if err := tx.DeleteFreeze(ctx, site, name); err != nil {
					return err
				}
				detail := freezeDetail(f.Freeze)
				detail["by"] = f.By
				return c.leaf(ctx, tx, who.Name, "site-unfreeze", site, detail)
			}
			names = append(names, f.Name)
		}
		if len(names) == 0 {
			return firmward.Errorf(firmward.NotFound, site+" has no freeze")
		}
		return firmward.Errorf(firmward.NotFound, fmt.Sprintf("%s has no freeze called %q: there are %s", site, name, strings.Join(names, ", ")))
	})
	if err == nil {
		c.wake(loopDeploy)
	}
	return err
}

func freezeDetail(f firmward.Freeze) map[string]string {
	return map[string]string{"name": f.Name, "from": f.From, "to": f.To, "yearly": fmt.Sprint(f.Yearly), "why": f.Why}
}
