package store

import "iter"

// All gives every item of a listing, page by page. An error comes last, with the zero item.
func All[T any](list func(Page) ([]T, string, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for p := (Page{Limit: 1000}); ; {
			items, next, err := list(p)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, v := range items {
				if !yield(v, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			p.After = next
		}
	}
}

// Every reads a whole listing into memory: for those that are short by nature, or needed at once.
func Every[T any](list func(Page) ([]T, string, error)) ([]T, error) {
	var out []T
	for v, err := range All(list) {
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}
