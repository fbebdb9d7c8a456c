package index_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/cpe"
	"github.com/firmward/firmward/index"
)

var day = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func block(t testing.TB, as ...firmward.Advisory) []byte {
	t.Helper()
	b := index.NewBuilder()
	for _, a := range as {
		b.Add(a)
	}
	return built(t, b)
}

func built(t testing.TB, b *index.Builder) []byte {
	t.Helper()
	out, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func open(t testing.TB, b []byte) *index.Index {
	t.Helper()
	x, err := index.Open(b)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func match(criteria string, vulnerable bool) firmward.CPEMatch {
	return firmward.CPEMatch{Criteria: criteria, Vulnerable: vulnerable}
}

func camera() firmward.Advisory {
	ranged := match("cpe:2.3:o:axis:m3045_firmware:*:*:*:*:*:*:*:*", true)
	ranged.VersionStartIncluding, ranged.VersionEndExcluding = "6.0", "6.50.5.3"
	words := match("cpe:2.3:*:axis:m3046:-:*:*:*:*:*:*:*", true)
	words.Words = "M3046 and others"
	return firmward.Advisory{
		ID: "CVE-2026-0002", Source: "nvd", Published: day, Modified: day.Add(time.Hour), NoFix: true,
		Scores: []firmward.Score{{Base: 5.1, Vector: "low"}, {Base: 9.8, Vector: "high"}},
		Origin: firmward.Origins{Document: "nvd.json", Dated: day},
		Configurations: []firmward.Configuration{
			{Operator: "AND", Nodes: []firmward.Node{{Operator: "OR", Matches: []firmward.CPEMatch{ranged}}, {Matches: []firmward.CPEMatch{match("cpe:2.3:h:axis:m3045:-:*:*:*:*:*:*:*", false)}}}},
			{Negate: true, Nodes: []firmward.Node{{Operator: "AND", Negate: true, Children: []firmward.Node{{Matches: []firmward.CPEMatch{words, match("no name", true)}}}}}},
		},
		Fixes:      []firmward.Fix{{Vendor: "axis", Product: "m3045_firmware", Version: "6.50.5.3"}},
		Statements: []firmward.Statement{{Status: firmward.StatedFixed, Match: match(`cpe:2.3:o:axis:m3057_firmware:7.1:sp1:*:*:*:linux:*:a\:b`, false), Platform: "cpe:2.3:h:axis:m3057:-:*:*:*:*:*:*:*", Justification: "component_not_present", Text: "no"}},
	}
}

func TestRecord(t *testing.T) {
	x := open(t, block(t, camera()))
	if x.Records() != 1 || x.Criteria() != 5 || x.Products() != 4 {
		t.Fatalf("%d records, %d criteria, %d products", x.Records(), x.Criteria(), x.Products())
	}
	r := x.Record(0)
	want := index.Record{
		ID: "CVE-2026-0002", Source: "nvd", Document: "nvd.json", Dated: day, Published: day, Modified: day.Add(time.Hour),
		NoFix: true, Stated: true, Score: 9.8, Vector: "high",
	}
	if diff := cmp.Diff(want, r, cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "body" }, cmp.Ignore())); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(camera().Fixes, x.Fixes(r)); diff != "" {
		t.Error(diff)
	}
	s := x.Statements(r)
	if len(s) != 1 || s[0].Status != firmward.StatedFixed || s[0].Platform == "" || s[0].Justification != "component_not_present" || s[0].Text != "no" {
		t.Fatalf("%+v", s)
	}
	if got := x.Criterion(s[0].Criterion).Name().String(); got != `cpe:2.3:o:axis:m3057_firmware:7.1:sp1:*:*:*:linux:*:a\:b` {
		t.Error(got)
	}
	if diff := cmp.Diff([]string{
		"AND", " OR", "  vulnerable cpe:2.3:o:axis:m3045_firmware:*:*:*:*:*:*:*:* from 6.0 before 6.50.5.3", " OR needs hardware", "  cpe:2.3:h:axis:m3045:-:*:*:*:*:*:*:*",
		"NOT OR", " NOT AND", "  OR needs something", "   vulnerable cpe:2.3:*:axis:m3046:-:*:*:*:*:*:*:* in words M3046 and others", "   vulnerable unreadable",
	}, tree(x, r)); diff != "" {
		t.Error(diff)
	}
}

// tree writes the configurations of a record, a part a line.
func tree(x *index.Index, r index.Record) []string {
	var out []string
	join := func(depth int, j index.Join) {
		var text strings.Builder
		text.WriteString(strings.Repeat(" ", depth))
		if j.Negate() {
			text.WriteString("NOT ")
		}
		text.WriteString(map[bool]string{true: "AND", false: "OR"}[j.And()])
		open, system, hardware := j.Needs()
		for _, n := range []struct {
			is   bool
			what string
		}{{open, "something"}, {system, "system"}, {hardware, "hardware"}} {
			if n.is {
				text.WriteString(" needs " + n.what)
			}
		}
		out = append(out, text.String())
	}
	var node func(depth int, w *index.Walk)
	node = func(depth int, w *index.Walk) {
		join(depth, w.Join())
		l := w.Leaves()
		for i := range l.Len() {
			out = append(out, strings.Repeat(" ", depth+1)+leaf(x, l.At(i)))
		}
		for n := w.Count(); n > 0; n-- {
			node(depth+1, w)
		}
	}
	_, w, n := r.Configurations()
	for ; n > 0; n-- {
		join(0, w.Join())
		for m := w.Count(); m > 0; m-- {
			node(1, &w)
		}
	}
	return out
}

func leaf(x *index.Index, l index.Leaf) string {
	c := x.Criterion(l.Criterion())
	text := c.Name().String()
	if c.Product() == index.None {
		text = "unreadable"
	}
	if l.Vulnerable() {
		text = "vulnerable " + text
	}
	for i, word := range []string{" from ", " after ", " through ", " before "} {
		if b, n := c.Bound(i); n != 0 {
			text += word + b
		}
	}
	if c.InWords() {
		text += " in words " + c.Words()
	}
	return text
}

func TestNaming(t *testing.T) {
	b := camera()
	b.ID = "CVE-2026-0001"
	pattern := firmward.Advisory{ID: "CVE-2026-0003", Source: "nvd", Configurations: []firmward.Configuration{{Nodes: []firmward.Node{{Matches: []firmward.CPEMatch{match("cpe:2.3:o:axis:*:*:*:*:*:*:*:*:*", true)}}}}}}
	gone := camera()
	gone.ID, gone.Source, gone.Rejected = "CVE-2026-0001", "cve", true
	x := open(t, block(t, camera(), b, pattern, gone))
	for product, want := range map[string][]string{
		"m3045_firmware": {"CVE-2026-0002"}, "m3046": {"CVE-2026-0002"}, "m3057_firmware": {"CVE-2026-0002"}, // 0001 was withdrawn
		"m3045": nil, "other": nil,
	} {
		var ids []string
		for _, n := range x.Naming(x.Product("axis_communications_ab", product), nil) {
			id, _ := x.Advisory(n)
			ids = append(ids, id)
		}
		if diff := cmp.Diff(want, ids); diff != "" {
			t.Errorf("%s: %s", product, diff)
		}
	}
	if wild := x.Naming(x.Any(), nil); len(wild) != 1 || x.Record(wild[0]).ID != "CVE-2026-0003" {
		t.Errorf("patterns: %v", wild)
	}
	from, to := x.Span(x.Product("axis", "m3045_firmware"))
	if to-from != 1 || x.Criterion(from).ProductName() != "m3045_firmware" {
		t.Errorf("span %d to %d", from, to)
	}
	if from, to := x.Span(index.None); from != to {
		t.Error("no product has criteria")
	}
	if diff := cmp.Diff([]cpe.Key{{Vendor: "axis", Product: "m3045"}, {Vendor: "axis", Product: "m3045_firmware"}, {Vendor: "axis", Product: "m3046"}, {Vendor: "axis", Product: "m3057_firmware"}}, slices.Collect(x.Named())); diff != "" {
		t.Error(diff)
	}
}

// TestPlaces: in a record with many configurations a criterion is found without walking all of them.
func TestPlaces(t *testing.T) {
	var a firmward.Advisory
	a.ID = "CVE-2026-0009"
	var nodes []firmward.Node // an OR of many is many
	for i := range 40 {
		nodes = append(nodes, firmward.Node{Operator: "AND", Children: []firmward.Node{
			{Matches: []firmward.CPEMatch{match(fmt.Sprintf("cpe:2.3:o:v:p%d_firmware:1:*:*:*:*:*:*:*", i), true)}},
			{Matches: []firmward.CPEMatch{match(fmt.Sprintf("cpe:2.3:h:v:p%d:-:*:*:*:*:*:*:*", i), false)}},
		}})
	}
	a.Configurations = []firmward.Configuration{{Nodes: nodes}}
	x := open(t, block(t, a))
	places, w, n := x.Record(0).Configurations()
	if n != 40 {
		t.Fatalf("%d configurations", n)
	}
	for i := range 40 {
		from, to := x.Span(x.Product("v", fmt.Sprintf("p%d_firmware", i)))
		at := places.Of(from, to, nil)
		if len(at) != 1 {
			t.Fatalf("p%d: places %v", i, at)
		}
		one := w.At(at[0])
		one.Join()
		one.Count()
		one.Join()
		one.Leaves()
		one.Count()
		one.Join()
		if l := one.Leaves(); l.Len() != 1 || string(x.Criterion(l.At(0).Criterion()).ProductName()) != fmt.Sprintf("p%d_firmware", i) {
			t.Errorf("p%d: %s", i, leaf(x, l.At(0)))
		}
		hf, ht := x.Span(x.Product("v", fmt.Sprintf("p%d", i)))
		if p := places.Of(hf, ht, nil); len(p) > 0 {
			t.Errorf("a platform has places %v", p)
		}
	}
}

func advisory() *rapid.Generator[firmward.Advisory] {
	product := rapid.SampledFrom([]string{"a", "b_firmware", "c", `d\/e`, "*"})
	leaf := rapid.Custom(func(t *rapid.T) firmward.CPEMatch {
		m := match("cpe:2.3:"+rapid.SampledFrom([]string{"o", "h", "a", "*"}).Draw(t, "part")+":v:"+product.Draw(t, "product")+":"+rapid.SampledFrom([]string{"*", "-", "1.0", `1\(2\)`}).Draw(t, "version")+":"+rapid.SampledFrom([]string{"*", "sp1"}).Draw(t, "update")+":*:*:*:*:*:*", rapid.Bool().Draw(t, "vulnerable"))
		m.VersionEndIncluding = rapid.SampledFrom([]string{"", "", "2.0"}).Draw(t, "end")
		if rapid.IntRange(0, 9).Draw(t, "broken") == 0 {
			m.Criteria = "nothing"
		}
		return m
	})
	node := rapid.Custom(func(t *rapid.T) firmward.Node {
		n := firmward.Node{Operator: rapid.SampledFrom([]string{"AND", "OR", ""}).Draw(t, "operator"), Negate: rapid.Bool().Draw(t, "negate"), Matches: rapid.SliceOfN(leaf, 0, 4).Draw(t, "leaves")}
		if rapid.Bool().Draw(t, "nested") {
			n.Children = []firmward.Node{{Matches: rapid.SliceOfN(leaf, 0, 2).Draw(t, "below")}}
		}
		return n
	})
	return rapid.Custom(func(t *rapid.T) firmward.Advisory {
		a := firmward.Advisory{
			ID: rapid.SampledFrom([]string{"CVE-1", "CVE-2", "CVE-3", "CVE-4"}).Draw(t, "id"), Source: rapid.SampledFrom([]string{"nvd", "cve", "csaf:x"}).Draw(t, "source"),
			Modified: day.Add(time.Duration(rapid.IntRange(0, 2).Draw(t, "modified")) * time.Hour),
			Rejected: rapid.IntRange(0, 9).Draw(t, "rejected") == 0, NoFix: rapid.Bool().Draw(t, "no fix"),
		}
		for range rapid.IntRange(0, 8).Draw(t, "configurations") {
			a.Configurations = append(a.Configurations, firmward.Configuration{Operator: "AND", Nodes: rapid.SliceOfN(node, 0, 3).Draw(t, "nodes")})
		}
		if rapid.Bool().Draw(t, "stated") {
			a.Statements = []firmward.Statement{{Status: firmward.StatedNotAffected, Match: leaf.Draw(t, "of")}}
			a.Fixes = []firmward.Fix{{Vendor: "v", Product: "a", Version: "3"}}
		}
		return a
	})
}

// TestCanonical: the bytes depend on what is in them and not on how it came: in any order, at once or as changes to an earlier
// block.
func TestCanonical(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		all := rapid.SliceOfN(advisory(), 0, 12).Draw(rt, "advisories")
		want := block(t, all...)
		if got := block(t, rapid.Permutation(all).Draw(rt, "mixed")...); !slices.Equal(got, want) {
			rt.Fatal("another order, other bytes")
		}
		cut := rapid.IntRange(0, len(all)).Draw(rt, "cut")
		b := index.From(open(t, block(t, all[:cut]...)))
		for _, a := range all[cut:] {
			b.Add(a)
		}
		if got := built(t, b); !slices.Equal(got, want) {
			rt.Fatal("as changes, other bytes")
		}
		for _, a := range all { // and nothing of what went stays
			b.Remove(a.ID, a.Source)
		}
		if got := built(t, b); !slices.Equal(got, block(t)) {
			rt.Fatal("something is left of what was removed")
		}
	})
}

func TestDamage(t *testing.T) {
	good := block(t, camera(), firmward.Advisory{ID: "CVE-2026-0004", Source: "nvd"})
	for i := range good { // a flipped bit anywhere
		bad := slices.Clone(good)
		bad[i] ^= 0x10
		if _, err := index.Open(bad); !errors.Is(err, index.ErrCorrupt) && !errors.Is(err, index.ErrVersion) {
			t.Fatalf("byte %d of %d: %v", i, len(good), err)
		}
	}
	for n := range good {
		if _, err := index.Open(good[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes were opened", n, len(good))
		}
	}
	other := slices.Clone(good)
	other[7] = '3'
	if _, err := index.Open(other); !errors.Is(err, index.ErrVersion) {
		t.Error(err)
	}
}

// FuzzOpen gives blocks with a right sum and wrong insides: they are refused, or read without a fault.
func FuzzOpen(f *testing.F) {
	f.Add(block(f, camera()))
	f.Add(block(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 12 {
			binary.LittleEndian.PutUint32(b[8:], crc32.Checksum(b[12:], crc32.MakeTable(crc32.Castagnoli)))
		}
		x, err := index.Open(b)
		if err != nil {
			return
		}
		for k := range x.Named() {
			x.Naming(x.Product(k.Vendor, k.Product), nil)
		}
		for i := range x.Criteria() {
			c := x.Criterion(uint32(i))
			_, _ = c.Name(), c.Words()
		}
		for i := range x.Records() {
			r := x.Record(uint32(i))
			x.Fixes(r)
			x.Statements(r)
			r.Each(func(l index.Leaf) { x.Criterion(l.Criterion()) })
			places, w, _ := r.Configurations()
			for _, at := range places.Of(0, 1<<31, nil) {
				w.At(at)
			}
		}
	})
}
