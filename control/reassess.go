package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/assess"
	"github.com/firmward/firmward/audit"
	"github.com/firmward/firmward/cpe"
	"github.com/firmward/firmward/index"
	"github.com/firmward/firmward/priority"
	"github.com/firmward/firmward/store"
)

// errMoved says that an import came between judging and writing: what was judged is to be judged anew. Write transactions run one
// after another, also those of several servers, so that no older judgement is ever written over a newer one.
var errMoved = errors.New("there was an import meanwhile")

// still fails with errMoved when the index is no longer that of the newest import.
func (m *matcher) still(ctx context.Context, tx *store.Tx) error {
	gen, err := tx.Generation(ctx)
	if err == nil && gen != m.generation {
		err = errMoved
	}
	return err
}

// news are the products that changed advisories name or named, whichever source, since findings last reflected all imports. What names none of
// them cannot have changed: neither a verdict, nor what another source tells of the use of an advisory that has an answer.
type news struct {
	all      bool // it is not known what changed: a process begins, maybe of another release that judges otherwise, or more was imported than is listed
	products map[cpe.Key]bool
}

// add takes in that an index followed another; changed is nil when it is not known by what they differ.
func (n *news) add(before, after *index.Index, changed []string) {
	if before == nil || changed == nil {
		*n = news{all: true}
	}
	if n.all {
		return
	}
	if n.products == nil {
		n.products = map[cpe.Key]bool{}
	}
	for _, id := range changed {
		for _, x := range [...]*index.Index{before, after} {
			x.NamedBy(id, func(k cpe.Key) { n.products[k] = true })
		}
	}
}

// reassess brings the findings of all devices up to the newest import, by fingerprints: each one that the import may concern is judged
// once, and only where its answer differs from what its devices have are they written, many in one transaction, and marked to be
// decided. Setting "assessed-generation" moves when all is written. A process judges every fingerprint once when it begins; so it goes on where
// another one ended: what was written already compares equal. A device that has no fingerprint yet is assessed alone, see assess.
func (c *Control) reassess(ctx context.Context) error {
	for {
		err := c.reassessOnce(ctx)
		if !errors.Is(err, errMoved) {
			return err
		}
	}
}

func (c *Control) reassessOnce(ctx context.Context) error {
	c.stale.Store(false)
	m, err := c.matcherNow(ctx)
	if err != nil {
		return err
	}
	done, err := c.Store.Assessed(ctx)
	if err != nil {
		return err
	}
	if done >= m.generation && !m.news.all {
		m.news = news{} // another server was faster
		return nil
	}
	concerned, err := c.concerned(ctx, &m.news, done)
	if err != nil {
		return err
	}
	l := newLore()
	for page := range slices.Chunk(concerned, 200) {
		changed, err := c.restatements(ctx, m, l, page)
		if err != nil {
			return err
		}
		if err := c.restate(ctx, m, changed); err != nil {
			return err
		}
	}
	err = c.Store.Tx(ctx, func(tx *store.Tx) error {
		if err := m.still(ctx, tx); err != nil {
			return err
		}
		return tx.SetAssessed(ctx, m.generation)
	})
	if err != nil {
		return err
	}
	m.news = news{}
	return nil
}

// concerned gives the fingerprints whose answers may differ since a generation: those that are looked up under a product of the news, and
// those whose findings say something else of exploitation than is known.
func (c *Control) concerned(ctx context.Context, n *news, done int64) ([]string, error) {
	if n.all || n.products[cpe.Key{}] {
		return c.Store.AllFingerprints(ctx)
	}
	products := make([]string, 0, len(n.products))
	for k := range n.products {
		products = append(products, productText(k))
	}
	named, err := c.Store.FingerprintsNaming(ctx, products)
	if err != nil {
		return nil, err
	}
	used, err := c.Store.UseGeneration(ctx)
	if err != nil || used <= done {
		return named, err
	}
	behind, err := c.Store.FingerprintsBehind(ctx, priority.Moved)
	if err != nil {
		return nil, err
	}
	all := slices.Concat(named, behind)
	slices.Sort(all)
	return slices.Compact(all), nil
}

// productText is a product as the store keeps it. That two could be spelled alike costs a look in vain.
func productText(k cpe.Key) string { return k.Vendor + ":" + k.Product }

// kindOf gives a fingerprint as the store keeps it.
func kindOf(id string, e assess.Essence) (store.Fingerprint, error) {
	b, err := json.Marshal(e)
	f := store.Fingerprint{ID: id, Essence: b}
	for _, k := range e.Products() {
		f.Products = append(f.Products, productText(k))
	}
	return f, err
}

// restatements judges fingerprints and gives what is new.
func (c *Control) restatements(ctx context.Context, m *matcher, l *lore, ids []string) ([]store.Restatement, error) {
	kinds, err := c.Store.Fingerprints(ctx, ids)
	if err != nil {
		return nil, err
	}
	answers, err := c.Store.Answers(ctx, ids)
	if err != nil {
		return nil, err
	}
	now := c.Clock.Now()
	judged := make([][]firmward.Finding, len(kinds))
	for i, k := range kinds {
		var e assess.Essence
		if err := json.Unmarshal(k.Essence, &e); err != nil {
			return nil, fmt.Errorf("read fingerprint %s: %w", k.ID, err)
		}
		judged[i] = m.judge.Evaluate(e.Subject(), assess.Extras{Snapshot: m.generation}, now)
	}
	if err := l.learn(ctx, c.Store.Reader, slices.Concat(judged...)); err != nil {
		return nil, err
	}
	var out []store.Restatement
	for i, k := range kinds {
		l.add(judged[i])
		if r := restatement(k.ID, answers[k.ID], judged[i]); len(r.Changed)+len(r.Gone) > 0 {
			r.Judged = &firmward.Judged{Essence: k.Essence, By: c.Version}
			out = append(out, r)
		}
	}
	return out, nil
}

// restatement compares what the devices of a fingerprint have with what they are to have.
func restatement(id string, have []store.Answer, findings []firmward.Finding) store.Restatement {
	r := store.Restatement{Fingerprint: id}
	old := make(map[string]store.Answer, len(have))
	for _, a := range have {
		old[a.Advisory] = a
	}
	for i, a := range answersOf(findings) {
		was, known := old[a.Advisory]
		delete(old, a.Advisory)
		if known && was.Sum == a.Sum && !priority.Moved(was.Likelihood, a.Likelihood) {
			continue
		}
		r.Changed, r.Answers = append(r.Changed, findings[i]), append(r.Answers, a)
	}
	for _, a := range have {
		if _, left := old[a.Advisory]; left {
			r.Gone = append(r.Gone, a.Advisory)
		}
	}
	return r
}

// answersOf gives what is kept of findings to compare later ones with.
func answersOf(findings []firmward.Finding) []store.Answer {
	out := make([]store.Answer, len(findings))
	for i, f := range findings {
		out[i] = store.Answer{Advisory: f.AdvisoryID, Sum: assess.Sum(f), Exploited: -1, Likelihood: f.Likelihood}
		if f.Exploited {
			out[i].Exploited = 0
			if !f.ExploitedAt.IsZero() {
				out[i].Exploited = f.ExploitedAt.UnixMicro()
			}
		}
	}
	return out
}

// restateAtOnce bounds the devices that one transaction writes. Other writers wait for it: some tenths of a second.
const restateAtOnce = 1000

// restate writes what is new to the devices. Each finding that opens or closes leaves its leaf, as it does for a device alone. There is
// one event a fingerprint: thousands of equal ones would push all others out.
func (c *Control) restate(ctx context.Context, m *matcher, changed []store.Restatement) error {
	after := "" // the device of the first restatement after which to go on
	for len(changed) > 0 {
		var devices []string
		left, next := changed, after
		err := c.Store.Tx(ctx, func(tx *store.Tx) error {
			devices, left, next = nil, changed, after // it may run again
			if err := m.still(ctx, tx); err != nil {
				return err
			}
			for looked := 0; len(left) > 0 && looked < c.atOnce; {
				told, to, err := tx.Restate(ctx, left[0], next, c.atOnce-looked, c.Clock.Now(), evidenceIn(ctx, tx))
				if err != nil {
					return err
				}
				for _, d := range told {
					devices = append(devices, d.Device)
				}
				if err := c.tellRestated(ctx, tx, told); err != nil {
					return err
				}
				looked += max(1, len(told))
				if next = to; to == "" {
					left = left[1:]
				} else {
					break // a page was full
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		changed, after = left, next
		c.touch(devices...)
	}
	return nil
}

// evidenceIn gives the observations that show the firmware of devices.
func evidenceIn(ctx context.Context, tx *store.Tx) func([]string) (map[string]string, error) {
	return func(devices []string) (map[string]string, error) {
		ids, err := tx.IdentitiesOf(ctx, devices)
		out := make(map[string]string, len(ids))
		for device, id := range ids {
			out[device] = evidenceOf(id)
		}
		return out, err
	}
}

// tellRestated writes leaves and event of findings that opened and closed.
func (c *Control) tellRestated(ctx context.Context, tx *store.Tx, told []store.Restated) error {
	at := c.Clock.Now()
	var leaves []audit.Leaf
	opens, closes := 0, 0
	for _, d := range told {
		opens, closes = opens+len(d.Opened), closes+len(d.Closed)
		for _, f := range d.Opened {
			leaves = append(leaves, audit.Leaf{At: at, Actor: self, Action: "finding-open", Subject: d.Device, Detail: opened(f)})
		}
		for _, f := range d.Closed {
			leaves = append(leaves, audit.Leaf{At: at, Actor: self, Action: "finding-close", Subject: d.Device, Detail: closed(f, f.Firmware)})
		}
	}
	if len(leaves) == 0 {
		return nil
	}
	if err := tx.RecordAll(ctx, leaves); err != nil {
		return err
	}
	c.unsealed.Store(true)
	c.wake(loopAudit)
	first, err := tx.Device(ctx, told[0].Device)
	if err != nil {
		return err
	}
	who := first.Name
	if n := len(told) - 1; n > 0 {
		who += fmt.Sprintf(" and %d more like it", n)
	}
	return c.emit(ctx, tx, "finding", first.ID, fmt.Sprintf("%s: %d findings opened, %d closed", who, opens, closes))
}
