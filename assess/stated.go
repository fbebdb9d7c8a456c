package assess

import (
	"fmt"
	"strings"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/cpe"
	"github.com/firmward/firmward/index"
	"github.com/firmward/firmward/version"
)

// statements lets the record's own word on the device's product count: what it states not to be affected, or to be repaired, is
// not, whatever its ranges say; what it investigates is possible. v is what the ranges say, if they name the device at all.
func (r *reader) statements(v vote, named bool) (vote, bool) {
	for _, s := range r.x.Statements(r.rec) {
		n, t := r.stated(s)
		if n == nil || t == no {
			continue
		}
		switch s.Status {
		case firmward.StatedNoFix:
			v.noFix = v.noFix || named
		case firmward.StatedUnknown:
			if !named {
				v.outcome, named = r.word(unknown, investigated, s, n), true
			}
		case firmward.StatedNotAffected, firmward.StatedFixed:
			was := v.why
			o := r.word(no, stated, s, n)
			if t < guessed || n.Derived { // not certainly about this device: it does not exclude
				if named {
					continue
				}
				o.truth, o.reason = unknown, unspecified
			}
			if r.explain && named {
				o.why.Children = []firmward.Explanation{*was}
			}
			v.outcome, v.stated = o, o.truth == no
			return v, true
		}
	}
	return v, named
}

// stated gives the device's name of which a statement speaks and whether it covers what runs.
func (r *reader) stated(s index.Statement) (*own, truth) {
	if !r.own(s.Criterion) {
		return nil, no
	}
	c := r.x.Criterion(s.Criterion)
	n := r.find(c)
	if n == nil || !r.on(s.Platform) {
		return nil, no
	}
	switch {
	case c.Part() == "h" || !c.Ranged() && c.Version().Logical(): // of every version
		return n, yes
	case n.is.Unknown():
		return n, unknown
	case c.Ranged():
		return n, r.inRange(n, c).truth
	}
	fixed := plain(c.Version())
	o, p := r.compare(n, n.is, r.versions.Version(fixed))
	switch {
	case o == version.Equal:
		return n, yes
	case o == version.Greater && s.Status == firmward.StatedFixed && p == version.Exact && r.versions.SameTrack(n.Scheme, n.Version, fixed):
		return n, yes // what was repaired stays repaired on its track
	case o == version.Incomparable:
		return n, unknown
	}
	return n, no
}

// on reports whether the device is or has what a statement was made for. A platform in words may be of any part.
func (r *reader) on(platform string) bool {
	if platform == "" {
		return true
	}
	p, err := cpe.Parse(platform)
	if err != nil {
		return false
	}
	for i := range r.names {
		if n := &r.names[i]; (p.Part == cpe.Any || n.ofPart(p.Part)) && bare(n.CPE.Key()) == bare(p.Key()) {
			return true
		}
	}
	return false
}

// claims are the statuses in sentences.
var claims = map[firmward.StatementStatus]string{
	firmward.StatedNotAffected: "is not affected", firmward.StatedFixed: "holds the repair", firmward.StatedUnknown: "is under investigation",
}

// word is a statement as an outcome.
func (r *reader) word(t truth, why reason, s index.Statement, n *own) outcome {
	o := r.say(t, why, func() string {
		c := r.x.Criterion(s.Criterion)
		what := label(c)
		switch {
		case c.Ranged():
			what = phrase(c) + " of " + what
		case !c.Version().Logical():
			what += " " + plain(c.Version())
		}
		text := fmt.Sprintf("%s says that %s %s", r.speaker, what, claims[s.Status])
		if s.Justification != "" {
			text += " (" + strings.ReplaceAll(s.Justification, "_", " ") + ")"
		}
		text += "; this device runs " + orUnknown(n.Version) + "."
		if s.Text != "" {
			text += " In its words: " + s.Text
		}
		return text
	})
	o.named = true
	return o
}
