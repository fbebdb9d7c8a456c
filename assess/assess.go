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
	"slices"
	"strings"
	"time"

	"github.com/firmward/firmward"
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

// Evaluate judges one device. It gives one finding for each advisory id that names the product,
// sorted by id, not-affected ones included so that a face can show why; an advisory that only names
// other products gives none, and neither does a rejected one. Several records with one id (several
// sources) are merged. OpenedAt is now; the caller keeps an older one. The same input gives the same
// output, whatever the order of the advisories.
func Evaluate(s Subject, advisories []firmward.Advisory, x Extras, now time.Time) []firmward.Finding {
	if s.Names == nil {
		s.Names = Names(s.Model, s.Device)
	}
	byID := map[string][]firmward.Advisory{}
	for _, a := range advisories {
		byID[a.ID] = append(byID[a.ID], a)
	}
	var out []firmward.Finding
	for id, group := range byID {
		slices.SortStableFunc(group, compareSources)
		if f, ok := s.judge(id, group); ok {
			x.add(&f)
			f.OpenedAt = now
			out = append(out, f)
		}
	}
	slices.SortFunc(out, func(a, b firmward.Finding) int { return cmp.Compare(a.AdvisoryID, b.AdvisoryID) })
	return out
}

// compareSources makes the order of one advisory's records independent of the input's.
func compareSources(a, b firmward.Advisory) int {
	return cmp.Or(
		cmp.Compare(authority(b.Source), authority(a.Source)),
		cmp.Compare(a.Source, b.Source),
		a.Modified.Compare(b.Modified),
		cmp.Compare(a.Origin.Document, b.Origin.Document),
	)
}

// judge merges what all sources say of one advisory.
func (s Subject) judge(id string, group []firmward.Advisory) (firmward.Finding, bool) {
	f := firmward.Finding{DeviceID: s.Device.ID, AdvisoryID: id, Firmware: s.Device.Firmware}
	var votes []vote
	for _, a := range group {
		if a.Rejected {
			return f, false // the CVE id was withdrawn, whoever still repeats it
		}
		if v, ok := s.vote(a); ok {
			votes = append(votes, v)
		}
	}
	if len(votes) == 0 {
		return f, false
	}
	s.merge(&f, votes)
	s.capWeak(&f)
	for _, a := range group {
		for _, sc := range a.Scores {
			if sc.Base > f.Score {
				f.Score, f.Vector = sc.Base, sc.Vector
			}
		}
		if !a.Published.IsZero() && (f.Published.IsZero() || a.Published.Before(f.Published)) {
			f.Published = a.Published
		}
	}
	for _, v := range votes {
		f.NoFix = f.NoFix || v.advisory.NoFix
	}
	if f.Verdict != firmward.NotAffected {
		f.FixedIn = s.fixedIn(votes)
	}
	if f.FixedIn != "" {
		f.NoFix = false
	}
	return f, true
}

// capWeak lowers what rests on an uncertain identity.
func (s Subject) capWeak(f *firmward.Finding) {
	confidence, ok := s.modelConfidence()
	if ok && confidence < WeakIdentity && (f.Verdict == firmward.Affected || f.Verdict == firmward.Likely) {
		was := f.Explanation
		f.Verdict, f.Reason = firmward.Possible, firmward.ReasonWeakIdentity
		f.Explanation = firmward.Explanation{
			Text:     "It is not certain that this is a " + s.what() + ", so this is possible, not more.",
			Result:   string(firmward.Possible),
			Source:   "identity",
			Children: []firmward.Explanation{was},
		}
	}
}

// modelConfidence gives the confidence of the model claim. A device that a person entered needs no
// claim; one that was seen and has a model without a claim is as weak as can be.
func (s Subject) modelConfidence() (int, bool) {
	if c, ok := s.Identity.Best(firmward.FieldModel); ok {
		return c.Confidence, true
	}
	return 0, s.Device.Origin == firmward.OriginSeen
}

func (x Extras) add(f *firmward.Finding) {
	f.Snapshot = x.Snapshot
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
