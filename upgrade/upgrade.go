// Package upgrade finds the way from what a device runs to what it shall run.
//
// The releases of a model form a graph. A node is what a device runs: a version of its firmware, its variant, versions of further parts
// such as a bootloader, and below what it takes nothing any more. A release is an edge from every node on which it may be installed:
//
//   - it fits the model and the hardware revision, was not withdrawn, and nothing else bars it;
//   - it goes up. Down only where the release says that it may (MayDowngrade), and not below a floor. A floor is set by each release
//     that names one, and stays whatever runs later. Which releases a device went through nobody knows, so it starts with the floors of
//     all that are not certainly newer than what it runs;
//   - what runs lies from MinFrom to MaxFrom;
//   - its variant is that of the device, or the release names that one among those over which it may go. A release with a variant goes
//     on no device of which nobody knows the variant;
//   - each part that it needs is known and new enough.
//
// Versions are compared by package version alone, parts by the scheme of their model. What cannot be compared is no edge: nothing is guessed.
//
// Of all ways the cheapest is taken, in this order: the fewest wipes of the configuration; the fewest changes of variant; the fewest steps
// after which one cannot go back to the version before; the fewest steps down; the fewest steps; and of the ways that are left, from
// the first step on, the newest version. The rest is decided by id, so one question has one answer. The variant at the end is the one
// at the beginning unless the question names another.
//
// The search is complete up to Most nodes; beyond it says so. Where there is no way, the refusal names what is missing.
package upgrade

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/version"
)

// Most bounds how many nodes are looked at for one question.
const Most = 20_000

// State is what a device runs.
type State struct {
	Version string            // of the firmware; empty: not known
	Variant string            // empty: not known
	Parts   map[string]string // versions of other parts; what is missing is not known
}

// Query is one question.
type Query struct {
	From     State
	Want     string // version of the firmware
	Variant  string // wanted; empty: as it is
	Model    string
	Hardware string
	Anyhow   bool   // whatever the hardware revision: who installs it, a person, reads it on the device
	Scheme   string // of versions, see package version
	Outage   time.Duration
	Releases []firmward.Release
	Bar      func(firmward.Release) string // why a release may not be used, or ""; nil: all may
}

// OfChannel bars releases of channels that are not taken.
func OfChannel(takes func(channel string) bool) func(firmward.Release) string {
	return func(r firmward.Release) string {
		if takes(r.Channel) {
			return ""
		}
		return "is of " + cmp.Or(r.Channel, "no known channel") + ", which its policy does not take"
	}
}

// Newest is the newest version to which its own releases could bring a device, empty when there is none.
func (q Query) Newest() string {
	g := newGraph(q)
	newest := ""
	for i, r := range g.rels {
		if g.bars[i] == "" && r.Part == "" && (r.Variant == "" || g.variant == "" || r.Variant == g.variant) &&
			(newest == "" || g.compare(r.Version, newest) == version.Greater) {
			newest = r.Version
		}
	}
	return newest
}

// Hop is one installation on a way.
type Hop struct {
	Release  firmward.Release
	Part     string // firmward.MainPart or another one
	From, To string // versions of the part
	Why      string // why this step, in plain words
	Outage   time.Duration
	Wipes    bool   // the configuration does not survive it
	NoReturn bool   // the version before cannot be installed again
	Down     bool   // to an older version
	Changes  string // "full to minimal" where the variant changes
}

// Risks says in plain words what the hop costs beside the outage.
func (h Hop) Risks() []string {
	var out []string
	if h.Wipes {
		out = append(out, "wipes its configuration")
	}
	if h.Changes != "" {
		out = append(out, "changes its variant from "+h.Changes)
	}
	if h.NoReturn {
		out = append(out, "no way back to "+h.From)
	}
	if h.Down {
		out = append(out, "goes down to an older version")
	}
	return out
}

// Name is what the hop brings: "12.1.1", "bootloader 7.2".
func (h Hop) Name() string { return named(h.Part, h.To) }

func named(part, v string) string {
	if part == firmward.MainPart {
		return v
	}
	return part + " " + v
}

// Path is a way, in the order in which it is gone. It is empty where nothing is to do.
type Path []Hop

func (p Path) String() string {
	names := make([]string, len(p))
	for i, h := range p {
		names[i] = h.Name()
	}
	return strings.Join(names, ", then ")
}

// The codes of a Refusal.
const (
	NoVersion      = "version-unknown"
	NoRelease      = "no-release"      // none of the wanted version
	MissingHop     = "missing-hop"     // none that leads to where the next one begins
	Barred         = "barred"          // withdrawn, or of a channel that is not taken
	VariantUnknown = "variant-unknown" // of the device
	OtherVariant   = "other-variant"
	PartUnknown    = "part-unknown"
	TooNew         = "too-new" // what runs is newer than the release takes
	NotBack        = "not-back"
	BelowFloor     = "below-floor"
	Incomparable   = "incomparable"
	TooMany        = "too-many"
)

// Refusal says why there is no way.
type Refusal struct {
	Code    string
	Why     string // a whole sentence
	Missing string // version to get, empty when a file would not help
	Part    string // of Missing
	Nearest string // newest version below the wanted one that can be reached, empty when none is newer than what runs
}

// Plan gives the cheapest way, or why there is none.
func Plan(q Query) (Path, *Refusal) {
	g := newGraph(q)
	if q.From.Version == "" {
		return nil, &Refusal{Code: NoVersion, Why: "nobody knows what it runs"}
	}
	if g.done(g.start) {
		return nil, nil
	}
	if p := g.direct(); p != nil {
		return p, nil
	}
	found, all := g.search()
	switch {
	case !all:
		return nil, &Refusal{Code: TooMany, Why: "the releases allow more combinations than are looked at: withdraw some, or name fewer parts and floors"}
	case found == nil:
		no := g.refuse()
		no.Nearest = g.nearest()
		return nil, no
	}
	return g.path(found), nil
}

// Direct reports whether a release may be installed on what runs as it is, and why not.
func Direct(q Query, rel firmward.Release) (ok bool, why string) {
	q.Releases = []firmward.Release{rel}
	g := newGraph(q, part(&rel))
	if len(g.rels) == 0 {
		return false, "it does not fit " + q.Model
	}
	if q.From.Version == "" {
		return false, "nobody knows what it runs"
	}
	_, _, no := g.edge(g.start, 0)
	return no.why == "", no.why
}

// graph is a query made ready.
type graph struct {
	q       Query
	cmp     version.Comparer
	rels    []*firmward.Release // that fit, by id
	bars    []string            // why not, aligned with rels
	parts   []string            // beside the firmware, that some release needs
	floors  bool                // something may go down, so floors count
	start   node
	variant string // wanted
	reached []node // by search, in its order
}

// node is what a device may come to run.
type node struct {
	version, variant string
	parts            []string // versions, aligned with graph.parts; empty: not known
	floors           []floor  // none contains another
}

// floor is a version below which a part takes nothing.
type floor struct{ part, version string }

func (n node) key() string {
	var b strings.Builder
	put := func(s string) { b.WriteString(s); b.WriteByte(0) }
	put(n.version)
	put(n.variant)
	for _, p := range n.parts {
		put(p)
	}
	for _, f := range n.floors {
		put(f.part)
		put(f.version)
	}
	return b.String()
}

func newGraph(q Query, parts ...string) *graph {
	g := &graph{q: q, parts: parts, variant: cmp.Or(q.Variant, q.From.Variant)}
	for i := range q.Releases {
		if r := &q.Releases[i]; r.FitsModel(q.Model) && (q.Anyhow || r.FitsHardware(q.Hardware)) {
			g.rels = append(g.rels, r)
		}
	}
	slices.SortFunc(g.rels, func(a, b *firmward.Release) int { return cmp.Compare(a.ID, b.ID) })
	for _, r := range g.rels {
		bar := ""
		switch {
		case !r.Withdrawn.IsZero():
			bar = "was withdrawn: " + r.WhyGone
		case q.Bar != nil:
			bar = q.Bar(*r)
		}
		g.bars = append(g.bars, bar)
		g.floors = g.floors || bar == "" && r.MayDowngrade
		for _, n := range r.Needs {
			if n.Part != firmward.MainPart && !slices.Contains(g.parts, n.Part) {
				g.parts = append(g.parts, n.Part)
			}
		}
	}
	slices.Sort(g.parts)
	g.start = node{version: q.From.Version, variant: q.From.Variant, parts: make([]string, len(g.parts))}
	for i, p := range g.parts {
		g.start.parts[i] = q.From.Parts[p]
	}
	for _, r := range g.rels {
		at := g.at(g.start, part(r))
		if g.floors && r.Floor != "" && at != "" && g.compare(r.Version, at) != version.Greater {
			g.raise(&g.start, floor{part(r), r.Floor})
		}
	}
	return g
}

func part(r *firmward.Release) string { return cmp.Or(r.Part, firmward.MainPart) }

func (g *graph) compare(a, b string) version.Order {
	o, _ := g.cmp.Compare(g.q.Scheme, a, b)
	return o
}

// least reports whether a is certainly b or newer.
func (g *graph) least(a, b string) bool {
	o := g.compare(a, b)
	return o == version.Equal || o == version.Greater
}

// at is the version of a part in a node, empty when nobody knows it.
func (g *graph) at(n node, part string) string {
	if part == firmward.MainPart {
		return n.version
	}
	if i, ok := slices.BinarySearch(g.parts, part); ok {
		return n.parts[i]
	}
	return ""
}

// raise adds a floor to a node, in whose place it keeps only those that it does not contain.
func (g *graph) raise(n *node, f floor) {
	for _, old := range n.floors {
		if old.part == f.part && g.least(old.version, f.version) {
			return
		}
	}
	n.floors = slices.DeleteFunc(slices.Clone(n.floors), func(old floor) bool { return old.part == f.part && g.least(f.version, old.version) })
	n.floors = append(n.floors, f)
	slices.SortFunc(n.floors, func(a, b floor) int {
		return cmp.Or(cmp.Compare(a.part, b.part), cmp.Compare(a.version, b.version))
	})
}

func (g *graph) done(n node) bool {
	return g.compare(n.version, g.q.Want) == version.Equal && n.variant == g.variant
}
