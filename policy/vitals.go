package policy

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/firmward/firmward"
)

// What holds where a policy does not say: a battery that lasts through writing and a restart, a signal that carries an image, and some
// nights to charge the one and mend the other.
const (
	minBattery = 30  // percent
	minSignal  = -85 // dBm
	lowFor     = 3 * 24 * time.Hour
)

// noLimit is the word that takes a limit away.
const noLimit = "none"

// charge is a percentage of a battery: "30%" or "none".
type charge int

// UnmarshalYAML reads the text form.
func (c *charge) UnmarshalYAML(n *yaml.Node) error {
	return limitOf(n, (*int)(c), "min-battery", "%", "30%")
}

// signal is what a radio hears: "-85dBm" or "none".
type signal int

// UnmarshalYAML reads the text form.
func (s *signal) UnmarshalYAML(n *yaml.Node) error {
	return limitOf(n, (*int)(s), "min-signal", "dBm", "-85dBm")
}

func limitOf(n *yaml.Node, into *int, key, unit, example string) (err error) {
	text := strings.TrimSpace(strings.TrimSuffix(n.Value, unit))
	if *into = 0; text == noLimit {
		return nil
	}
	if *into, err = strconv.Atoi(text); err != nil || *into == 0 {
		return fmt.Errorf("line %d: %s %q: want for example %s, or none for no limit", n.Line, key, n.Value, example)
	}
	return nil
}

// vitals fills in the limits for battery and signal.
func (in *rolloutYAML) vitals(p *firmward.RolloutPolicy) {
	p.MinBattery, p.MinSignal, p.LowFor = minBattery, minSignal, lowFor
	if in.MinBattery != nil {
		p.MinBattery = int(*in.MinBattery)
	}
	if in.MinSignal != nil {
		p.MinSignal = int(*in.MinSignal)
	}
	if in.LowFor != nil {
		p.LowFor = time.Duration(*in.LowFor)
	}
}

// checkVitals says which limit for battery or signal no device could meet or be held by, or "".
func checkVitals(p firmward.RolloutPolicy) string {
	switch {
	case p.MinBattery < 0 || p.MinBattery > 90:
		return fmt.Sprintf("min-battery %d%%: want 1%% to 90%%, since an old battery never says more, or none for no limit", p.MinBattery)
	case p.MinSignal > 0:
		return fmt.Sprintf("min-signal %ddBm: what a radio hears is negative: write -%[1]ddBm, or none for no limit", p.MinSignal)
	case p.MinSignal > -40 && p.MinSignal != 0:
		return fmt.Sprintf("min-signal %ddBm: only a device beside its access point hears that much: want -40dBm to -100dBm, for example -85dBm", p.MinSignal)
	case p.MinSignal < -100:
		return fmt.Sprintf("min-signal %ddBm: a radio that hears so little has no network any more, so it holds nothing back: want -40dBm to -100dBm, or none", p.MinSignal)
	case p.LowFor > 90*24*time.Hour:
		return fmt.Sprintf("low-for %s: a wave would wait a quarter of a year for one battery: want 90d at most", p.LowFor)
	}
	return ""
}
