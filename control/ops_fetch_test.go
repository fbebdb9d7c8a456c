package control_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/firmward/firmward/control"
)

// TestKnownFeeds: every feed is known from the first day on, once, with the hosts that would be asked.
func TestKnownFeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := fetchHouse(t, newInternet(t, http.NotFound))
		hosts := func() map[string]string {
			all, err := c.KnownFeeds(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			out := map[string]string{}
			for _, k := range all {
				if _, twice := out[k.Name]; twice || k.Gives == "" || len(k.Hosts) > 0 && !k.Network {
					t.Errorf("%+v", k)
				}
				out[k.Name] = strings.Join(k.Hosts, " ")
			}
			return out
		}
		got := hosts()
		for name, want := range map[string]string{"nvd": "nvd.nist.gov:443 services.nvd.nist.gov:443", "kev": "www.cisa.gov:443", "csaf": "", "fda": "", "starter": ""} {
			if have, ok := got[name]; !ok || have != want {
				t.Errorf("%s: %q, want %q", name, have, want)
			}
		}
		from(t, c, "kev", kevURL)
		from(t, c, "csaf", "https://acme.example/provider-metadata.json", "https://files.acme.example:8443/")
		if got = hosts(); got["kev"] != "kev.example:80" || got["csaf"] != "acme.example:443 files.acme.example:8443" {
			t.Errorf("with other addresses: %v", got)
		}
	})
}

// TestFetchTells: who looks at the feeds hears of every turn, and who is told at once of what is urgent only of the first failure.
func TestFetchTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t, tagged(`"a"`, kevDocument("2026-11-24", "CVE-2026-0001")))
		c := fetchHouse(t, n)
		var seen int64
		kinds := func() (out []string) {
			all, err := c.Store.EventsAfter(t.Context(), seen, 1000)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range all {
				seen = e.Seq
				if e.Subject == "kev" {
					out = append(out, e.Kind)
				}
			}
			return out
		}
		from(t, c, "kev", kevURL)
		follow := false
		if _, err := c.SetFeed(t.Context(), anna, "kev", control.SetFeed{Follow: &follow}); err != nil {
			t.Fatal(err)
		}
		if got := kinds(); !slices.Equal(got, []string{"fetch", "fetch"}) {
			t.Errorf("set twice: %v", got)
		}
		for _, step := range []struct {
			what string
			want []string
		}{
			{"something new", []string{"fetch", "feed", "fetch"}},
			{"nothing new", []string{"fetch", "fetch"}},
			{"a failure", []string{"fetch", "feed"}},
			{"another one", []string{"fetch", "fetch"}},
		} {
			if step.what == "a failure" {
				n.answer(http.NotFound)
			}
			_, _ = c.FetchFeed(t.Context(), anna, "kev") // whether it fails stands in the events
			if got := kinds(); !slices.Equal(got, step.want) {
				t.Errorf("%s: %v, want %v", step.what, got, step.want)
			}
		}
	})
}
