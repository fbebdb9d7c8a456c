package control

import (
	"context"
	"slices"
	"strings"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/assess"
	"github.com/firmward/firmward/version"
)

// closes gives what is open on a device and is closed by a release: what the release names, and what is repaired in its version or an earlier one. It is
// sorted by advisory. What somebody accepts, has mitigated, puts off or takes for wrong is in it too.
func (c *Control) closes(ctx context.Context, rel firmward.Release, d firmward.Device) ([]firmward.Finding, error) {
	findings, err := c.Store.FindingsOf(ctx, d.ID)
	if err != nil {
		return nil, err
	}
	scheme := c.Catalog.Model(d).Scheme
	return slices.DeleteFunc(findings, func(f firmward.Finding) bool {
		order := version.Incomparable
		if f.FixedIn != "" {
			order, _ = version.Compare(scheme, rel.Version, f.FixedIn)
		}
		mends := order == version.Equal || order == version.Greater || slices.Contains(rel.Fixes, f.AdvisoryID)
		return !f.Open() || !mends
	}), nil
}

// toClose gives the advisories that must be closed on a device when it runs a release, sorted: those that it closes and nobody has excused.
func (c *Control) toClose(ctx context.Context, rel firmward.Release, d firmward.Device) ([]string, error) {
	findings, err := c.closes(ctx, rel, d)
	if err != nil || len(findings) == 0 {
		return nil, err
	}
	return c.unexcused(ctx, d.ID, findings)
}

// stillOpen assesses a device anew with the version that a look read, by what sources say now of some advisories, and gives those that are open. The loop
// that decides writes the findings by the same observation and the same rules (assess): nothing is written here, and nobody waits for a whole fleet.
func (c *Control) stillOpen(ctx context.Context, id string, advisories []string, read string) ([]string, error) {
	d, err := c.Store.Device(ctx, id) // the look may have taught us
	if err != nil {
		return nil, err
	}
	d.Firmware = read
	subject, err := c.subject(ctx, d)
	if err != nil {
		return nil, err
	}
	known, err := c.Store.AdvisoriesOf(ctx, advisories)
	if err != nil {
		return nil, err
	}
	essence := assess.EssenceOf(subject)
	findings := assess.Evaluate(essence.Subject(), known, assess.Extras{}, c.Clock.Now())
	return c.unexcused(ctx, d.ID, slices.DeleteFunc(findings, func(f firmward.Finding) bool { return !f.Open() }))
}

// unexcused gives the advisories of findings for which nobody has recorded why they need no answer for now.
func (c *Control) unexcused(ctx context.Context, device string, findings []firmward.Finding) ([]string, error) {
	now := c.Clock.Now()
	exceptions, err := c.Store.ExceptionsFor(ctx, device, now)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, f := range findings {
		if !slices.ContainsFunc(exceptions, func(e firmward.Exception) bool {
			return e.Kind != firmward.Waive && e.Applies(device, f.AdvisoryID, now)
		}) {
			out = append(out, f.AdvisoryID)
		}
	}
	return out, nil
}

// targetDetail is the detail of the leaf of a target's new state.
func targetDetail(t firmward.Target) map[string]string {
	out := map[string]string{"rollout": t.RolloutID, "command": t.Command, "why": t.Why, "code": t.Code, "from": t.From, "want": t.Want}
	for key, list := range map[string][]string{"closed": t.Closed(), "still-open": t.StillOpen} {
		if len(list) > 0 {
			out[key] = strings.Join(list, " ")
		}
	}
	return out
}
