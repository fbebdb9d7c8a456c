package control

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/upgrade"
)

// wayFacts are what is said of the ways to a release, for the record: only what was said.
func wayFacts(r firmward.Release) map[string]string {
	out := map[string]string{}
	put := func(key, value string) {
		if value != "" {
			out[key] = value
		}
	}
	put("min-from", r.MinFrom)
	put("max-from", r.MaxFrom)
	put("floor", r.Floor)
	put("part", r.Part)
	put("variant", r.Variant)
	put("from-variants", strings.Join(r.FromVariants, ","))
	if r.WipesConfig {
		put("wipes", "config")
	}
	if r.MayDowngrade {
		put("may-downgrade", "yes")
	}
	for _, n := range r.Needs {
		put("needs-"+n.Part, n.AtLeast)
	}
	return out
}

// runs is what a device runs by all that is known of it.
func runs(d firmward.Device, id firmward.Identity) upgrade.State {
	s := upgrade.State{Version: d.Firmware}
	if cl, ok := id.Best(firmward.FieldVariant); ok {
		s.Variant = cl.Value
	}
	for _, cl := range id.Claims { // winners first per field
		part := cl.Field.Part()
		if _, known := s.Parts[part]; part == "" || known {
			continue
		}
		if s.Parts == nil {
			s.Parts = map[string]string{}
		}
		s.Parts[part] = cl.Value
	}
	return s
}

// checkAllowed refuses risks that are not known, and those that nobody gives a reason for.
func checkAllowed(allowed []firmward.Allowance) error {
	for _, a := range allowed {
		switch {
		case a.Risk != firmward.RiskWipesConfig && a.Risk != firmward.RiskChangesVariant:
			return firmward.Errorf(firmward.Invalid, fmt.Sprintf("%q is no risk that can be taken on", a.Risk))
		case strings.TrimSpace(a.Why) == "":
			return firmward.Errorf(firmward.Invalid, "say why the risk "+a.Risk+" is taken on")
		}
	}
	return nil
}

// withWay adds to a candidate what its way to a release rests on.
func (c *Control) withWay(ctx context.Context, cand rollout.Candidate, rels []firmward.Release) (rollout.Candidate, error) {
	one := []rollout.Candidate{cand}
	err := c.withWays(ctx, one, rels)
	return one[0], err
}

// withWays adds to candidates what their ways to a release rest on.
func (c *Control) withWays(ctx context.Context, cands []rollout.Candidate, rels []firmward.Release) error {
	ids := make([]string, len(cands))
	for i := range cands {
		ids[i] = cands[i].Device.ID
	}
	var known map[string]firmward.Identity
	if slices.ContainsFunc(rels, tellsApart) {
		var err error
		if known, err = c.Store.IdentitiesIn(ctx, ids); err != nil {
			return err
		}
	}
	for i := range cands {
		cands[i].Runs, cands[i].Releases = runs(cands[i].Device, known[ids[i]]), rels
	}
	return nil
}

// tellsApart reports whether it matters for a release what a device runs beside its version.
func tellsApart(r firmward.Release) bool { return r.Variant != "" || r.Part != "" || len(r.Needs) > 0 }

// familyReleases gives all releases of a family, withdrawn ones too.
func (c *Control) familyReleases(ctx context.Context, family string) ([]firmward.Release, error) {
	return store.Every(func(p store.Page) ([]firmward.Release, string, error) {
		return c.Store.Releases(ctx, store.ReleaseFilter{Family: family}, p)
	})
}

// Way is how a device comes to run a version.
type Way struct {
	Device  firmward.Device
	Runs    upgrade.State
	Want    string
	Variant string // wanted, empty: as it is
	Path    upgrade.Path
	Refusal *upgrade.Refusal
}

// WayTo gives the way of a device to a version, or to the newest release for it when want is empty. Channels count as its rollout
// policy takes them.
func (c *Control) WayTo(ctx context.Context, ref, want, variant string) (Way, error) {
	d, err := c.find(ctx, ref)
	if err != nil {
		return Way{}, err
	}
	if d.Model == "" {
		return Way{}, firmward.Errorf(firmward.Invalid, "nobody knows what "+d.Name+" is, so no release fits it (devices set "+d.Name+" --model MODEL)")
	}
	f, err := c.facts(ctx, d)
	if err != nil {
		return Way{}, err
	}
	q := f.Query()
	q.Variant = variant
	if q.Want = want; want == "" {
		q.Want = q.Newest()
	}
	if q.Want == "" {
		return Way{}, firmward.Errorf(firmward.NotFound, fmt.Sprintf("no release for %s, hardware %s, is in the depot (releases import)", d.Model, cmp.Or(d.Hardware, "unknown")))
	}
	q.Outage = rollout.Outage(f.Model)
	w := Way{Device: d, Runs: q.From, Want: q.Want, Variant: variant}
	w.Path, w.Refusal = upgrade.Plan(q)
	return w, nil
}
