package csaf

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/firmward/firmward/cpe"
	"github.com/firmward/firmward/feed"
)

// maxDepth bounds how deep branches may nest, and how long a chain of relationships may be. Real ones have at most 6 and 2.
const maxDepth = 32

// tree is the product tree as the document writes it.
type tree struct {
	Branches      []branch      `json:"branches"`
	Products      []fullProduct `json:"full_product_names"`
	Relationships []struct {
		Category string      `json:"category"`
		Product  fullProduct `json:"full_product_name"`
		Of       string      `json:"product_reference"`
		On       string      `json:"relates_to_product_reference"`
	} `json:"relationships"`
	Groups []struct {
		ID       string   `json:"group_id"`
		Products []string `json:"product_ids"`
	} `json:"product_groups"`
}

type branch struct {
	Category string       `json:"category"`
	Name     string       `json:"name"`
	Product  *fullProduct `json:"product"`
	Branches []branch     `json:"branches"`
}

type fullProduct struct {
	Name   string `json:"name"`
	ID     string `json:"product_id"`
	Helper struct {
		CPE string `json:"cpe"`
	} `json:"product_identification_helper"`
}

// part is one product: its names, one for each spelling, and its versions. bare says that neither the tree nor a CPE
// name says anything of versions.
type part struct {
	names    []feed.Product
	versions []feed.Versions
	bare     bool
}

// item is what a product id stands for: a product, perhaps on platforms.
type item struct {
	part
	on []part
}

// products are all of a document by their id, and its groups.
type products struct {
	items  map[string]item
	groups map[string][]string
}

// relation joins two products to one.
type relation struct {
	category, of, on string
	product          fullProduct
}

// builder walks the tree.
type builder struct {
	out       products
	relations map[string]relation
	refuse    func(where, why string)
}

// products resolves the tree. A product that is broken alone is refused alone; a tree that is none is an error.
func (t tree) products(refuse func(where, why string)) (products, error) {
	b := builder{out: products{items: map[string]item{}, groups: map[string][]string{}}, relations: map[string]relation{}, refuse: refuse}
	for _, br := range t.Branches {
		if err := b.walk(br, path{}, 1); err != nil {
			return products{}, err
		}
	}
	for _, p := range t.Products {
		b.add(p, path{})
	}
	for _, r := range t.Relationships {
		id := r.Product.ID
		if _, twice := b.relations[id]; twice || b.known(id) {
			refuse("product "+feed.Clip(id), "two products have this id")
			continue
		}
		b.relations[id] = relation{r.Category, r.Of, r.On, r.Product}
	}
	for _, r := range t.Relationships {
		if _, err := b.resolve(r.Product.ID, 0); err != nil {
			refuse("product "+feed.Clip(r.Product.ID), err.Error())
		}
	}
	for _, g := range t.Groups {
		b.out.groups[g.ID] = g.Products
	}
	return b.out, nil
}

func (b *builder) known(id string) bool {
	_, ok := b.out.items[id]
	return ok
}

// path is what the branches above a product say of it.
type path struct {
	vendor, family, name, version string
	ranged                        bool // the version is a range in words
	narrow                        bool // for one architecture, language … only
}

// walk goes down the branches (CSAF 2.0 §3.1.2.2 has the categories).
func (b *builder) walk(br branch, p path, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("its branches nest deeper than %d", maxDepth)
	}
	switch br.Category {
	case "vendor":
		p.vendor = br.Name
	case "product_family":
		p.family = br.Name
	case "product_name":
		p.name = br.Name
	case "product_version", "product_version_range":
		p.version, p.ranged = br.Name, br.Category == "product_version_range"
	case "patch_level", "service_pack":
		p.narrow = p.narrow || p.ranged
		p.version = strings.TrimSpace(p.version + " " + br.Name)
	default: // architecture, host_name, language, legacy, platform, specification
		p.narrow = true
	}
	if br.Product != nil {
		b.add(*br.Product, p)
	}
	for _, next := range br.Branches {
		if err := b.walk(next, p, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// order is an order number behind a product's name, which says no more than the name: "CPU 1511-1 PN (6ES7511-1AK00-0AB0)".
var order = regexp.MustCompile(`^(.*\S)\s*\((?:[0-9A-Z]{3,}-)+[0-9A-Z]{3,}\)$`)

// add reads one product. One without a name that can be used stays in the tree and matches nothing.
func (b *builder) add(f fullProduct, p path) {
	switch {
	case f.ID == "":
		b.refuse("product "+feed.Clip(f.Name), "it has no product_id")
		return
	case b.known(f.ID):
		b.refuse("product "+feed.Clip(f.ID), "two products have this id")
		return
	}
	named := p.name
	if named == "" {
		named = p.family
	}
	out := part{bare: p.version == ""}
	if p.version != "" {
		out.versions = versions(named, p.version)
	}
	n, err := f.cpe()
	switch {
	case err != nil:
		b.refuse("product "+feed.Clip(f.ID), err.Error())
	case n.Product != "":
		if p.version != "" && !slices.ContainsFunc(out.versions, func(v feed.Versions) bool { return v.Vague }) {
			n.Version, n.Update = cpe.Any, cpe.Any // the tree's versions count, not the name's
		}
		out.names, out.bare = []feed.Product{{Name: n}}, false
	}
	if len(out.names) == 0 {
		if m := order.FindStringSubmatch(named); m != nil {
			named = m[1]
		}
		if out.names, err = feed.InWords(p.vendor, named); err != nil {
			b.refuse("product "+feed.Clip(f.ID), err.Error())
		}
	}
	if len(out.versions) == 0 {
		out.versions = []feed.Versions{{}}
	}
	if p.narrow {
		out.versions = []feed.Versions{{Vague: true}}
	}
	b.out.items[f.ID] = item{part: out}
}

// cpe gives the CPE name of the helper, of which both bindings are in use. The zero name when there is none.
func (f fullProduct) cpe() (cpe.Name, error) {
	if f.Helper.CPE == "" {
		return cpe.Name{}, nil
	}
	return cpe.Read(f.Helper.CPE)
}

// resolve works out a product that is a relation between others.
func (b *builder) resolve(id string, depth int) (item, error) {
	if it, ok := b.out.items[id]; ok {
		return it, nil
	}
	r, ok := b.relations[id]
	switch {
	case !ok:
		return item{}, fmt.Errorf("%q is not in the product tree", feed.Clip(id))
	case depth > maxDepth:
		return item{}, errors.New("its relationships run in a circle, or are too many")
	}
	of, err := b.resolve(r.of, depth+1)
	if err != nil {
		return item{}, err
	}
	on, err := b.resolve(r.on, depth+1)
	if err != nil {
		return item{}, err
	}
	it := r.join(of, on)
	if len(it.on) > maxDepth {
		return item{}, fmt.Errorf("it stands on more than %d products", maxDepth)
	}
	if n, err := r.product.cpe(); err != nil {
		b.refuse("product "+feed.Clip(id), err.Error())
	} else if n.Product != "" { // the pair has a name of its own
		it.part.names, it.part.bare = []feed.Product{{Name: n}}, false
	}
	b.out.items[id] = it
	return it, nil
}

// join makes one product of two. What is installed on or with another needs it. A component belongs to the other: where
// that has versions, those are what counts, else the component's own do.
func (r relation) join(of, on item) item {
	if strings.HasSuffix(r.category, "component_of") && !on.bare {
		it := on
		if r.category != "default_component_of" {
			it.versions = []feed.Versions{{Vague: true}} // it may be there or not
		}
		return it
	}
	it := of
	it.on = slices.Concat(of.on, []part{on.part}, on.on)
	return it
}

// maxIDs bounds the product ids that one vulnerability names, those of groups counted each time.
const maxIDs = 1 << 20

// of gives the ids of a list and of groups, each once, and takes them off what is left of maxIDs.
func (p products) of(ids, groups []string, left *int) ([]string, error) {
	out := slices.Clone(ids)
	for _, g := range groups {
		if *left -= len(p.groups[g]); *left < 0 {
			return nil, fmt.Errorf("it names more than %d products", maxIDs)
		}
		out = append(out, p.groups[g]...)
	}
	return feed.Unique(out), nil
}
