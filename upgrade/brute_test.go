package upgrade_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/upgrade"
	"github.com/firmward/firmward/version"
)

// world is what a device runs, with every floor that was ever set, in the plainest form.
type world struct {
	version, variant string
	parts            map[string]string
	floors           []string // "part version"
}

func (w world) key() string {
	f := slices.Clone(w.floors)
	slices.Sort(f)
	return fmt.Sprint(w.version, "|", w.variant, "|", w.parts["boot"], "|", slices.Compact(f))
}

func order(a, b string) version.Order { o, _ := version.Compare("dotted", a, b); return o }

func atLeast(a, b string) bool { return order(a, b) == version.Equal || order(a, b) == version.Greater }

// install is one step as the package comment tells it, written without the package.
func (w world) install(r firmward.Release) (to world, cost [5]int, ok bool) {
	has, name := w.version, "firmware"
	if r.Part != "" {
		has, name = w.parts[r.Part], r.Part
	}
	if !r.Withdrawn.IsZero() || has == "" {
		return to, cost, false
	}
	change := r.Variant != "" && r.Variant != w.variant
	if change && (w.variant == "" || !slices.Contains(r.FromVariants, w.variant)) {
		return to, cost, false
	}
	switch order(has, r.Version) {
	case version.Incomparable:
		return to, cost, false
	case version.Greater:
		if !r.MayDowngrade {
			return to, cost, false
		}
		cost[3] = 1
	case version.Equal:
		if !change || r.Part != "" {
			return to, cost, false
		}
	}
	if r.MinFrom != "" && !atLeast(has, r.MinFrom) || r.MaxFrom != "" && !atLeast(r.MaxFrom, has) {
		return to, cost, false
	}
	for _, f := range w.floors {
		if v, mine := strings.CutPrefix(f, name+" "); mine && cost[3] > 0 && !atLeast(r.Version, v) {
			return to, cost, false
		}
	}
	for _, n := range r.Needs {
		v := w.version
		if n.Part != "firmware" {
			v = w.parts[n.Part]
		}
		if v == "" || !atLeast(v, n.AtLeast) {
			return to, cost, false
		}
	}
	to = world{w.version, w.variant, maps.Clone(w.parts), slices.Clone(w.floors)}
	if r.Part != "" {
		to.parts[r.Part] = r.Version
	} else {
		to.version = r.Version
		if change {
			to.variant, cost[1] = r.Variant, 1
		}
	}
	if r.WipesConfig {
		cost[0] = 1
	}
	if r.Floor != "" {
		to.floors = append(to.floors, name+" "+r.Floor)
		if !atLeast(has, r.Floor) {
			cost[2] = 1
		}
	}
	cost[4] = 1
	return to, cost, true
}

type way struct {
	rels []firmward.Release
	cost [5]int
}

// walk lists every way that meets no state twice and ends where what is wanted runs for the first time.
func walk(w world, want, variant string, rels []firmward.Release, seen map[string]bool, so way, out *[]way) {
	if order(w.version, want) == version.Equal && w.variant == variant {
		*out = append(*out, way{slices.Clone(so.rels), so.cost})
		return
	}
	seen[w.key()] = true
	for _, r := range rels {
		to, c, ok := w.install(r)
		if !ok || seen[to.key()] {
			continue
		}
		next := way{append(slices.Clone(so.rels), r), so.cost}
		for i := range c {
			next.cost[i] += c[i]
		}
		walk(to, want, variant, rels, seen, next, out)
	}
	delete(seen, w.key())
}

// cheapest picks by the order that the package comment gives.
func cheapest(all []way) []string {
	if len(all) == 0 {
		return nil
	}
	low := slices.MinFunc(all, func(a, b way) int { return slices.Compare(a.cost[:], b.cost[:]) }).cost
	all = slices.DeleteFunc(all, func(w way) bool { return w.cost != low })
	var ids []string
	for i := range low[4] {
		var best firmward.Release
		for _, w := range all {
			r := w.rels[i]
			beaten := slices.ContainsFunc(all, func(o way) bool {
				return o.rels[i].Part == r.Part && order(o.rels[i].Version, r.Version) == version.Greater
			})
			if !beaten && (best.ID == "" || r.ID < best.ID) {
				best = r
			}
		}
		ids = append(ids, best.ID)
		all = slices.DeleteFunc(all, func(w way) bool { return w.rels[i].ID != best.ID })
	}
	return ids
}

var versions = []string{"1.0", "1.1", "1.2", "1.3", "2.0", "x(1)"}

func drawRelease(rt *rapid.T, i int) firmward.Release {
	maybe := func(what string, of []string) string {
		return rapid.SampledFrom(append(make([]string, len(of)), of...)).Draw(rt, what)
	}
	r := firmward.Release{
		ID: fmt.Sprint("r", i), Models: []string{"M"}, Hardware: []string{"*"},
		Version: rapid.SampledFrom(versions).Draw(rt, "version"), MinFrom: maybe("min", versions), MaxFrom: maybe("max", versions),
		Floor: maybe("floor", versions), Part: maybe("part", []string{"boot"}), WipesConfig: rapid.IntRange(0, 3).Draw(rt, "wipes") == 0,
		MayDowngrade: rapid.IntRange(0, 2).Draw(rt, "down") == 0,
	}
	if rapid.Bool().Draw(rt, "chained") { // half of them go over the version before alone
		at := rapid.IntRange(1, 4).Draw(rt, "link")
		r.Version, r.MinFrom, r.MaxFrom = versions[at], versions[at-1], versions[at-1]
	}
	if r.Part == "" {
		r.Variant = rapid.SampledFrom([]string{"", "", "", "", "a", "b"}).Draw(rt, "variant")
	}
	if r.Variant != "" {
		r.FromVariants = rapid.SampledFrom([][]string{nil, {"a"}, {"a", "b"}}).Draw(rt, "over")
	}
	if need := rapid.SampledFrom([]string{"", "", "", "boot", "firmware"}).Draw(rt, "needs"); need != "" {
		r.Needs = []firmward.Need{{Part: need, AtLeast: rapid.SampledFrom(versions[:4]).Draw(rt, "at least")}}
	}
	return r
}

// TestAgainstEveryWay compares the planner with all ways there are, on graphs that are small enough to list them.
func TestAgainstEveryWay(t *testing.T) {
	found, long, refused := 0, 0, 0
	check := func(rt *rapid.T) {
		var rels []firmward.Release
		for i := range rapid.IntRange(1, 7).Draw(rt, "releases") {
			rels = append(rels, drawRelease(rt, i))
		}
		if rapid.Bool().Draw(rt, "chain") { // so that long ways are not rare
			for i := range rels {
				rels[i].Part, rels[i].Needs, rels[i].Version, rels[i].MinFrom = "", nil, versions[min(i+1, 4)], versions[min(i, 3)]
			}
		}
		start := world{
			version: rapid.SampledFrom([]string{"1.0", "1.0", "1.0", "1.1", "1.3", "2.0"}).Draw(rt, "from"), variant: rapid.SampledFrom([]string{"", "a", "b"}).Draw(rt, "variant"),
			parts: map[string]string{},
		}
		if boot := rapid.SampledFrom([]string{"", "1.0", "1.1"}).Draw(rt, "boot"); boot != "" {
			start.parts["boot"] = boot
		}
		q := upgrade.Query{
			From: upgrade.State{Version: start.version, Variant: start.variant, Parts: maps.Clone(start.parts)},
			Want: rapid.SampledFrom([]string{"2.0", "2.0", "1.3", "1.2", "1.0"}).Draw(rt, "want"), Model: "M", Hardware: "h", Scheme: "dotted", Releases: rels,
		}
		for _, r := range rels {
			has, name := start.version, "firmware"
			if r.Part != "" {
				has, name = start.parts[r.Part], r.Part
			}
			if r.Floor != "" && has != "" && order(r.Version, has) != version.Greater {
				start.floors = append(start.floors, name+" "+r.Floor)
			}
		}
		var all []way
		walk(start, q.Want, q.From.Variant, rels, map[string]bool{}, way{}, &all)
		p, no := upgrade.Plan(q)
		if (no == nil) != (len(all) > 0) {
			rt.Fatalf("%d ways, refusal %+v", len(all), no)
		}
		if no != nil {
			if refused++; no.Code == "" || no.Why == "" {
				rt.Fatalf("a refusal without a word: %+v", no)
			}
			if no.Nearest != "" {
				q.Want = no.Nearest
				if p, no := upgrade.Plan(q); no != nil || len(p) == 0 || order(start.version, q.Want) != version.Less {
					rt.Fatalf("no way to the nearest, %s: %+v", q.Want, no)
				}
				return
			}
			for _, v := range versions {
				q2 := q
				if q2.Want = v; order(start.version, v) == version.Less && order(v, q.Want) == version.Less {
					if p, _ := upgrade.Plan(q2); len(p) > 0 {
						rt.Fatalf("%s can be reached and is not named", v)
					}
				}
			}
			return
		}
		var got []string
		for _, h := range p {
			got = append(got, h.Release.ID)
		}
		if want := cheapest(all); !slices.Equal(got, want) {
			rt.Fatalf("got %v, of %d ways the cheapest is %v", got, len(all), want)
		}
		slices.Reverse(q.Releases)
		if again, _ := upgrade.Plan(q); again.String() != p.String() {
			rt.Fatalf("another order of the releases gives %s, not %s", again, p)
		}
		if found++; len(p) > 1 {
			long++
		}
	}
	for range 20 {
		rapid.Check(t, check)
	}
	t.Logf("%d ways, %d of several steps, %d refusals", found, long, refused)
	if !t.Failed() && (found == 0 || long == 0 || refused == 0) {
		t.Error("nothing was tried")
	}
}

// FuzzPlan: whatever releases say, there is an answer; a way that is given can be gone.
func FuzzPlan(f *testing.F) {
	f.Add("9.33", "12.3.1", "12.1.1", "12.3.1", "12.1.1", "", "")
	f.Add("1.0", "2.0", "1.5", "2.0", "1.5", "1.9", "a")
	f.Add("", "x", "\x00", "-", "V4.60(ABFA.1)C0", "..", "b")
	f.Fuzz(func(t *testing.T, from, want, one, two, least, floor, variant string) {
		q := upgrade.Query{
			From: upgrade.State{Version: from, Variant: "a", Parts: map[string]string{"boot": least}}, Want: want, Model: "M", Hardware: "h",
			Releases: []firmward.Release{
				{ID: "1", Models: []string{"M"}, Hardware: []string{"h"}, Version: one, MaxFrom: least, Floor: floor, MayDowngrade: true},
				{ID: "2", Models: []string{"M"}, Hardware: []string{"h"}, Version: two, MinFrom: least, Variant: variant, FromVariants: []string{"a"}},
				{ID: "3", Models: []string{"M"}, Hardware: []string{"h"}, Version: want, Needs: []firmward.Need{{Part: "boot", AtLeast: floor}}},
				{ID: "4", Models: []string{"M"}, Hardware: []string{"h"}, Version: floor, Part: "boot"},
			},
		}
		p, no := upgrade.Plan(q)
		if no != nil && (no.Code == "" || no.Why == "" || p != nil) {
			t.Fatalf("%v %+v", p, no)
		}
		if len(p) > 0 {
			if ok, why := upgrade.Direct(q, p[0].Release); !ok {
				t.Fatalf("the first step cannot be gone: %s", why)
			}
		}
	})
}
