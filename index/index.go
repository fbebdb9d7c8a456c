// Package index finds the advisories that name a product, in one compact block of bytes.
//
// The block is built once per feed snapshot and may be mapped from a file; Open checks its frame and
// Lookup checks every step, so that a corrupt block gives an error and never a wrong silence.
//
// Layout, all integers little endian:
//
//	magic    8 bytes "fwindex1"
//	crc      uint32, CRC-32C of everything behind it
//	keys     uint32 count
//	offsets  (count+1) × uint32, start of each entry in the entry area; the last is its size
//	entries  vendor, NUL, product, NUL, then the ascending references as uvarint differences
//
// Entries are sorted by vendor, then product. The same input gives the same bytes in any order.
package index

import (
	"cmp"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"iter"
	"math"
	"slices"
	"strings"

	"github.com/firmward/firmward/cpe"
)

const (
	magic  = "fwindex1"
	header = len(magic) + 4 + 4
)

// ErrCorrupt says that a block is not what Build wrote.
var ErrCorrupt = errors.New("the advisory index is damaged; import the feeds again to rebuild it")

// ErrTooLarge says that the entries need more than 4 GiB.
var ErrTooLarge = errors.New("the advisory index would pass 4 GiB")

// Build makes the block from pairs of product key and advisory reference (the caller's own number
// for an advisory). Pairs may repeat and come in any order. Names must be plain text as cpe.Name.Key
// gives them; a name with a NUL byte is cut before it.
func Build(pairs iter.Seq2[cpe.Key, uint32]) ([]byte, error) {
	refs := map[cpe.Key][]uint32{}
	for k, ref := range pairs {
		k.Vendor, _, _ = strings.Cut(k.Vendor, "\x00")
		k.Product, _, _ = strings.Cut(k.Product, "\x00")
		refs[k] = append(refs[k], ref)
	}
	keys := make([]cpe.Key, 0, len(refs))
	for k := range refs {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compareKeys)
	var entries []byte
	offsets := make([]byte, 0, 4*(len(keys)+1))
	for _, k := range keys {
		offsets = binary.LittleEndian.AppendUint32(offsets, uint32(len(entries)))
		entries = appendEntry(entries, k, refs[k])
		if len(entries) > math.MaxUint32 {
			return nil, ErrTooLarge
		}
	}
	offsets = binary.LittleEndian.AppendUint32(offsets, uint32(len(entries)))
	out := make([]byte, 0, header+len(offsets)+len(entries))
	out = append(out, magic...)
	out = append(out, 0, 0, 0, 0)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(keys)))
	out = append(out, offsets...)
	out = append(out, entries...)
	binary.LittleEndian.PutUint32(out[len(magic):], checksum(out))
	return out, nil
}

func appendEntry(b []byte, k cpe.Key, refs []uint32) []byte {
	slices.Sort(refs)
	refs = slices.Compact(refs)
	b = append(append(b, k.Vendor...), 0)
	b = append(append(b, k.Product...), 0)
	last := uint32(0)
	for _, r := range refs {
		b = binary.AppendUvarint(b, uint64(r-last))
		last = r
	}
	return b
}

func compareKeys(a, b cpe.Key) int {
	return cmp.Or(strings.Compare(a.Vendor, b.Vendor), strings.Compare(a.Product, b.Product))
}

func checksum(block []byte) uint32 {
	return crc32.Checksum(block[len(magic)+4:], crc32.MakeTable(crc32.Castagnoli))
}

// Index reads a block. It holds no copy: the bytes must not change while it is in use.
type Index struct {
	count   int
	offsets []byte
	entries []byte
}

// Open checks the block's frame and checksum and gives an Index on it, or ErrCorrupt.
func Open(block []byte) (*Index, error) {
	if len(block) < header+4 || string(block[:len(magic)]) != magic {
		return nil, ErrCorrupt
	}
	if binary.LittleEndian.Uint32(block[len(magic):]) != checksum(block) {
		return nil, ErrCorrupt
	}
	return frame(block)
}

// frame checks the sizes behind the checksum.
func frame(block []byte) (*Index, error) {
	count := int64(binary.LittleEndian.Uint32(block[len(magic)+4:]))
	size := 4 * (count + 1)
	if size > int64(len(block)-header) {
		return nil, ErrCorrupt
	}
	x := &Index{count: int(count), offsets: block[header : header+int(size)], entries: block[header+int(size):]}
	if int64(binary.LittleEndian.Uint32(x.offsets[4*count:])) != int64(len(x.entries)) {
		return nil, ErrCorrupt
	}
	return x, nil
}

// Len gives the number of products.
func (x *Index) Len() int { return x.count }

// Lookup gives the ascending advisory references of a product, nil when no advisory names it. The
// names are plain lower-case text; the vendor's aliases are resolved. ErrCorrupt means that the
// answer is unknown.
func (x *Index) Lookup(vendor, product string) ([]uint32, error) {
	want := cpe.Key{Vendor: cpe.Vendor(vendor), Product: product}
	low, high := 0, x.count
	for low < high {
		mid := int(uint(low+high) >> 1)
		k, refs, err := x.entry(mid)
		if err != nil {
			return nil, err
		}
		switch c := compareKeys(k, want); {
		case c == 0:
			return decode(refs)
		case c < 0:
			low = mid + 1
		default:
			high = mid
		}
	}
	return nil, nil
}

// All walks the products in order. It stops at the first damaged entry and gives ErrCorrupt there.
func (x *Index) All() iter.Seq2[cpe.Key, error] {
	return func(yield func(cpe.Key, error) bool) {
		for i := range x.count {
			k, _, err := x.entry(i)
			if !yield(k, err) || err != nil {
				return
			}
		}
	}
}

func (x *Index) entry(i int) (cpe.Key, []byte, error) {
	from := binary.LittleEndian.Uint32(x.offsets[4*i:])
	to := binary.LittleEndian.Uint32(x.offsets[4*i+4:])
	if from > to || int64(to) > int64(len(x.entries)) {
		return cpe.Key{}, nil, ErrCorrupt
	}
	e := x.entries[from:to]
	v := slices.Index(e, 0)
	if v < 0 {
		return cpe.Key{}, nil, ErrCorrupt
	}
	p := slices.Index(e[v+1:], 0)
	if p < 0 {
		return cpe.Key{}, nil, ErrCorrupt
	}
	return cpe.Key{Vendor: string(e[:v]), Product: string(e[v+1 : v+1+p])}, e[v+p+2:], nil
}

func decode(b []byte) ([]uint32, error) {
	var out []uint32
	last := uint64(0)
	for len(b) > 0 {
		d, n := binary.Uvarint(b)
		if n <= 0 || d > math.MaxUint32-last || len(out) > 0 && d == 0 {
			return nil, ErrCorrupt
		}
		last += d
		out = append(out, uint32(last))
		b = b[n:]
	}
	return out, nil
}
