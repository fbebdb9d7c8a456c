package store

import (
	"context"
	"slices"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/audit"
)

// Restatement is what changed in the answer for all devices of one fingerprint.
type Restatement struct {
	Fingerprint string
	Changed     []firmward.Finding // new, or with another text; what belongs to one device in them does not count
	Gone        []string           // advisories that say nothing of the product any more
	Answers     []Answer           // of Changed
	Judged      *firmward.Judged   // what Changed rests on beside the records
}

// Restated is what a restatement did to one device. Findings that only say something else by now are in neither list.
type Restated struct {
	Device         string
	Opened, Closed []firmward.Finding
}

// Restate writes a restatement to at most n devices of its fingerprint, those with an id greater than after, and to each as
// ReplaceFindings would: of findings that the restatement does not name it says that they are as they were. It gives the devices of which
// findings were written, in order, and the device after which to go on, empty when these were the last ones. With the last ones the answers of the
// fingerprint are what the restatement says, and a fingerprint without devices is forgotten. What was restated already may be restated again. Until
// then its answers on what the restatement names equal nothing: what comes in the place of one that was broken off finds all that is to be written, also where it
// says again what was said before.
//
// evidence gives the observations by which findings of some devices close; devices of which it says nothing have none.
func (t *Tx) Restate(ctx context.Context, r Restatement, after string, n int, at time.Time, evidence func([]string) (map[string]string, error)) (done []Restated, next string, err error) {
	devices, err := t.devicesOf(ctx, r.Fingerprint, after, n)
	if err != nil {
		return nil, "", err
	}
	if len(devices) > 0 {
		if done, err = t.restate(ctx, r, devices, at, evidence); err != nil {
			return nil, "", err
		}
	}
	switch {
	case len(devices) == n && after == "":
		return done, devices[n-1], t.putAnswers(ctx, r.Fingerprint, r.underWay(), nil)
	case len(devices) == n:
		return done, devices[n-1], nil
	case len(devices) == 0 && after == "":
		return nil, "", t.dropFingerprint(ctx, r.Fingerprint)
	}
	return done, "", t.putAnswers(ctx, r.Fingerprint, r.Answers, r.Gone)
}

// underWay are the answers while some devices have the new ones and others do not.
func (r Restatement) underWay() []Answer {
	out := make([]Answer, 0, len(r.Answers)+len(r.Gone))
	for _, a := range r.Answers {
		out = append(out, Answer{Advisory: a.Advisory, Exploited: a.Exploited, Likelihood: a.Likelihood})
	}
	for _, id := range r.Gone {
		out = append(out, Answer{Advisory: id, Exploited: -1})
	}
	return out
}

func (t *Tx) restate(ctx context.Context, r Restatement, devices []string, at time.Time, evidence func([]string) (map[string]string, error)) ([]Restated, error) {
	named := slices.Clone(r.Gone)
	for _, f := range r.Changed {
		named = append(named, f.AdvisoryID)
	}
	type key struct{ device, advisory string }
	known := map[key]firmward.Finding{}
	err := t.each(ctx, "SELECT "+findingColumns+" FROM "+findingTables+" WHERE device IN ("+t.d.elements("$1")+") AND advisory IN ("+t.d.elements("$2")+")", func(s scan) error {
		f, err := findingRow(s)
		known[key{f.DeviceID, f.AdvisoryID}] = f
		return err
	}, array(devices), array(named))
	if err != nil {
		return nil, err
	}
	w := findingRows{judged: r.Judged, at: at, counts: map[FindingCount]int{}}
	out := make([]Restated, 0, len(devices))
	var closing []string // devices
	for _, id := range devices {
		d, before := Restated{Device: id}, len(w.list)
		for n, f := range r.Changed {
			if before, exists := known[key{id, f.AdvisoryID}]; exists || f.Verdict != firmward.NotAffected {
				w.take(&d, before, exists, f, at)
				w.shared = append(w.shared, n)
			}
		}
		for _, advisory := range r.Gone {
			if before, exists := known[key{id, advisory}]; exists && before.ClosedAt.IsZero() {
				w.gone(&d, before, at)
				w.shared = append(w.shared, alone)
			}
		}
		if len(d.Closed) > 0 {
			closing = append(closing, id)
		}
		if len(w.list) > before {
			out = append(out, d)
		}
	}
	if len(closing) > 0 {
		by, err := evidence(closing)
		if err != nil {
			return nil, err
		}
		if err := t.closedBy(ctx, &w, out, by); err != nil {
			return nil, err
		}
	}
	return out, t.putFindings(ctx, &w)
}

// findingRows gathers findings that are written together.
type findingRows struct {
	judged *firmward.Judged
	at     time.Time
	list   []firmward.Finding
	before []firmward.Finding   // what each of list was; the zero value where it is new
	shared []int                // which one of the restatement's each of list says, or alone
	counts map[FindingCount]int // changes of finding_count; N is 0

	said []string // sums of what list says
	own  []ownPart
}

// alone marks a finding that says what it said.
const alone = -1

// takeTexts works out what the rows say, once for all that say the same.
func (w *findingRows) takeTexts(x *wording) error {
	sums := map[int]string{}
	for i, f := range w.list {
		sum, own := sums[w.shared[i]], ownPart{}
		if sum != "" {
			_, own = parts(f)
		} else {
			var err error
			if sum, own, err = x.of(f); err != nil {
				return err
			}
		}
		if w.shared[i] != alone {
			sums[w.shared[i]] = sum
		}
		w.said, w.own = append(w.said, sum), append(w.own, own)
	}
	return nil
}

// take is one finding of a device as it is to be now: the cases of ReplaceFindings.
func (w *findingRows) take(d *Restated, before firmward.Finding, exists bool, f firmward.Finding, at time.Time) {
	f.DeviceID, f.OpenedAt, f.ClosedAt, f.ClosedBy = d.Device, before.OpenedAt, time.Time{}, ""
	switch {
	case f.Verdict == firmward.NotAffected && before.ClosedAt.IsZero():
		f.ClosedAt = at
		d.Closed = append(d.Closed, f)
	case f.Verdict == firmward.NotAffected:
		f.ClosedAt, f.ClosedBy = before.ClosedAt, before.ClosedBy
	case !exists || !before.ClosedAt.IsZero():
		f.OpenedAt = at
		d.Opened = append(d.Opened, f)
	}
	w.put(before, exists, f)
}

// gone closes a finding of which no record speaks any more.
func (w *findingRows) gone(d *Restated, before firmward.Finding, at time.Time) {
	f := before
	f.ClosedAt = at
	d.Closed = append(d.Closed, f)
	w.put(before, true, f)
}

func (w *findingRows) put(before firmward.Finding, exists bool, f firmward.Finding) {
	if exists && before.Open() {
		w.counts[FindingCount{Verdict: before.Verdict, Exploited: before.Exploited}]--
	}
	if f.Open() {
		w.counts[FindingCount{Verdict: f.Verdict, Exploited: f.Exploited}]++
	}
	if !exists {
		before = firmward.Finding{}
	}
	w.list, w.before = append(w.list, f), append(w.before, before)
}

// closedBy names and pins the observations by which findings were closed, in the rows and in what is told.
func (t *Tx) closedBy(ctx context.Context, w *findingRows, told []Restated, by map[string]string) error {
	closed := map[[2]string]bool{}
	for _, d := range told {
		for i := range d.Closed {
			d.Closed[i].ClosedBy = by[d.Device]
			closed[[2]string{d.Device, d.Closed[i].AdvisoryID}] = true
		}
	}
	for i := range w.list {
		if f := &w.list[i]; closed[[2]string{f.DeviceID, f.AdvisoryID}] {
			f.ClosedBy = by[f.DeviceID]
		}
	}
	pinned := make([]string, 0, len(by))
	for _, observation := range by {
		pinned = append(pinned, observation)
	}
	return t.put(ctx, "UPDATE observation SET pinned = 1 WHERE pinned = 0 AND id IN ("+t.d.elements("$1")+")", array(pinned))
}

// putFindings writes rows, what they said before, and counts.
func (t *Tx) putFindings(ctx context.Context, w *findingRows) error {
	x := wording{at: w.at}
	if err := w.takeTexts(&x); err != nil {
		return err
	}
	if err := t.putForms(ctx, w, &x); err != nil {
		return err
	}
	rows := make([][]any, len(w.list))
	for i, f := range w.list {
		row, err := bind([]any{f.DeviceID, f.AdvisoryID, f.Verdict, f.Open(), f.Exploited, f.ClosedAt, w.said[i], js{w.own[i]}})
		if err != nil {
			return err
		}
		rows[i] = row
	}
	err := t.bulk(ctx, load{
		table: "finding", columns: []string{"device", "advisory", "verdict", "is_open", "exploited", "closed", "said", "body"}, keys: 2, rows: rows, long: true,
	})
	if err != nil {
		return err
	}
	for of, n := range w.counts {
		if n == 0 {
			continue
		}
		err := t.put(ctx, `INSERT INTO finding_count (verdict, exploited, n) VALUES ($1, $2, $3)
			ON CONFLICT (verdict, exploited) DO UPDATE SET n = finding_count.n + excluded.n`, of.Verdict, of.Exploited, n)
		if err != nil {
			return err
		}
	}
	return nil
}

// IdentitiesOf gives what is known of who some devices are, by device; one of which nothing was written is left out.
func (r Reader) IdentitiesOf(ctx context.Context, devices []string) (map[string]firmward.Identity, error) {
	out := make(map[string]firmward.Identity, len(devices))
	err := r.each(ctx, "SELECT device, body FROM identity WHERE device IN ("+r.d.elements("$1")+")", func(s scan) error {
		var device string
		var id firmward.Identity
		err := s(&device, body{&id})
		out[device] = id
		return err
	}, array(devices))
	return out, err
}

// RecordAll adds many audit leaves, in this order: see Record.
func (t *Tx) RecordAll(ctx context.Context, leaves []audit.Leaf) error {
	if len(leaves) == 0 {
		return nil
	}
	last, err := t.top(ctx, lastLeaf)
	if err != nil {
		return err
	}
	rows := make([][]any, len(leaves))
	for i, l := range leaves {
		*last++
		l = l.Clean()
		row, err := bind([]any{*last, l.At.UnixMicro(), l.Actor, l.Action, l.Subject, js{l.Detail}})
		if err != nil {
			return err
		}
		rows[i] = row
	}
	return t.bulk(ctx, load{table: "audit_leaf", columns: []string{"id", "at", "actor", "action", "subject", "detail"}, keys: 1, rows: rows, long: true})
}
