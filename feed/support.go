package feed

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/firmward/firmward"
)

// Support is one end-of-support fact as firmward's own documents write it. Dates are YYYY-MM-DD.
type Support struct {
	Vendor       string `json:"vendor"`
	Product      string `json:"product"`
	Branch       string `json:"branch,omitempty"`
	EndOfSale    string `json:"end_of_sale,omitempty"`
	EndOfSupport string `json:"end_of_support,omitempty"`
	Ended        bool   `json:"ended,omitempty"` // support is over, the day may be unknown
	Status       string `json:"status"`          // announced, reported, inferred, regulatory, by-hand
	Note         string `json:"note,omitempty"`
	Source       string `json:"source"` // who says so
	Dated        string `json:"dated"`  // when the source said it or was read
}

// Lifecycle checks the fact and turns it into the noun. A fact without an end is fine: it says that
// somebody looked and found none.
func (s Support) Lifecycle(origin firmward.Origins) (firmward.Lifecycle, error) {
	l := firmward.Lifecycle{Vendor: s.Vendor, Product: s.Product, Branch: s.Branch, Ended: s.Ended, Status: s.Status, Note: s.Note, Origin: origin}
	switch {
	case s.Vendor == "" || s.Product == "":
		return l, errors.New("vendor and product are needed")
	case s.Source == "":
		return l, errors.New("a fact needs its source")
	}
	switch s.Status {
	case "announced", "reported", "inferred", "regulatory", "by-hand":
	default:
		return l, fmt.Errorf("status %q is none of announced, reported, inferred, regulatory, by-hand", s.Status)
	}
	l.Origin.Document = s.Source
	var err error
	if l.Origin.Dated, err = Day(s.Dated); err != nil {
		return l, err
	}
	if s.EndOfSale != "" {
		if l.EndOfSale, err = Day(s.EndOfSale); err != nil {
			return l, err
		}
	}
	if s.EndOfSupport != "" {
		l.EndOfSupport, err = Day(s.EndOfSupport)
	}
	return l, err
}

// PutSupport reads one fact and delivers or refuses it. The error is the sink's.
func PutSupport(raw json.RawMessage, at int64, origin firmward.Origins, put Sink) error {
	var s Support
	err := json.Unmarshal(raw, &s)
	var l firmward.Lifecycle
	if err == nil {
		l, err = s.Lifecycle(origin)
	}
	if err != nil {
		where := "fact ending at byte " + strconv.FormatInt(at, 10)
		if s.Product != "" {
			where = s.Vendor + " " + s.Product
		}
		put.Refuse(where, err.Error())
		return nil
	}
	return put.Lifecycle(l)
}
