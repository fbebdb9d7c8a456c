package firmward

import (
	"net/netip"
	"time"
)

// Reading is one raw piece of evidence: a named value as the device gave it. Names are
// "<probe>.<what>", for instance "snmp.sysDescr" or "http.title". Identification rules work on
// readings alone, so a device can be re-identified later without touching it.
type Reading struct {
	Name  string
	Value string // at most MaxReading bytes
}

// MaxReading bounds the value of one reading, in bytes.
const MaxReading = 4096

// Outcome says how a probe's try ended.
type Outcome string

// The outcomes. Only Answered carries readings about the device itself.
const (
	Answered Outcome = "answered"
	NoAnswer Outcome = "no-answer" // nothing came back in time
	Closed   Outcome = "closed"    // the host refused the port
	Cut      Outcome = "cut"       // the answer passed a bound (size, time, redirect) and was cut off
)

// Observation is what one probe saw at one address at one time.
type Observation struct {
	ID       string
	Site     string
	Network  string // CIDR of the named network
	Addr     netip.Addr
	Child    string // the device behind the one at Addr that this is about, by the name that one has for it; empty: the one at Addr
	Port     uint16 // 0 when the probe has none
	Probe    string
	At       time.Time
	Outcome  Outcome
	Note     string // for people: "answer cut at 262144 bytes", "redirect to another host not followed"
	Readings []Reading
}

// Get gives the value of the named reading.
func (o Observation) Get(name string) (string, bool) {
	for _, r := range o.Readings {
		if r.Name == name {
			return r.Value, true
		}
	}
	return "", false
}
