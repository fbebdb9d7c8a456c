package endoflife

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/feed"
)

// product is a product in either form.
type product struct {
	name     string // part of its address: "routeros"
	title    string
	category string
	cpes     []string
	releases []unread
}

// unread is a release that is read only when its product is of use.
type unread struct {
	where string
	read  func() (release, error)
}

// release is one line of releases, or one model of a device.
type release struct {
	cycle                         string
	latest                        string // its newest version; empty where it is not told
	eoas, eol, eoes, discontinued moment
}

// moment is when something ends: on a day, or over since nobody knows when. The zero moment is not announced.
type moment struct {
	day  time.Time
	over bool
}

// on is the moment of a day.
func on(day string) (moment, error) {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return moment{}, fmt.Errorf("%q is no day", feed.Clip(day))
	}
	return moment{day: t}, nil
}

func (m moment) String() string { return m.day.Format(time.DateOnly) }

// longest bounds the bytes of the name of a release and of a version.
const longest = 100

func (p product) check() error {
	switch {
	case p.name == "" || p.title == "" || p.category == "":
		return errors.New("its name, its title or its category is missing")
	case len(p.releases) == 0:
		return fmt.Errorf("%s has no releases", feed.Clip(p.name))
	}
	return nil
}

// lifecycles gives the records of a product, without date. What is of no use is left aside, a broken release is refused alone.
func (p product) lifecycles(put feed.Sink) []firmward.Lifecycle {
	id := feed.Clip(p.name)
	subject, broken := p.subject()
	if subject == nil && len(broken) == 0 {
		put.Aside(id, "nothing says under which name a device runs it or is it")
		return nil
	}
	for _, err := range broken {
		put.Refuse(id+" identifier", err.Error())
	}
	if subject == nil {
		return nil
	}
	var out []firmward.Lifecycle
	for _, u := range p.releases {
		r, err := u.read()
		where := id + " " + u.where
		if r.cycle = strings.TrimSpace(r.cycle); err == nil && (r.cycle == "" || len(r.cycle) > longest || len(r.latest) > longest) {
			err = errors.New("its name is missing, or a name is too long")
		}
		if err != nil {
			put.Refuse(where, err.Error())
			continue
		}
		for _, n := range subject.names {
			out = append(out, p.lifecycle(subject, n, r))
		}
	}
	return out
}

func (p product) lifecycle(s *subject, n named, r release) firmward.Lifecycle {
	sale, active := r.discontinued, r.eoas
	if s.soldUntilEoas {
		sale, active = r.eoas, moment{}
	}
	l := firmward.Lifecycle{
		Vendor: n.vendor, Product: n.product, Branch: feed.Clip(r.cycle), Status: "reported", Latest: feed.Clip(r.latest),
		EndOfSupport: r.eol.day, Ended: r.eol.over && r.eol.day.IsZero(), EndOfSale: sale.day,
		Origin: firmward.Origins{Document: "endoflife.date, " + feed.Clip(p.title) + " " + feed.Clip(r.cycle)},
	}
	if s.models {
		l.Product, l.Branch = l.Branch, ""
	}
	var notes []string
	if !active.day.IsZero() {
		notes = append(notes, "active support until "+active.String())
	}
	if !r.eoes.day.IsZero() {
		notes = append(notes, "extended support, which not everybody has, until "+r.eoes.String())
	}
	if sale.over && sale.day.IsZero() {
		notes = append(notes, "no longer sold")
	}
	l.Note = strings.Join(notes, "; ")
	return l
}
