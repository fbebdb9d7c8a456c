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
	any                                                    uint32 // the product of criteria with wildcards in the vendor's name
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

// AnyOf is the product under which a vendor's criteria stand that name products by a pattern.
const AnyOf = "*"

// Any is the product that stands for all criteria that name vendors by a pattern; None when there are none.
func (x *Index) Any() Product { return Product(x.any) }

// Texts gives the number of distinct texts.
func (x *Index) Texts() int { return len(x.offsets)/4 - 1 }
