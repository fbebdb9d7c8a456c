package staging

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/firmward/firmward"
)

// Tolerance is how much slower a service may answer after an update: Times what it took before, and Slack beyond that. Slack keeps
// the noise of a busy host from failing an image.
const (
	Times = 3
	Slack = 500 * time.Millisecond
)

// TooSlow reports whether what took so long before takes longer than is tolerated now.
func TooSlow(before, after time.Duration) bool { return after > Times*before+Slack }

// Ports are the TCP ports at which the test pack knocks: what devices are found to serve, and what images were found to open
// unasked (remote shells, debug interfaces, management by the provider). None at which a byte could do harm.
func Ports() []uint16 {
	return []uint16{
		21, 22, 23, 25, 53, 80, 81, 111, 135, 139, 443, 445, 554, 631, 873, 1080, 1723, 1883, 2222, 2323, 3306, 3389, 4444, 5000,
		5555, 5900, 6379, 7547, 8000, 8008, 8080, 8081, 8443, 8883, 8888, 9000, 9527, 9530, 34567, 37777, 49152, 60001,
	}
}

// called is what a check is called that rests on one probe; the others are services.
var called = map[string]string{"rtsp": "stream", "mqtt": "messages", "modbus": "controller", "snmp": "snmp"}

// banners are readings in which a service says what it is. Numbers in them may move with a version.
var banners = [...]string{
	"http.server", "http.title", "http.realm", "rtsp.server", "rtsp.tracks", "ssh.software", "snmp.sysDescr", "snmp.sysObjectID", "mqtt.version",
	"modbus.VendorName", "modbus.ProductCode", "modbus.unit",
}

// doors are readings that say whom a service lets in: the value that means that it asks, and the one that means that it does not.
var doors = [...]struct{ name, asks, open string }{
	{"shelly.auth_en", "true", "false"},
	{"http.status", "401", "200"},
	{"mqtt.connack", "", "accepted"},
}

// Compared is what is known of an update whose effect is compared.
type Compared struct {
	From, Want  string
	WipesConfig bool   // the release says that the configuration does not survive it
	NameBefore  string // what the device was called, as the catalogue's rules read it
	NameAfter   string
}

// Compare says what became of a device: what the test pack found before and after its update, check by check. What could not be tried
// is listed with its reason. The result has at least one check of each kind that the pack knows, in a fixed order.
func Compare(before, after firmward.TestPack, of Compared) []firmward.StagingCheck {
	out := compareServices(before, after)
	out = append(out, compareBanners(before, after, of))
	out = append(out, compareDoors(before, after))
	out = append(out, comparePorts(before, after))
	out = append(out, compareLatency(before, after))
	out = append(out, compareCertificate(before, after))
	out = append(out, compareFactory(before, after))
	out = append(out, compareName(of))
	return append(out, compareSettings(before, after, of))
}

func passed(name, why string) firmward.StagingCheck {
	return firmward.StagingCheck{Name: name, Verdict: firmward.CheckPassed, Why: why}
}

func notTried(name, why string) firmward.StagingCheck {
	return firmward.StagingCheck{Name: name, Verdict: firmward.CheckNotTried, Why: why}
}

func find(p firmward.TestPack, like firmward.ProbeResult) (firmward.ProbeResult, bool) {
	for _, r := range p.Probes {
		if r.Probe == like.Probe && r.Port == like.Port {
			return r, true
		}
	}
	return firmward.ProbeResult{}, false
}

func get(r firmward.ProbeResult, name string) (string, bool) {
	for _, v := range r.Readings {
		if v.Name == name {
			return v.Value, true
		}
	}
	return "", false
}

// compareServices gives a check for what answered before and does not any more, one for what answers newly, and else one for all. A
// stream is played, a broker asked for a message, a controller for its identification, by the probes of production.
func compareServices(before, after firmward.TestPack) []firmward.StagingCheck {
	var out []firmward.StagingCheck
	good := map[string][]string{}
	for _, b := range before.Probes {
		if !b.Serves {
			continue
		}
		name := cmp.Or(called[b.Probe], "services")
		a, asked := find(after, b)
		switch {
		case asked && a.Serves:
			good[name] = append(good[name], b.Probe)
		default:
			out = append(out, firmward.StagingCheck{
				Name: name, Before: "answers", After: cmp.Or(string(a.Outcome), "not asked"), Verdict: firmward.CheckFailed,
				Why: fmt.Sprintf("%s answered before the update and does not any more: %s", b.Probe, cmp.Or(a.Note, "no answer came")),
			})
		}
	}
	for _, a := range after.Probes {
		if b, asked := find(before, a); a.Serves && !(asked && b.Serves) {
			out = append(out, firmward.StagingCheck{
				Name: cmp.Or(called[a.Probe], "services"), Before: cmp.Or(string(b.Outcome), "not asked"), After: "answers", Verdict: firmward.CheckChanged,
				Why: a.Probe + " answers since the update and did not before",
			})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(good)) {
		out = append(out, passed(name, strings.Join(good[name], ", ")+" answer as before"))
	}
	if len(out) == 0 {
		out = append(out, notTried("services", "nothing answered before the update, so nothing can be compared"))
	}
	return out
}

var digits = regexp.MustCompile(`[0-9]+`)

// masked is a banner without what moves with a version.
func masked(v string, of Compared) string {
	for _, version := range []string{of.Want, of.From} {
		if version != "" {
			v = strings.ReplaceAll(v, version, "#")
		}
	}
	return digits.ReplaceAllString(v, "#")
}

func compareBanners(before, after firmward.TestPack, of Compared) firmward.StagingCheck {
	n := 0
	var changed *firmward.StagingCheck
	for _, b := range before.Probes {
		a, ok := find(after, b)
		if !ok || !a.Serves {
			continue // said with the services
		}
		for _, name := range banners {
			was, had := get(b, name)
			is, has := get(a, name)
			if !had && !has {
				continue
			}
			if n++; masked(was, of) != masked(is, of) || name == "rtsp.tracks" && was != is {
				c := firmward.StagingCheck{Name: "banners", Before: was, After: is, Verdict: firmward.CheckChanged, Why: fmt.Sprintf("%s was %q and is %q", name, was, is)}
				if name == "rtsp.tracks" && number(is) < number(was) {
					c.Verdict = firmward.CheckFailed
					return c
				}
				changed = cmp.Or(changed, &c)
			}
		}
	}
	switch {
	case changed != nil:
		return *changed
	case n == 0:
		return notTried("banners", "no service says what it is")
	}
	return passed("banners", fmt.Sprintf("what services say of themselves is as before, versions aside (%d readings)", n))
}

func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// compareDoors looks whether a service that asked who comes lets everybody in now.
func compareDoors(before, after firmward.TestPack) firmward.StagingCheck {
	n := 0
	for _, b := range before.Probes {
		a, _ := find(after, b)
		for _, door := range doors {
			was, had := get(b, door.name)
			is, has := get(a, door.name)
			if !had || !has {
				continue
			}
			n++
			asked := was == door.asks || door.asks == "" && was != door.open
			switch {
			case asked && is == door.open:
				return firmward.StagingCheck{
					Name: "password", Before: was, After: is, Verdict: firmward.CheckFailed,
					Why: fmt.Sprintf("%s asked who comes before the update and lets everybody in now (%s was %s and is %s)", b.Probe, door.name, was, is),
				}
			case was == door.open && is == door.asks && door.asks != "":
				return firmward.StagingCheck{
					Name: "password", Before: was, After: is, Verdict: firmward.CheckChanged,
					Why: fmt.Sprintf("%s lets nobody in any more without a password (%s was %s and is %s)", b.Probe, door.name, was, is),
				}
			}
		}
	}
	if n == 0 {
		return notTried("password", "no service says whom it lets in")
	}
	return passed("password", "services ask for passwords as before")
}

func comparePorts(before, after firmward.TestPack) firmward.StagingCheck {
	if !before.Knocked || !after.Knocked {
		return notTried("ports", cmp.Or(before.NotTried["ports"], after.NotTried["ports"], "nobody knocked"))
	}
	c := firmward.StagingCheck{Name: "ports", Before: list(before.Ports), After: list(after.Ports), Verdict: firmward.CheckPassed, Why: "the same ports are open as before"}
	var opened, closed []uint16
	for _, p := range after.Ports {
		if !slices.Contains(before.Ports, p) {
			opened = append(opened, p)
		}
	}
	for _, p := range before.Ports {
		if !slices.Contains(after.Ports, p) {
			closed = append(closed, p)
		}
	}
	switch {
	case len(opened) > 0:
		c.Verdict, c.Why = firmward.CheckFailed, fmt.Sprintf("the image opens TCP port %s, which was closed before", list(opened))
	case len(closed) > 0:
		c.Verdict, c.Why = firmward.CheckChanged, fmt.Sprintf("TCP port %s was open before and is closed now", list(closed))
	}
	return c
}

func list(ports []uint16) string {
	s := make([]string, len(ports))
	for i, p := range ports {
		s[i] = strconv.Itoa(int(p))
	}
	return strings.Join(s, ", ")
}

func compareLatency(before, after firmward.TestPack) firmward.StagingCheck {
	n := 0
	for _, b := range before.Probes {
		a, ok := find(after, b)
		if !ok || !b.Serves || !a.Serves {
			continue
		}
		if n++; TooSlow(b.Took, a.Took) {
			was, is := b.Took.Round(time.Millisecond).String(), a.Took.Round(time.Millisecond).String()
			return firmward.StagingCheck{
				Name: "latency", Before: was, After: is, Verdict: firmward.CheckFailed,
				Why: fmt.Sprintf("%s took %s before the update and takes %s now", b.Probe, was, is),
			}
		}
	}
	if n == 0 {
		return notTried("latency", "nothing answered before and after")
	}
	return passed("latency", fmt.Sprintf("as fast as before, within tolerance (%d asked)", n))
}

func compareCertificate(before, after firmward.TestPack) firmward.StagingCheck {
	like := firmward.ProbeResult{Probe: "tls", Port: 443}
	b, had := find(before, like)
	a, has := find(after, like)
	was, shown := get(b, "tls.key")
	if !had || !has || !shown {
		return notTried("certificate", "it showed no certificate before the update")
	}
	c := firmward.StagingCheck{Name: "certificate", Before: was, Verdict: firmward.CheckPassed, Why: "it shows the same key as before"}
	c.After, _ = get(a, "tls.key")
	ends, _ := get(a, "tls.not-after")
	switch end, err := time.Parse(time.DateOnly, ends); {
	case c.After != was:
		c.Verdict, c.Why = firmward.CheckFailed, "it shows another key than before: whoever knows it by its certificate, firmward among them, sends it no password any more"
	case err == nil && end.Before(after.At):
		c.Verdict, c.Why = firmward.CheckFailed, "its certificate has ended on "+ends
	}
	return c
}

func compareFactory(before, after firmward.TestPack) firmward.StagingCheck {
	c := firmward.StagingCheck{Name: "factory-password", Before: before.Factory, After: after.Factory, Verdict: firmward.CheckPassed, Why: "the maker's password is refused as before"}
	switch {
	case before.Factory == "" || after.Factory == "":
		return notTried("factory-password", cmp.Or(before.NotTried["factory-password"], after.NotTried["factory-password"], "nobody asked for it"))
	case before.Factory == "refused" && after.Factory == "accepted":
		c.Verdict, c.Why = firmward.CheckFailed, "the image brings the maker's password back: it was refused before the update and is accepted now"
	case after.Factory == "accepted":
		c.Verdict, c.Why = firmward.CheckChanged, "the maker's password is accepted, as before the update"
	case before.Factory == "accepted":
		c.Verdict, c.Why = firmward.CheckChanged, "the maker's password was accepted before the update and is refused now"
	}
	return c
}

func compareName(of Compared) firmward.StagingCheck {
	switch c := (firmward.StagingCheck{Name: "name", Before: of.NameBefore, After: of.NameAfter}); {
	case of.NameBefore == "":
		return notTried("name", "the device has no name of its own")
	case of.NameBefore == of.NameAfter:
		return passed("name", "it is called as before")
	case of.WipesConfig:
		c.Verdict, c.Why = firmward.CheckChanged, fmt.Sprintf("it was called %q and is called %q: the release says that it wipes the configuration", of.NameBefore, of.NameAfter)
		return c
	default:
		c.Verdict, c.Why = firmward.CheckFailed, fmt.Sprintf("it was called %q and is called %q: the image resets its configuration", of.NameBefore, of.NameAfter)
		return c
	}
}

// compareSettings compares the saved configuration entry by entry. An update may rewrite some of it; what is lost is lost, and when
// nothing of it is as it was, it was reset.
func compareSettings(before, after firmward.TestPack, of Compared) firmward.StagingCheck {
	if before.Settings == nil || after.Settings == nil {
		return notTried("configuration", cmp.Or(before.NotTried["configuration"], after.NotTried["configuration"], "nobody saved it"))
	}
	var lost, moved, added []string
	for _, k := range slices.Sorted(maps.Keys(before.Settings)) {
		switch v, kept := after.Settings[k]; {
		case !kept:
			lost = append(lost, k)
		case v != before.Settings[k]:
			moved = append(moved, k)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(after.Settings)) {
		if _, had := before.Settings[k]; !had {
			added = append(added, k)
		}
	}
	c := firmward.StagingCheck{
		Name: "configuration", Before: fmt.Sprintf("%d entries", len(before.Settings)), After: fmt.Sprintf("%d entries", len(after.Settings)),
		Verdict: firmward.CheckPassed, Why: "its configuration is as before",
	}
	reset := len(before.Settings) > 0 && len(lost)+len(moved) == len(before.Settings)
	switch {
	case reset || len(lost) > 0:
		c.Verdict = firmward.CheckFailed
		c.Why = "its configuration has lost " + some(lost)
		if reset {
			c.Why = "the image resets its configuration: nothing is as it was of " + some(slices.Sorted(maps.Keys(before.Settings)))
		}
		if of.WipesConfig {
			c.Verdict, c.Why = firmward.CheckChanged, c.Why+"; the release says so"
		}
	case len(moved)+len(added) > 0:
		c.Verdict, c.Why = firmward.CheckChanged, "the update rewrote of its configuration: "+some(append(moved, added...))
	}
	return c
}

// some names the first few of a list.
func some(names []string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
