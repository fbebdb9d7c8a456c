package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/facebookincubator/nvdtools/cvefeed"
	"github.com/facebookincubator/nvdtools/cvefeed/nvd"
	"github.com/facebookincubator/nvdtools/cvefeed/nvd/schema"
	"github.com/facebookincubator/nvdtools/wfn"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/assess"
	"github.com/firmward/firmward/cpe"
	"github.com/firmward/firmward/feed"
	"github.com/firmward/firmward/version"
)

// The classes of differences, each with why firmward's answer stands.
const (
	classAlias     = "vendor alias: two spellings of one vendor in NVD are one vendor for firmward"
	classUpdate    = "update: the criterion names an update, the device none; a criterion that is a SUBSET of the name does not cover it (NISTIR 7696 table 6-2, rows 9 and 13): possible"
	classEdition   = "edition, language or target: the criterion names one, the device none; SUBSET does not cover (NISTIR 7696 table 6-2, rows 9 and 13): possible"
	classVersion   = "version scheme: the vendor's order differs from the order of signs"
	classEqual     = "version scheme: two spellings read as one version"
	classUnordered = "version scheme: no rule orders these two versions: possible, not a guess"
	classPlatform  = "platform only: the device is what the vulnerable product runs on, and not that product (`vulnerable` is false)"
	classNoVersion = "platform without a version: NVD writes \"-\" for a system or hardware that a product runs on where no version is stated; it does not exclude one"
	classUnread    = "unread name: the criterion is no CPE 2.3 name: unknown, not absent"
)

// explain finds the criteria on which the two disagree and why.
func explain(v cvefeed.Vuln, attrs []*wfn.Attributes, names []assess.Name, d difference) (class, because string) {
	if v == nil {
		return "", "nvdtools has no such record"
	}
	platform := true
	for _, node := range v.(record).Schema().Configurations.Nodes {
		for _, m := range leaves(node) {
			theirs, ours := their(m, attrs), our(m, names)
			if theirs && m.Vulnerable {
				platform = false
			}
			if theirs == affected(ours) {
				continue
			}
			if c, why := leaf(m, attrs, names, theirs, ours); c != "" {
				return c, why
			}
			because = fmt.Sprintf("criterion %s: firmward %s, nvdtools %v", text(m), ours, theirs)
		}
	}
	if because == "" && d.theirs && platform {
		return classPlatform, "no vulnerable criterion matches in nvdtools either"
	}
	return "", because
}

// leaf explains one criterion.
func leaf(m *schema.NVDCVEFeedJSON10DefCPEMatch, attrs []*wfn.Attributes, names []assess.Name, theirs bool, ours firmward.Verdict) (class, because string) {
	c, err := cpe.Parse(m.Cpe23Uri)
	if err != nil {
		return classUnread, err.Error()
	}
	for _, n := range names {
		if n.CPE.Key() != c.Key() || n.CPE.Part != c.Part {
			continue
		}
		if n.CPE.Vendor != c.Vendor {
			return classAlias, fmt.Sprintf("%s and %s", c.Vendor, n.CPE.Vendor)
		}
		if !m.Vulnerable && !theirs && c.Version == cpe.NA {
			return classNoVersion, "criterion " + text(m)
		}
		if theirs && (c.Update != cpe.Any && n.CPE.Update == cpe.Any) {
			return classUpdate, "criterion " + text(m)
		}
		if theirs && ours == firmward.Possible && narrower(c, n.CPE) {
			return classEdition, "criterion " + text(m)
		}
		if class, because := ordered(m, c, n); class != "" {
			return class, because
		}
	}
	return "", ""
}

func narrower(c, own cpe.Name) bool {
	for _, p := range [][2]cpe.Attr{{c.Edition, own.Edition}, {c.Language, own.Language}, {c.SWEdition, own.SWEdition}, {c.TargetSW, own.TargetSW}, {c.TargetHW, own.TargetHW}, {c.Other, own.Other}} {
		if p[0] != cpe.Any && (p[1] == cpe.Any || p[1] == "") {
			return true
		}
	}
	return false
}

// ordered finds a version of the criterion that the two order differently.
func ordered(m *schema.NVDCVEFeedJSON10DefCPEMatch, c cpe.Name, n assess.Name) (class, because string) {
	bounds := []string{m.VersionStartIncluding, m.VersionStartExcluding, m.VersionEndIncluding, m.VersionEndExcluding}
	if !c.Version.Logical() {
		bounds = append(bounds, c.Version.Text())
	}
	for _, b := range bounds {
		if b == "" {
			continue
		}
		scheme := n.Scheme
		if !version.Known(scheme) {
			scheme = version.Guess(n.Version, feed.Bound(b))
		}
		order, precision := version.Compare(scheme, n.Version, feed.Bound(b))
		says := smart(n.CPE.Version.Text(), b)
		detail := fmt.Sprintf("%s %q to %q: %s, %s; nvdtools %s", scheme, n.Version, b, order, precision, says)
		switch {
		case order == version.Equal && b == c.Version.Text() && n.CPE.Version != c.Version:
			return classEqual, detail
		case order == version.Incomparable, precision == version.Rough && order != version.Equal:
			return classUnordered, detail
		case order != says:
			return classVersion, detail
		}
	}
	return "", ""
}

// smart is nvdtools' order, asked through its matcher.
func smart(a, b string) version.Order {
	in := func(m schema.NVDCVEFeedJSON10DefCPEMatch) bool {
		m.Cpe23Uri, m.Vulnerable = "cpe:2.3:o:vendor:product:*:*:*:*:*:*:*:*", true
		return their(&m, []*wfn.Attributes{{Part: "o", Vendor: "vendor", Product: "product", Version: quote(a)}})
	}
	switch {
	case in(schema.NVDCVEFeedJSON10DefCPEMatch{VersionStartExcluding: b}):
		return version.Greater
	case in(schema.NVDCVEFeedJSON10DefCPEMatch{VersionStartIncluding: b}):
		return version.Equal
	}
	return version.Less
}

func quote(v string) string {
	var b strings.Builder
	for _, c := range v {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_') {
			b.WriteByte('\\')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// their asks nvdtools about one criterion.
func their(m *schema.NVDCVEFeedJSON10DefCPEMatch, attrs []*wfn.Attributes) bool {
	v := nvd.ToVuln(&schema.NVDCVEFeedJSON10DefCVEItem{
		CVE: &schema.CVEJSON40{CVEDataMeta: &schema.CVEJSON40CVEDataMeta{ID: "CVE-0000-0000"}},
		Configurations: &schema.NVDCVEFeedJSON10DefConfigurations{
			Nodes: []*schema.NVDCVEFeedJSON10DefNode{{Operator: "OR", CPEMatch: []*schema.NVDCVEFeedJSON10DefCPEMatch{m}}},
		},
	})
	return len(v.Match(attrs, false)) > 0
}

// our asks firmward about one criterion; a platform's beside one that always holds.
func our(m *schema.NVDCVEFeedJSON10DefCPEMatch, names []assess.Name) firmward.Verdict {
	one := firmward.CPEMatch{
		Vulnerable: m.Vulnerable, Criteria: m.Cpe23Uri, VersionStartIncluding: feed.Bound(m.VersionStartIncluding), VersionStartExcluding: feed.Bound(m.VersionStartExcluding),
		VersionEndIncluding: feed.Bound(m.VersionEndIncluding), VersionEndExcluding: feed.Bound(m.VersionEndExcluding),
	}
	c := firmward.Configuration{Operator: "AND", Nodes: []firmward.Node{{Operator: "OR", Matches: []firmward.CPEMatch{one}}}}
	if !m.Vulnerable {
		every := names[0].CPE
		every.Version, every.Update = cpe.Any, cpe.Any
		c.Nodes = append(c.Nodes, firmward.Node{Operator: "OR", Matches: []firmward.CPEMatch{{Vulnerable: true, Criteria: every.String()}}})
	}
	a := firmward.Advisory{ID: "CVE-0000-0000", Source: "nvd", Published: time.Unix(0, 0), Configurations: []firmward.Configuration{c}}
	for _, f := range assess.Evaluate(assess.Subject{Names: names, Device: firmward.Device{Origin: firmward.OriginByHand}}, []firmward.Advisory{a}, assess.Extras{}, time.Time{}) {
		return f.Verdict
	}
	return ""
}

func text(m *schema.NVDCVEFeedJSON10DefCPEMatch) string {
	s := m.Cpe23Uri
	for _, b := range [][2]string{{">=", m.VersionStartIncluding}, {">", m.VersionStartExcluding}, {"<=", m.VersionEndIncluding}, {"<", m.VersionEndExcluding}} {
		if b[1] != "" {
			s += " " + b[0] + b[1]
		}
	}
	return s
}
