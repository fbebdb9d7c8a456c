package policy_test

import (
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/policy"
)

const base = "rollout-policies:\n  - name: a\n    waves: [100]\n    canary-soak: 1h\n    max-in-flight: 1\n    deadline: 30m\n"

var spring = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestWindows(t *testing.T) {
	f, err := policy.ParseAt([]byte(base+`    windows:
      - {rrule: "FREQ=MONTHLY;BYDAY=2TU", start: "22:00", duration: 4h}
      - rrule: FREQ=WEEKLY;INTERVAL=2;BYDAY=SU
        from: 2026-01-04
        start: 01:30
        duration: 90m
        zone: Europe/Berlin
    freezes:
      - {name: holidays, from: 2025-12-20, to: 2026-01-06, yearly: true, why: nobody is there}
      - {name: audit, from: 2026-05-01T18:00, to: 2026-05-02}
      - {name: audit again, from: 2026-05-02, to: 2026-05-03} # overlapping is fine
`), "p.yaml", spring)
	if err != nil {
		t.Fatal(err)
	}
	p := f.Rollout[0].RolloutPolicy
	windows := []firmward.WindowRule{
		{RRule: "FREQ=MONTHLY;BYDAY=2TU", Start: 22 * 60, Duration: 4 * time.Hour},
		{RRule: "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU", From: "2026-01-04", Start: 90, Duration: 90 * time.Minute, Zone: "Europe/Berlin"},
	}
	freezes := []firmward.Freeze{
		{Name: "holidays", From: "2025-12-20", To: "2026-01-06", Yearly: true, Why: "nobody is there"},
		{Name: "audit", From: "2026-05-01T18:00", To: "2026-05-02"},
		{Name: "audit again", From: "2026-05-02", To: "2026-05-03"},
	}
	if d := gocmp.Diff(windows, p.Windows) + gocmp.Diff(freezes, p.Freezes); d != "" {
		t.Error(d)
	}
	if got, want := p.Hours(), "22:00 for 4h, FREQ=MONTHLY;BYDAY=2TU; 01:30 for 1h30m, FREQ=WEEKLY;INTERVAL=2;BYDAY=SU from 2026-01-04 (Europe/Berlin)"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestWindowsRefused(t *testing.T) {
	rule := func(change ...string) string {
		text := "    windows:\n      - rrule: FREQ=DAILY\n        start: 22:00\n        duration: 4h\n"
		return base + strings.NewReplacer(change...).Replace(text)
	}
	freeze := func(text string) string { return base + "    freezes:\n      - {name: f, " + text + "}\n" }
	for _, tc := range []struct{ want, line, text string }{
		{"it has window and windows", "line 7", base + "    window: 02:00-05:00\n" + strings.TrimPrefix(rule(), base)},
		{"it has window and windows", "line 7", base + "    window: always\n" + strings.TrimPrefix(rule(), base)},
		{"unknown key \"colour\"", "line 8", rule("rrule", "colour")},
		{"rrule is missing", "line 9", base + "    windows:\n      - start: 22:00\n        duration: 4h\n"},
		{"start is missing", "line 9", rule("        start: 22:00\n", "")},
		{"duration is missing", "line 9", rule("        duration: 4h\n", "")},
		{"no time of the day", "line 9", rule("22:00", "25:00")},
		{"is no duration", "line 10", rule("4h", "long")},
		{"want 1m to 31d", "line 10", rule("4h", "0s")},
		{"want one value", "line 9", rule("22:00", "[22]")},
		{"FREQ=DAILY, WEEKLY, MONTHLY or YEARLY", "line 8", rule("DAILY", "HOURLY")},
		{"never opens", "line 8", rule("FREQ=DAILY", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30")},
		{"never closes: write window: always", "line 8", rule("4h", "24h")},
		{"no time zone", "line 11", rule("4h\n", "4h\n        zone: Mars/Olympus\n")},
		{"opens no more after 2026-03-01", "line 8", rule("FREQ=DAILY", "FREQ=DAILY;UNTIL=20260201")},
		{"its longest window is 20m0s, and an update takes at least 21m0s", "line 8", rule("4h", "20m")},
		{"its longest window is 10m0s", "line 7", base + "    window: 02:00-02:10\n"},
		{"swap them", "line 8", freeze("from: 2026-05-02, to: 2026-05-01")},
		{"was over at 2026-02-02", "line 8", freeze("from: 2026-02-01, to: 2026-02-01")},
		{"is no time", "line 8", freeze("from: soon, to: 2026-05-01")},
		{"to: \"\" is no time", "line 8", freeze("from: 2026-05-01")},
		{"another freeze is called f too", "line 9", freeze("from: 2026-05-01, to: 2026-05-02") + "      - {name: f, from: 2026-06-01, to: 2026-06-02}\n"},
		{"name is missing", "line 8", base + "    freezes:\n      - {from: 2026-05-01, to: 2026-05-02}\n"},
	} {
		_, err := policy.ParseAt([]byte(tc.text), "p.yaml", spring)
		if firmward.CodeOf(err) != firmward.Invalid || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "p.yaml") || !strings.Contains(err.Error(), tc.line+":") {
			t.Errorf("want %q in %s, got %v", tc.want, tc.line, err)
		}
	}
	// What was right when it was written stays right when the server starts again.
	for _, text := range []string{freeze("from: 2026-02-01, to: 2026-02-01"), rule("FREQ=DAILY", "FREQ=DAILY;UNTIL=20260201")} {
		if _, err := policy.Parse([]byte(text), "p.yaml"); err != nil {
			t.Errorf("at a start: %v", err)
		}
	}
}
