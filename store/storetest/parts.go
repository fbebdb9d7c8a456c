package storetest

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

// A source may say again all that it says: what it leaves out is gone, and an older state changes nothing.
func renews(t *testing.T, s *store.Store) {
	ctx := t.Context()
	say := func(source string, at time.Time, ids ...string) func(*store.Import) error {
		return func(i *store.Import) error {
			i.Replace(source, at)
			for _, id := range ids {
				a := advisory(id, "acme", "door")
				a.Source, a.Modified = source, at
				if err := i.Advisory(a); err != nil {
					return err
				}
			}
			return nil
		}
	}
	held := func() (out []string) {
		all, _, err := s.Advisories(ctx, store.AdvisoryFilter{}, store.Page{})
		for _, a := range all {
			out = append(out, a.ID+" "+a.Source)
		}
		if err != nil {
			t.Error(err)
		}
		return out
	}
	of := func(source string) []string {
		all, _, err := s.Advisories(ctx, store.AdvisoryFilter{Source: source}, store.Page{})
		if err != nil {
			t.Error(err)
		}
		return ids(all)
	}
	first, second := t0.Add(-48*time.Hour), t0.Add(-24*time.Hour)
	feed(t, s, "csaf", document, say("csaf:a/1", first, "CVE-1", "CVE-2"))
	feed(t, s, "csaf", document, say("csaf:a/2", first, "CVE-1"))
	diff(t, "two documents", []string{"CVE-1 csaf:a/1", "CVE-1 csaf:a/2", "CVE-2 csaf:a/1"}, held())
	diff(t, "of the feed", []string{"CVE-1", "CVE-1", "CVE-2"}, of("csaf"))
	diff(t, "of one source", []string{"CVE-1", "CVE-2"}, of("csaf:a/1"))
	feed(t, s, "csaf", document, say("csaf:a/1", second, "CVE-2", "CVE-3"))
	want := []string{"CVE-1 csaf:a/2", "CVE-2 csaf:a/1", "CVE-3 csaf:a/1"}
	diff(t, "a new revision", want, held())
	feed(t, s, "csaf", document, say("csaf:a/1", first, "CVE-1", "CVE-2"))
	diff(t, "an old revision", want, held())
	feed(t, s, "csaf", document, func(i *store.Import) error { // both revisions at once, in the wrong order
		return errors.Join(say("csaf:a/2", second, "CVE-4")(i), say("csaf:a/2", first, "CVE-1")(i))
	})
	diff(t, "two revisions at once", []string{"CVE-2 csaf:a/1", "CVE-3 csaf:a/1", "CVE-4 csaf:a/2"}, held())
	feed(t, s, "csaf", document, say("csaf:a/1", t0))
	diff(t, "withdrawn", []string{"CVE-4 csaf:a/2"}, held())
	feed(t, s, "csaf", document, say("csaf:a/1", second, "CVE-2"))
	diff(t, "withdrawn for good", []string{"CVE-4 csaf:a/2"}, held())
	feed(t, s, "csaf", document, say("csaf:a/1", t0.Add(time.Hour), "CVE-2"))
	diff(t, "said anew", []string{"CVE-2 csaf:a/1", "CVE-4 csaf:a/2"}, held())
}

// What a source says of a product that is not affected is found by that product.
func stated(t *testing.T, s *store.Store) {
	a := firmward.Advisory{ID: "CVE-1", Title: "x", Published: t0, Modified: t0, Statements: []firmward.Statement{{
		Status: firmward.StatedNotAffected, Match: firmward.CPEMatch{Criteria: "cpe:2.3:o:acme:door_firmware:*:*:*:*:*:*:*:*"}, Platform: "cpe:2.3:h:acme:door:-:*:*:*:*:*:*:*",
	}}}
	feed(t, s, "vex", document, func(i *store.Import) error { return i.Advisory(a) })
	a.Source = "vex"
	diff(t, "statements", []firmward.Advisory{a}, must[[]firmward.Advisory](t)(s.Advisory(t.Context(), "CVE-1")))
}

// Several documents in one import: one that fails leaves nothing, and many wait in a file.
func parts(t *testing.T, s *store.Store) {
	broken := errors.New("at byte 77: unexpected end")
	o := document
	o.Scratch = t.TempDir()
	const many = 45_000
	status := feed(t, s, "cve", o, func(i *store.Import) error {
		for n := range many {
			if err := i.Part(func() error { return i.Advisory(advisory(fmt.Sprintf("CVE-%05d", n), "acme", "door")) }); err != nil {
				return err
			}
		}
		i.Dated(t0)
		err := i.Part(func() error {
			i.Refuse("x", "y")
			i.Dated(t0.Add(time.Hour))
			i.Replace("cve", t0.Add(time.Hour))
			return errors.Join(i.Advisory(advisory("CVE-half", "acme", "door")), i.Exploited(firmward.Exploited{Advisory: "CVE-half"}), broken)
		})
		if !errors.Is(err, broken) {
			t.Errorf("the part's error became %v", err)
		}
		if left, err := os.ReadDir(o.Scratch); err != nil || len(left) != 1 {
			t.Errorf("%d files hold what does not fit into memory, %v", len(left), err)
		}
		return i.Part(func() error { return i.Advisory(advisory("CVE-00001", "acme", "gate")) })
	})
	if status.Records != many || status.Refused != 0 || !status.Dated.Equal(t0) {
		t.Errorf("%+v", status)
	}
	gate := advisory("CVE-00001", "acme", "gate")
	gate.Source = "cve"
	diff(t, "the last of two in two parts", []firmward.Advisory{gate}, must[[]firmward.Advisory](t)(s.Advisory(t.Context(), "CVE-00001")))
	if left, err := os.ReadDir(o.Scratch); err != nil || len(left) != 0 {
		t.Errorf("%d files are left, %v", len(left), err)
	}
}
