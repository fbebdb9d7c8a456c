package control

import (
	"context"
	"slices"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
)

// hold says of each candidate how long a policy lets the release mature for it.
func (c *Control) hold(ctx context.Context, rel firmward.Release, p firmward.RolloutPolicy, cands []rollout.Candidate) error {
	if len(p.HoldBacks) == 0 {
		return nil
	}
	hurries := slices.ContainsFunc(p.HoldBacks, func(h firmward.HoldBack) bool { return h.Exploited != nil })
	for i := range cands {
		var exploited []string
		if held := rollout.HoldBack(rel, p, cands[i].Device, nil); hurries && held.Until.After(c.Clock.Now()) {
			var err error
			if exploited, err = c.exploited(ctx, rel, cands[i]); err != nil {
				return err
			}
		}
		cands[i].Held = rollout.HoldBack(rel, p, cands[i].Device, exploited)
	}
	return nil
}

// exploited gives what is open on a device, is being exploited, and is closed by a release, sorted.
func (c *Control) exploited(ctx context.Context, rel firmward.Release, cand rollout.Candidate) ([]string, error) {
	findings, err := c.closes(ctx, rel, cand.Device)
	var out []string
	for _, f := range findings {
		if f.Exploited {
			out = append(out, f.AdvisoryID)
		}
	}
	return out, err
}
