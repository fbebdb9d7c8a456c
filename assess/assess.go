// Package assess says which advisories concern a device, and why.
//
// Every advisory that names the device's product gets one of four verdicts with a tree of sentences
// that a person can read and a machine can replay. What is not known is never read as safe: a source
// that gives no version, a version that cannot be compared and a device whose version is unknown all
// end in "possible".
//
// Matching is three-valued (true, false, unknown) over NVD-shaped configurations, with names compared
// after NISTIR 7696 §6.2 except for one deliberate difference: the value NA ("-") in the version of a
// vulnerable criterion does not exclude a concrete version. NVD writes "-" where a source gave no
// version, so it counts as unknown.
//
// A CVE record often names a product in words and not by CPE (firmward.CPEMatch.Words). Names made
// from words match whatever part a device's name has, and what rests on them is at most likely.
//
// Records of one advisory are merged by their worst verdict, with two exceptions that the explanation
// states. A vendor's or a correction's versions count before a statement without versions. And the CVE
// record steps back behind any other source that names the device's product: when it names the product
// in words only, and when it rests on no version while the other one does or excludes the device. Two
// statements on versions still disagree, and the worst counts. Only records that name the device's
// product take part: where NVD names other products alone, the words of the CVE record stand.
package assess

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/index"
	"github.com/firmward/firmward/version"
)

// WeakIdentity is the confidence of the model claim below which no verdict goes beyond possible.
const WeakIdentity = 60

// Subject is one device with all that the verdict may rest on.
type Subject struct {
	Device   firmward.Device
	Identity firmward.Identity
	Model    firmward.Model // the model card; the zero value when the catalogue has none
	Names    []Name         // what Names gives; nil lets Evaluate derive them
}

// Extras is what is known of the advisories beside their own text.
type Extras struct {
	Exploited  map[string]firmward.Exploited  // by CVE id
	Likelihood map[string]firmward.Likelihood // by CVE id
	Snapshot   int64                          // feed generation, copied to the findings
}

// Evaluate judges one device by some advisories. It gives one finding for each advisory id that names the product,
// sorted by id, not-affected ones included so that a face can show why; an advisory that only names
// other products gives none, and neither does a rejected one. Several records with one id (several
// sources) are merged. OpenedAt is now; the caller keeps an older one. The same input gives the same
// output, whatever the order of the advisories.
//
// It builds an index for these advisories alone: who judges many devices keeps one and an Evaluator.
func Evaluate(s Subject, advisories []firmward.Advisory, x Extras, now time.Time) []firmward.Finding {
	b := index.NewBuilder()
	for _, a := range advisories {
		b.Add(a)
	}
	block, err := b.Build()
	if err != nil {
		panic(err) // more than 4 GiB of advisories in memory
	}
	idx, err := index.Open(block)
	if err != nil {
		panic(err) // we wrote it a moment ago
	}
	return NewEvaluator(idx).Evaluate(s, x, now)
}

// Evaluator judges devices by one index. It remembers what versions it has read, so that many devices cost little more than
// few. It is for one goroutine.
type Evaluator struct {
	x        *index.Index
	versions version.Comparer
	attrs    []*version.Version // by the number of the text of an attribute
	bounds   []*version.Version // by the number of the text of a bound
	explain  bool

	subject Subject
	names   []own
	spans   []span // the criteria that may speak of the device
	tracked bool   // a name's vendor keeps parallel release tracks
	near    []uint32
	votes   []vote
	memo    []remembered // by place among spans, doubled, plus one for the vulnerable part
	turn    uint32       // marks what memo holds for this device
	reader  reader       // of the record at hand
	starts  []uint32
	leaves  []index.Leaf
	scratch []byte
}

// NewEvaluator judges by x.
func NewEvaluator(x *index.Index) *Evaluator {
	return &Evaluator{x: x, attrs: make([]*version.Version, x.Texts()), bounds: make([]*version.Version, x.Texts())}
}

// own is one of the device's names with its place in the index.
type own struct {
	Name
	exact, bare, firm index.Product    // of the product, of it without and with "_firmware"
	is                *version.Version // Version
	plain             *version.Version // of a listed name, without its update
	ranks             bool             // Scheme is known
}

type span struct {
	from, to uint32
	before   uint32 // criteria in the spans before it
}

// remembered is the outcome of a criterion for the device of a turn, without its explanation.
type remembered struct {
	turn   uint32
	truth  truth
	words  bool
	reason reason
}

// take turns to a device.
func (e *Evaluator) take(s Subject) {
	if s.Names == nil {
		s.Names = Names(s.Model, s.Device)
	}
	e.subject, e.names, e.spans, e.tracked = s, e.names[:0], e.spans[:0], false
	if e.turn++; e.turn == 0 {
		clear(e.memo)
		e.turn = 1
	}
	e.near = e.near[:0]
	e.speaks(e.x.Any())
	for _, n := range s.Names {
		k := n.CPE.Key()
		b := bare(k)
		o := own{Name: n, exact: e.x.Product(k.Vendor, k.Product), bare: index.None, firm: index.None, is: e.versions.Version(n.Version), ranks: version.Known(n.Scheme)}
		if b != k {
			o.bare = e.x.Product(b.Vendor, b.Product)
		} else {
			o.firm = e.x.Product(b.Vendor, b.Product+firmwareSuffix)
		}
		if o.plain = o.is; n.Listed {
			o.plain = e.versions.Version(n.CPE.Version.Text())
		}
		for _, p := range [...]index.Product{o.exact, o.bare, o.firm, e.x.Product(k.Vendor, index.AnyOf)} {
			e.speaks(p)
		}
		e.names = append(e.names, o)
		e.tracked = e.tracked || version.Tracks(n.Scheme)
	}
	slices.Sort(e.near)
	e.near = slices.Compact(e.near)
}

// speaks takes in the criteria of a product and the records that name it.
func (e *Evaluator) speaks(p index.Product) {
	if p == index.None {
		return
	}
	from, to := e.x.Span(p)
	before := uint32(0)
	for _, s := range e.spans {
		if s.from == from && s.to == to {
			return
		}
		before += s.to - s.from
	}
	e.spans = append(e.spans, span{from, to, before})
	if need := 2 * int(before+to-from); need > len(e.memo) {
		e.memo = append(e.memo, make([]remembered, need-len(e.memo))...)
	}
	e.near = e.x.Naming(p, e.near)
}

// groups calls f with the votes of each advisory that names the device's product, by ascending id.
func (e *Evaluator) groups(f func(id string, votes []vote)) {
	for i := 0; i < len(e.near); {
		id, _ := e.x.Advisory(e.near[i])
		e.votes = e.votes[:0]
		for ; i < len(e.near); i++ {
			rec := e.x.Record(e.near[i])
			if rec.ID != id {
				break
			}
			if v, ok := e.vote(rec); ok {
				e.votes = append(e.votes, v)
			}
		}
		if len(e.votes) > 1 {
			slices.SortStableFunc(e.votes, func(a, b vote) int { return compareSources(a.rec, b.rec) })
		}
		if len(e.votes) > 0 {
			f(id, e.votes)
		}
	}
}

// Evaluate judges one device, with explanations. See the function Evaluate.
func (e *Evaluator) Evaluate(s Subject, x Extras, now time.Time) []firmward.Finding {
	e.explain = true
	e.take(s)
	var out []firmward.Finding
	e.groups(func(id string, votes []vote) {
		f := e.finding(id, votes)
		x.Add(&f)
		f.Snapshot, f.OpenedAt = x.Snapshot, now
		out = append(out, f)
	})
	return out
}

// Judge gives the verdict on each advisory that names the device's product, by ascending id, and the reason code: what
// Evaluate says, without the explanation and much faster.
func (e *Evaluator) Judge(s Subject, f func(id string, v firmward.Verdict, reason string)) {
	e.explain = false
	e.take(s)
	e.groups(func(id string, votes []vote) {
		var fd firmward.Finding
		e.merge(&fd, votes)
		e.capWeak(&fd)
		f(id, fd.Verdict, fd.Reason)
	})
}

// compareSources puts those first who are close to the facts.
func compareSources(a, b index.Record) int {
	return cmp.Or(cmp.Compare(authority(b.Source), authority(a.Source)), cmp.Compare(a.Source, b.Source))
}

// finding merges what all sources say of one advisory.
func (e *Evaluator) finding(id string, votes []vote) firmward.Finding {
	f := firmward.Finding{DeviceID: e.subject.Device.ID, AdvisoryID: id, Firmware: e.subject.Device.Firmware}
	e.merge(&f, votes)
	e.capWeak(&f)
	for _, v := range votes {
		if v.rec.Score > f.Score {
			f.Score, f.Vector = v.rec.Score, v.rec.Vector
		}
		if p := v.rec.Published; !p.IsZero() && (f.Published.IsZero() || p.Before(f.Published)) {
			f.Published = p
		}
		f.NoFix = f.NoFix || v.rec.NoFix || v.noFix
		f.Records = append(f.Records, firmward.RecordRef{Source: v.rec.Source, Document: v.rec.Document, Dated: v.rec.Dated, Modified: v.rec.Modified})
	}
	if f.Verdict != firmward.NotAffected {
		f.FixedIn = e.fixedIn(votes)
	}
	if f.FixedIn != "" {
		f.NoFix = false
	}
	f.Digest = e.digest(f)
	return f
}

// digest is a sum over the answer: verdict, explanation, fix, and the records on which they rest. Who evaluates the same device
// by the same records gets the same one. Each text goes in behind its length, so that no two answers look alike.
func (e *Evaluator) digest(f firmward.Finding) string {
	b := e.scratch[:0]
	text := func(s string) { b = append(binary.AppendUvarint(b, uint64(len(s))), s...) }
	at := func(t time.Time) { b = binary.AppendVarint(b, t.Unix()) }
	for _, s := range []string{f.AdvisoryID, f.Firmware, string(f.Verdict), f.Reason, f.FixedIn, f.Vector} {
		text(s)
	}
	b = binary.AppendUvarint(b, uint64(f.Score*10+0.5))
	b = strconv.AppendBool(b, f.NoFix)
	for _, r := range f.Records {
		text(r.Source)
		text(r.Document)
		at(r.Dated)
		at(r.Modified)
	}
	var why func(x *firmward.Explanation)
	why = func(x *firmward.Explanation) {
		text(x.Text)
		text(x.Result)
		text(x.Source)
		b = binary.AppendUvarint(b, uint64(len(x.Children)))
		for i := range x.Children {
			why(&x.Children[i])
		}
	}
	why(&f.Explanation)
	e.scratch = b
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// capWeak lowers what rests on an uncertain identity.
func (e *Evaluator) capWeak(f *firmward.Finding) {
	s := e.subject
	if s.weak() && (f.Verdict == firmward.Affected || f.Verdict == firmward.Likely) {
		was := f.Explanation
		f.Verdict, f.Reason = firmward.Possible, firmward.ReasonWeakIdentity
		if !e.explain {
			return
		}
		f.Explanation = firmward.Explanation{
			Text:     "It is not certain that this is a " + s.what() + ", so this is possible, not more.",
			Result:   string(firmward.Possible),
			Source:   "identity",
			Children: []firmward.Explanation{was},
		}
	}
}

// weak reports whether it is not certain enough which model this is.
func (s Subject) weak() bool {
	confidence, ok := s.modelConfidence()
	return ok && confidence < WeakIdentity
}

// modelConfidence gives the confidence of the model claim. A device that a person entered needs no
// claim; one that was seen and has a model without a claim is as weak as can be.
func (s Subject) modelConfidence() (int, bool) {
	if c, ok := s.Identity.Best(firmward.FieldModel); ok {
		return c.Confidence, true
	}
	return 0, s.Device.Origin == firmward.OriginSeen
}

// Add writes what is known of a finding's advisory into it.
func (x Extras) Add(f *firmward.Finding) {
	if e, ok := x.Exploited[f.AdvisoryID]; ok {
		f.Exploited, f.ExploitedAt = true, e.Added
	}
	if l, ok := x.Likelihood[f.AdvisoryID]; ok {
		f.Likelihood = l.Score
	}
}

// what names the device's product for a sentence.
func (s Subject) what() string {
	v, m := s.Device.Vendor, s.Device.Model
	if v == "" && m == "" && s.Model.Name == "" && len(s.Names) > 0 && s.Names[0].Listed {
		return s.Names[0].CPE.Vendor.Text() + " " + s.Names[0].CPE.Product.Text()
	}
	if m == "" {
		m = s.Model.Name
	}
	if v == "" {
		v = s.Model.Vendor
	}
	switch {
	case v == "" && m == "":
		return "known product"
	case v == "", len(m) > len(v) && strings.EqualFold(m[:len(v)+1], v+" "): // "AXIS P3265-LV" says the vendor
		return m
	}
	return v + " " + m
}
