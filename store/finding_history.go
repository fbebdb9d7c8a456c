package store

import (
	"context"
	"encoding/json"
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

// formRow is a form as it is kept.
type formRow struct {
	firmward.Form
	said, judged string // sums
	own          ownPart
}

// row takes in what a form says.
func (x *wording) row(f firmward.Form) (row formRow, err error) {
	row.Form = f
	if row.said, row.own, err = x.of(f.Finding); err == nil {
		row.judged, err = x.judged(f.Judged)
	}
	return row, err
}

var formColumns = []string{"device", "advisory", "since", "until", "snapshot", "said", "judged", "body"}

// values are those of formColumns.
func (row formRow) values() ([]any, error) {
	body, err := json.Marshal(row.own)
	if err != nil {
		return nil, fmt.Errorf("write history of %s: %w", row.AdvisoryID, err)
	}
	return bind([]any{row.DeviceID, row.AdvisoryID, row.Since, row.Until, row.Snapshot, row.said, row.judged, append([]byte("j"), body...)})
}

func formLoad(rows ...formRow) (load, error) {
	l := load{table: "finding_history", columns: formColumns, keys: 3, rows: make([][]any, len(rows)), long: true}
	for i, row := range rows {
		var err error
		if l.rows[i], err = row.values(); err != nil {
			return l, err
		}
	}
	return l, nil
}

// putForm begins a form. One that began at the same moment never stood and gives way.
func (t *Tx) putForm(ctx context.Context, row formRow) error {
	l, err := formLoad(row)
	if err != nil {
		return err
	}
	return t.put(ctx, l.insert(), l.rows[0]...)
}

// endForm ends the form in force. A finding of before there was a history leaves what it said, as far as that is known.
func (t *Tx) endForm(ctx context.Context, before firmward.Finding, now firmward.Form) error {
	n, err := t.exec(ctx, "UPDATE finding_history SET until = $3 WHERE device = $1 AND advisory = $2 AND until = 0", now.DeviceID, now.AdvisoryID, now.Since)
	if err != nil {
		return err
	}
	if n > 0 || !before.OpenedAt.Before(now.Since) {
		return nil
	}
	x := wording{at: now.Since}
	row, err := x.row(firmward.Form{Finding: before, Since: before.OpenedAt, Until: now.Since})
	if err != nil {
		return err
	}
	if err := t.putTexts(ctx, x); err != nil {
		return err
	}
	return t.putForm(ctx, row)
}

// putForms does for many findings what endForm and putForm do for one. x has what w.list says.
func (t *Tx) putForms(ctx context.Context, w *findingRows, x *wording) error {
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
		return t.putTexts(ctx, *x)
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
	var forms []formRow
	for i, f := range w.list {
		k, before := key{f.DeviceID, f.AdvisoryID}, w.before[i]
		if !changed[k] {
			continue
		}
		if before.AdvisoryID != "" && !inForce[k] && before.OpenedAt.Before(w.at) { // of before there was a history
			row, err := x.row(firmward.Form{Finding: before, Since: before.OpenedAt, Until: w.at})
			if err != nil {
				return err
			}
			forms = append(forms, row)
		}
		now := firmward.Form{Finding: f, Since: w.at, Judged: w.judged}
		if f.Verdict != firmward.NotAffected && !f.ClosedAt.IsZero() {
			now.Judged = nil // no record names it any more
		}
		judged, err := x.judged(now.Judged)
		if err != nil {
			return err
		}
		forms = append(forms, formRow{Form: now, said: w.said[i], judged: judged, own: w.own[i]})
	}
	if err := t.putTexts(ctx, *x); err != nil {
		return err
	}
	l, err := formLoad(forms...)
	if err != nil {
		return err
	}
	return t.bulk(ctx, l)
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
	var device, sum, judgedSum string
	judged := said{&f.Judged, &judgedSum}
	err = s(&device, timeInto{&since}, timeInto{&until}, &sum, said{&f.Finding, &sum}, &judgedSum, judged, packed{&f})
	f.DeviceID, f.Since, f.Until = device, since, until
	return f, err
}

// FormsOf gives all that a finding ever said, oldest first.
func (r Reader) FormsOf(ctx context.Context, device, advisory string) ([]firmward.Form, error) {
	return list(ctx, r, forms, `SELECT h.device, h.since, h.until, h.said, s.text, h.judged, j.text, h.body FROM finding_history h
		LEFT JOIN finding_text s ON s.id = h.said LEFT JOIN finding_text j ON j.id = h.judged
		WHERE h.device = $1 AND h.advisory = $2 ORDER BY h.since`, device, advisory)
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
