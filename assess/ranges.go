package assess

import (
	"fmt"

	"github.com/firmward/firmward/cpe"
	"github.com/firmward/firmward/index"
	"github.com/firmward/firmward/version"
)

// software judges a criterion that names the device's firmware by its version or range.
func (r *reader) software(n *own, c index.Criterion) outcome {
	switch {
	case c.Ranged():
	case c.Version() == cpe.NA && n.Listed && n.CPE.Version == cpe.NA:
		return r.say(yes, exact, func() string { return fmt.Sprintf("%s names %s, which has no versions.", r.speaker, label(c)) })
	case c.Version() == cpe.NA && r.lists(c):
		return r.say(unknown, unspecified, func() string {
			return fmt.Sprintf("%s says nothing certain of other versions of %s; this device runs %s.", r.speaker, label(c), orUnknown(n.Version))
		})
	case c.Version() == cpe.NA:
		return r.say(unknown, unspecified, func() string {
			return fmt.Sprintf("%s names %s and gives no version; this device runs %s.", r.speaker, label(c), orUnknown(n.Version))
		})
	case c.Version() == cpe.Any:
		return r.everyVersion(n, c)
	}
	if n.is.Unknown() {
		return r.say(unknown, noVersion, func() string {
			return fmt.Sprintf("%s says %s are affected; which version this device runs is not known.", r.speaker, phrase(c))
		})
	}
	if c.Ranged() {
		return r.inRange(n, c)
	}
	return r.exact(n, c)
}

// lists reports whether a CVE record gives versions of the product elsewhere: beside single versions its
// "-" stands for all the others.
func (r *reader) lists(c index.Criterion) (found bool) {
	if r.rec.Source != record {
		return false
	}
	r.rec.Each(func(l index.Leaf) {
		if o := r.x.Criterion(l.Criterion()); l.Vulnerable() && o.Product() == c.Product() {
			found = found || o.Ranged() || !o.Version().Logical()
		}
	})
	return found
}

// allVersions: the source excludes no version. Without a vendor's scheme for the model the reading
// is a guess, unless the source also says that no fix exists, or an inventory lists the name itself.
func (r *reader) allVersions(n *own, c index.Criterion) outcome {
	t := yes
	if (!n.ranks || n.Scheme == version.Generic) && !r.rec.NoFix && !n.Listed {
		t = guessed
	}
	return r.say(t, allVersions, func() string { return fmt.Sprintf("%s says all versions of %s are affected.", r.speaker, label(c)) })
}

// everyVersion is allVersions, of one update where the criterion names one.
func (r *reader) everyVersion(n *own, c index.Criterion) outcome {
	o := r.allVersions(n, c)
	if n.Listed && !c.Plain() {
		r.update(&o, n, c)
	}
	return o
}

// update compares the update of a criterion with that of a listed name, whose version is the one that is named.
func (r *reader) update(o *outcome, n *own, of index.Criterion) {
	c := of.Name()
	if c.Update.Logical() {
		return
	}
	switch cpe.Compare(c.Update, n.CPE.Update) {
	case cpe.Superset, cpe.Equal:
	case cpe.Subset:
		o.truth, o.reason = min(o.truth, unknown), unspecified
		r.amend(o, ", but only update %s, which this may or may not be.", c.Update.Text())
	default:
		o.truth, o.reason = no, outOfRange
		r.amend(o, ", but only update %s; this is %s.", c.Update.Text(), n.CPE.Update.Text())
	}
	if r.explain {
		o.why.Result = o.truth.String()
	}
}

func (r *reader) exact(n *own, c index.Criterion) outcome {
	if c.Version().Wild() {
		return r.pattern(n, c)
	}
	is, named := n.plain, r.attr(c)
	want := func() string { return c.Version().Text() }
	if !n.Listed && !c.Plain() { // the device writes version and update as one
		if u := c.Name().Update; !u.Logical() {
			text := c.Version().Text() + " " + plain(u)
			named, want = r.versions.Version(text), func() string { return text }
		}
	}
	text := func() string { return "version " + want() + " is" }
	runs := n.Version
	order, precision := r.compare(n, is, named)
	var o outcome
	switch {
	case order == version.Incomparable && n.ranks && is.Differs(n.Scheme, named):
		return r.outside(text, runs, version.Exact)
	case order == version.Incomparable:
		return r.incomparable(text, runs)
	case order == version.Equal && precision == version.Exact:
		o = r.say(yes, exact, func() string {
			return fmt.Sprintf("%s says version %s is affected; this device runs it.", r.speaker, want())
		})
	case order == version.Equal:
		o = r.say(guessed, exact, func() string {
			return fmt.Sprintf("%s says version %s is affected; this device runs %s, which reads as the same.", r.speaker, want(), runs)
		})
	default:
		return r.outside(text, runs, precision)
	}
	if n.Listed && !c.Plain() {
		r.update(&o, n, c)
	}
	return o
}

// pattern judges a criterion whose version has wildcards.
func (r *reader) pattern(n *own, c index.Criterion) outcome {
	says := func() string {
		return fmt.Sprintf("%s says versions %s are affected; this device runs %s.", r.speaker, c.Version().Text(), n.Version)
	}
	own := cpe.Literal(n.Version)
	if n.Listed {
		own = n.CPE.Version
	}
	if cpe.Compare(c.Version(), own) == cpe.Superset {
		return r.say(guessed, inRange, says)
	}
	return r.say(no, outOfRange, says)
}

// attr and bound give the versions that a criterion names, read once for all devices.
func (e *Evaluator) attr(c index.Criterion) *version.Version {
	at := &e.attrs[c.VersionText()]
	if *at == nil {
		*at = e.versions.Version(c.Version().Text())
	}
	return *at
}

func (e *Evaluator) bound(text string, number uint32) *version.Version {
	at := &e.bounds[number]
	if *at == nil {
		*at = e.versions.Version(text)
	}
	return *at
}

func (r *reader) inRange(n *own, c index.Criterion) outcome {
	is := n.Version
	text := func() string { return phrase(c) + " are" }
	other := r.otherTrack(n, endOf(c))
	if other && r.hasOwnTrack() {
		return r.say(no, outOfRange, func() string {
			return fmt.Sprintf("%s says %s affected, which is about another release track; the range for this device's track counts.", r.speaker, text())
		})
	}
	worst := version.Exact
	open := false
	for i := range 4 {
		b, number := c.Bound(i)
		if number == 0 {
			continue
		}
		order, precision := r.compare(n, n.is, r.bound(b, number))
		if order == version.Incomparable {
			open = true
			continue
		}
		if !holds(i, order) {
			return r.outside(text, is, precision)
		}
		worst = min(worst, precision)
	}
	switch {
	case open:
		return r.incomparable(text, is)
	case worst < version.Exact:
		return r.say(guessed, inRange, func() string {
			return fmt.Sprintf("%s says %s affected; this device runs %s, compared without the vendor's own rule.", r.speaker, text(), is)
		})
	case other:
		return r.say(guessed, inRange, func() string {
			return fmt.Sprintf("%s says %s affected; this device runs %s, an older release track for which no fix is named.", r.speaker, text(), is)
		})
	}
	return r.say(yes, inRange, func() string {
		return fmt.Sprintf("%s says %s affected; this device runs %s.", r.speaker, text(), is)
	})
}

// holds reports whether a device whose version stands in this order to a bound, by its place in a criterion, is inside.
func holds(bound int, o version.Order) bool {
	switch {
	case o == version.Equal:
		return bound == 0 || bound == 2
	case bound < 2:
		return o == version.Greater
	}
	return o == version.Less
}

// outside excludes the device, unless the order was decided on words that no rule explains: then
// nothing is excluded.
func (r *reader) outside(text func() string, is string, precision version.Precision) outcome {
	if precision == version.Rough {
		return r.say(unknown, incomparable, func() string {
			return fmt.Sprintf("%s says %s affected; this device runs %s, which seems to lie outside, but its form allows no certain order.", r.speaker, text(), is)
		})
	}
	return r.say(no, outOfRange, func() string {
		return fmt.Sprintf("%s says %s affected; this device runs %s, which lies outside.", r.speaker, text(), is)
	})
}

func (r *reader) incomparable(text func() string, is string) outcome {
	return r.say(unknown, incomparable, func() string {
		return fmt.Sprintf("%s says %s affected; this device runs %s, and the two cannot be compared.", r.speaker, text(), is)
	})
}

// compare orders two versions by the scheme of a name. Without one a scheme is guessed from the shapes,
// and the result is never exact.
func (e *Evaluator) compare(n *own, a, b *version.Version) (version.Order, version.Precision) {
	if n.ranks {
		return a.Compare(n.Scheme, b)
	}
	o, p := a.Compare(a.Guess(b), b)
	if o == version.Equal && n.Listed && a == b {
		return o, p // the same text is the same version, by whatever rule it was written
	}
	return o, min(p, version.Natural)
}

// phrase says a criterion's versions in words.
func phrase(c index.Criterion) string {
	if !c.Ranged() {
		return "exactly the versions " + c.Version().Text() + " of " + label(c)
	}
	var b [4]string
	for i := range b {
		b[i], _ = c.Bound(i)
	}
	from := ""
	switch {
	case b[0] != "":
		from = " from " + b[0]
	case b[1] != "":
		from = " after " + b[1]
	}
	switch {
	case b[3] != "" && from != "":
		return "versions" + from + " and before " + b[3]
	case b[3] != "":
		return "versions before " + b[3]
	case b[2] != "" && from != "":
		return "versions" + from + " up to " + b[2]
	case b[2] != "":
		return "versions up to " + b[2]
	}
	return "versions" + from + " on"
}

func endOf(c index.Criterion) string {
	if end, n := c.Bound(3); n != 0 {
		return end
	}
	end, _ := c.Bound(2)
	return end
}

// otherTrack reports whether v lies on another release track than the device. A vendor without
// tracks has one.
func (e *Evaluator) otherTrack(n *own, v string) bool {
	if v == "" || !version.Tracks(n.Scheme) {
		return false
	}
	is, other := e.versions.Track(n.Scheme, n.Version), e.versions.Track(n.Scheme, v)
	return is != "" && other != "" && is != other
}

// hasOwnTrack reports whether a range for the device's product ends on the device's release track.
func (r *reader) hasOwnTrack() bool {
	if r.ownTrack != nil {
		return *r.ownTrack
	}
	found := false
	r.ownTrack = &found
	r.rec.Each(func(l index.Leaf) {
		if found || !l.Vulnerable() || !r.own(l.Criterion()) {
			return
		}
		c := r.x.Criterion(l.Criterion())
		if n := r.find(c); n != nil && endOf(c) != "" {
			found = r.versions.SameTrack(n.Scheme, n.Version, endOf(c))
		}
	})
	return found
}

func orUnknown(v string) string {
	if v == "" {
		return "an unknown one"
	}
	return v
}
