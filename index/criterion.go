package index

import (
	"strings"

	"github.com/firmward/firmward/cpe"
)

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

// Vendor is an attribute as written, before aliases.
func (c Criterion) Vendor() cpe.Attr { return cpe.Attr(c.text(colVendorName)) }

// ProductName is the attribute product as written.
func (c Criterion) ProductName() cpe.Attr { return cpe.Attr(c.text(colProductName)) }

// Version is the attribute version as written.
func (c Criterion) Version() cpe.Attr { return cpe.Attr(c.text(colVersion)) }

// VersionText is the number of the version's text.
func (c Criterion) VersionText() uint32 { return c.num(colVersion) }

// Plain reports whether the attributes behind the version are all ANY.
func (c Criterion) Plain() bool { return c.num(colTail) == 0 }

// InWords reports whether the name was made from words. See firmward.CPEMatch.
func (c Criterion) InWords() bool { return c.num(colWords) != 0 }

// Words are the words, empty where the name is CPE's.
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
