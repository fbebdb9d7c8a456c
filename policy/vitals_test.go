package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward/policy"
)

func vitalsOf(t *testing.T, keys string) (policy.Rollout, error) {
	t.Helper()
	f, err := policy.Parse([]byte("rollout-policies:\n  - {name: p, waves: [100], canary-soak: 1h, max-in-flight: 1, deadline: 30m"+keys+"}\n"), "p.yaml")
	if err != nil {
		return policy.Rollout{}, err
	}
	return f.Rollout[0], nil
}

func TestVitals(t *testing.T) {
	for keys, want := range map[string][3]int{
		"":                                       {30, -85, 72},
		", min-battery: 50%, min-signal: -80dBm": {50, -80, 72},
		", min-battery: 50, min-signal: -80":     {50, -80, 72},
		`, min-battery: "50 %", min-signal: -80 dBm, low-for: 12h`: {50, -80, 12},
		", min-battery: none, min-signal: none, low-for: 0s":       {0, 0, 0},
	} {
		p, err := vitalsOf(t, keys)
		if err != nil || p.MinBattery != want[0] || p.MinSignal != want[1] || p.LowFor != time.Duration(want[2])*time.Hour {
			t.Errorf("%s: %d %% %d dBm %s, %v", keys, p.MinBattery, p.MinSignal, p.LowFor, err)
		}
	}
	for keys, want := range map[string]string{
		", min-battery: full":                    `min-battery "full": want for example 30%`,
		", min-battery: 0%":                      "none for no limit",
		", min-battery: 95%":                     "want 1% to 90%",
		", min-battery: -5%":                     "want 1% to 90%",
		", min-signal: 80dBm":                    "write -80dBm",
		", min-signal: -20dBm":                   "beside its access point",
		", min-signal: -120dBm":                  "holds nothing back",
		", min-signal: -80%":                     `min-signal "-80%": want for example -85dBm`,
		", min-signal: [1]":                      "min-signal",
		", low-for: 100d":                        "90d at most",
		", low-for: some time":                   "is no duration",
		", min-battery: 1000000000000000000000%": "min-battery",
	} {
		if _, err := vitalsOf(t, keys); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", keys, err, want)
		}
	}
}
