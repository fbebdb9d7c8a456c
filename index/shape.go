package index

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// kind says what a number in a record means.
type kind int

const (
	aNumber        kind = iota
	aCount              // how often something follows
	aStatus             // place in statuses
	aText               // number of a text
	aCriterion          // number of a criterion
	aJoin               // a Join
	aLeaf               // a Leaf, of four bytes
	aPlace              // where a vulnerable criterion stands, of eight bytes: criterion, start of the configuration
	aConfiguration      // no number: a configuration begins
	aRest               // no number: the configurations are over
)

// flagsAt is the place of the flags among a record's numbers, from 1.
const flagsAt = 7

// shape is the form of a record: it asks next for one number after the other, of a kind, and goes on by what it gets. All that
// writes, checks or renumbers records goes through it; Record and Walk read by the same order.
func shape(next func(kind) uint64) {
	for range 3 { // id, source, document
		next(aText)
	}
	for range 5 { // dated, published, modified, flags, score
		next(aNumber)
	}
	next(aText) // vector
	for n := next(aCount); n > 0; n-- {
		next(aPlace)
	}
	for n := next(aCount); n > 0; n-- {
		next(aConfiguration)
		next(aJoin)
		for m := next(aCount); m > 0; m-- {
			shapeNode(next)
		}
	}
	next(aRest)
	for n := next(aCount); n > 0; n-- { // fixes: vendor, product, version
		for range 3 {
			next(aText)
		}
	}
	for n := next(aCount); n > 0; n-- { // statements
		next(aStatus)
		next(aCriterion)
		for range 3 { // platform, justification, text
			next(aText)
		}
	}
}

func shapeNode(next func(kind) uint64) {
	next(aJoin)
	for n := next(aCount); n > 0; n-- {
		next(aLeaf)
	}
	for n := next(aCount); n > 0; n-- {
		shapeNode(next)
	}
}

// read takes the next number of a kind.
func (c *cursor) read(k kind) uint64 {
	switch k {
	case aLeaf:
		v := binary.LittleEndian.Uint32(c.b)
		c.b = c.b[4:]
		return uint64(v)
	case aPlace:
		v := binary.LittleEndian.Uint64(c.b)
		c.b = c.b[8:]
		return v
	case aConfiguration, aRest:
		return 0
	}
	return c.next()
}

// sound checks every length, order and reference behind the sum, so that reading needs no checks.
func (x *Index) sound() bool {
	for _, s := range [][2]int{{len(x.offsets), 4}, {len(x.products), productSize}, {len(x.criteria), criterionSize}, {len(x.starts), 4}} {
		if s[0]%s[1] != 0 {
			return false
		}
	}
	if len(x.offsets) < 8 || len(x.products) < productSize || len(x.starts) < 4 || !rising(x.offsets, 1, 0, len(x.texts)) ||
		!rising(x.products, 4, 2, len(x.postings)) || !rising(x.starts, 1, 0, len(x.records)) {
		return false
	}
	texts := uint32(len(x.offsets)/4 - 1)
	for i := 1; i < int(texts); i++ {
		if x.text(uint32(i-1)) >= x.text(uint32(i)) {
			return false
		}
	}
	for i := range x.Products() {
		if u32(x.products, 4*i) >= texts || u32(x.products, 4*i+1) >= texts || !x.soundSpan(i) || !x.soundPostings(i) {
			return false
		}
	}
	for i := range x.Criteria() {
		c := x.Criterion(uint32(i))
		for f := colVendorName; f < colMarks; f++ {
			if c.num(f) >= texts {
				return false
			}
		}
		broken := c.num(colMarks) == markBroken
		if (c.Part() == "") != broken || (c.Product() == None) != broken {
			return false
		}
	}
	for i := range x.Records() {
		if !x.soundRecord(uint32(i), texts) {
			return false
		}
	}
	return true
}

// rising reports whether a column of offsets starts at 0, never falls and ends at size.
func rising(b []byte, width, column, size int) bool {
	last := uint32(0)
	n := len(b) / 4 / width
	for i := range n {
		v := u32(b, width*i+column)
		if v < last || i == 0 && v != 0 {
			return false
		}
		last = v
	}
	return int(last) == size
}

// soundSpan reports whether the criteria that a product counts as its own are its own.
func (x *Index) soundSpan(product int) bool {
	from, to := x.Span(Product(product))
	if from > to || int64(to) > int64(x.Criteria()) || product == 0 && from != 0 {
		return false
	}
	for i := from; i < to; i++ {
		if x.Criterion(i).Product() != Product(product) {
			return false
		}
	}
	return true
}

func (x *Index) soundPostings(product int) bool {
	b := x.postings[u32(x.products, 4*product+2):u32(x.products, 4*product+6)]
	last, first := uint64(0), true
	for len(b) > 0 {
		d, n := binary.Uvarint(b)
		if n <= 0 || d == 0 && !first || d > uint64(x.Records()) {
			return false
		}
		last, b, first = last+d, b[n:], false
		if last >= uint64(x.Records()) {
			return false
		}
	}
	return true
}

// soundRecord walks a record. Its numbers are read with a check each, and what is left over is as wrong as what is missing.
func (x *Index) soundRecord(n, texts uint32) bool {
	b, ok, last, place := x.raw(n), true, int64(-1), uint64(0)
	var starts []int // of configurations, by what is left from there
	var places []uint32
	shape(func(k kind) uint64 {
		v, size := uint64(0), 0
		switch {
		case !ok, k == aRest:
			return 0
		case k == aConfiguration:
			if len(places) > 0 {
				starts = append(starts, len(b))
			}
			return 0
		case k == aLeaf && len(b) >= 4:
			v, size = uint64(u32(b, 0)), 4
		case k == aPlace && len(b) >= 8:
			v, size = binary.LittleEndian.Uint64(b), 8
		case k != aLeaf && k != aPlace:
			v, size = binary.Uvarint(b)
		}
		switch {
		case size <= 0,
			k == aText && v >= uint64(texts), k == aCriterion && v >= uint64(x.Criteria()), k == aLeaf && (v>>1 >= uint64(x.Criteria()) || int64(v) < last),
			k == aCount && v > uint64(len(b)), k == aStatus && v >= uint64(len(statuses)), k == aPlace && (len(places) > 0 && bits.RotateLeft64(v, 32) < place):
			ok = false
			return 0
		}
		if last = -1; k == aLeaf {
			last = int64(v)
		}
		if k == aPlace {
			place = bits.RotateLeft64(v, 32)
			places = append(places, uint32(v>>32))
		}
		b = b[size:]
		return v
	})
	if len(starts) == 0 && len(places) > 0 {
		return false
	}
	for _, p := range places {
		if _, found := slices.BinarySearchFunc(starts, starts[0]-int(p), func(a, b int) int { return b - a }); !found {
			return false
		}
	}
	return ok && len(b) == 0
}
