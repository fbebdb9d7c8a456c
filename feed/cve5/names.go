package cve5

import (
	"strings"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/cpe"
	"github.com/firmward/firmward/feed"
)

func mark(named map[cpe.Key]bool, matches []firmward.CPEMatch) {
	for _, m := range matches {
		if n, err := cpe.Parse(m.Criteria); err == nil {
			named[feed.ProductKey(n)] = true
		}
	}
}

// names lists the products of an entry: by CPE, or in words. Entries of the kind "n/a" name none.
func (e affected) names(put feed.Sink, id string) []feed.Product {
	var out []feed.Product
	for _, text := range e.CPEs {
		n, err := cpe.Read(text)
		if err != nil {
			put.Refuse(id+" product", err.Error())
			continue
		}
		if len(e.Versions) > 0 || e.Default == isAffected { // the entry's versions count, not the name's
			n.Version, n.Update = cpe.Any, cpe.Any
		}
		out = append(out, feed.Product{Name: n})
	}
	if len(e.CPEs) > 0 {
		return feed.Unique(out)
	}
	for _, p := range models(e.Product) {
		named, err := feed.InWords(e.Vendor, p)
		if err != nil {
			put.Refuse(id+" product", err.Error())
		}
		out = append(out, named...)
	}
	return feed.Unique(out)
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
