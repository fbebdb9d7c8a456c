package index

import (
	"cmp"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
	"strings"
)

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
