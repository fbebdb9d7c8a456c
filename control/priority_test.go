package control_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/control/controltest"
	"github.com/firmward/firmward/store"
)

// TestThreatsAreKept brings what three feeds say of one vulnerability to the step of a device: the authority's own decision is
// called its own, the rest is called derived, and a score that rose says since when.
func TestThreatsAreKept(t *testing.T) {
	c := controltest.Open(t, nil)
	ctx, at := t.Context(), time.Now().UTC().Truncate(time.Second)
	const id = "CVE-2031-0007"
	put := func(feed string, o store.ImportOptions, f func(i *store.Import) error) {
		t.Helper()
		o.Now = at
		if _, err := c.Store.Import(ctx, feed, o, f); err != nil {
			t.Fatal(err)
		}
	}
	put("cve", store.ImportOptions{Kind: "advisories"}, func(i *store.Import) error {
		return i.Advisory(firmward.Advisory{
			ID: id, Source: "cve", Title: "A door stands open.", Published: at, Modified: at,
			SSVC:   &firmward.SSVC{Automatable: "no", Source: "CISA-ADP", Dated: at},
			Scores: []firmward.Score{{Version: "3.1", Vector: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", Base: 9.1, Computed: 9.8, Source: "acme"}},
			Configurations: []firmward.Configuration{{Nodes: []firmward.Node{{Matches: []firmward.CPEMatch{{
				Vulnerable: true, Criteria: "cpe:2.3:o:mikrotik:routeros:*:*:*:*:*:*:*:*", VersionEndExcluding: "7.0",
			}}}}}},
		})
	})
	for _, l := range []firmward.Likelihood{{Score: .02, Dated: at.AddDate(0, 0, -7)}, {Score: .41, Dated: at}} {
		l.Advisory, l.Model = id, "v4"
		put("epss", store.ImportOptions{Kind: "likelihood"}, func(i *store.Import) error { return i.Likelihood(l) })
	}
	who := firmward.Person{Name: "anna", Role: firmward.Admin}
	if _, err := c.AddSite(ctx, who, firmward.Site{Name: "home"}); err != nil {
		t.Fatal(err)
	}
	d, err := c.AddDevice(ctx, who, control.DeviceFacts{Name: new("router"), Site: new("home"), Vendor: new("MikroTik"), Model: new("RB750Gr3"), Firmware: new("6.49.10")})
	if err != nil {
		t.Fatal(err)
	}
	running, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- c.Run(running) }()
	var step firmward.NextStep
	wait(t, func() bool {
		var err error
		step, err = c.Store.NextStep(ctx, d.ID)
		return err == nil && len(step.Factors.Findings) > 0
	})
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	p := step.Factors.Findings[0]
	if p.Advisory != id || p.Automatable != (firmward.Point{Value: "no", Source: "CISA-ADP " + at.Format(time.DateOnly)}) || !p.Exploitation.Derived || p.Exploitation.Value != "poc" {
		t.Errorf("%+v, %+v", p.Automatable, p.Exploitation)
	}
	if want := "EPSS 0.02 → 0.41 in 7 days (model v4)"; p.Probability.Why != want || !strings.Contains(step.Why[0], want) {
		t.Errorf("%s; %s; want %s", p.Probability.Why, step.Why[0], want)
	}
	if p.CVSS == nil || p.CVSS.Base != 9.8 || p.CVSS.Stated != 9.1 || !strings.HasSuffix(p.CVSS.Vector, "/E:P/CR:M/IR:H/AR:H/MAV:A") {
		t.Errorf("%+v", p.CVSS)
	}
	if !strings.HasPrefix(step.Factors.Policy, "default (") || len(step.Clocks) == 0 || step.Clocks[0].Rule != step.Now.Rule {
		t.Errorf("policy %s, clocks %+v, rule %s", step.Factors.Policy, step.Clocks, step.Now.Rule)
	}
	f, err := c.Store.Finding(ctx, d.ID, id)
	if err != nil || f.Threat.SSVC == nil || f.Threat.EPSS == nil || len(f.Threat.Trend) != 1 || len(f.Threat.Scores) != 1 {
		t.Errorf("%+v, %v", f.Threat, err)
	}
}
