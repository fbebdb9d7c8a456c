package rollout

import (
	"fmt"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/topology"
)

// CapInFlight is the code of a device that waits because its rollout changes as many as it may; CapSite and CapDomain those of
// a site and of a transport domain without room.
const (
	CapInFlight = "in-flight-cap"
	CapSite     = "site-cap"
	CapDomain   = "domain-cap"
)

// Most is how many devices of a rollout may be changed at one time now, and which limit that is, as an addition to a sentence. The
// canary wave has a cap of its own beside that of all waves; the ramp may hold either lower, never higher.
func Most(r *firmward.Rollout) (n int, which string) {
	p := &r.Policy
	n = p.MaxInFlight
	if r.Wave == 0 && p.CanaryInFlight > 0 && p.CanaryInFlight < n {
		n, which = p.CanaryInFlight, " for canaries"
	}
	if p.Ramp != (firmward.Ramp{}) {
		if room := p.Ramp.Room(r.Streak); room < n {
			n, which = room, " until more have succeeded"
		}
	}
	return n, which
}

func full(n int, whose string) string {
	return devices(n) + " " + plural(n, "is", "are") + " being changed, that is the limit" + whose
}

// local counts who is changed at each site and in each transport domain: claims of all rollouts, and the picks of this page.
type local struct {
	perSite, perDomain int
	claims             Claims
	topo               topology.Map
	site, domain       map[string]int // picks
}

func newLocal(p firmward.RolloutPolicy, claims Claims, topo topology.Map) local {
	return local{p.PerSite, p.PerDomain, claims, topo, map[string]int{}, map[string]int{}}
}

// full names the site or the transport domain that has no room for one more.
func (l local) full(d *firmward.Device) (code, why string) {
	if n := l.claims.Site[d.Site] + l.site[d.Site]; l.perSite > 0 && n >= l.perSite {
		return CapSite, fmt.Sprintf("%s of its site %s being changed, that is the limit", devices(n), plural(n, "is", "are"))
	}
	if l.perDomain == 0 {
		return "", ""
	}
	for _, name := range l.topo.Domains(d.ID) {
		if n := l.claims.Domain[name] + l.domain[name]; n >= l.perDomain {
			return CapDomain, fmt.Sprintf("%s %s %s being changed, that is the limit", devices(n), name, plural(n, "is", "are"))
		}
	}
	return "", ""
}

func (l local) add(d *firmward.Device) {
	if l.perSite > 0 {
		l.site[d.Site]++
	}
	if l.perDomain > 0 {
		for _, name := range l.topo.Domains(d.ID) {
			l.domain[name]++
		}
	}
}
