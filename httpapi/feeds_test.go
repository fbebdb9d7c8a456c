package httpapi_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/httpapi"
)

// TestFeeds: what was never imported is known too, with what it would give and whom a fetch would ask.
func TestFeeds(t *testing.T) {
	h := newHouse(t)
	p := h.serve(t, firmward.Viewer)
	known := func() (httpapi.Feeds, map[string]httpapi.KnownFeed) {
		var all httpapi.Feeds
		p.do(http.MethodGet, "/feeds", nil, 200, &all)
		by := map[string]httpapi.KnownFeed{}
		for _, k := range all.Known {
			by[k.Name] = k
		}
		return all, by
	}
	all, by := known()
	if len(all.Items) != 0 || !slices.Equal(all.Fetchable, []string{"endoflife", "epss", "kev", "nvd"}) {
		t.Errorf("an empty house: %+v, fetchable %v", all.Items, all.Fetchable)
	}
	kev := by["kev"]
	if kev.Title == "" || kev.Gives == "" || kev.Licence == "" || kev.Kind != "exploited" || !kev.Network || !slices.Equal(kev.Hosts, []string{"www.cisa.gov:443"}) || kev.Period != "12h0m0s" {
		t.Errorf("kev: %+v", kev)
	}
	if c := by["csaf"]; !c.Network || len(c.Hosts) != 0 {
		t.Errorf("csaf without an address: %+v", c)
	}
	if f := by["fda"]; f.Network || len(f.Hosts) != 0 {
		t.Errorf("fda comes in files alone: %+v", f)
	}
	if s := by["starter"]; s.Kind != "starter" || s.Period != "" {
		t.Errorf("the starter set: %+v", s)
	}

	admin := p.as(h.tokens[firmward.Admin])
	urls := []string{"https://vendor.example/provider-metadata.json"}
	admin.do(http.MethodPatch, "/feeds/csaf", httpapi.FeedChange{URLs: &urls}, 200, nil)
	var got httpapi.Feed
	admin.do(http.MethodPost, "/feeds/import?name=kev.json",
		`{"catalogVersion":"2026.01.02","dateReleased":"2026-01-02T08:00:00Z","count":1,"vulnerabilities":[{"cveID":"CVE-2026-0001","dateAdded":"2026-01-02"}]}`, 200, &got)
	if all, by = known(); len(all.Items) != 2 || !slices.Contains(all.Fetchable, "csaf") || !slices.Equal(by["csaf"].Hosts, []string{"vendor.example:443"}) {
		t.Errorf("with an address and a document: %+v, %v, %v", all.Items, all.Fetchable, by["csaf"].Hosts)
	}
	i := slices.IndexFunc(all.Items, func(f httpapi.Feed) bool { return f.Name == "kev" })
	if i < 0 || !all.Items[i].StaleAt.Equal(all.Items[i].Dated.AddDate(0, 0, 4)) || got.Records != 1 {
		t.Errorf("when kev gets stale: %+v, %+v", got, all.Items)
	}
}
