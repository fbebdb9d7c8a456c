package remedy_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/remedy"
)

func TestAges(t *testing.T) {
	ago := func(days int) time.Time { return now.Add(-time.Duration(days)*day - time.Hour) }
	var a remedy.Ages
	for i := range 10 {
		a.Add("home", firmward.Finding{DeviceID: "d" + string(rune('a'+i%3)), Verdict: firmward.Affected, Published: ago(10 * (i + 1)), OpenedAt: ago(i)}, time.Time{}, now)
	}
	a.Add("home", firmward.Finding{DeviceID: "x", Verdict: firmward.Possible, Published: ago(9999)}, time.Time{}, now)
	a.Add("clinic", firmward.Finding{DeviceID: "y", Verdict: firmward.Likely, Published: ago(40), Exploited: true, ExploitedAt: ago(30), OpenedAt: ago(2)}, ago(5), now)
	want := []remedy.Exposure{
		{
			Group: "clinic", Devices: 1, Open: 1, Published: remedy.Clock{N: 1, P50: 40, P90: 40, Max: 40},
			Exploited: remedy.Clock{N: 1, P50: 30, P90: 30, Max: 30}, Fixable: remedy.Clock{N: 1, P50: 5, P90: 5, Max: 5}, Known: remedy.Clock{N: 1, P50: 2, P90: 2, Max: 2},
		},
		{Group: "home", Devices: 4, Open: 10, Possible: 1, Published: remedy.Clock{N: 10, P50: 50, P90: 90, Max: 100}, Known: remedy.Clock{N: 10, P50: 4, P90: 8, Max: 9}},
	}
	if d := cmp.Diff(want, a.Table()); d != "" {
		t.Error(d)
	}
}

func TestFixAt(t *testing.T) {
	r := func(version string, change func(*firmward.Release)) firmward.Release {
		out := release(version)
		out.At = before
		if change != nil {
			change(&out)
		}
		return out
	}
	d := firmward.Device{Model: "M1", Hardware: "h1"}
	f := firmward.Finding{AdvisoryID: "CVE-1", FixedIn: "2.0"}
	for name, tc := range map[string]struct {
		rel  firmward.Release
		want time.Time
	}{
		"the fixed version":  {r("2.0", nil), before},
		"a later one":        {r("2.10", nil), before},
		"an earlier one":     {r("1.9", nil), time.Time{}},
		"named by its maker": {r("1.9", func(x *firmward.Release) { x.Fixes = []string{"CVE-1"} }), before},
		"withdrawn":          {r("2.0", func(x *firmward.Release) { x.Withdrawn = now }), time.Time{}},
		"of another model":   {r("2.0", func(x *firmward.Release) { x.Models = []string{"M2"} }), time.Time{}},
	} {
		if got := remedy.FixAt([]firmward.Release{tc.rel}, d, firmward.Model{Scheme: "dotted"}, f); !got.Equal(tc.want) {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}
