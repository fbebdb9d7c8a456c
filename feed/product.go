package feed

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/cpe"
	"github.com/firmward/firmward/version"
)

// maxName bounds the bytes of a product in words: longer ones are lists or stories.
const maxName = 120

// Product is one product that a source names: by CPE, or in words.
type Product struct {
	Name  cpe.Name
	Words string // as the source writes it, when it gives no CPE name
}

// Versions is a range of versions; Vague means that the source's words tell no version.
type Versions struct {
	version.Range
	Vague bool
}

// InWords gives the names that CPE may have for a product in plain words, one for each way to spell its vendor. Words
// of the kind "n/a" name none. A name too long to be one is an error.
func InWords(vendor, name string) ([]Product, error) {
	slug := productSlug(vendor, name)
	switch {
	case slug == "":
		return nil, nil
	case len(name) > maxName:
		return nil, fmt.Errorf("%q is too long for a name", Clip(name))
	}
	var out []Product
	for _, v := range vendorSlugs(vendor) {
		for _, p := range models(slug) {
			n := cpe.Name{Part: cpe.Any, Vendor: cpe.Literal(v), Product: p, Version: cpe.Any}
			out = append(out, Product{Name: n, Words: strings.TrimSpace(vendor) + " " + strings.TrimSpace(name)})
		}
	}
	return Unique(out), nil
}

// bracketed is what stands in brackets behind a name, such as the letter of a variant.
var bracketed = regexp.MustCompile(`_?\([^()]*\)`)

// models gives the product that a slug names, or a pattern where it names a whole series: "usg_flex_series" is every model that
// begins with usg_flex, "zywall/usg_series" those of two lines. A beginning of one or two signs says too little.
func models(slug string) []cpe.Attr {
	line, ok := strings.CutSuffix(slug, "_series")
	if !ok {
		return []cpe.Attr{cpe.Literal(slug)}
	}
	var out []cpe.Attr
	for stem := range strings.SplitSeq(bracketed.ReplaceAllString(line, ""), "/") {
		if stem = strings.Trim(stem, "_- "); len(stem) < 3 {
			return []cpe.Attr{cpe.Literal(slug)}
		}
		out = append(out, cpe.Literal(stem)+"*")
	}
	return out
}

// Key is the product's name without what NVD hangs on it for firmware, so that "DNS-320L" in words
// and dns-320l_firmware by CPE are one.
func (p Product) Key() cpe.Key { return ProductKey(p.Name) }

// ProductKey is Product.Key of a CPE name.
func ProductKey(n cpe.Name) cpe.Key {
	k := n.Key()
	k.Product = strings.TrimSuffix(k.Product, "_firmware")
	return k
}

// Match is the product in one range of versions, as vulnerable. Versions beside the CPE name of hardware are those of
// its firmware, so a range is compared with the firmware under whatever part of a name; a single
// version may be a revision and is not compared.
func (p Product) Match(v Versions) firmward.CPEMatch {
	n, m := p.Name, firmward.CPEMatch{Vulnerable: true, Words: p.Words}
	one, single := v.One()
	switch {
	case v.Vague && !n.Version.Logical(): // the source has no versions, its name has
	case v.Vague, single && n.Part == "h":
		n.Version = cpe.NA
	case single:
		n.Version = cpe.Literal(one)
	case v.From != "" || v.To != "":
		if n.Part == "h" {
			n.Part = cpe.Any
		}
		if v.After {
			m.VersionStartExcluding = v.From
		} else {
			m.VersionStartIncluding = v.From
		}
		if v.Exclude {
			m.VersionEndExcluding = v.To
		} else {
			m.VersionEndIncluding = v.To
		}
	}
	m.Criteria = n.String()
	return m
}

// Plain drops the product's own name before a version: "FortiOS 7.0.1".
func Plain(product, text string) string {
	text = strings.TrimSpace(text)
	for range 2 { // some say it twice
		if product != "" && len(text) > len(product) && strings.EqualFold(text[:len(product)], product) {
			text = strings.TrimLeft(text[len(product):], " :")
		}
	}
	return text
}

// update is how publishers name the version that repairs; what follows has to be one version and nothing else.
var update = regexp.MustCompile(`(?i)^(?:please )?(?:update|upgrade|fixed|updated|upgraded) (?:to|in) (?:(?:the )?(?:firmware|software) )?(.+?)(?: (?:- |\()?(?:download|available|link)?:? ?https?://\S+)?$`)

// FixedIn gives the one version that the words of a fix name: "Update to V2.0 or later version".
func FixedIn(details string) (string, bool) {
	m := update.FindStringSubmatch(strings.Join(strings.Fields(details), " "))
	if m == nil {
		return "", false
	}
	r, ok := version.ParseRange(m[1])
	if _, single := r.One(); !ok || r.From == "" || r.After || !single && r.To != "" {
		return "", false
	}
	return r.From, true
}

// Unique drops what stands in a list already.
func Unique[T comparable](in []T) []T {
	var out []T
	seen := make(map[T]bool, len(in))
	for _, v := range in {
		if !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	return out
}

// legal and trade are words at the end of a company's name that CPE vendors mostly lack.
var (
	legal = set("inc inc. ltd ltd. limited co co. co.,ltd co.,ltd. corp corp. corporation company gmbh ag llc ab kg s.a. b.v. plc pty")
	trade = set("technologies technology communications communication systems networks network electronics software")
)

func set(list string) map[string]bool {
	out := map[string]bool{}
	for w := range strings.FieldsSeq(list) {
		out[w] = true
	}
	return out
}

// vendorSlugs spells a vendor's plain name the ways CPE names do: "Mitsubishi Electric Corporation" as
// mitsubishi_electric and mitsubishielectric, "QNAP Systems Inc." as qnap too, "General Electric (GE)" as ge too.
func vendorSlugs(vendor string) []string {
	name, short, _ := strings.Cut(simple(vendor), " (")
	w := strings.Fields(name)
	if len(w) == 0 || len(vendor) > maxName || nameless(name) {
		return nil
	}
	w = without(w, legal)
	bare := without(w, trade)
	out := []string{cpe.Vendor(strings.Join(bare, "_")), cpe.Vendor(strings.Join(w, "_")), cpe.Vendor(strings.Join(w, ""))}
	if short, ok := strings.CutSuffix(short, ")"); ok && short != "" && !strings.ContainsAny(short, " ()") {
		out = append(out, cpe.Vendor(short))
	}
	return Unique(out)
}

func without(w []string, tail map[string]bool) []string {
	for len(w) > 1 && tail[strings.TrimRight(w[len(w)-1], ",")] {
		w = w[:len(w)-1]
	}
	return append(slices.Clone(w[:len(w)-1]), strings.TrimRight(w[len(w)-1], ","))
}

// productSlug spells a product the way CPE names do: "AXIS OS" as axis_os, "Fortinet FortiOS" as
// fortios, "NR7101 firmware" as nr7101.
func productSlug(vendor, product string) string {
	p, v := simple(product), simple(vendor)
	if nameless(p) || nameless(v) {
		return ""
	}
	if short, _, _ := strings.Cut(v, " "); short != "os" && p != short+" os" {
		p = strings.TrimPrefix(p, short+" ")
	}
	p = strings.TrimSpace(strings.TrimSuffix(p, " firmware"))
	return strings.TrimSuffix(strings.ReplaceAll(p, " ", "_"), "_firmware")
}

func nameless(s string) bool {
	switch s {
	case "", "n/a", "-", "unspecified", "unknown", "various", "multiple", "*":
		return true
	}
	return false
}

// simple folds letters and space and drops marks and what a CPE name cannot hold.
func simple(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= 0x7f {
			return -1
		}
		return r
	}, strings.ToLower(s))
	return strings.Join(strings.Fields(s), " ")
}
