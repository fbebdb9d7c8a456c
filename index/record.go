package index

import (
	"encoding/binary"
	"time"

	"github.com/firmward/firmward"
)

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

// Len is their number.
func (l Leaves) Len() int { return len(l) / 4 }

// At is one of them.
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
