package report

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/store"
)

//go:embed packs/*.yaml
var packs embed.FS

// Pack is a rule book, as far as the house's records can speak to it. It is data: packs/<id>.yaml.
type Pack struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Source  string   `json:"source" doc:"where the clauses were read"`
	Date    string   `json:"date" doc:"day on which they were read"`
	Clauses []Clause `json:"-"`
}

// Clause is one demand of a rule book in our own words, and the queries that answer it.
type Clause struct {
	ID       string
	Title    string
	Evidence []string // names of queries
	Days     int      // yardstick of the query deadlines
	Missing  []string // what the house's records can never show
}

// Packs gives the packs that firmward ships, sorted by id.
func Packs() ([]Pack, error) { return readPacks(packs) }

func readPacks(dir fs.FS) ([]Pack, error) {
	names, err := fs.Glob(dir, "packs/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list packs: %w", err)
	}
	var out []Pack
	for _, name := range names {
		b, err := fs.ReadFile(dir, name)
		if err != nil {
			return nil, fmt.Errorf("read pack: %w", err)
		}
		var p Pack
		dec := yaml.NewDecoder(bytes.NewReader(b))
		dec.KnownFields(true)
		if err := dec.Decode(&p); err != nil {
			return nil, fmt.Errorf("read pack %s: %w", name, err)
		}
		if err := p.check(strings.TrimSuffix(strings.TrimPrefix(name, "packs/"), ".yaml")); err != nil {
			return nil, fmt.Errorf("read pack %s: %w", name, err)
		}
		out = append(out, p)
	}
	return out, nil
}

func (p Pack) check(name string) error {
	if p.ID != name || p.Name == "" || p.Source == "" || len(p.Clauses) == 0 {
		return fmt.Errorf("it wants id %s, a name, a source and clauses", name)
	}
	if _, err := time.Parse(time.DateOnly, p.Date); err != nil {
		return fmt.Errorf("date %q is no day", p.Date)
	}
	seen := map[string]bool{}
	for _, c := range p.Clauses {
		if c.ID == "" || c.Title == "" || seen[c.ID] {
			return fmt.Errorf("clause %q: it wants a title and an id of its own", c.ID)
		}
		seen[c.ID] = true
		for _, q := range c.Evidence {
			if queries[q] == nil {
				return fmt.Errorf("clause %s: there is no query %q", c.ID, q)
			}
			if q == "deadlines" && c.Days < 1 {
				return fmt.Errorf("clause %s: deadlines want days", c.ID)
			}
		}
	}
	return nil
}

// ClauseReport is the evidence for a rule book, clause by clause. It says what the records show and what they do not; whether that is
// enough is for whoever holds the rule book.
type ClauseReport struct {
	Pack      Pack           `json:"pack"`
	At        time.Time      `json:"at"`
	Clauses   []ClauseAnswer `json:"clauses"`
	Statement string         `json:"statement"`
}

// ClauseAnswer is the evidence for one clause.
type ClauseAnswer struct {
	ID       string      `json:"id"`
	Title    string      `json:"title" doc:"in our own words, not the rule book's"`
	Evidence []Evidenced `json:"evidence"`
	Missing  []string    `json:"missing" doc:"what is not shown here"`
}

// Evidenced is what one query found.
type Evidenced struct {
	Query   string `json:"query"`
	Summary string `json:"summary"`
	Items   []Item `json:"items" doc:"at most 100"`
	More    int    `json:"more" doc:"items beyond those"`
}

// Item is one thing that was found.
type Item struct {
	Ref  string    `json:"ref" doc:"id of the device, rollout, exception … that it is about"`
	Text string    `json:"text"`
	At   time.Time `json:"at,omitzero"`
}

// maxItems bounds the list of one query. Its summary counts all.
const maxItems = 100

// Answer gathers the evidence for the clauses of a pack. NotFound when there is no such pack.
func Answer(ctx context.Context, c *control.Control, id string) (ClauseReport, error) {
	all, err := Packs()
	if err != nil {
		return ClauseReport{}, err
	}
	at := slices.IndexFunc(all, func(p Pack) bool { return p.ID == id })
	if at < 0 {
		return ClauseReport{}, firmward.Errorf(firmward.NotFound, "there is no pack "+id+": want one of "+strings.Join(each(all, func(p Pack) string { return p.ID }), ", "))
	}
	out := ClauseReport{
		Pack: all[at], At: c.Clock.Now().UTC(), Clauses: []ClauseAnswer{},
		Statement: "Evidence for these clauses as of this moment, from the records of this firmward alone. It is no judgement: whoever holds the rule book makes that.",
	}
	feeds, err := c.FeedStatuses(ctx)
	if err != nil {
		return out, err
	}
	err = c.Store.Snapshot(ctx, func(r store.Reader) error {
		s := &seeker{r: r, now: out.At, feeds: feeds, names: map[string]string{}}
		for _, cl := range out.Pack.Clauses {
			a := ClauseAnswer{ID: cl.ID, Title: cl.Title, Evidence: []Evidenced{}, Missing: append([]string{}, cl.Missing...)}
			for _, q := range cl.Evidence {
				e, err := s.ask(ctx, q, cl)
				if err != nil {
					return err
				}
				if e.Summary == "" {
					a.Missing = append(a.Missing, "No evidence here: "+queries[q].none+".")
					continue
				}
				a.Evidence = append(a.Evidence, e)
			}
			if len(a.Evidence) == 0 && len(a.Missing) == 0 {
				a.Missing = append(a.Missing, "No evidence here.")
			}
			out.Clauses = append(out.Clauses, a)
		}
		return nil
	})
	return out, err
}

// seeker asks the store in one state.
type seeker struct {
	r     store.Reader
	now   time.Time
	feeds []firmward.FeedStatus
	names map[string]string
}

// ask runs a query. Without a summary it found nothing.
func (s *seeker) ask(ctx context.Context, name string, c Clause) (Evidenced, error) {
	e := Evidenced{Query: name, Items: []Item{}}
	summary, err := queries[name].run(s, ctx, c, func(ref string, at time.Time, format string, args ...any) {
		if len(e.Items) == maxItems {
			e.More++
			return
		}
		e.Items = append(e.Items, Item{Ref: ref, At: at, Text: fmt.Sprintf(format, args...)})
	})
	e.Summary = summary
	return e, err
}

// name gives the name of a device, or its id when it is gone.
func (s *seeker) name(ctx context.Context, id string) string {
	if s.names[id] == "" {
		d, err := s.r.Device(ctx, id)
		if err != nil {
			d.Name = ""
		}
		s.names[id] = cmp.Or(d.Name, id)
	}
	return s.names[id]
}
