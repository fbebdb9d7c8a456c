package priority

import (
	"errors"
	"fmt"

	"github.com/firmward/firmward"
)

// Environment works out the CVSS score of a vulnerability on one device. exploitation is none, poc or active. Only metrics
// that the inventory decides are set; what the source set itself in these places is replaced. An error means that there is
// no score whose vector can be read.
//
//   - CR, IR, AR (all versions): how much confidentiality, integrity and availability of the device matter, from its class,
//     criticality and safety.
//   - MAV (3.0 and later): a device that nobody can reach from the internet makes of Network Adjacent, one that is contained
//     Local.
//   - E (all versions): active exploitation, or an exploit that anyone can get.
//   - MSI:S, MSA:S (4.0): a wrong or missing act of a device in the class of life support may harm people.
func (s Setting) Environment(scores []firmward.Score, exploitation string) (firmward.Environmental, error) {
	return s.environment(readBest(scores), exploitation)
}

// environment changes the vector of read, which is the caller's own.
func (s Setting) environment(read reading, exploitation string) (firmward.Environmental, error) {
	if !read.ok {
		return firmward.Environmental{}, errors.New("no source gives a CVSS vector that can be read")
	}
	given, v := read.score, read.vector
	out := firmward.Environmental{Version: v.Version, Base: v.Base()}
	if given.Base != out.Base {
		out.Stated = given.Base
	}
	for _, m := range s.metrics(v, exploitation) {
		if err := v.metrics.Set(m.Metric, m.Value); err != nil {
			return out, fmt.Errorf("CVSS %s: set %s:%s: %w", v.Version, m.Metric, m.Value, err)
		}
		out.Derived = append(out.Derived, m)
	}
	out.Vector, out.Score = v.String(), v.Score()
	return out, nil
}

// metrics are those that the inventory decides, in the values of the vector's version.
func (s Setting) metrics(v Vector, exploitation string) (out []firmward.DerivedScore) {
	put := func(metric, value, from string) {
		if value != "" {
			out = append(out, firmward.DerivedScore{Metric: metric, Value: value, From: from})
		}
	}
	for _, r := range s.requirements() {
		put(r.Metric, r.Value, r.From)
	}
	if v.Version != "2.0" && v.Metric("AV") == "N" {
		switch s.exposure() {
		case firmward.ExposureControlled, firmward.ExposureSmall:
			put("MAV", "A", s.Exposure.Source)
		case firmward.ExposureQuarantined:
			put("MAV", "L", s.Exposure.Source)
		}
	}
	maturity := map[string]map[string]string{ // Exploit Code Maturity (2, 3), Exploit Maturity (4)
		"2.0": {Active: "H", PoC: "POC"}, "3.0": {Active: "H", PoC: "P"}, "3.1": {Active: "H", PoC: "P"}, "4.0": {Active: "A", PoC: "P"},
	}
	put("E", maturity[v.Version][exploitation], "exploitation "+exploitation)
	if v.Version == "4.0" && s.safe() {
		put("MSI", "S", "safety: class "+string(s.Class))
		put("MSA", "S", "safety: class "+string(s.Class))
	}
	return out
}

// requirements are CR, IR and AR where class or criticality say something; H, M and L are written alike in all versions.
func (s Setting) requirements() []firmward.DerivedScore {
	var c, i, a, from string
	switch {
	case s.Class.LifeSupport():
		c, i, a, from = "M", "H", "H", "class "+string(s.Class)
	case s.Class == firmward.ClassPLC:
		c, i, a, from = "L", "H", "H", "class plc"
	case s.Class.CoreNetwork():
		c, i, a, from = "M", "H", "H", "class "+string(s.Class)
	case s.Class == firmward.ClassNAS, s.Class == firmward.ClassServer:
		c, i, a, from = "H", "H", "M", "class "+string(s.Class)
	case s.Class == firmward.ClassCamera:
		c, i, a, from = "H", "M", "M", "class camera"
	case s.Class == firmward.ClassPrinter:
		c, i, a, from = "M", "M", "L", "class printer"
	case s.Class == firmward.ClassPlug:
		c, i, a, from = "L", "M", "M", "class plug"
	}
	of := [3]string{from, from, from}
	switch n := s.Criticality; {
	case n >= 4:
		i, a = "H", "H"
		of[1], of[2] = fmt.Sprintf("criticality %d", n), fmt.Sprintf("criticality %d", n)
	case n > 0 && n <= 2 && !s.safe():
		a = "L"
		of[2] = fmt.Sprintf("criticality %d", n)
	}
	var out []firmward.DerivedScore
	for n, r := range []firmward.DerivedScore{{Metric: "CR", Value: c}, {Metric: "IR", Value: i}, {Metric: "AR", Value: a}} {
		if r.Value != "" {
			r.From = of[n]
			out = append(out, r)
		}
	}
	return out
}
