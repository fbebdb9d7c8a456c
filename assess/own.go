package assess

import (
	"strings"

	"github.com/firmward/firmward/cpe"
	"github.com/firmward/firmward/index"
)

// own reports whether a criterion may speak of one of the device's names.
func (e *Evaluator) own(criterion uint32) bool {
	_, ok := e.place(criterion)
	return ok
}

// place gives the place of a criterion among those that may speak of the device's names; false when it does not.
func (e *Evaluator) place(criterion uint32) (place uint32, ok bool) {
	for _, s := range e.spans {
		if criterion-s.from < s.to-s.from { // unsigned: false below from
			return s.before + criterion - s.from, true
		}
	}
	return 0, false
}

// find gives the device's name that a criterion speaks of; a name of the card before a derived one.
// Part ANY means any, and words do not tell a product from its firmware.
func (e *Evaluator) find(c index.Criterion) *own {
	var found *own
	for i := range e.names {
		n := &e.names[i]
		switch {
		case found != nil && (!found.Derived || n.Derived):
		case !n.ofPart(c.Part()):
		case c.Wild():
			if (covers(c.Vendor(), n.CPE.Vendor) || cpe.Vendor(c.Vendor().Text()) == n.CPE.Key().Vendor) && covers(c.ProductName(), n.CPE.Product) {
				found = n
			}
		case c.Product() == n.exact, c.InWords() && (c.Product() == n.bare || c.Product() == n.firm):
			found = n
		}
	}
	return found
}

// ofPart compares the part. NVD files some firmware as an application; an inventory that lists a name knows what it lists.
func (n *own) ofPart(part cpe.Attr) bool {
	return part == cpe.Any || part == n.CPE.Part || !n.Listed && software(part) == software(n.CPE.Part)
}

func covers(pattern, value cpe.Attr) bool {
	r := cpe.Compare(pattern, value)
	return r == cpe.Superset || r == cpe.Equal
}

const firmwareSuffix = "_firmware"

// bare drops what CPE names hang on a product for its firmware.
func bare(k cpe.Key) cpe.Key {
	k.Product = strings.TrimSuffix(k.Product, firmwareSuffix)
	return k
}

// carded reports whether the model card, or the inventory, gives a name of this part.
func (e *Evaluator) carded(part byte) bool {
	for i := range e.names {
		if n := &e.names[i]; len(n.CPE.Part) == 1 && n.CPE.Part[0] == part && !n.Derived {
			return true
		}
	}
	return false
}
