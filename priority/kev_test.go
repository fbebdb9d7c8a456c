package priority_test

import (
	"encoding/csv"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/feed"
	"github.com/firmward/firmward/feed/feedtest"
	"github.com/firmward/firmward/priority"
)

// TestListedOverridesEPSS takes every entry of KEV with its EPSS of 2026-08-22: what is exploited is exploited, also the 23 %
// that EPSS takes for unlikely.
func TestListedOverridesEPSS(t *testing.T) {
	d, err := feed.Open(filepath.Join(feedtest.Data(t), "epss/epss_kev_nvd-2026-08-22.csv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	table, err := csv.NewReader(d).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	low, all := 0, 0
	for _, row := range table[1:] { // CVE, CVSS3, EPSS, …
		score, err := strconv.ParseFloat(row[2], 64)
		if err != nil {
			continue
		}
		f := firmward.Finding{AdvisoryID: row[0], Verdict: firmward.Affected, Likelihood: score}
		if all++; score < .1 {
			low++
		}
		s, p := camera(firmward.ExposureOpen), policy()
		unlisted := priority.Weigh(f, s, p)
		f.Exploited = true
		if got := priority.Weigh(f, s, p); got.Probability.Value != 1 || got.Exploitation.Value != priority.Active || unlisted.Probability.Value != score {
			t.Errorf("%s: %+v listed, %+v not", row[0], got.Probability, unlisted.Probability)
		}
	}
	if t.Logf("%d of %d have an EPSS below 0.1", low, all); all < 1500 || low*100/all != 23 {
		t.Errorf("%d of %d have an EPSS below 0.1", low, all)
	}
}
