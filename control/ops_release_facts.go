package control

import (
	"context"
	"fmt"
	"slices"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/version"
)

// AddRegression keeps that the jump from a version to a release is known to break something. From then on no device makes it, in rollouts
// that run neither.
func (c *Control) AddRegression(ctx context.Context, who firmward.Person, id string, r firmward.Regression) (firmward.Release, error) {
	r.By, r.At = who.Name, c.Clock.Now()
	return c.learnOf(ctx, who, id, "release-regression", map[string]string{"model": r.Model, "from": r.From, "why": r.Why, "source": r.Source}, func(rel *firmward.Release) error {
		switch {
		case r.From == "":
			return firmward.Errorf(firmward.Invalid, "name the version from which the jump breaks something (--from)")
		case r.Why == "" || r.Source == "":
			return firmward.Errorf(firmward.Invalid, "say what breaks and who says so (--why, --source)")
		}
		if err := fits(*rel, r.Model); err != nil {
			return err
		}
		scheme := c.Catalog.Model(firmward.Device{Family: rel.Family, Vendor: rel.Vendor, Model: rel.Models[0]}).Scheme
		if order, _ := version.Compare(scheme, r.From, rel.Version); order == version.Equal {
			return firmward.Errorf(firmward.Invalid, rel.Version+" is the release itself: name the version from which the jump is made")
		}
		if slices.ContainsFunc(rel.Regressions, func(o firmward.Regression) bool { return o.Model == r.Model && o.From == r.From }) {
			return firmward.Errorf(firmward.Conflict, "that jump is known to break something already")
		}
		rel.Regressions = append(rel.Regressions, r)
		return nil
	})
}

// AddPermission keeps that the manufacturer permits a release for a model in a region.
func (c *Control) AddPermission(ctx context.Context, who firmward.Person, id string, p firmward.Permission) (firmward.Release, error) {
	p.By, p.At = who.Name, c.Clock.Now()
	return c.learnOf(ctx, who, id, "release-permit", map[string]string{"model": p.Model, "region": p.Region, "source": p.Source}, func(rel *firmward.Release) error {
		if p.Model == "" || p.Source == "" {
			return firmward.Errorf(firmward.Invalid, "name the model and the document in which the manufacturer permits it (--model, --source)")
		}
		if err := fits(*rel, p.Model); err != nil {
			return err
		}
		if p.Region != firmward.AnyRegion {
			if p.Region == "" {
				return firmward.Errorf(firmward.Invalid, `name the region, or "*" if the manufacturer permits it everywhere (--region)`)
			}
			if err := checkRegion(p.Region); err != nil {
				return err
			}
		}
		if slices.ContainsFunc(rel.Permissions, func(o firmward.Permission) bool { return o.Model == p.Model && o.Region == p.Region }) {
			return firmward.Errorf(firmward.Conflict, "that is recorded already")
		}
		rel.Permissions = append(rel.Permissions, p)
		return nil
	})
}

// fits refuses a model that a release is not for; an empty one stands for all.
func fits(rel firmward.Release, model string) error {
	if model != "" && !rel.FitsModel(model) {
		return firmward.Errorf(firmward.Invalid, fmt.Sprintf("%s is for %v, not for %s", rel.ID, rel.Models, model))
	}
	return nil
}

// learnOf writes what became known of a release, with its leaf.
func (c *Control) learnOf(ctx context.Context, who firmward.Person, id, action string, detail map[string]string, change func(*firmward.Release) error) (firmward.Release, error) {
	var rel firmward.Release
	err := c.Store.Tx(ctx, func(tx *store.Tx) error {
		var err error
		if rel, err = tx.Release(ctx, id); err != nil {
			return err
		}
		if err := change(&rel); err != nil {
			return err
		}
		if err := tx.PutRelease(ctx, rel); err != nil {
			return err
		}
		return c.leaf(ctx, tx, who.Name, action, id, detail)
	})
	if err != nil {
		return rel, err
	}
	return rel, c.touchFamily(ctx, rel.Family)
}
