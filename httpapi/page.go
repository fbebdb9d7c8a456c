package httpapi

import (
	"time"

	"github.com/firmward/firmward/store"
)

// Page is one page of a listing.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty" doc:"cursor of the next page; absent after the last"`
}

// PageInput asks for a page.
type PageInput struct {
	After string `query:"after" doc:"cursor from the page before"`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

func (p PageInput) page() store.Page { return store.Page{After: p.After, Limit: p.Limit} }

// pageOf turns what the store listed into a page of another form.
func pageOf[F, T any](from []F, next string, err error, form func(F) T) (Page[T], error) {
	if err != nil {
		return Page[T]{}, err
	}
	return Page[T]{Items: each(from, form), Next: next}, nil
}

// each maps a list; the result is never nil, so JSON shows [] and not null.
func each[F, T any](from []F, form func(F) T) []T {
	out := make([]T, len(from))
	for i, f := range from {
		out[i] = form(f)
	}
	return out
}

// list is the list itself, never nil.
func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}

// tri turns a filter that may be left out into what the store knows.
func tri(s string) *bool {
	if s == "" {
		return nil
	}
	b := s == "true"
	return &b
}

// span writes a duration as clients see it, empty when there is none.
func span(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}
