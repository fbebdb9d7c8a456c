package control

import (
	"context"
	"errors"
	"fmt"
	"maps"
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
	news       news
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
	if b.Builder != nil {
		block, err := b.Build()
		if err != nil {
			return nil, fmt.Errorf("build the advisory index: %w", err)
		}
		idx, err := index.Open(block)
		if err != nil {
			return nil, fmt.Errorf("build the advisory index: %w", err)
		}
		c.matcher.news.add(c.matcher.idx, idx, b.changed)
		c.matcher.idx, c.matcher.judge = idx, assess.NewEvaluator(idx)
	}
	c.matcher.generation = gen
	return &c.matcher, nil
}

// pending is an index to be built, and the ids of the advisories by which it differs from the one at hand; nil when that is not known.
type pending struct {
	*index.Builder
	changed []string
}

// indexed gives what the index is to hold, without a builder when it holds it already.
func (c *Control) indexed(ctx context.Context) (pending, error) {
	if c.matcher.idx != nil {
		var changed [][2]string
		listed, err := c.Store.Changes(ctx, c.matcher.generation, func(id, source string) { changed = append(changed, [2]string{id, source}) })
		if err != nil {
			return pending{}, err
		}
		if listed && len(changed) == 0 {
			return pending{}, nil
		}
		if listed {
			return c.changed(ctx, changed)
		}
	}
	b := index.NewBuilder()
	return pending{Builder: b}, c.Store.EachAdvisory(ctx, func(a firmward.Advisory) error {
		b.Add(a)
		return ctx.Err()
	})
}

// changed applies changes to the index.
func (c *Control) changed(ctx context.Context, ids [][2]string) (pending, error) {
	b := index.From(c.matcher.idx)
	all := make([]string, 0, len(ids))
	for page := range slices.Chunk(ids, 1000) {
		var of []string
		for _, k := range page {
			b.Remove(k[0], k[1])
			of = append(of, k[0])
		}
		now, err := c.Store.AdvisoriesOf(ctx, of)
		if err != nil {
			return pending{}, err
		}
		for _, a := range now { // those of other sources are there already, and equal
			b.Add(a)
		}
		all = append(all, of...)
	}
	return pending{b, all}, nil
}

// assess works out the findings of one device from all advisories that name its products. A device whose fingerprint is the one by which
// it was assessed has the findings of that: what was imported since comes to it with the others of its kind, see reassess.
func (c *Control) assess(ctx context.Context, d firmward.Device) error {
	subject, err := c.subject(ctx, d)
	if err != nil {
		return err
	}
	essence := assess.EssenceOf(subject)
	fingerprint := essence.Fingerprint()
	if known, err := c.Store.FingerprintOf(ctx, d.ID); err != nil || known == fingerprint {
		return err
	}
	for {
		err := c.assessAlone(ctx, d, subject.Identity, essence, fingerprint)
		if !errors.Is(err, errMoved) {
			return err
		}
	}
}

// assessAlone writes the findings of one device. It fails with errMoved when there was an import meanwhile.
func (c *Control) assessAlone(ctx context.Context, d firmward.Device, id firmward.Identity, essence assess.Essence, fingerprint string) error {
	m, err := c.matcherNow(ctx)
	if err != nil {
		return err
	}
	now := c.Clock.Now()
	findings := m.judge.Evaluate(essence.Subject(), assess.Extras{Snapshot: m.generation}, now)
	if err := c.known(ctx, findings); err != nil {
		return err
	}
	evidence, judged := evidenceOf(id), essence.Remember(c.Version)
	return c.Store.Tx(ctx, func(tx *store.Tx) error {
		if err := m.still(ctx, tx); err != nil {
			return err
		}
		kept, err := kindOf(fingerprint, essence)
		if err != nil {
			return err
		}
		if err := tx.PutFingerprint(ctx, kept, answersOf(findings)); err != nil {
			return err
		}
		if err := tx.SetFingerprint(ctx, d.ID, fingerprint); err != nil {
			return err
		}
		changes, err := tx.ReplaceFindings(ctx, store.Assessment{Device: d.ID, Findings: findings, Observation: evidence, Judged: &judged, At: now})
		if err != nil {
			return err
		}
		for _, f := range changes.Opened {
			if err := c.leaf(ctx, tx, self, "finding-open", d.ID, opened(f)); err != nil {
				return err
			}
		}
		for _, f := range changes.Closed {
			if err := tx.PinObservation(ctx, evidence); err != nil {
				return err
			}
			if err := c.leaf(ctx, tx, self, "finding-close", d.ID, closed(f, d.Firmware)); err != nil {
				return err
			}
		}
		if len(changes.Opened)+len(changes.Closed) > 0 {
			return c.emit(ctx, tx, "finding", d.ID, fmt.Sprintf("%s: %d findings opened, %d closed", d.Name, len(changes.Opened), len(changes.Closed)))
		}
		return nil
	})
}

// evidenceOf is the observation that shows the firmware: what is closed is closed by it.
func evidenceOf(id firmward.Identity) string {
	if cl, ok := id.Best(firmward.FieldFirmware); ok {
		return cl.Observation
	}
	return ""
}

// opened and closed are the details of the leaves of a finding.
func opened(f firmward.Finding) map[string]string {
	return map[string]string{"advisory": f.AdvisoryID, "verdict": string(f.Verdict), "reason": f.Reason, "firmware": f.Firmware}
}

func closed(f firmward.Finding, firmware string) map[string]string {
	return map[string]string{"advisory": f.AdvisoryID, "by": f.ClosedBy, "firmware": firmware}
}

// lore is what is known of advisories beside what the index holds: who uses them, and what sources say of that. It is asked for once
// an advisory.
type lore struct {
	extras  assess.Extras
	threats map[string]firmward.Threat
	asked   map[string]bool // true: for its threat too, which only what is open has
}

func newLore() *lore {
	return &lore{
		extras:  assess.Extras{Exploited: map[string]firmward.Exploited{}, Likelihood: map[string]firmward.Likelihood{}},
		threats: map[string]firmward.Threat{}, asked: map[string]bool{},
	}
}

// learn asks the store for what is not known yet.
func (l *lore) learn(ctx context.Context, r store.Reader, findings []firmward.Finding) error {
	var ids, open []string
	for _, f := range findings {
		threat, asked := l.asked[f.AdvisoryID]
		if !asked {
			ids = append(ids, f.AdvisoryID)
		}
		if f.Verdict != firmward.NotAffected && !threat {
			open = append(open, f.AdvisoryID)
		}
		l.asked[f.AdvisoryID] = threat || f.Verdict != firmward.NotAffected
	}
	if len(ids) > 0 {
		exploited, err := r.ExploitedOf(ctx, ids)
		if err != nil {
			return err
		}
		likely, err := r.LikelihoodOf(ctx, ids)
		if err != nil {
			return err
		}
		maps.Copy(l.extras.Exploited, exploited)
		maps.Copy(l.extras.Likelihood, likely)
	}
	if len(open) == 0 {
		return nil
	}
	trend, err := r.LikelihoodTrend(ctx, open)
	if err != nil {
		return err
	}
	advisories, err := r.AdvisoriesOf(ctx, open)
	if err != nil {
		return err
	}
	maps.Copy(l.threats, priority.Threats(advisories, l.extras.Likelihood, trend))
	return nil
}

// add writes what is known into findings.
func (l *lore) add(findings []firmward.Finding) {
	for i := range findings {
		l.extras.Add(&findings[i])
		if findings[i].Verdict != firmward.NotAffected {
			findings[i].Threat = l.threats[findings[i].AdvisoryID]
		}
	}
}

// known adds to findings what is known of their advisories beside what the index holds.
func (c *Control) known(ctx context.Context, findings []firmward.Finding) error {
	l := newLore()
	if err := l.learn(ctx, c.Store.Reader, findings); err != nil {
		return err
	}
	l.add(findings)
	return nil
}
