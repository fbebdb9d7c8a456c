package priority_test

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/firmward/firmward/feed/feedtest"
	"github.com/firmward/firmward/priority"
)

// rows reads a decision table of CERT/CC: one row for each combination, without its header and number.
func rows(t *testing.T, name string, want int) [][]string {
	t.Helper()
	f, err := os.Open(filepath.Join(feedtest.Data(t), "ssvc/data/csv", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	var out [][]string
	for _, r := range all[1:] {
		out = append(out, r[1:])
		seen[strings.Join(r[1:len(r)-1], ",")] = true
	}
	if len(out) != want || len(seen) != want {
		t.Fatalf("%s has %d rows, %d of them different, want %d", name, len(out), len(seen), want)
	}
	return out
}

func TestDeployerRows(t *testing.T) {
	for _, r := range rows(t, "ssvc/deployer_patch_application_priority_1_0_0.csv", 72) {
		exploitation := strings.TrimPrefix(r[0], "public ")
		if got, ok := priority.Deployer(exploitation, r[1], r[2], r[3]); !ok || got != r[4] {
			t.Errorf("%v: %s, %v", r, got, ok)
		}
	}
}

func TestHumanImpactRows(t *testing.T) {
	for _, r := range rows(t, "ssvc/human_impact_1_0_0.csv", 16) {
		if got, ok := priority.HumanImpact(r[0], r[1]); !ok || got != r[2] {
			t.Errorf("%v: %s, %v", r, got, ok)
		}
	}
}

func TestDirectiveRows(t *testing.T) {
	for _, r := range rows(t, "cisa/cisa_bod_26_04_1_0_0.csv", 16) {
		want := priority.Directive{Forensics: strings.Contains(r[4], "forensic")}
		if days, _, ok := strings.Cut(r[4], " days"); ok {
			var err error
			if want.Days, err = strconv.Atoi(days); err != nil {
				t.Fatal(err)
			}
		} else if r[4] != "fix on system upgrade" {
			t.Fatalf("%v", r)
		}
		if got := priority.BOD(r[0] == "yes", r[1] == "yes", r[2] == "yes", r[3] == "total"); got != want {
			t.Errorf("%v: %v, want %v", r, got, want)
		}
	}
}

// TestTables holds some rows for those who have no documents at hand.
func TestTables(t *testing.T) {
	for _, r := range [][5]string{
		{"none", "small", "no", "low", "defer"},
		{"none", "open", "yes", "very high", "out-of-cycle"},
		{"poc", "controlled", "yes", "very high", "out-of-cycle"},
		{"active", "small", "no", "medium", "scheduled"},
		{"active", "open", "no", "very high", "immediate"},
		{"active", "open", "yes", "high", "immediate"},
	} {
		if got, ok := priority.Deployer(r[0], r[1], r[2], r[3]); !ok || got != r[4] {
			t.Errorf("%v: %s, %v", r, got, ok)
		}
	}
	for _, r := range [][4]string{{"public poc", "small", "no", "low"}, {"none", "wide", "no", "low"}, {"none", "small", "maybe", "low"}, {"none", "small", "no", "mild"}} {
		if got, ok := priority.Deployer(r[0], r[1], r[2], r[3]); ok {
			t.Errorf("%v: %s", r, got)
		}
	}
	if _, ok := priority.HumanImpact("mild", "degraded"); ok {
		t.Error("an unknown safety impact has a human impact")
	}
	for want, d := range map[string]priority.Directive{
		"at the next upgrade": priority.BOD(false, false, false, true), "60 days": priority.BOD(false, false, true, true),
		"3 days": priority.BOD(false, true, true, true), "3 days, with forensic triage": priority.BOD(true, true, false, true),
	} {
		if d.String() != want {
			t.Errorf("%s, want %s", d, want)
		}
	}
}
