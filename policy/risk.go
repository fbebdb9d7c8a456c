package policy

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/priority"
)

// Risk is a risk policy with the devices that it is for.
type Risk struct {
	firmward.RiskPolicy
	Select firmward.Filter
	Source string // the selector as it was written
}

// RiskFor gives the first risk policy whose selector matches the device. A checked file has one for every device.
func (f File) RiskFor(d firmward.Device) firmward.RiskPolicy {
	for _, p := range f.Risk {
		if p.Select.Match(d) {
			return p.RiskPolicy
		}
	}
	return firmward.RiskPolicy{}
}

type riskYAML struct {
	Name             string            `yaml:"name"`
	Version          string            `yaml:"version"`
	Select           yaml.Node         `yaml:"select"`
	ExploitedExposed duration          `yaml:"exploited-and-exposed"`
	Exploited        duration          `yaml:"exploited"`
	Critical         duration          `yaml:"critical"`
	High             duration          `yaml:"high"`
	Other            duration          `yaml:"other"`
	ContainWithin    duration          `yaml:"contain-within"`
	ReplaceWithin    duration          `yaml:"replace-within"`
	LookEvery        duration          `yaml:"look-every"`
	Regimes          []firmward.Regime `yaml:"regimes"`
	SSVC             struct {
		Immediate  *duration `yaml:"immediate"`
		OutOfCycle *duration `yaml:"out-of-cycle"`
		Scheduled  *duration `yaml:"scheduled"`
	} `yaml:"ssvc"`
	Segments map[string]firmward.Exposure `yaml:"segments"`
	Weights  struct {
		Reach struct {
			Open        *float64 `yaml:"open"`
			Controlled  *float64 `yaml:"controlled"`
			Small       *float64 `yaml:"small"`
			Quarantined *float64 `yaml:"quarantined"`
		} `yaml:"reach"`
		Certainty struct {
			Affected *float64 `yaml:"affected"`
			Likely   *float64 `yaml:"likely"`
			Possible *float64 `yaml:"possible"`
		} `yaml:"certainty"`
		Prior   *float64 `yaml:"prior"`
		Unknown *float64 `yaml:"unknown-device"`
		Safety  *float64 `yaml:"safety"`
		Mission *float64 `yaml:"mission"`
		Data    *float64 `yaml:"data"`
		Lateral *float64 `yaml:"lateral"`
	} `yaml:"weights"`
}

// policy checks one policy and fills what it leaves out with the defaults of package priority.
func (in riskYAML) policy() (Risk, error) {
	out := Risk{RiskPolicy: firmward.RiskPolicy{
		Name: in.Name, Version: in.Version, ExploitedExposed: time.Duration(in.ExploitedExposed), Exploited: time.Duration(in.Exploited),
		Critical: time.Duration(in.Critical), High: time.Duration(in.High), Other: time.Duration(in.Other),
		ContainWithin: time.Duration(in.ContainWithin), ReplaceWithin: time.Duration(in.ReplaceWithin), LookEvery: time.Duration(in.LookEvery),
		Regimes: in.Regimes, SSVC: priority.DefaultSSVC(), Segments: in.Segments, Weights: priority.Defaults(),
	}}
	p := &out.RiskPolicy
	if len(p.Regimes) == 0 { // a file of the time before there were others
		p.Regimes = []firmward.Regime{firmward.RegimePolicy}
	}
	for to, v := range map[*time.Duration]*duration{&p.SSVC.Immediate: in.SSVC.Immediate, &p.SSVC.OutOfCycle: in.SSVC.OutOfCycle, &p.SSVC.Scheduled: in.SSVC.Scheduled} {
		if v != nil {
			*to = time.Duration(*v)
		}
	}
	in.weights(&p.Weights)
	if in.Select.Kind != 0 {
		out.Source = in.Select.Value
		f, err := Selector(in.Select.Value)
		if err != nil {
			return out, fmt.Errorf("line %d: selector of risk policy %q: %w", in.Select.Line, in.Name, err)
		}
		out.Select = f
	}
	if err := checkRisk(*p); err != nil {
		return out, err
	}
	b, err := json.Marshal(p)
	if err != nil {
		return out, err
	}
	p.Digest = fmt.Sprintf("%x", sha256.Sum256(b))[:12]
	return out, nil
}

// weights takes those that the file sets.
func (in riskYAML) weights(w *firmward.RiskWeights) {
	set := func(to *float64, v *float64) {
		if v != nil {
			*to = *v
		}
	}
	reach, certainty := in.Weights.Reach, in.Weights.Certainty
	for e, v := range map[firmward.Exposure]*float64{
		firmward.ExposureOpen: reach.Open, firmward.ExposureControlled: reach.Controlled,
		firmward.ExposureSmall: reach.Small, firmward.ExposureQuarantined: reach.Quarantined,
	} {
		if v != nil {
			w.Reach[e] = *v
		}
	}
	for e, v := range map[firmward.Verdict]*float64{
		firmward.Affected: certainty.Affected, firmward.Likely: certainty.Likely, firmward.Possible: certainty.Possible,
	} {
		if v != nil {
			w.Certainty[e] = *v
		}
	}
	set(&w.Prior, in.Weights.Prior)
	set(&w.Unknown, in.Weights.Unknown)
	set(&w.Safety, in.Weights.Safety)
	set(&w.Mission, in.Weights.Mission)
	set(&w.Data, in.Weights.Data)
	set(&w.Lateral, in.Weights.Lateral)
}

func checkRisk(p firmward.RiskPolicy) error {
	if p.Name == "" {
		return errors.New("a risk policy needs a name")
	}
	bad := func(format string, args ...any) error {
		return fmt.Errorf("risk policy %q: %s", p.Name, fmt.Sprintf(format, args...))
	}
	for _, d := range []time.Duration{p.ExploitedExposed, p.Exploited, p.Critical, p.High, p.Other, p.ContainWithin, p.ReplaceWithin, p.LookEvery} {
		if d <= 0 {
			return bad("every clock must be set and positive")
		}
	}
	for _, r := range p.Regimes {
		if !slices.Contains([]firmward.Regime{firmward.RegimePolicy, firmward.RegimeSSVC, firmward.RegimeBOD}, r) {
			return bad("regime %q: want policy, ssvc or cisa-bod-26-04", r)
		}
	}
	if !slices.Contains(p.Regimes, firmward.RegimePolicy) {
		return bad("regimes must name policy: other regimes give no clock to what is only possible")
	}
	if p.SSVC.OutOfCycle > 0 && p.SSVC.Immediate > p.SSVC.OutOfCycle || p.SSVC.Scheduled > 0 && p.SSVC.OutOfCycle > p.SSVC.Scheduled {
		return bad("ssvc: immediate must not leave more time than out-of-cycle, nor that more than scheduled")
	}
	for network, e := range p.Segments {
		if prefix, err := netip.ParsePrefix(network); err != nil || prefix.Masked() != prefix {
			return bad("segments: %q is no network in CIDR form", network)
		}
		if e != firmward.ExposureOpen && e != firmward.ExposureControlled && e != firmward.ExposureSmall {
			return bad("segments: %s is %q: want open, controlled or small", network, e)
		}
	}
	return checkWeights(p.Weights, bad)
}

// checkWeights keeps the promise that a stricter segment never raises a risk, and certainty never lowers it.
func checkWeights(w firmward.RiskWeights, bad func(string, ...any) error) error {
	falling := map[string][]float64{
		"reach":     {w.Reach[firmward.ExposureOpen], w.Reach[firmward.ExposureControlled], w.Reach[firmward.ExposureSmall], w.Reach[firmward.ExposureQuarantined]},
		"certainty": {w.Certainty[firmward.Affected], w.Certainty[firmward.Likely], w.Certainty[firmward.Possible]},
	}
	for _, name := range []string{"reach", "certainty"} {
		all := falling[name]
		if slices.ContainsFunc(all, outside) {
			return bad("weights: %s lies from 0 to 1", name)
		}
		if !slices.IsSortedFunc(all, func(a, b float64) int { return cmp.Compare(b, a) }) {
			return bad("weights: %s must not rise from one value to the next narrower one", name)
		}
	}
	for name, v := range map[string]float64{"prior": w.Prior, "unknown-device": w.Unknown, "safety": w.Safety, "mission": w.Mission, "data": w.Data, "lateral": w.Lateral} {
		if outside(v) {
			return bad("weights: %s lies from 0 to 1", name)
		}
	}
	return nil
}

// outside is true for what is no number, too.
func outside(v float64) bool { return !(v >= 0 && v <= 1) }
