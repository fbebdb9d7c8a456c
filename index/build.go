package index

import (
	"cmp"
	"encoding/binary"
	"math"
	"math/bits"
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

// writer turns the builder's numbers, which depend on the order of Add, into those of the block, which do not.
type writer struct {
	b        *Builder
	records  []record // sorted by text
	newText  []uint32
	texts    []uint32 // builder's numbers in the block's order
	newRow   []uint32
	rows     []row // with the block's texts, sorted
	products [][2]uint32
	first    []uint32 // criterion of each product, and the end
	refs     [][]uint32
	rejected map[uint32]bool // texts of ids
	tree     tree
}

const unused = math.MaxUint32

// order finds what is in use and sorts texts and records.
func (w *writer) order() {
	b := w.b
	usedText, usedRow := make([]bool, len(b.list)), make([]bool, len(b.rows))
	usedText[0] = true
	w.rejected = map[uint32]bool{}
	for _, r := range b.all {
		if r.body == nil {
			continue
		}
		w.records = append(w.records, r)
		c, n := cursor{r.body}, 0
		shape(func(of kind) uint64 {
			v := c.read(of)
			switch of {
			case aText:
				usedText[v] = true
			case aCriterion:
				usedRow[v] = true
			case aLeaf:
				usedRow[v>>1] = true
			}
			if n++; n == flagsAt && v&flagRejected != 0 {
				w.rejected[r.key[0]] = true
			}
			return v
		})
	}
	for i, used := range usedRow {
		if used {
			for _, t := range b.rows[i].texts() {
				usedText[*t] = true
			}
		}
	}
	for i, used := range usedText {
		if used {
			w.texts = append(w.texts, uint32(i))
		}
	}
	w.texts = sorted(w.texts, func(x, y uint32) int { return strings.Compare(b.list[x], b.list[y]) })
	w.newText = make([]uint32, len(b.list))
	for i, t := range w.texts {
		w.newText[t] = uint32(i)
	}
	w.records = sorted(w.records, func(x, y record) int {
		return cmp.Or(cmp.Compare(w.newText[x.key[0]], w.newText[y.key[0]]), cmp.Compare(w.newText[x.key[1]], w.newText[y.key[1]]))
	})
	w.newRow = make([]uint32, len(b.rows))
	for i, used := range usedRow {
		w.newRow[i] = unused
		if used {
			w.newRow[i] = 0
		}
	}
}

// number sorts criteria and products by the block's texts.
func (w *writer) number() {
	type numbered struct {
		row
		old uint32
	}
	var all []numbered
	for i, r := range w.b.rows {
		if w.newRow[i] == unused {
			continue
		}
		for _, t := range r.texts() {
			*t = w.newText[*t]
		}
		all = append(all, numbered{r, uint32(i)})
	}
	all = sorted(all, func(x, y numbered) int { return x.compare(&y.row) })
	w.rows = make([]row, len(all))
	for i, r := range all {
		w.rows[i], w.newRow[r.old] = r.row, uint32(i)
		if k := [2]uint32{r.keyVendor, r.keyProduct}; r.marks&markBroken == 0 && (len(w.products) == 0 || w.products[len(w.products)-1] != k) {
			w.products = append(w.products, k)
			w.first = append(w.first, uint32(i))
		}
	}
	end, _ := slices.BinarySearchFunc(w.rows, uint32(markBroken), func(r row, mark uint32) int { return cmp.Compare(r.marks&markBroken, mark) })
	w.first = append(w.first, uint32(end))
}

// sorted sorts what mostly is sorted already: what came from a block stands before what was added to it.
func sorted[T any](s []T, compare func(x, y T) int) []T {
	n := 1
	for n < len(s) && compare(s[n-1], s[n]) <= 0 {
		n++
	}
	if n >= len(s) {
		return s
	}
	tail := s[n:]
	slices.SortFunc(tail, compare)
	out := make([]T, 0, len(s))
	for head := s[:n]; len(head) > 0 || len(tail) > 0; {
		if len(tail) == 0 || len(head) > 0 && compare(head[0], tail[0]) <= 0 {
			out, head = append(out, head[0]), head[1:]
		} else {
			out, tail = append(out, tail[0]), tail[1:]
		}
	}
	return out
}

// compare orders rows by product first; names that cannot be read come last.
func (r *row) compare(o *row) int {
	if c := cmp.Compare(r.marks&markBroken, o.marks&markBroken); c != 0 {
		return c
	}
	return cmp.Or(
		cmp.Compare(r.keyVendor, o.keyVendor), cmp.Compare(r.keyProduct, o.keyProduct), cmp.Compare(r.vendor, o.vendor), cmp.Compare(r.product, o.product),
		cmp.Compare(r.version, o.version), cmp.Compare(r.tail, o.tail), cmp.Compare(r.words, o.words), cmp.Compare(r.startIncl, o.startIncl),
		cmp.Compare(r.startExcl, o.startExcl), cmp.Compare(r.endIncl, o.endIncl), cmp.Compare(r.endExcl, o.endExcl), cmp.Compare(r.marks, o.marks))
}

// product gives the number of a row's product in the block.
func (w *writer) product(r row) uint32 {
	if r.marks&markBroken != 0 {
		return uint32(None)
	}
	i, _ := slices.BinarySearchFunc(w.products, [2]uint32{r.keyVendor, r.keyProduct}, func(x, y [2]uint32) int { return slices.Compare(x[:], y[:]) })
	return uint32(i)
}

func (w *writer) block() ([]byte, error) {
	var parts [sections][]byte
	u := binary.LittleEndian.AppendUint32
	for _, t := range w.texts {
		parts[0] = u(parts[0], uint32(len(parts[1])))
		parts[1] = append(parts[1], w.b.list[t]...)
	}
	parts[0] = u(parts[0], uint32(len(parts[1])))
	of := make([]uint32, len(w.rows))
	for i, r := range w.rows {
		of[i] = w.product(r)
		for _, v := range [...]uint32{of[i], r.vendor, r.product, r.version, r.tail, r.words, r.startIncl, r.startExcl, r.endIncl, r.endExcl, r.marks} {
			parts[4] = u(parts[4], v)
		}
	}
	w.refs = make([][]uint32, len(w.products))
	for n, r := range w.records {
		parts[5] = u(parts[5], uint32(len(parts[6])))
		parts[6] = w.record(parts[6], uint32(n), r, of)
	}
	parts[5] = u(parts[5], uint32(len(parts[6])))
	for i, p := range w.products {
		parts[2] = u(u(u(u(parts[2], p[0]), p[1]), uint32(len(parts[3]))), w.first[i])
		last := uint32(0)
		for _, r := range w.refs[i] {
			parts[3] = binary.AppendUvarint(parts[3], uint64(r-last))
			last = r
		}
	}
	parts[2] = u(u(u(u(parts[2], 0), 0), uint32(len(parts[3]))), w.first[len(w.products)])
	size := header
	for _, p := range parts {
		size += len(p)
	}
	if size > math.MaxUint32 {
		return nil, ErrTooLarge
	}
	out := make([]byte, 0, size)
	out = append(append(out, magic...), 0, 0, 0, 0)
	for _, p := range parts {
		out = u(out, uint32(len(p)))
	}
	for _, p := range parts {
		out = append(out, p...)
	}
	binary.LittleEndian.PutUint32(out[len(magic):], checksum(out))
	return out, nil
}

// record writes a record with the block's numbers and notes the products for which it is to be found.
func (w *writer) record(out []byte, n uint32, r record, of []uint32) []byte {
	c := cursor{r.body}
	find := !w.rejected[r.key[0]]
	ref := func(criterion uint32) {
		p := of[criterion]
		if !find || p == uint32(None) {
			return
		}
		if l := len(w.refs[p]); l == 0 || w.refs[p][l-1] != n {
			w.refs[p] = append(w.refs[p], n)
		}
	}
	t := &w.tree
	t.begin()
	shape(func(k kind) uint64 {
		v := c.read(k)
		put := v
		switch k {
		case aText:
			put = uint64(w.newText[v])
		case aCriterion:
			put = uint64(w.newRow[v])
			ref(uint32(put))
		case aLeaf:
			l := Leaf(w.newRow[v>>1]<<1 | uint32(v&1))
			if l.Vulnerable() {
				ref(l.Criterion())
			}
			t.leaf(l)
			return v
		}
		switch {
		case k == aPlace:
		case k == aRest:
			out = t.end(out)
		case t.takes(k):
			t.put(k, put)
		default:
			out = binary.AppendUvarint(out, put)
		}
		return v
	})
	return out
}

// tree gathers the configurations of a record while they are renumbered, until it is known where they stand.
type tree struct {
	counts int // counts that were met: of the places, which are made anew, and of the configurations
	done   bool
	n      uint64 // of configurations
	bytes  []byte
	leaves []Leaf
	places []uint64 // criterion above start
	start  uint64
}

func (t *tree) begin() {
	t.counts, t.done, t.bytes, t.leaves, t.places = 0, false, t.bytes[:0], t.leaves[:0], t.places[:0]
}

// takes reports whether a number belongs to the tree.
func (t *tree) takes(k kind) bool { return !t.done && (t.counts > 0 || k == aCount) }

func (t *tree) put(k kind, v uint64) {
	if k == aCount && t.counts < 2 {
		t.counts++
		t.n = v
		return
	}
	t.flush()
	if k == aConfiguration {
		t.start = uint64(len(t.bytes))
		return
	}
	t.bytes = binary.AppendUvarint(t.bytes, v)
}

func (t *tree) leaf(l Leaf) {
	t.leaves = append(t.leaves, l)
	if l.Vulnerable() {
		t.places = append(t.places, uint64(l.Criterion())<<32|t.start)
	}
}

// end writes the configurations, and before them where criteria stand if there are many.
func (t *tree) end(out []byte) []byte {
	t.flush()
	t.done = true
	if t.n < manyConfigurations {
		t.places = nil
	}
	slices.Sort(t.places)
	t.places = slices.Compact(t.places)
	out = binary.AppendUvarint(out, uint64(len(t.places)))
	for _, p := range t.places {
		out = binary.LittleEndian.AppendUint64(out, bits.RotateLeft64(p, 32))
	}
	out = binary.AppendUvarint(out, t.n)
	return append(out, t.bytes...)
}

// flush writes the leaves of a node, sorted, once all of them are there.
func (t *tree) flush() {
	slices.Sort(t.leaves)
	for _, l := range t.leaves {
		t.bytes = binary.LittleEndian.AppendUint32(t.bytes, uint32(l))
	}
	t.leaves = t.leaves[:0]
}
