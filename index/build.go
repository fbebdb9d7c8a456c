package index

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/cpe"
)

// Builder gathers advisories and writes a block. It is for one goroutine.
type Builder struct {
	texts    map[string]uint32
	list     []string
	criteria map[row]uint32
	rows     []row
	records  map[[2]uint32]int // by the texts of id and source: place in all
	all      []record
	live     int
	scratch  []byte
}

// row is a criterion with texts by their number in the builder.
type row struct {
	keyVendor, keyProduct                  uint32 // both 0 for patterns and for names that cannot be read
	vendor, product, version, tail, words  uint32
	startIncl, startExcl, endIncl, endExcl uint32
	marks                                  uint32
}

// record is an advisory in the form of the block, with the numbers of the builder.
type record struct {
	key      [2]uint32
	modified time.Time
	body     []byte // nil once it was removed
}

// NewBuilder gives an empty builder.
func NewBuilder() *Builder {
	return &Builder{texts: map[string]uint32{"": 0}, list: []string{""}, criteria: map[row]uint32{}, records: map[[2]uint32]int{}}
}

// From gives a builder that holds what a block holds, to apply changes to it. It reads the block where it lies: it must stay
// until the last Build.
func From(x *Index) *Builder {
	b := NewBuilder()
	n := len(x.offsets)/4 - 1
	b.texts, b.list = make(map[string]uint32, n), make([]string, n)
	for i := range n {
		b.list[i] = x.text(uint32(i))
		b.texts[b.list[i]] = uint32(i)
	}
	b.criteria, b.rows = make(map[row]uint32, x.Criteria()), make([]row, x.Criteria())
	for i := range b.rows {
		b.rows[i] = x.row(i)
		b.criteria[b.rows[i]] = uint32(i)
	}
	b.records, b.all, b.live = make(map[[2]uint32]int, x.Records()), make([]record, x.Records()), x.Records()
	for i := range x.Records() {
		raw := x.raw(uint32(i))
		c := cursor{raw}
		key := [2]uint32{uint32(c.next()), uint32(c.next())}
		c.next()
		c.next()
		c.next()
		b.records[key], b.all[i] = i, record{key, when(c.next()), raw}
	}
	return b
}

func (x *Index) row(i int) row {
	at := i * criterionSize / 4
	f := func(n int) uint32 { return u32(x.criteria, at+n) }
	r := row{vendor: f(1), product: f(2), version: f(3), tail: f(4), words: f(5), startIncl: f(6), startExcl: f(7), endIncl: f(8), endExcl: f(9), marks: f(10)}
	if p := f(0); p != uint32(None) {
		r.keyVendor, r.keyProduct = u32(x.products, 4*int(p)), u32(x.products, 4*int(p)+1)
	}
	return r
}

// Add takes an advisory. Of two with the same id and source the one that was modified later stays; a rejected one stays as the
// mark that the id was withdrawn, whoever still repeats it.
func (b *Builder) Add(a firmward.Advisory) {
	key := [2]uint32{b.text(a.ID), b.text(a.Source)}
	body := b.encode(a, key)
	modified := when(second(a.Modified))
	at, ok := b.records[key]
	if !ok {
		at = len(b.all)
		b.records[key] = at
		b.all = append(b.all, record{key: key})
	}
	r := &b.all[at]
	if r.body != nil {
		c := r.modified.Compare(modified)
		if c > 0 || c == 0 && slices.Compare(b.plain(r.body), b.plain(body)) > 0 { // any order of equal ones ends the same
			return
		}
		b.live--
	}
	r.modified, r.body = modified, slices.Clone(body)
	b.live++
}

// Remove takes back what a source said of an advisory.
func (b *Builder) Remove(id, source string) {
	if at, ok := b.records[[2]uint32{b.text(id), b.text(source)}]; ok && b.all[at].body != nil {
		b.all[at].body = nil
		b.live--
	}
}

// Len gives the number of records.
func (b *Builder) Len() int { return b.live }

func (b *Builder) text(s string) uint32 {
	id, ok := b.texts[s]
	if !ok {
		id = uint32(len(b.list))
		s = strings.Clone(s) // not the document around it
		b.list = append(b.list, s)
		b.texts[s] = id
	}
	return id
}

// plain is a record without the builder's numbers, to compare two of them.
func (b *Builder) plain(body []byte) []byte {
	var out []byte
	c := cursor{body}
	text := func(n uint64) { out = append(append(out, b.list[n]...), 0) }
	counts := 0
	shape(func(k kind) uint64 {
		v := c.read(k)
		switch k {
		case aText:
			text(v)
		case aCriterion, aLeaf:
			n := v
			if k == aLeaf {
				out, n = append(out, byte(v&1)), v>>1
			}
			r := b.rows[n]
			for _, t := range r.texts() {
				text(uint64(*t))
			}
			out = binary.AppendUvarint(out, uint64(r.marks))
		case aPlace: // follows from the rest, and so does how many there are
		case aCount:
			if counts++; counts > 1 {
				out = binary.AppendUvarint(out, v)
			}
		default:
			out = binary.AppendUvarint(out, v)
		}
		return v
	})
	return out
}

func (r *row) texts() [11]*uint32 {
	return [...]*uint32{&r.keyVendor, &r.keyProduct, &r.vendor, &r.product, &r.version, &r.tail, &r.words, &r.startIncl, &r.startExcl, &r.endIncl, &r.endExcl}
}

// encode writes a record with the builder's numbers; the bytes are good until the next call.
func (b *Builder) encode(a firmward.Advisory, key [2]uint32) []byte {
	out := b.scratch[:0]
	put := func(v uint64) { out = binary.AppendUvarint(out, v) }
	word := func(s string) { put(uint64(b.text(s))) }
	put(uint64(key[0]))
	put(uint64(key[1]))
	word(a.Origin.Document)
	put(second(a.Origin.Dated))
	put(second(a.Published))
	put(second(a.Modified))
	if a.Rejected {
		a.Configurations, a.Fixes, a.Statements = nil, nil, nil
	}
	flags := uint64(0)
	for flag, set := range map[uint64]bool{flagRejected: a.Rejected, flagNoFix: a.NoFix, flagStated: len(a.Statements) > 0} {
		if set {
			flags |= flag
		}
	}
	put(flags)
	base, vector := 0.0, ""
	for _, s := range a.Scores { // what follows from a vector counts before the number beside it
		if b := cmp.Or(s.Computed, s.Base); b > base {
			base, vector = b, s.Vector
		}
	}
	put(uint64(math.Round(min(base, 10) * 10)))
	word(vector)
	put(0) // places: known when the block is written
	configurations := alternatives(a.Configurations)
	put(uint64(len(configurations)))
	for _, c := range configurations {
		put(operator(c.Operator, c.Negate))
		put(uint64(len(c.Nodes)))
		for _, n := range c.Nodes {
			out = b.node(out, n, 1)
		}
	}
	put(uint64(len(a.Fixes)))
	for _, f := range a.Fixes {
		word(f.Vendor)
		word(f.Product)
		word(f.Version)
	}
	put(uint64(len(a.Statements)))
	for _, s := range a.Statements {
		put(uint64(max(0, slices.Index(statuses[:], s.Status))))
		put(uint64(b.criterion(s.Match)))
		word(s.Platform)
		word(s.Justification)
		word(s.Text)
	}
	b.scratch = out
	return out
}

// alternatives takes the nodes of a configuration of which any is enough for configurations of their own: any of those is enough,
// too, and they can be found one by one.
func alternatives(in []firmward.Configuration) []firmward.Configuration {
	var out []firmward.Configuration
	for _, c := range in {
		if c.Operator == "AND" || c.Negate || len(c.Nodes) < 2 {
			out = append(out, c)
			continue
		}
		for _, n := range c.Nodes {
			out = append(out, firmward.Configuration{Operator: c.Operator, Nodes: []firmward.Node{n}})
		}
	}
	return out
}

func operator(op string, negate bool) (v uint64) {
	if op == "AND" {
		v |= joinAnd
	}
	if negate {
		v |= joinNegate
	}
	return v
}

// node writes a node. What is nested deeper than anybody nests is cut off, which leaves it an empty condition: unknown.
func (b *Builder) node(out []byte, n firmward.Node, depth int) []byte {
	if depth >= maxNesting {
		n = firmward.Node{Operator: n.Operator, Negate: n.Negate}
	}
	op := operator(n.Operator, n.Negate)
	var leaves []uint32
	for _, m := range n.Matches {
		id := b.criterion(m)
		op |= b.rows[id].needs(m.Vulnerable)
		l := id << 1
		if m.Vulnerable {
			l |= 1
		}
		leaves = append(leaves, l)
	}
	out = binary.AppendUvarint(out, op)
	out = binary.AppendUvarint(out, uint64(len(leaves)))
	for _, l := range leaves {
		out = binary.LittleEndian.AppendUint32(out, l)
	}
	out = binary.AppendUvarint(out, uint64(len(n.Children)))
	for _, c := range n.Children {
		out = b.node(out, c, depth+1)
	}
	return out
}

// needs is what a leaf asks of a device that it does not name.
func (r *row) needs(vulnerable bool) uint64 {
	switch part := byte(r.marks); {
	case r.marks&markBroken != 0:
		return joinOpen
	case vulnerable:
		return 0
	case part == 'o':
		return joinSystem
	case part == 'h':
		return joinHardware
	}
	return joinOpen
}

func (b *Builder) criterion(m firmward.CPEMatch) uint32 {
	r := row{
		words: b.text(m.Words), startIncl: b.text(m.VersionStartIncluding), startExcl: b.text(m.VersionStartExcluding),
		endIncl: b.text(m.VersionEndIncluding), endExcl: b.text(m.VersionEndExcluding),
	}
	n, err := cpe.Parse(m.Criteria)
	switch {
	case err != nil:
		r.marks, r.product = markBroken, b.text(m.Criteria)
	default:
		r.marks = uint32(n.Part[0])
		r.vendor, r.product, r.version = b.text(string(n.Vendor)), b.text(string(n.Product)), b.text(string(n.Version))
		tail := [...]string{string(n.Update), string(n.Edition), string(n.Language), string(n.SWEdition), string(n.TargetSW), string(n.TargetHW), string(n.Other)}
		if tail != [...]string{"*", "*", "*", "*", "*", "*", "*"} {
			r.tail = b.text(strings.Join(tail[:], "\x00"))
		}
		k := n.Key()
		switch anyVendor := n.Vendor.Wild() || n.Vendor == cpe.Any; {
		case anyVendor:
			r.marks |= markWild
		case n.Product.Wild() || n.Product == cpe.Any:
			r.marks |= markWild
			r.keyVendor, r.keyProduct = b.text(k.Vendor), b.text(AnyOf)
		default:
			r.keyVendor, r.keyProduct = b.text(k.Vendor), b.text(k.Product)
		}
	}
	id, ok := b.criteria[r]
	if !ok {
		id = uint32(len(b.rows))
		b.rows = append(b.rows, r)
		b.criteria[r] = id
	}
	return id
}

// Build writes the block. The builder may go on afterwards.
func (b *Builder) Build() ([]byte, error) {
	w := writer{b: b}
	w.order()
	w.number()
	return w.block()
}
