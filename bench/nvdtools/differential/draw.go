package main

import (
	"cmp"
	"hash/fnv"
	"maps"
	"slices"

	"github.com/facebookincubator/nvdtools/cvefeed"
	"github.com/facebookincubator/nvdtools/cvefeed/nvd/schema"
	"github.com/facebookincubator/nvdtools/wfn"

	"github.com/firmward/firmward/cpe"
	"github.com/firmward/firmward/feed"
)

// record is what nvdtools keeps of a CVE.
type record interface {
	Schema() *schema.NVDCVEFeedJSON10DefCVEItem
}

type product struct{ part, vendor, product string }

// draw makes up to n pairs: every joint of firmware and hardware in the records, in every version that any record names of that
// firmware, in an order that depends on the pair alone.
func draw(dict cvefeed.Dictionary, n int) [][]string {
	versions := map[product]map[string]bool{}
	joints := map[[2]product]bool{}
	for _, v := range dict {
		for _, node := range v.(record).Schema().Configurations.Nodes {
			for _, m := range leaves(node) {
				note(versions, m)
			}
			if node.Operator == "AND" {
				join(joints, node)
			}
		}
	}
	type drawn struct {
		pair []string
		key  uint64
	}
	var all []drawn
	for j := range joints {
		hw := cpe.Name{Part: "h", Vendor: cpe.Attr(j[1].vendor), Product: cpe.Attr(j[1].product), Version: cpe.NA}
		for _, version := range some(versions[j[0]]) {
			fw := cpe.Name{Part: cpe.Attr(j[0].part), Vendor: cpe.Attr(j[0].vendor), Product: cpe.Attr(j[0].product), Version: cpe.Literal(version)}
			pair := []string{fw.String(), hw.String()}
			h := fnv.New64a()
			h.Write([]byte(pair[0]))
			h.Write([]byte(pair[1]))
			all = append(all, drawn{pair, h.Sum64()})
		}
	}
	slices.SortFunc(all, func(a, b drawn) int { return cmp.Compare(a.key, b.key) })
	var out [][]string
	for _, d := range all[:min(n, len(all))] {
		out = append(out, d.pair)
	}
	return out
}

// perJoint bounds the versions of one joint, so that systems with thousands of them do not crowd out the others.
const perJoint = 6

// some gives up to perJoint texts, spread by their sums.
func some(texts map[string]bool) []string {
	all := slices.Sorted(maps.Keys(texts))
	sum := func(s string) uint32 {
		h := fnv.New32a()
		h.Write([]byte(s))
		return h.Sum32()
	}
	slices.SortStableFunc(all, func(a, b string) int { return cmp.Compare(sum(a), sum(b)) })
	return all[:min(perJoint, len(all))]
}

func leaves(n *schema.NVDCVEFeedJSON10DefNode) []*schema.NVDCVEFeedJSON10DefCPEMatch {
	out := slices.Clone(n.CPEMatch)
	for _, c := range n.Children {
		out = append(out, leaves(c)...)
	}
	return out
}

// read gives the product of a criterion, false for a pattern or what is no name.
func read(m *schema.NVDCVEFeedJSON10DefCPEMatch) (cpe.Name, product, bool) {
	n, err := cpe.Parse(m.Cpe23Uri)
	if err != nil || wfn.HasWildcard(string(n.Product)) || wfn.HasWildcard(string(n.Vendor)) {
		return n, product{}, false
	}
	return n, product{string(n.Part), string(n.Vendor), string(n.Product)}, true
}

func note(versions map[product]map[string]bool, m *schema.NVDCVEFeedJSON10DefCPEMatch) {
	n, p, ok := read(m)
	if !ok || n.Part == "h" {
		return
	}
	if versions[p] == nil {
		versions[p] = map[string]bool{}
	}
	for _, v := range []string{m.VersionStartIncluding, m.VersionStartExcluding, m.VersionEndIncluding, m.VersionEndExcluding} {
		if v != "" {
			versions[p][feed.Bound(v)] = true
		}
	}
	if !n.Version.Logical() && !n.Version.Wild() {
		versions[p][n.Version.Text()] = true
	}
}

// join notes each firmware that a node joins with hardware of the same vendor.
func join(joints map[[2]product]bool, node *schema.NVDCVEFeedJSON10DefNode) {
	soft, hard := map[product]bool{}, map[product]bool{}
	for _, m := range leaves(node) {
		n, p, ok := read(m)
		switch {
		case !ok:
		case n.Part == "h":
			hard[p] = true
		case n.Part == "o" && m.Vulnerable:
			soft[p] = true
		}
	}
	for s := range soft {
		n := 0
		for _, h := range slices.SortedFunc(maps.Keys(hard), func(a, b product) int { return compare(a, b) }) {
			if h.vendor == s.vendor && n < 4 {
				joints[[2]product{s, h}] = true
				n++
			}
		}
	}
}

func compare(a, b product) int {
	return slices.Compare([]string{a.part, a.vendor, a.product}, []string{b.part, b.vendor, b.product})
}
