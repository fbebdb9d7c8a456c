package cve5

import (
	"fmt"
	"strings"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/cpe"
	"github.com/firmward/firmward/feed"
)

// maxName bounds the bytes of a product in words: longer ones are lists or stories.
const maxName = 120

// product is one product of an entry.
type product struct {
	name  cpe.Name
	words string // as the record writes it, when it gives no CPE name
}

// key is the product's name without what NVD hangs on it for firmware, so that "DNS-320L" in words
// and dns-320l_firmware by CPE are one.
func (p product) key() cpe.Key { return key(p.name) }

func key(n cpe.Name) cpe.Key {
	k := n.Key()
	k.Product = strings.TrimSuffix(k.Product, "_firmware")
	return k
}

func mark(named map[cpe.Key]bool, matches []firmward.CPEMatch) {
	for _, m := range matches {
		if n, err := cpe.Parse(m.Criteria); err == nil {
			named[key(n)] = true
		}
	}
}

// names lists the products of an entry: by CPE, or in words. Entries of the kind "n/a" name none.
func (e affected) names(put feed.Sink, id string) []product {
	var out []product
	for _, text := range e.CPEs {
		n, err := cpe.Parse(text)
		if err != nil {
			put.Refuse(id+" product", err.Error())
			continue
		}
		if len(e.Versions) > 0 || e.Default == isAffected { // the entry's versions count, not the name's
			n.Version, n.Update = cpe.Any, cpe.Any
		}
		out = append(out, product{name: n})
	}
	if len(e.CPEs) > 0 {
		return unique(out)
	}
	for _, p := range models(e.Product) {
		slug := productSlug(e.Vendor, p)
		switch {
		case slug == "":
			continue
		case len(p) > maxName:
			put.Refuse(id+" product", fmt.Sprintf("%q is too long for a name", feed.Clip(p)))
			continue
		}
		for _, v := range vendorSlugs(e.Vendor) {
			n := cpe.Name{Part: cpe.Any, Vendor: cpe.Literal(v), Product: cpe.Literal(slug), Version: cpe.Any}
			out = append(out, product{name: n, words: strings.TrimSpace(e.Vendor) + " " + strings.TrimSpace(p)})
		}
	}
	return unique(out)
}

// models splits a list of models ("MT6761, MT6762"). What is not a list of single words with a digit is
// one name: its commas may belong to it.
func models(text string) []string {
	list := strings.Split(text, ",")
	for i, m := range list {
		list[i] = strings.TrimSpace(m)
		if strings.Contains(list[i], " ") || !strings.ContainsAny(m, "0123456789") {
			return []string{text}
		}
	}
	return list
}

// match is the product in one range of versions. Versions beside the CPE name of hardware are those of
// its firmware, so a range is compared with the firmware under whatever part of a name; a single
// version may be a revision and is not compared.
func (p product) match(v piece) firmward.CPEMatch {
	n, m := p.name, firmward.CPEMatch{Vulnerable: true, Words: p.words}
	one, single := v.One()
	switch {
	case v.vague && !n.Version.Logical(): // the entry has no versions, its name has
	case v.vague, single && n.Part == "h":
		n.Version = cpe.NA
	case single:
		n.Version = cpe.Literal(one)
	case v.Range.From != "" || v.Range.To != "":
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

// legal and trade are words at the end of a company's name that CPE vendors mostly lack.
var (
	legal = words("inc inc. ltd ltd. limited co co. co.,ltd co.,ltd. corp corp. corporation company gmbh ag llc ab kg s.a. b.v. plc pty")
	trade = words("technologies technology communications communication systems networks network electronics")
)

func words(list string) map[string]bool {
	out := map[string]bool{}
	for w := range strings.FieldsSeq(list) {
		out[w] = true
	}
	return out
}

// vendorSlugs spells a vendor's plain name the ways CPE names do: "Mitsubishi Electric Corporation" as
// mitsubishi_electric and mitsubishielectric, "QNAP Systems Inc." as qnap too.
func vendorSlugs(vendor string) []string {
	w := strings.Fields(simple(vendor))
	if len(w) == 0 || len(vendor) > maxName || nameless(strings.Join(w, " ")) {
		return nil
	}
	w = without(w, legal)
	short := without(w, trade)
	return unique([]string{
		cpe.Vendor(strings.Join(short, "_")), cpe.Vendor(strings.Join(w, "_")), cpe.Vendor(strings.Join(w, "")),
	})
}

func without(w []string, tail map[string]bool) []string {
	for len(w) > 1 && tail[w[len(w)-1]] {
		w = w[:len(w)-1]
	}
	w[len(w)-1] = strings.TrimRight(w[len(w)-1], ",")
	return w
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
