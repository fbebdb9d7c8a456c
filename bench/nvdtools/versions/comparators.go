package main

import (
	"errors"
	"strings"

	"github.com/facebookincubator/nvdtools/cvefeed/nvd"
	"github.com/facebookincubator/nvdtools/cvefeed/nvd/schema"
	"github.com/facebookincubator/nvdtools/wfn"
	hashicorp "github.com/hashicorp/go-version"
	deb "github.com/knqyf263/go-deb-version"
	rpm "github.com/knqyf263/go-rpm-version"
	"golang.org/x/mod/semver"

	"github.com/firmward/firmward/version"
)

var comparators = []comparator{
	{"firmward, scheme known", func(p pair) (string, error) { return firmward(p.scheme, p.a, p.b) }},
	{"firmward, scheme guessed", func(p pair) (string, error) { return firmward(version.Guess(p.a, p.b), p.a, p.b) }},
	{"firmward, guessed, without what it calls rough", func(p pair) (string, error) {
		scheme := version.Guess(p.a, p.b)
		if _, precision := version.Compare(scheme, p.a, p.b); precision == version.Rough {
			return "?", nil
		}
		return firmward(scheme, p.a, p.b)
	}},
	{"knqyf263/go-rpm-version", func(p pair) (string, error) { return sign(rpm.NewVersion(p.a).Compare(rpm.NewVersion(p.b))), nil }},
	{"nvdtools smartVerCmp", func(p pair) (string, error) { return nvdtools(p.a, p.b) }},
	{"nvdtools smartVerCmp, lower case", func(p pair) (string, error) { return nvdtools(strings.ToLower(p.a), strings.ToLower(p.b)) }},
	{"knqyf263/go-deb-version", debian},
	{"hashicorp/go-version", goVersion},
	{"golang.org/x/mod/semver", modSemver},
}

func firmward(scheme, a, b string) (string, error) {
	o, _ := version.Compare(scheme, a, b)
	if o == version.Incomparable {
		return "?", nil
	}
	return sign(int(o)), nil
}

func goVersion(p pair) (string, error) {
	a, err := hashicorp.NewVersion(p.a)
	if err != nil {
		return "", err
	}
	b, err := hashicorp.NewVersion(p.b)
	if err != nil {
		return "", err
	}
	return sign(a.Compare(b)), nil
}

func debian(p pair) (string, error) {
	a, err := deb.NewVersion(p.a)
	if err != nil {
		return "", err
	}
	b, err := deb.NewVersion(p.b)
	if err != nil {
		return "", err
	}
	return sign(a.Compare(b)), nil
}

// modSemver adds the v that the package wants.
func modSemver(p pair) (string, error) {
	v := func(s string) string { return "v" + strings.TrimPrefix(strings.ToLower(s), "v") }
	a, b := v(p.a), v(p.b)
	if !semver.IsValid(a) || !semver.IsValid(b) {
		return "", errors.New("no semantic version")
	}
	return sign(semver.Compare(a, b)), nil
}

// nvdtools asks through the matcher, since smartVerCmp is not exported: does a lie above b, does it
// lie at b or above.
func nvdtools(a, b string) (string, error) {
	above, err := inRange(a, schema.NVDCVEFeedJSON10DefCPEMatch{VersionStartExcluding: b})
	if err != nil {
		return "", err
	}
	from, err := inRange(a, schema.NVDCVEFeedJSON10DefCPEMatch{VersionStartIncluding: b})
	switch {
	case err != nil:
		return "", err
	case above:
		return ">", nil
	case from:
		return "=", nil
	}
	return "<", nil
}

func inRange(v string, m schema.NVDCVEFeedJSON10DefCPEMatch) (bool, error) {
	m.Cpe23Uri, m.Vulnerable = "cpe:2.3:o:vendor:product:*:*:*:*:*:*:*:*", true
	vuln := nvd.ToVuln(&schema.NVDCVEFeedJSON10DefCVEItem{
		CVE: &schema.CVEJSON40{CVEDataMeta: &schema.CVEJSON40CVEDataMeta{ID: "CVE-0000-0000"}},
		Configurations: &schema.NVDCVEFeedJSON10DefConfigurations{
			Nodes: []*schema.NVDCVEFeedJSON10DefNode{{Operator: "OR", CPEMatch: []*schema.NVDCVEFeedJSON10DefCPEMatch{&m}}},
		},
	})
	if vuln == nil {
		return false, errors.New("the record was not read")
	}
	device := &wfn.Attributes{Part: "o", Vendor: "vendor", Product: "product", Version: escape(v)}
	return len(vuln.Match([]*wfn.Attributes{device}, false)) > 0, nil
}

// escape quotes punctuation as a well-formed name does; the matcher takes the slashes off again.
func escape(v string) string {
	var b strings.Builder
	for _, c := range v {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_') {
			b.WriteByte('\\')
		}
		b.WriteRune(c)
	}
	return b.String()
}
