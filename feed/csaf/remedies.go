package csaf

import (
	"slices"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/cpe"
	"github.com/firmward/firmward/feed"
	"github.com/firmward/firmward/version"
)

// note is what flags, threats and remediations say of one product.
type note struct {
	flag, impact string
	fix, why     string // the words of the fix, and of there being none
	mended       bool   // a fix is named
	nofix        bool
	versions     []string // that the fixes name
}

// notes collects them by product id. Words that are for no product are nobody's.
func (r *reader) notes(in vulnerability, left *int) (map[string]*note, error) {
	out := map[string]*note{}
	for _, ids := range in.Status {
		for _, id := range ids {
			out[id] = &note{}
		}
	}
	each := func(m aimed, f func(*note)) error {
		ids, err := r.products.of(m.Products, m.Groups, left)
		for _, id := range ids {
			if n := out[id]; n != nil {
				f(n)
			}
		}
		return err
	}
	for _, m := range in.Flags {
		if err := each(m, func(n *note) { n.flag = feed.Clip(m.Label) }); err != nil {
			return nil, err
		}
	}
	for _, m := range in.Threats {
		if m.Category != "impact" {
			continue
		}
		text := feed.Clip(m.Details)
		if err := each(m, func(n *note) { n.impact = text }); err != nil {
			return nil, err
		}
	}
	for _, m := range in.Remediations {
		var f func(*note)
		text := feed.Clip(m.Details)
		switch m.Category {
		case "vendor_fix":
			v, ok := feed.FixedIn(m.Details)
			f = func(n *note) {
				n.mended, n.fix = true, text
				if ok {
					n.versions = append(n.versions, v)
				}
			}
		case "no_fix_planned", "none_available":
			f = func(n *note) { n.nofix, n.why = true, text }
		default:
			continue
		}
		if err := each(m, f); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// fixes names the versions that repair an affected product: those of fixed products of the same name, and the one
// that the words of its fix give. Words that name several, or one that is affected itself, name none.
func (r *reader) fixes(a *firmward.Advisory, v verdicts, notes map[string]*note) {
	add := func(n feed.Product, v string) {
		f := firmward.Fix{Vendor: n.Name.Vendor.Text(), Product: n.Name.Product.Text(), Version: v}
		if len(a.Fixes) < maxFixes && !slices.Contains(a.Fixes, f) {
			a.Fixes = append(a.Fixes, f)
		}
	}
	hit := map[cpe.Key]bool{}
	for _, id := range v[affected] {
		for _, n := range r.products.items[id].names {
			hit[n.Key()] = true
		}
	}
	for _, id := range v[fixed] {
		it := r.products.items[id]
		for _, n := range it.names {
			if !hit[n.Key()] && len(hit) > 0 {
				continue
			}
			for _, span := range it.versions {
				if span.From != "" && !span.After {
					add(n, span.From)
				} else if n.Words == "" && !n.Name.Version.Logical() && span == (feed.Versions{}) {
					add(n, n.Name.Version.Text())
				}
			}
		}
	}
	for _, id := range v[affected] {
		told := feed.Unique(notes[id].versions)
		if len(told) != 1 {
			continue
		}
		it := r.products.items[id]
		if slices.ContainsFunc(it.versions, func(span feed.Versions) bool { return inside(span, told[0]) }) {
			continue
		}
		for _, n := range it.names {
			add(n, told[0])
		}
	}
}

// inside reports whether a version is known to lie below the end of a range of affected ones.
func inside(span feed.Versions, v string) bool {
	if span.Vague || span.To == "" {
		return false // nobody knows, or all that there were then
	}
	o, _ := version.Compare(version.Guess(v, span.To), v, span.To)
	return o == version.Less || o == version.Equal && !span.Exclude
}
