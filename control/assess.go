package control

import (
	"context"
	"fmt"
	"slices"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/assess"
	"github.com/firmward/firmward/index"
	"github.com/firmward/firmward/priority"
	"github.com/firmward/firmward/store"
)

// matcher is the index of all advisories of one generation. The loop that decides is its only user.
type matcher struct {
	generation int64
	idx        *index.Index
	judge      *assess.Evaluator
}

// matcherNow brings the index up to date: by what changed since, or anew where that is not known.
func (c *Control) matcherNow(ctx context.Context) (*matcher, error) {
	gen, err := c.Store.Generation(ctx)
	if err != nil {
		return nil, err
	}
	if c.matcher.idx != nil && c.matcher.generation == gen {
		return &c.matcher, nil
	}
	b, err := c.indexed(ctx)
	if err != nil {
		return nil, fmt.Errorf("build the advisory index: %w", err)
	}
	if b != nil {
		block, err := b.Build()
		if err != nil {
			return nil, fmt.Errorf("build the advisory index: %w", err)
		}
		if c.matcher.idx, err = index.Open(block); err != nil {
			return nil, fmt.Errorf("build the advisory index: %w", err)
		}
		c.matcher.judge = assess.NewEvaluator(c.matcher.idx)
	}
	c.matcher.generation = gen
	return &c.matcher, nil
}

// indexed gives what the index is to hold, nil when it holds it already.
func (c *Control) indexed(ctx context.Context) (*index.Builder, error) {
	if c.matcher.idx != nil {
		var changed [][2]string
		listed, err := c.Store.Changes(ctx, c.matcher.generation, func(id, source string) { changed = append(changed, [2]string{id, source}) })
		if err != nil {
			return nil, err
		}
		if listed && len(changed) == 0 {
			return nil, nil
		}
		if listed {
			return c.changed(ctx, changed)
		}
	}
	b := index.NewBuilder()
	return b, c.Store.EachAdvisory(ctx, func(a firmward.Advisory) error {
		b.Add(a)
		return ctx.Err()
	})
}

// changed applies changes to the index.
func (c *Control) changed(ctx context.Context, ids [][2]string) (*index.Builder, error) {
	b := index.From(c.matcher.idx)
	for page := range slices.Chunk(ids, 1000) {
		var of []string
		for _, k := range page {
			b.Remove(k[0], k[1])
			of = append(of, k[0])
		}
		now, err := c.Store.AdvisoriesOf(ctx, of)
		if err != nil {
			return nil, err
		}
		for _, a := range now { // those of other sources are there already, and equal
			b.Add(a)
		}
	}
	return b, nil
}

// assess works out the findings of one device from all advisories that name its products.
func (c *Control) assess(ctx context.Context, d firmward.Device) error {
	m, err := c.matcherNow(ctx)
	if err != nil {
		return err
	}
	subject, err := c.subject(ctx, d)
	if err != nil {
		return err
	}
	now := c.Clock.Now()
	judged := assess.Remember(subject, c.Version)
	findings := m.judge.Evaluate(subject, assess.Extras{Snapshot: m.generation}, now)
	if err := c.known(ctx, findings); err != nil {
		return err
	}
	evidence := ""
	if cl, ok := subject.Identity.Best(firmward.FieldFirmware); ok {
		evidence = cl.Observation
	}
	return c.Store.Tx(ctx, func(tx *store.Tx) error {
		changes, err := tx.ReplaceFindings(ctx, store.Assessment{Device: d.ID, Findings: findings, Observation: evidence, Judged: &judged, At: now})
		if err != nil {
			return err
		}
		for _, f := range changes.Opened {
			if err := c.leaf(ctx, tx, self, "finding-open", d.ID, map[string]string{"advisory": f.AdvisoryID, "verdict": string(f.Verdict), "reason": f.Reason, "firmware": f.Firmware}); err != nil {
				return err
			}
		}
		for _, f := range changes.Closed {
			if err := tx.PinObservation(ctx, evidence); err != nil {
				return err
			}
			if err := c.leaf(ctx, tx, self, "finding-close", d.ID, map[string]string{"advisory": f.AdvisoryID, "by": f.ClosedBy, "firmware": d.Firmware}); err != nil {
				return err
			}
		}
		if len(changes.Opened)+len(changes.Closed) > 0 {
			return c.emit(ctx, tx, "finding", d.ID, fmt.Sprintf("%s: %d findings opened, %d closed", d.Name, len(changes.Opened), len(changes.Closed)))
		}
		return nil
	})
}

// known adds what is known of the advisories beside what the index holds: who uses them, and what sources say of that.
func (c *Control) known(ctx context.Context, findings []firmward.Finding) error {
	if len(findings) == 0 {
		return nil
	}
	ids := make([]string, len(findings))
	var open []string
	for i, f := range findings {
		if ids[i] = f.AdvisoryID; f.Verdict != firmward.NotAffected {
			open = append(open, f.AdvisoryID)
		}
	}
	exploited, err := c.Store.ExploitedOf(ctx, ids)
	if err != nil {
		return err
	}
	likely, err := c.Store.LikelihoodOf(ctx, ids)
	if err != nil {
		return err
	}
	trend, err := c.Store.LikelihoodTrend(ctx, open)
	if err != nil {
		return err
	}
	advisories, err := c.Store.AdvisoriesOf(ctx, open)
	if err != nil {
		return err
	}
	x := assess.Extras{Exploited: exploited, Likelihood: likely}
	threats := priority.Threats(advisories, likely, trend)
	for i := range findings {
		x.Add(&findings[i])
		findings[i].Threat = threats[findings[i].AdvisoryID]
	}
	return nil
}
