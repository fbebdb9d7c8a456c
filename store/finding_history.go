package store

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/firmward/firmward"
)

// sameForm reports whether a finding says what it said before. A document that was issued again is no news, and neither is a
// likelihood, which moves every day.
func sameForm(a, b firmward.Finding) bool {
	if a.Verdict != b.Verdict || a.Exploited != b.Exploited || !a.ClosedAt.Equal(b.ClosedAt) || a.ClosedBy != b.ClosedBy {
		return false
	}
	if a.Digest != "" && a.Digest == b.Digest {
		return true
	}
	return a.Firmware == b.Firmware && a.Reason == b.Reason && a.Score == b.Score && a.FixedIn == b.FixedIn && a.NoFix == b.NoFix &&
		reflect.DeepEqual(a.Explanation, b.Explanation) &&
		slices.EqualFunc(a.Records, b.Records, func(x, y firmward.RecordRef) bool { return x.Source == y.Source && x.Modified.Equal(y.Modified) })
}

// putForm begins a form. One that began at the same moment never stood and gives way.
func (t *Tx) putForm(ctx context.Context, f firmward.Form) error {
	p, _ := packers.Get().(*packer)
	defer packers.Put(p)
	body, err := p.pack(f)
	if err != nil {
		return fmt.Errorf("write history of %s: %w", f.AdvisoryID, err)
	}
	return t.put(ctx, `INSERT INTO finding_history (device, advisory, since, until, snapshot, body) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (device, advisory, since) DO UPDATE SET until = excluded.until, snapshot = excluded.snapshot, body = excluded.body`,
		f.DeviceID, f.AdvisoryID, f.Since, f.Until, f.Snapshot, body)
}

// succeedForm ends the form in force and begins the next. A finding of before there was a history leaves what it said, as
// far as that is known.
func (t *Tx) succeedForm(ctx context.Context, before firmward.Finding, now firmward.Form) error {
	n, err := t.exec(ctx, "UPDATE finding_history SET until = $3 WHERE device = $1 AND advisory = $2 AND until = 0", now.DeviceID, now.AdvisoryID, now.Since)
	if err != nil {
		return err
	}
	if n == 0 && before.OpenedAt.Before(now.Since) {
		if err := t.putForm(ctx, firmward.Form{Finding: before, Since: before.OpenedAt, Until: now.Since}); err != nil {
			return err
		}
	}
	return t.putForm(ctx, now)
}

// putForms does for many findings what putForm and succeedForm do for one.
func (t *Tx) putForms(ctx context.Context, w *findingRows) error {
	type key struct{ device, advisory string }
	var devices, advisories, ending []string // ending: device and advisory of the forms in force that end
	changed := map[key]bool{}
	for i, f := range w.list {
		if before := w.before[i]; before.AdvisoryID == "" || !sameForm(before, f) {
			changed[key{f.DeviceID, f.AdvisoryID}] = true
			devices, advisories = append(devices, f.DeviceID), append(advisories, f.AdvisoryID)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	slices.Sort(devices)
	slices.Sort(advisories)
	devices, advisories = slices.Compact(devices), slices.Compact(advisories)
	inForce := map[key]bool{}
	err := t.each(ctx, "SELECT device, advisory FROM finding_history WHERE until = 0 AND device IN ("+t.d.elements("$1")+") AND advisory IN ("+t.d.elements("$2")+")", func(s scan) error {
		var k key
		err := s(&k.device, &k.advisory)
		if changed[k] {
			inForce[k] = true
			ending = append(ending, k.device+" "+k.advisory)
		}
		return err
	}, array(devices), array(advisories))
	if err != nil {
		return err
	}
	if len(ending) > 0 {
		err := t.put(ctx, "UPDATE finding_history SET until = $3 WHERE until = 0 AND device IN ("+t.d.elements("$1")+") AND device || ' ' || advisory IN ("+t.d.elements("$2")+")",
			array(devices), array(ending), w.at)
		if err != nil {
			return err
		}
	}
	var forms []firmward.Form
	for i, f := range w.list {
		k, before := key{f.DeviceID, f.AdvisoryID}, w.before[i]
		if !changed[k] {
			continue
		}
		if before.AdvisoryID != "" && !inForce[k] && before.OpenedAt.Before(w.at) { // of before there was a history
			forms = append(forms, firmward.Form{Finding: before, Since: before.OpenedAt, Until: w.at})
		}
		now := firmward.Form{Finding: f, Since: w.at, Judged: w.judged}
		if f.Verdict != firmward.NotAffected && !f.ClosedAt.IsZero() {
			now.Judged = nil // no record names it any more
		}
		forms = append(forms, now)
	}
	p, _ := packers.Get().(*packer)
	defer packers.Put(p)
	rows := make([][]any, len(forms))
	for i, f := range forms {
		body, err := p.pack(f)
		if err != nil {
			return fmt.Errorf("write history of %s: %w", f.AdvisoryID, err)
		}
		row, err := bind([]any{f.DeviceID, f.AdvisoryID, f.Since, f.Until, f.Snapshot, body})
		if err != nil {
			return err
		}
		rows[i] = row
	}
	return t.bulk(ctx, load{table: "finding_history", columns: []string{"device", "advisory", "since", "until", "snapshot", "body"}, keys: 3, rows: rows, long: true})
}

// dropForms forgets the history of a device, and the records that were kept for it alone.
func (t *Tx) dropForms(ctx context.Context, device string) error {
	if err := t.put(ctx, "DELETE FROM finding_history WHERE device = $1", device); err != nil {
		return err
	}
	return t.dropBodies(ctx)
}

func forms(s scan) (f firmward.Form, err error) {
	var since, until time.Time
	err = s(timeInto{&since}, timeInto{&until}, packed{&f})
	f.Since, f.Until = since, until
	return f, err
}

// FormsOf gives all that a finding ever said, oldest first.
func (r Reader) FormsOf(ctx context.Context, device, advisory string) ([]firmward.Form, error) {
	return list(ctx, r, forms, "SELECT since, until, body FROM finding_history WHERE device = $1 AND advisory = $2 ORDER BY since", device, advisory)
}

// FindingAsOf gives what a finding said at a time. NotFound when there was none then.
func (r Reader) FindingAsOf(ctx context.Context, device, advisory string, at time.Time) (firmward.Form, error) {
	all, err := r.FormsOf(ctx, device, advisory)
	if err != nil {
		return firmward.Form{}, err
	}
	for _, f := range slices.Backward(all) {
		if !f.Since.After(at) {
			return f, nil
		}
	}
	if len(all) == 0 { // of before there was a history
		if f, err := r.Finding(ctx, device, advisory); err == nil && !f.OpenedAt.After(at) {
			return firmward.Form{Finding: f, Since: f.OpenedAt}, nil
		} else if err != nil && firmward.CodeOf(err) != firmward.NotFound {
			return firmward.Form{}, err
		}
	}
	return firmward.Form{}, notFound("finding", advisory+" of "+device+" at "+at.UTC().Format(time.RFC3339))
}
