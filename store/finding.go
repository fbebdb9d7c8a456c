package store

import (
	"context"
	"time"

	"github.com/firmward/firmward"
)

// FindingChanges tells what ReplaceFindings did.
type FindingChanges struct {
	Opened, Closed []firmward.Finding
	Updated        int
}

// Assessment is the whole result of one assessment of a device.
type Assessment struct {
	Device      string
	Findings    []firmward.Finding
	Observation string // evidence of the version that was judged
	Judged      *firmward.Judged
	At          time.Time
}

// ReplaceFindings takes the result of an assessment. New findings are opened at now, known ones
// are updated and keep OpenedAt; open ones that are missing or not-affected in it are closed by the
// observation, which is pinned as evidence. A closed finding that comes back is opened anew. What a finding said before stays in
// its history.
func (t *Tx) ReplaceFindings(ctx context.Context, a Assessment) (FindingChanges, error) {
	var done FindingChanges
	device, at := a.Device, a.At
	known, err := t.FindingsOf(ctx, device)
	if err != nil {
		return done, err
	}
	old := make(map[string]firmward.Finding, len(known))
	for _, f := range known {
		old[f.AdvisoryID] = f
	}
	var changes []findingChange
	seen := make(map[string]bool, len(a.Findings))
	for _, f := range a.Findings {
		before, exists := old[f.AdvisoryID]
		if seen[f.AdvisoryID] || !exists && f.Verdict == firmward.NotAffected {
			continue
		}
		seen[f.AdvisoryID] = true
		f.DeviceID, f.OpenedAt, f.ClosedAt, f.ClosedBy = device, before.OpenedAt, time.Time{}, ""
		switch {
		case f.Verdict == firmward.NotAffected && before.ClosedAt.IsZero():
			f.ClosedAt, f.ClosedBy = at, a.Observation
			done.Closed = append(done.Closed, f)
		case f.Verdict == firmward.NotAffected:
			f.ClosedAt, f.ClosedBy = before.ClosedAt, before.ClosedBy
		case !exists || !before.ClosedAt.IsZero():
			f.OpenedAt = at
			done.Opened = append(done.Opened, f)
		default:
			done.Updated++
		}
		changes = append(changes, findingChange{before, exists, firmward.Form{Finding: f, Since: at, Judged: a.Judged}})
	}
	for _, f := range known {
		if seen[f.AdvisoryID] || !f.ClosedAt.IsZero() {
			continue
		}
		before := f
		f.ClosedAt, f.ClosedBy = at, a.Observation
		done.Closed = append(done.Closed, f)
		changes = append(changes, findingChange{before, true, firmward.Form{Finding: f, Since: at}})
	}
	if err := t.changeFindings(ctx, at, changes...); err != nil {
		return done, err
	}
	if len(done.Closed) > 0 {
		err = t.PinObservation(ctx, a.Observation)
	}
	return done, err
}

// CloseFinding closes an open finding, by an observation id or "exception:<id>". The device has another answer than its fingerprint then:
// it loses that until it is assessed again.
func (t *Tx) CloseFinding(ctx context.Context, device, advisory, by string, at time.Time) error {
	f, err := t.Finding(ctx, device, advisory)
	if err != nil {
		return err
	}
	if !f.ClosedAt.IsZero() {
		return firmward.Errorf(firmward.Conflict, "the finding "+advisory+" of "+device+" is closed already")
	}
	before := f
	f.ClosedAt, f.ClosedBy = at, by
	if err := t.changeFindings(ctx, at, findingChange{before, true, firmward.Form{Finding: f, Since: at}}); err != nil {
		return err
	}
	if err := t.put(ctx, "DELETE FROM device_fingerprint WHERE device = $1", device); err != nil {
		return err
	}
	return t.PinObservation(ctx, by)
}

// findingChange is a finding as it is to be, with what it was.
type findingChange struct {
	before firmward.Finding
	exists bool
	now    firmward.Form
}

// changeFindings writes findings and, of those that say something new, the history.
func (t *Tx) changeFindings(ctx context.Context, at time.Time, changes ...findingChange) error {
	x := wording{at: at}
	rows := make([]formRow, len(changes))
	for i, c := range changes {
		var err error
		if rows[i], err = x.row(c.now); err != nil {
			return err
		}
	}
	if err := t.putTexts(ctx, x); err != nil {
		return err
	}
	for i, c := range changes {
		if err := t.putFinding(ctx, c, rows[i]); err != nil {
			return err
		}
		if c.exists && sameForm(c.before, c.now.Finding) {
			continue
		}
		if c.exists {
			if err := t.endForm(ctx, c.before, c.now); err != nil {
				return err
			}
		}
		if err := t.putForm(ctx, rows[i]); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tx) putFinding(ctx context.Context, c findingChange, row formRow) error {
	before, exists, f := c.before, c.exists, c.now.Finding
	err := t.put(ctx, `INSERT INTO finding (device, advisory, verdict, is_open, exploited, closed, said, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (device, advisory) DO UPDATE SET verdict = excluded.verdict, is_open = excluded.is_open,
		exploited = excluded.exploited, closed = excluded.closed, said = excluded.said, body = excluded.body`,
		f.DeviceID, f.AdvisoryID, f.Verdict, f.Open(), f.Exploited, f.ClosedAt, row.said, js{row.own})
	if err != nil {
		return err
	}
	if exists && before.Open() && f.Open() && before.Verdict == f.Verdict && before.Exploited == f.Exploited {
		return nil
	}
	if exists {
		if err := t.countFinding(ctx, before, -1); err != nil {
			return err
		}
	}
	return t.countFinding(ctx, f, 1)
}

func (t *Tx) countFinding(ctx context.Context, f firmward.Finding, by int) error {
	if !f.Open() {
		return nil
	}
	return t.put(ctx, `INSERT INTO finding_count (verdict, exploited, n) VALUES ($1, $2, $3)
		ON CONFLICT (verdict, exploited) DO UPDATE SET n = finding_count.n + excluded.n`, f.Verdict, f.Exploited, by)
}

func (t *Tx) dropFindings(ctx context.Context, device string) error {
	known, err := t.FindingsOf(ctx, device)
	if err != nil {
		return err
	}
	for _, f := range known {
		if err := t.countFinding(ctx, f, -1); err != nil {
			return err
		}
	}
	if err := t.put(ctx, "DELETE FROM finding WHERE device = $1", device); err != nil {
		return err
	}
	return t.dropForms(ctx, device)
}

// Finding gives one finding.
func (r Reader) Finding(ctx context.Context, device, advisory string) (firmward.Finding, error) {
	found, err := list(ctx, r, findingRow, "SELECT "+findingColumns+" FROM "+findingTables+" WHERE device = $1 AND advisory = $2", device, advisory)
	if err == nil && len(found) == 0 {
		return firmward.Finding{}, notFound("finding", advisory+" of "+device)
	}
	if err != nil {
		return firmward.Finding{}, err
	}
	return found[0], nil
}

// FindingsOf gives all findings of a device, closed ones too, sorted by advisory.
func (r Reader) FindingsOf(ctx context.Context, device string) ([]firmward.Finding, error) {
	return list(ctx, r, findingRow, "SELECT "+findingColumns+" FROM "+findingTables+" WHERE device = $1 ORDER BY advisory", device)
}

// FindingFilter chooses findings. Zero fields choose nothing out.
type FindingFilter struct {
	Device, Advisory string
	Verdict          firmward.Verdict
	Open, Exploited  *bool
}

// Findings lists findings by advisory and device.
func (r Reader) Findings(ctx context.Context, want FindingFilter, p Page) ([]firmward.Finding, string, error) {
	var f filter
	f.is("device", want.Device)
	f.is("advisory", want.Advisory)
	f.is("verdict", want.Verdict)
	f.truth("is_open", want.Open)
	f.truth("exploited", want.Exploited)
	return page(ctx, r, ordered("advisory", "device"), p, f, findingTables, findingColumns, findingRow)
}

// FindingCount is the number of open findings of one kind.
type FindingCount struct {
	Verdict   firmward.Verdict
	Exploited bool
	N         int
}

// CountFindings gives the counts that are kept with each change.
func (r Reader) CountFindings(ctx context.Context) ([]FindingCount, error) {
	return list(ctx, r, func(s scan) (c FindingCount, err error) {
		err = s(&c.Verdict, &c.Exploited, &c.N)
		return c, err
	}, "SELECT verdict, exploited, n FROM finding_count WHERE n <> 0 ORDER BY verdict, exploited")
}
