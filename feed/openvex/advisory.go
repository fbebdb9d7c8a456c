package openvex

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/cpe"
	"github.com/firmward/firmward/feed"
	"github.com/firmward/firmward/version"
)

// product is one of a statement.
type product struct {
	key      string // what tells it from others
	names    []feed.Product
	versions feed.Versions
}

// product reads the identifiers, the CPE name first.
func (t thing) product() (product, error) {
	id := t.Identifiers
	purl := id.PURL
	if purl == "" && strings.HasPrefix(t.ID, "pkg:") {
		purl = t.ID
	}
	text := id.CPE23
	if text == "" && strings.HasPrefix(t.ID, "cpe:2.3:") {
		text = t.ID
	}
	var n cpe.Name
	var err error
	switch {
	case text != "":
		n, err = cpe.Parse(text)
	case id.CPE22 != "":
		n, err = cpe.ParseURI(id.CPE22)
	case purl != "":
		return fromPURL(purl)
	default:
		return product{}, errors.New("it has neither a CPE name nor a package URL")
	}
	return product{key: n.String(), names: []feed.Product{{Name: n}}}, err
}

// fromPURL takes vendor, name and version of a package URL (pkg:type/namespace/name@version?qualifiers#subpath) in words.
func fromPURL(text string) (product, error) {
	rest, _, _ := strings.Cut(strings.TrimPrefix(text, "pkg:"), "#")
	rest, _, _ = strings.Cut(rest, "?")
	rest, v, versioned := strings.Cut(rest, "@")
	parts := strings.Split(strings.Trim(rest, "/"), "/")
	for i, p := range append(parts, v) {
		u, err := url.PathUnescape(p)
		switch {
		case err != nil:
			return product{}, err
		case i < len(parts):
			parts[i] = u
		default:
			v = u
		}
	}
	if len(parts) < 3 {
		return product{}, errors.New("its package URL has no namespace, so no vendor")
	}
	out := product{key: text}
	var err error
	out.names, err = feed.InWords(parts[len(parts)-2], parts[len(parts)-1])
	if err == nil && len(out.names) == 0 {
		err = errors.New("its package URL has no name")
	}
	if versioned {
		r, ok := version.ParseRange(v)
		_, single := r.One()
		out.versions = feed.Versions{Range: r, Vague: !ok || !single}
	}
	return out, err
}

// deliver makes an advisory of all that is said of each vulnerability.
func (r *reader) deliver() error {
	for _, id := range r.order {
		v := r.of[id]
		a := firmward.Advisory{ID: v.id, Source: r.source, Published: v.first, Modified: r.changed, Origin: r.origin, References: []string{r.doc.ID}}
		c := firmward.Configuration{Operator: "OR", Nodes: []firmward.Node{{Operator: "OR"}}}
		for _, key := range v.products {
			s := v.by[key]
			if a.Title = feed.Clip(v.about); a.Title == "" {
				a.Title = feed.Clip(s.of.Notes)
			}
			if s.of.Status == "affected" {
				for _, n := range s.product.names {
					c.Nodes[0].Matches = append(c.Nodes[0].Matches, n.Match(s.product.versions))
				}
				if v, ok := feed.FixedIn(s.of.Action); ok {
					a.Fixes = fix(a.Fixes, s.product, v)
				}
				continue
			}
			a.Statements = append(a.Statements, s.statements()...)
			if s.of.Status == "fixed" {
				if one, ok := s.product.versions.One(); ok {
					a.Fixes = fix(a.Fixes, s.product, one)
				} else if n := s.product.names[0]; n.Words == "" && !n.Name.Version.Logical() {
					a.Fixes = fix(a.Fixes, s.product, n.Name.Version.Text())
				}
			}
		}
		if len(c.Nodes[0].Matches) > 0 {
			a.Configurations = []firmward.Configuration{c}
		}
		if a.Title == "" {
			a.Title = v.id
		}
		if err := feed.Finish(&a, r.put); err != nil {
			r.put.Refuse(r.doc.ID+" "+feed.Clip(v.id), err.Error())
			continue
		}
		if err := r.put.Advisory(a); err != nil {
			return err
		}
	}
	return nil
}

// statuses are those that become statements.
var statuses = map[string]firmward.StatementStatus{
	"not_affected": firmward.StatedNotAffected, "fixed": firmward.StatedFixed, "under_investigation": firmward.StatedUnknown,
}

// statements are one for each spelling of the product. "Fixed" without a version does not tell which.
func (s stated) statements() []firmward.Statement {
	versions := s.product.versions
	n := s.product.names[0]
	if bare := n.Name.Version == cpe.Any && versions == (feed.Versions{}); bare && s.of.Status != "not_affected" {
		versions.Vague = true
	}
	text := s.of.Impact
	if text == "" {
		text = s.of.Notes
	}
	var out []firmward.Statement
	for _, n := range s.product.names {
		out = append(out, firmward.Statement{
			Status: statuses[s.of.Status], Match: n.Match(versions), Justification: feed.Clip(s.of.Justification), Text: feed.Clip(text),
		})
	}
	return out
}

func fix(all []firmward.Fix, p product, v string) []firmward.Fix {
	for _, n := range p.names {
		f := firmward.Fix{Vendor: n.Name.Vendor.Text(), Product: n.Name.Product.Text(), Version: v}
		if !slices.Contains(all, f) && len(all) < 500 {
			all = append(all, f)
		}
	}
	return all
}
