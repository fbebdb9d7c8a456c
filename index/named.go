package index

import "github.com/firmward/firmward/cpe"

// NamedBy calls f with each product that the records of an advisory, whichever source's, call vulnerable or make a statement on:
// those for which Naming finds them. The zero Key stands for names that are patterns. Products may repeat.
func (x *Index) NamedBy(id string, f func(cpe.Key)) {
	low, high := 0, x.Records()
	for low < high {
		mid := int(uint(low+high) >> 1)
		if at, _ := x.Advisory(uint32(mid)); at < id {
			low = mid + 1
		} else {
			high = mid
		}
	}
	named := func(criterion uint32) {
		if p := x.Criterion(criterion).Product(); p != None {
			f(cpe.Key{Vendor: x.text(u32(x.products, 4*int(p))), Product: x.text(u32(x.products, 4*int(p)+1))})
		}
	}
	for ; low < x.Records(); low++ {
		r := x.Record(uint32(low))
		if r.ID != id {
			return
		}
		r.Each(func(l Leaf) {
			if l.Vulnerable() {
				named(l.Criterion())
			}
		})
		if r.Stated {
			for _, s := range x.Statements(r) {
				named(s.Criterion)
			}
		}
	}
}
