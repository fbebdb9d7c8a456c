// Package index holds what advisories say of products in one compact, read-only block of bytes.
//
// A block is built once from advisories (Builder), written to a file or kept in memory, and opened in place: Open copies
// nothing but the table of texts, so that a mapped file costs memory only where it is read. It holds all that a verdict rests
// on: names with their version ranges, the trees in which they are joined, fixes, statements, and where a record came from.
// Titles and references stay where the advisories are. The same advisories give the same bytes in any order, and a block to
// which changes were applied (From) is the block of the end state.
//
// Layout, all integers little endian:
//
//	magic     8 bytes "fwindex2"
//	crc       uint32, CRC-32C of everything behind it
//	sections  7 × uint32 byte lengths, in this order:
//	offsets   (texts+1) × uint32: start of each text, the last is their size
//	texts     the distinct texts, sorted, without separators; text 0 is empty
//	products  × 16: vendor text, product text, start of its postings, first of its criteria; sorted; a last one holds the ends
//	postings  per product the ascending record numbers as uvarint differences
//	criteria  × 44: product, then the texts vendor, product, version, the other attributes, words, the four bounds, then the part;
//	          sorted, so that those of one product stand together
//	starts    (records+1) × uint32: start of each record, the last is their size
//	records   sorted by id and source; fields in the order of shape
//
// Open checks the sum, every length and every reference, so a damaged block is refused as a whole and reading never fails.
package index

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"iter"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/cpe"
)

const (
	magic    = "fwindex2"
	sections = 7
	header   = len(magic) + 4 + 4*sections

	productSize   = 16
	criterionSize = 44
	maxNesting    = 64
)

// ErrCorrupt says that a block is not what Builder wrote.
var ErrCorrupt = errors.New("the advisory index is damaged: build it again")

// ErrVersion says that a block was written by another version of firmward.
var ErrVersion = errors.New("the advisory index has the form of another version of firmward: build it again")

// ErrTooLarge says that the advisories need more than 4 GiB.
var ErrTooLarge = errors.New("the advisory index would pass 4 GiB")

// Index reads a block. The bytes must not change while it is in use. It is safe for concurrent use.
type Index struct {
	offsets, products, postings, criteria, starts, records []byte
	texts                                                  string
	any                                                    uint32 // the product of criteria with wildcards in their names
}

// Product is the number of a product in one block.
type Product uint32

// None is no product.
const None Product = 1<<32 - 1

// Open checks a block and gives an Index on it, or ErrCorrupt or ErrVersion.
func Open(block []byte) (*Index, error) {
	if len(block) < header || string(block[:len(magic)-1]) != magic[:len(magic)-1] {
		return nil, ErrCorrupt
	}
	if string(block[:len(magic)]) != magic {
		return nil, ErrVersion
	}
	if binary.LittleEndian.Uint32(block[len(magic):]) != checksum(block) {
		return nil, ErrCorrupt
	}
	var parts [sections][]byte
	rest := block[header:]
	for i := range parts {
		n := int(binary.LittleEndian.Uint32(block[len(magic)+4+4*i:]))
		if n > len(rest) {
			return nil, ErrCorrupt
		}
		parts[i], rest = rest[:n:n], rest[n:]
	}
	if len(rest) > 0 {
		return nil, ErrCorrupt
	}
	x := &Index{offsets: parts[0], texts: string(parts[1]), products: parts[2], postings: parts[3], criteria: parts[4], starts: parts[5], records: parts[6]}
	if !x.sound() {
		return nil, ErrCorrupt
	}
	x.any = uint32(x.Product("", ""))
	return x, nil
}

func checksum(block []byte) uint32 {
	return crc32.Checksum(block[len(magic)+4:], crc32.MakeTable(crc32.Castagnoli))
}

func u32(b []byte, i int) uint32 { return binary.LittleEndian.Uint32(b[4*i:]) }

func (x *Index) text(id uint32) string {
	return x.texts[u32(x.offsets, int(id)):u32(x.offsets, int(id)+1)]
}

// find gives the number of a text.
func (x *Index) find(text string) (uint32, bool) {
	low, high := 0, len(x.offsets)/4-1
	for low < high {
		mid := int(uint(low+high) >> 1)
		if x.text(uint32(mid)) < text {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return uint32(low), low < len(x.offsets)/4-1 && x.text(uint32(low)) == text
}

// Products gives the number of products that are named.
func (x *Index) Products() int { return len(x.products)/productSize - 1 }

// Criteria gives the number of distinct criteria.
func (x *Index) Criteria() int { return len(x.criteria) / criterionSize }

// Records gives the number of records, withdrawn ones included.
func (x *Index) Records() int { return len(x.starts)/4 - 1 }

// Product gives the number of a product, None when no record names it. The names are plain lower-case text; the vendor's
// aliases are resolved.
func (x *Index) Product(vendor, product string) Product {
	v, ok := x.find(cpe.Vendor(vendor))
	if !ok {
		return None
	}
	p, ok := x.find(product)
	if !ok {
		return None
	}
	low, high := 0, x.Products()
	for low < high {
		mid := int(uint(low+high) >> 1)
		mv, mp := u32(x.products, 4*mid), u32(x.products, 4*mid+1)
		if mv < v || mv == v && mp < p {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low < x.Products() && u32(x.products, 4*low) == v && u32(x.products, 4*low+1) == p {
		return Product(low)
	}
	return None
}

// Named walks all products.
func (x *Index) Named() iter.Seq[cpe.Key] {
	return func(yield func(cpe.Key) bool) {
		for i := range x.Products() {
			if k := (cpe.Key{Vendor: x.text(u32(x.products, 4*i)), Product: x.text(u32(x.products, 4*i+1))}); k != (cpe.Key{}) && !yield(k) {
				return
			}
		}
	}
}

// Naming appends to out, in ascending order, the numbers of the records that call a product vulnerable or make a statement on
// it.
func (x *Index) Naming(p Product, out []uint32) []uint32 {
	if p == None {
		return out
	}
	b := x.postings[u32(x.products, 4*int(p)+2):u32(x.products, 4*int(p)+6)]
	last := uint64(0)
	for len(b) > 0 {
		d, n := binary.Uvarint(b)
		last, b = last+d, b[n:]
		out = append(out, uint32(last))
	}
	return out
}

// Span gives the numbers of a product's criteria: from, and up to without to.
func (x *Index) Span(p Product) (from, to uint32) {
	if p == None {
		return 0, 0
	}
	return u32(x.products, 4*int(p)+3), u32(x.products, 4*int(p)+7)
}

// Any is the product that stands for all criteria that name products by a pattern; None when there are none.
func (x *Index) Any() Product { return Product(x.any) }

// Texts gives the number of distinct texts.
func (x *Index) Texts() int { return len(x.offsets)/4 - 1 }

// Wild appends the records that name products by a pattern. They may concern every device.
func (x *Index) Wild(out []uint32) []uint32 { return x.Naming(Product(x.any), out) }

// Record is one source's record on one advisory.
type Record struct {
	ID, Source, Document       string
	Dated, Published, Modified time.Time // whole seconds; Dated is the document's
	Rejected, NoFix, Stated    bool      // Stated: it has statements
	Score                      float64   // highest CVSS base, one decimal; 0 when there is none
	Vector                     string
	body                       []byte
}

// The flags of a record.
const (
	flagRejected = 1 << iota
	flagNoFix
	flagStated
)

// Record reads the head of a record.
func (x *Index) Record(n uint32) Record {
	c := cursor{x.raw(n)}
	r := Record{ID: x.text(uint32(c.next())), Source: x.text(uint32(c.next())), Document: x.text(uint32(c.next()))}
	r.Dated, r.Published, r.Modified = when(c.next()), when(c.next()), when(c.next())
	flags := c.next()
	r.Rejected, r.NoFix, r.Stated = flags&flagRejected != 0, flags&flagNoFix != 0, flags&flagStated != 0
	r.Score, r.Vector = float64(c.next())/10, x.text(uint32(c.next()))
	r.body = c.b
	return r
}

// Advisory gives a record's id and source without reading the rest.
func (x *Index) Advisory(n uint32) (id, source string) {
	c := cursor{x.raw(n)}
	return x.text(uint32(c.next())), x.text(uint32(c.next()))
}

func (x *Index) raw(n uint32) []byte { return x.records[u32(x.starts, int(n)):u32(x.starts, int(n)+1)] }

// second and when keep times as seconds since 1970 plus one; 0 is no time.
func second(t time.Time) uint64 {
	if s := t.Unix() + 1; !t.IsZero() && s > 0 {
		return uint64(s)
	}
	return 0
}

func when(s uint64) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(int64(s)-1, 0).UTC()
}

// cursor reads uvarints that Open has checked.
type cursor struct{ b []byte }

func (c *cursor) next() uint64 {
	if len(c.b) > 0 && c.b[0] < 0x80 {
		v := uint64(c.b[0])
		c.b = c.b[1:]
		return v
	}
	v, n := binary.Uvarint(c.b)
	c.b = c.b[n:]
	return v
}

// Walk reads the tree of configurations of a record, top down, left to right, each part exactly once.
type Walk struct{ cursor }

// manyConfigurations is the number from which a record lists where its vulnerable criteria stand.
const manyConfigurations = 5

// Places are where the vulnerable criteria of a record with many configurations stand, sorted by criterion.
type Places []byte

// Configurations begins to walk a record: w stands before the first of n configurations. Where there are many of them, places
// tells in which ones a criterion is the vulnerable part, and At walks to one.
func (r Record) Configurations() (places Places, w Walk, n int) {
	c := cursor{r.body}
	size := 8 * int(c.next())
	places, c.b = Places(c.b[:size:size]), c.b[size:]
	n = int(c.next())
	return places, Walk{c}, n
}

// Of appends to out, ascending, the starts of the configurations in which a criterion from from on and below to is the vulnerable
// part. They may repeat.
func (p Places) Of(from, to uint32, out []uint32) []uint32 {
	low, high := 0, len(p)/8
	for low < high {
		mid := int(uint(low+high) >> 1)
		if u32(p, 2*mid) < from {
			low = mid + 1
		} else {
			high = mid
		}
	}
	for ; low < len(p)/8 && u32(p, 2*low) < to; low++ {
		out = append(out, u32(p, 2*low+1))
	}
	return out
}

// At gives a walk at the start of a configuration; w must stand before the first one.
func (w Walk) At(start uint32) Walk { return Walk{cursor{w.b[start:]}} }

// Count reads how many nodes or children follow.
func (w *Walk) Count() int { return int(w.next()) }

// Join says how a configuration or a node combines its parts.
type Join uint64

// The bits of a join. Those from joinOpen on tell of the leaves of a node which leave a device open that none of them names.
const (
	joinAnd = 1 << iota
	joinNegate
	joinOpen // an application, a name of any part or one that cannot be read: nobody knows whether the device has it
	joinSystem
	joinHardware
)

// And reports whether all parts must hold; else one is enough.
func (j Join) And() bool { return j&joinAnd != 0 }

// Negate reports whether the outcome is turned around.
func (j Join) Negate() bool { return j&joinNegate != 0 }

// Needs tells what a device is to have that none of a node's leaves names: something that nobody knows of it, a system, a
// hardware. Where it has none of them to have, the leaves are vulnerable products alone, and others than the device's.
func (j Join) Needs() (open, system, hardware bool) {
	return j&joinOpen != 0, j&joinSystem != 0, j&joinHardware != 0
}

// Join reads how the next configuration or node combines its parts.
func (w *Walk) Join() Join { return Join(w.next()) }

// A Leaf is a criterion at its place in a tree.
type Leaf uint32

// Criterion is the leaf's criterion.
func (l Leaf) Criterion() uint32 { return uint32(l >> 1) }

// Vulnerable reports whether the leaf is the vulnerable part.
func (l Leaf) Vulnerable() bool { return l&1 != 0 }

// Leaves reads the leaves of a node, which are sorted.
func (w *Walk) Leaves() Leaves {
	n := 4 * int(w.next())
	out := Leaves(w.b[:n:n])
	w.b = w.b[n:]
	return out
}

// Leaves are sorted leaves.
type Leaves []byte

// Len is their number, At one of them.
func (l Leaves) Len() int      { return len(l) / 4 }
func (l Leaves) At(i int) Leaf { return Leaf(u32(l, i)) }

// From gives the place of the first leaf whose criterion is not below.
func (l Leaves) From(criterion uint32) int {
	low, high := 0, l.Len()
	for low < high {
		mid := int(uint(low+high) >> 1)
		if l.At(mid).Criterion() < criterion {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}

// skip passes over the configurations.
func (r Record) skip() cursor {
	return r.each(func(Leaf) {})
}

// Each calls f with every leaf of the record.
func (r Record) Each(f func(Leaf)) { r.each(f) }

func (r Record) each(f func(Leaf)) cursor {
	_, w, n := r.Configurations()
	for ; n > 0; n-- {
		w.Join()
		for m := w.Count(); m > 0; m-- {
			w.node(f)
		}
	}
	return w.cursor
}

func (w *Walk) node(f func(Leaf)) {
	w.Join()
	for l, i := w.Leaves(), 0; i < l.Len(); i++ {
		f(l.At(i))
	}
	for n := w.Count(); n > 0; n-- {
		w.node(f)
	}
}

// Fixes gives the versions that the record names as repaired.
func (x *Index) Fixes(r Record) []firmward.Fix {
	c := r.skip()
	var out []firmward.Fix
	for n := c.next(); n > 0; n-- {
		out = append(out, firmward.Fix{Vendor: x.text(uint32(c.next())), Product: x.text(uint32(c.next())), Version: x.text(uint32(c.next()))})
	}
	return out
}

// Statement is a source's own word on a product.
type Statement struct {
	Status              firmward.StatementStatus
	Criterion           uint32
	Platform            string
	Justification, Text string
}

var statuses = [...]firmward.StatementStatus{firmward.StatedNotAffected, firmward.StatedFixed, firmward.StatedUnknown, firmward.StatedNoFix}

// Statements gives what the record says of products beside "affected".
func (x *Index) Statements(r Record) []Statement {
	c := r.skip()
	for n := 3 * c.next(); n > 0; n-- {
		c.next()
	}
	var out []Statement
	for n := c.next(); n > 0; n-- {
		out = append(out, Statement{
			Status: statuses[c.next()], Criterion: uint32(c.next()), Platform: x.text(uint32(c.next())),
			Justification: x.text(uint32(c.next())), Text: x.text(uint32(c.next())),
		})
	}
	return out
}

// Criterion is one name with its range of versions, as a record gives it, read where it lies.
type Criterion struct {
	x  *Index
	at int
}

// The marks of a criterion beside its part.
const (
	markWild   = 1 << 8
	markBroken = 1 << 9
)

// The columns of a criterion.
const (
	colProduct = iota
	colVendorName
	colProductName
	colVersion
	colTail
	colWords
	colBounds // four: start including, start excluding, end including, end excluding
	colMarks  = colBounds + 4
)

// Criterion gives a criterion by its number.
func (x *Index) Criterion(i uint32) Criterion { return Criterion{x, int(i) * criterionSize / 4} }

func (c Criterion) num(column int) uint32  { return u32(c.x.criteria, c.at+column) }
func (c Criterion) text(column int) string { return c.x.text(c.num(column)) }

// Product is None for a name that cannot be read.
func (c Criterion) Product() Product { return Product(c.num(colProduct)) }

// Wild reports whether vendor or product is a pattern.
func (c Criterion) Wild() bool { return c.num(colMarks)&markWild != 0 }

// Part is the part of the name; empty for one that cannot be read.
func (c Criterion) Part() cpe.Attr { return parts[byte(c.num(colMarks))] }

// Vendor is an attribute as written, before aliases, as are ProductName and Version.
func (c Criterion) Vendor() cpe.Attr      { return cpe.Attr(c.text(colVendorName)) }
func (c Criterion) ProductName() cpe.Attr { return cpe.Attr(c.text(colProductName)) }
func (c Criterion) Version() cpe.Attr     { return cpe.Attr(c.text(colVersion)) }

// VersionText is the number of the version's text.
func (c Criterion) VersionText() uint32 { return c.num(colVersion) }

// Plain reports whether the attributes behind the version are all ANY.
func (c Criterion) Plain() bool { return c.num(colTail) == 0 }

// InWords reports whether the name was made from words; Words gives them. See firmward.CPEMatch.
func (c Criterion) InWords() bool { return c.num(colWords) != 0 }
func (c Criterion) Words() string { return c.text(colWords) }

// Ranged reports whether the criterion has a bound.
func (c Criterion) Ranged() bool {
	return c.num(colBounds)|c.num(colBounds+1)|c.num(colBounds+2)|c.num(colBounds+3) != 0
}

// Bound gives one of the four bounds and the number of its text: 0 start including, 1 start excluding, 2 end including, 3 end
// excluding. It is empty, with number 0, where there is none.
func (c Criterion) Bound(i int) (string, uint32) { return c.text(colBounds + i), c.num(colBounds + i) }

// Name is the whole name as written. The name of a criterion that cannot be read is empty.
func (c Criterion) Name() cpe.Name {
	if c.num(colMarks)&markBroken != 0 {
		return cpe.Name{}
	}
	n := cpe.Name{
		Part: c.Part(), Vendor: c.Vendor(), Product: c.ProductName(), Version: c.Version(),
		Update: cpe.Any, Edition: cpe.Any, Language: cpe.Any, SWEdition: cpe.Any, TargetSW: cpe.Any, TargetHW: cpe.Any, Other: cpe.Any,
	}
	if !c.Plain() {
		into := [...]*cpe.Attr{&n.Update, &n.Edition, &n.Language, &n.SWEdition, &n.TargetSW, &n.TargetHW, &n.Other}
		for i, a := range strings.SplitN(c.text(colTail), "\x00", len(into)) {
			*into[i] = cpe.Attr(a)
		}
	}
	return n
}

var parts = [256]cpe.Attr{'a': "a", 'o': "o", 'h': "h", '*': cpe.Any, '-': cpe.NA}
