// Package priority says how soon a finding must be dealt with, and how much risk a device carries: a decision first, a
// number second.
//
// Every input is a value with its source. What an authority decided (CISA's SSVC values in a CVE record) is taken as it
// stands; what nobody decided is derived by the rules below and marked so, and never passed off as the authority's. Two
// published tables give the decisions: the SSVC deployer tree (ssvc.go) and CISA's directive BOD 26-04 (bod.go). CVSS
// scores are worked out anew from their vectors, and again with what the inventory knows of the device (cvss.go,
// environment.go). Clocks of all regimes run side by side, the strictest first (clock.go).
//
// The number answers one question: how likely is it that somebody takes the device over, and how bad would that be?
// (risk.go)
//
//	v    = p · r · c               one finding: exploited? · reachable? · is it there at all?
//	L    = 1 − Π (1 − max v)       over paths; what one firmware mends is one path, since it shares its cause
//	I    = max(safety, mission, data, lateral)
//	risk = 100 · L · I
//
// p is 1 for what is known to be exploited, else EPSS, else the policy's prior. KEV overrides EPSS because EPSS misses it:
// of the 1,556 entries of 2026-08-22, 23 % have an EPSS below 0.1. All weights are the policy's (Defaults).
//
// Three properties hold and are tested: one more finding never lowers the risk, mending one never raises it, and a move to
// a stricter segment never raises it.
package priority

import (
	"cmp"
	"fmt"
	"time"

	"github.com/firmward/firmward"
)

// Defaults are the weights of a policy that does not set them.
func Defaults() firmward.RiskWeights {
	return firmward.RiskWeights{
		Reach: map[firmward.Exposure]float64{
			firmward.ExposureOpen: 1, firmward.ExposureControlled: .3, firmward.ExposureSmall: .05, firmward.ExposureQuarantined: .01,
		},
		Certainty: map[firmward.Verdict]float64{firmward.Affected: 1, firmward.Likely: .7, firmward.Possible: .3},
		Prior:     .05, Unknown: .3,
		Safety: 1, Mission: 1, Data: .8, Lateral: .8,
	}
}

// DefaultSSVC is the time that SSVC outcomes leave where a policy does not say.
func DefaultSSVC() firmward.SSVCTimes {
	const day = 24 * time.Hour
	return firmward.SSVCTimes{Immediate: 2 * day, OutOfCycle: 14 * day, Scheduled: 90 * day}
}

// weights are the policy's, or the defaults where it has none.
func weights(p firmward.RiskPolicy) firmward.RiskWeights {
	if p.Weights.Reach == nil {
		return Defaults()
	}
	return p.Weights
}

// Setting is what the inventory says of a device's place and role.
type Setting struct {
	Class       firmward.Class
	Criticality int // 1 … 5, 0 unknown
	Known       bool
	Exposure    firmward.Point
}

// Of reads the setting of a device. contained means that it is cut off, proven by packets.
//
// Exposure is derived: quarantined while contained; open when it is reachable from the internet; what the policy says of its
// network; small for what has no address of its own; else controlled.
func Of(d firmward.Device, contained bool, p firmward.RiskPolicy) Setting {
	s := Setting{Class: d.Class, Criticality: d.Criticality, Known: d.Model != ""}
	put := func(e firmward.Exposure, why string) {
		s.Exposure = firmward.Point{Value: string(e), Source: why, Derived: true}
	}
	stated, named := p.Segments[d.Network]
	switch {
	case contained:
		put(firmward.ExposureQuarantined, "it is contained, proven by packets")
	case d.Exposed:
		put(firmward.ExposureOpen, "reachable from the internet")
	case named:
		put(stated, "policy "+p.Name+" on network "+d.Network)
	case len(d.Addrs) == 0 && d.Network != "":
		put(firmward.ExposureSmall, "it has no address of its own")
	default:
		put(firmward.ExposureControlled, "not reachable from the internet as far as known")
	}
	return s
}

// In gives the same device with another exposure.
func (s Setting) In(e firmward.Exposure, why string) Setting {
	s.Exposure = firmward.Point{Value: string(e), Source: why, Derived: true}
	return s
}

// exposure is the wire value.
func (s Setting) exposure() firmward.Exposure { return firmward.Exposure(s.Exposure.Value) }

// open reports whether the device is publicly exposed in the words of BOD 26-04.
func (s Setting) open() bool { return s.exposure() == firmward.ExposureOpen }

// Stricter gives the next narrower exposure that a person can bring about by moving a device, "" when there is none.
func Stricter(e firmward.Exposure) firmward.Exposure {
	switch e {
	case firmward.ExposureOpen:
		return firmward.ExposureControlled
	case firmward.ExposureControlled:
		return firmward.ExposureSmall
	}
	return ""
}

// Safety gives the SSVC decision point Safety Impact (2.0.1) from the class: harm to people when the device does wrong.
func (s Setting) Safety() firmward.Point {
	switch {
	case s.Class.LifeSupport() && s.Criticality >= 5:
		return firmward.Point{Value: "catastrophic", Source: fmt.Sprintf("class %s, criticality %d", s.Class, s.Criticality), Derived: true}
	case s.Class.LifeSupport():
		return firmward.Point{Value: "critical", Source: "class " + string(s.Class), Derived: true}
	case s.Class == firmward.ClassPLC:
		return firmward.Point{Value: "marginal", Source: "class plc", Derived: true}
	}
	return firmward.Point{Value: "negligible", Source: "class " + cmp.Or(string(s.Class), "unknown"), Derived: true}
}

// Mission gives the SSVC decision point Mission Impact (2.0.0) from the criticality that the owner set; without one, from
// what hangs on the class.
func (s Setting) Mission() firmward.Point {
	at, why := s.Criticality, fmt.Sprintf("criticality %d of 5", s.Criticality)
	if at == 0 {
		at, why = 3, "no criticality is set: the middle is assumed"
		if s.Class.CoreNetwork() {
			at, why = 4, "no criticality is set: others hang on a "+string(s.Class)
		}
	}
	words := [...]string{1: "degraded", 2: "degraded", 3: "mef support crippled", 4: "mef failure", 5: "mission failure"}
	return firmward.Point{Value: words[min(max(at, 1), 5)], Source: why, Derived: true}
}

// Human gives the SSVC decision point Human Impact (2.0.2) of the device.
func (s Setting) Human() firmward.Point {
	safety, mission := s.Safety(), s.Mission()
	value, _ := HumanImpact(safety.Value, mission.Value)
	return firmward.Point{Value: value, Source: "safety " + safety.Value + " (" + safety.Source + "), mission " + mission.Value + " (" + mission.Source + ")", Derived: true}
}

// safe reports whether harm to people is more than marginal.
func (s Setting) safe() bool { return s.Class.LifeSupport() }

// Impacts are the kinds of harm, each 0 … 1 and weighed by the policy, and the highest of them.
func (s Setting) Impacts(p firmward.RiskPolicy) (top firmward.Factor, all []firmward.Factor) {
	w := weights(p)
	safety, mission := s.Safety(), s.Mission()
	levels := map[string]float64{
		"catastrophic": 1, "critical": .9, "marginal": .5, "negligible": .1,
		"degraded": .3, "mef support crippled": .5, "mef failure": .8, "mission failure": 1,
	}
	data, lateral := .3, .4
	switch s.Class {
	case firmward.ClassNAS, firmward.ClassServer:
		data, lateral = 1, .8
	case firmward.ClassMonitor, firmward.ClassInfusionPump, firmward.ClassVentilator:
		data = .7
	case firmward.ClassCamera, firmward.ClassPrinter:
		data = .7
	}
	if s.Class.CoreNetwork() {
		data, lateral = .6, 1
	}
	of := "class " + cmp.Or(string(s.Class), "unknown")
	all = []firmward.Factor{
		{Name: "safety", Value: w.Safety * levels[safety.Value], Why: safety.Value + ": " + safety.Source},
		{Name: "mission", Value: w.Mission * levels[mission.Value], Why: mission.Value + ": " + mission.Source},
		{Name: "data", Value: w.Data * data, Why: "what a " + of + " sees"},
		{Name: "lateral", Value: w.Lateral * lateral, Why: "what a " + of + " reaches"},
	}
	for _, f := range all {
		if f.Value > top.Value || top.Name == "" {
			top = f
		}
	}
	return top, all
}
