package demo_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/cmd/firmward/demo"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/control/controltest"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/wire"
	"github.com/firmward/firmward/wire/wiretest"
)

// The comparison with nmap. Both look at the same lab through the same loopback sockets, one after the other: first firmward
// through the port map (as --lab-map does), then Debian's nmap.
//
//	compared      which devices each can name, and how long each takes to find that out
//	the same      devices, sockets, machine; nmap is told exactly the ports, firmward knows which it asks
//	for firmward  the neighbour table (the port map tells it; on loopback nmap sees no MAC address), the lab's multicast, and the
//	              passwords of the demo: "make nmap" counts and times beside it what it knows without any
//	for nmap      -T4; no pace: firmward waits up to 12 s between two questions to an unknown device of clinic and plant, and this
//	              is in its time; ports that nmap leaves out by itself (9100 to 9107) are left out
//	against nmap  the ports are high ones: it orders its questions by port number, and at these it asks the usual ones first
//	not compared  raw packets, guesses at operating systems, scripts, finding of hosts and ports
//
// A device counts as known if its true model stands in what is said of it.

// subject is a device, or a lamp behind one, and what is true and said of it.
type subject struct {
	name, maker, model, version string
	ports                       []string
	found                       firmward.Device
	nmap                        []string
}

// makers are those of the kinds of the lab.
var makers = map[string]string{
	"plug": "Shelly", "camera": "Axis", "nas": "D-Link", "printer": "HP", "pump": "BD", "gateway": "ASUSTeK", "hue": "Philips Hue", "light": "WLED",
	"relay": "Tasmota", "bmc": "Contoso", "ip-camera": "Hikvision", "router": "OpenWrt", "plc": "Schneider Electric",
}

// secretive tells nobody its version.
const secretive = "gateway-1"

// match is one comparison.
type match struct {
	t        *testing.T
	lab      *lab.Lab
	ports    lab.PortMap
	control  *control.Control
	subjects []*subject
	firmward time.Duration
	nmap     time.Duration
	hurt     [2]string // by firmward, by nmap
}

// TestNmap lets firmward look at all of the lab, and nmap at a part that it is soon done with. With FIRMWARD_NMAP=all ("make nmap")
// nmap looks at the whole too, which takes it minutes. Wanted then: firmward is at least 5 times as fast.
func TestNmap(t *testing.T) {
	all := os.Getenv("FIRMWARD_NMAP") == "all"
	nmap := wiretest.Tool(t, "nmap", "nmap")
	if all && os.Geteuid() != 0 {
		wiretest.Missing(t, "nmap asks UDP ports for root alone")
	}
	m := newMatch(t)
	m.letFirmward(true)
	m.letNmap(nmap, func(p lab.PortMapping) bool {
		at := p.Virtual.Port()
		return all || p.Device == "nas-1" && at == 80 || at == 22
	})
	m.print()
	m.judge()
	for device, want := range map[string]string{"nas-1": "lighttpd 1.4.28", secretive: "Dropbear sshd 2019.78"} {
		i := slices.IndexFunc(m.subjects, func(s *subject) bool { return s.name == device })
		if said := strings.Join(m.subjects[i].nmap, ", "); !strings.Contains(said, want) {
			t.Errorf("nmap says of %s: %s, want %s", device, said, want)
		}
	}
	if !all {
		return
	}
	if m.nmap < 5*m.firmward {
		t.Errorf("firmward took %s and nmap %s: not 5 times as fast", m.firmward, m.nmap)
	}
	blank := newMatch(t)
	blank.letFirmward(false)
	t.Logf("without any password firmward misses %d models, and takes %s", blank.count(missed), blank.firmward.Round(time.Millisecond))
}

// newMatch serves the lab and prepares a firmward that was told the networks.
func newMatch(t *testing.T) *match {
	t.Helper()
	m := &match{t: t}
	var err error
	m.lab, err = lab.ThreeSites(lab.Options{})
	m.must(err)
	t.Cleanup(func() { m.lab.Close() })
	m.ports, err = m.lab.ServeLoopback(t.Context(), 0)
	m.must(err)
	b, err := json.Marshal(m.ports)
	m.must(err)
	network, err := wire.ReadPortMap(bytes.NewReader(b))
	m.must(err)
	m.control = controltest.Open(t, func(cfg *control.Config) { cfg.Network, cfg.Lab, cfg.Self = network, true, demo.Self })
	for _, d := range m.lab.Devices() {
		f := d.Facts()
		s := &subject{name: f.Name, maker: makers[f.Kind], model: f.Model, version: f.InstalledVersion}
		for _, p := range m.ports {
			if p.Device == f.Name {
				s.ports = append(s.ports, fmt.Sprintf("%d/%s", p.Virtual.Port(), p.Network))
			}
		}
		m.subjects = append(m.subjects, s)
		for _, lamp := range d.Lamps() {
			m.subjects = append(m.subjects, &subject{name: lamp.Name, maker: makers[f.Kind], model: lamp.Model, version: lamp.Version, ports: []string{"behind " + f.Name}})
		}
	}
	return m
}

func (m *match) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// letFirmward names and allows what anna does in the demo, and scans in her order: with passwords the home first, because those of
// one device can be entered once it is known, then all three.
func (m *match) letFirmward(passwords bool) {
	m.t.Helper()
	ctx, cancel := context.WithCancel(m.t.Context())
	done := make(chan error, 1)
	go func() { done <- m.control.Run(ctx) }()
	defer func() {
		cancel()
		m.must(<-done)
	}()
	anna := firmward.Person{Name: "anna", Role: firmward.Admin}
	for _, n := range demo.Named {
		_, err := m.control.NameNetwork(ctx, anna, control.AddNetwork{Prefix: netip.MustParsePrefix(n.Prefix), Site: n.Site, Profile: n.Profile})
		m.must(err)
	}
	for _, a := range demo.Allowed {
		step, err := firmward.ParseSafety(a.Step)
		m.must(err)
		_, err = m.control.AllowNetwork(ctx, anna, a.Prefix, step)
		m.must(err)
	}
	began := time.Now()
	if passwords {
		m.scan(ctx, anna, demo.Home)
		for _, p := range demo.Passwords {
			m.must(m.control.SetCredential(ctx, anna, control.Credential{Device: p.Device, Family: p.Family, Site: p.Site, User: p.User, Password: p.Password}))
		}
	}
	m.scan(ctx, anna, demo.Home, demo.Clinic, demo.Plant)
	m.firmward, m.hurt[0] = time.Since(began), m.harm()
	for _, s := range m.subjects {
		ref := s.name
		if d, ok := m.lab.Device(s.name); ok {
			ref = d.Facts().Addrs[0].String()
		}
		found, err := m.control.Store.FindDevices(ctx, ref)
		m.must(err)
		if len(found) == 1 {
			s.found = found[0]
		}
	}
}

// scan looks at networks, beside each other.
func (m *match) scan(ctx context.Context, who firmward.Person, networks ...netip.Prefix) {
	m.t.Helper()
	var ids []string
	for _, n := range networks {
		s, err := m.control.StartScan(ctx, who, n)
		m.must(err)
		ids = append(ids, s.ID)
	}
	wiretest.Await(m.t, 5*time.Minute, "the scans", func() bool {
		return !slices.ContainsFunc(ids, func(id string) bool {
			s, err := m.control.ScanByID(id)
			m.must(err)
			if s.Error != "" {
				m.t.Fatal(s.Error)
			}
			return s.Ended.IsZero()
		})
	})
}

// harm lists the devices that froze or printed.
func (m *match) harm() string {
	var out []string
	for _, d := range m.lab.Devices() {
		if f := d.Facts(); f.Frozen || f.PrintedPages > 0 {
			out = append(out, f.Name)
		}
	}
	if out == nil {
		return "nobody"
	}
	return strings.Join(out, ", ")
}

// nmapRun is what nmap writes with -oX.
type nmapRun struct {
	Ports []struct {
		Protocol string `xml:"protocol,attr"`
		Number   uint16 `xml:"portid,attr"`
		Service  struct {
			Name    string `xml:"name,attr"`
			Product string `xml:"product,attr"`
			Version string `xml:"version,attr"`
			Extra   string `xml:"extrainfo,attr"`
			Kind    string `xml:"devicetype,attr"`
		} `xml:"service"`
	} `xml:"host>ports>port"`
}

// letNmap has the sockets that are wanted looked at by nmap.
func (m *match) letNmap(nmap string, wanted func(lab.PortMapping) bool) {
	m.t.Helper()
	args, ports := []string{"-sT", "-sV", "-Pn", "-n", "-T4", "-oX", "-"}, []string{}
	whose := map[string]string{}
	for _, p := range m.ports {
		if wanted(p) && !wire.NeverPorts(p.Virtual.Port()) {
			ports = append(ports, fmt.Sprintf("%c:%d", strings.ToUpper(p.Network)[0], p.Real.Port()))
			whose[fmt.Sprintf("%s %d", p.Network, p.Real.Port())] = p.Device
			if p.Network == "udp" && !slices.Contains(args, "-sU") {
				args = append(args, "-sU")
			}
		}
	}
	ctx, cancel := context.WithTimeout(m.t.Context(), 15*time.Minute)
	defer cancel()
	began := time.Now()
	out, err := exec.CommandContext(ctx, nmap, append(args, "-p", strings.Join(ports, ","), "127.0.0.1")...).Output()
	m.must(err)
	m.nmap = time.Since(began)
	var run nmapRun
	m.must(xml.Unmarshal(out, &run))
	if len(run.Ports) != len(ports) {
		m.t.Errorf("nmap tells of %d ports, it was asked for %d", len(run.Ports), len(ports))
	}
	for _, p := range run.Ports {
		s := p.Service
		said := strings.Join(strings.Fields(strings.Join([]string{s.Product, s.Version, s.Extra, s.Kind}, " ")), " ")
		if said == "" {
			said = s.Name
		}
		for _, sub := range m.subjects {
			if sub.name == whose[fmt.Sprintf("%s %d", p.Protocol, p.Number)] && said != "" && !slices.Contains(sub.nmap, said) {
				sub.nmap = append(sub.nmap, said)
			}
		}
	}
	m.hurt[1] = m.harm()
}

// knownTo reports whether the model is named in what is said; the maker's name before it need not be.
func (s *subject) knownTo(said string) bool {
	model := strings.TrimPrefix(s.model, s.maker+" ")
	return strings.Contains(strings.ToLower(said), strings.ToLower(model))
}

// versionKnown reports whether firmward knows the version. The "v" before some is no part of it.
func (s *subject) versionKnown() bool {
	return s.found.Firmware != "" && s.found.Firmware == strings.TrimPrefix(s.version, "v")
}

func missed(s *subject) bool { return !s.knownTo(s.found.Model) }

func (s *subject) knownToNmap() bool { return s.knownTo(strings.Join(s.nmap, " ")) }

// count is how many subjects are so.
func (m *match) count(so func(*subject) bool) (n int) {
	for _, s := range m.subjects {
		if so(s) {
			n++
		}
	}
	return n
}

// judge fails where firmward missed something or hurt somebody.
func (m *match) judge() {
	m.t.Helper()
	for _, s := range m.subjects {
		if missed(s) {
			m.t.Errorf("%s: firmward says %q, it is a %q", s.name, s.found.Model, s.model)
		}
		if s.versionKnown() == (s.name == secretive) {
			m.t.Errorf("%s: firmward says version %q, it runs %q", s.name, s.found.Firmware, s.version)
		}
	}
	if m.hurt[0] != "nobody" {
		m.t.Errorf("firmward hurt %s", m.hurt[0])
	}
}

// print logs the table.
func (m *match) print() {
	m.t.Helper()
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	mark := func(ok bool) string {
		if ok {
			return "found"
		}
		return "missed"
	}
	fmt.Fprintln(w, "DEVICE\tPORTS\tTRUE\tFIRMWARD\t\tNMAP\t")
	for _, s := range m.subjects {
		said := strings.Join([]string{s.found.Vendor, s.found.Model, s.found.Firmware}, " | ")
		fmt.Fprintf(w, "%s\t%s\t%s | %s | %s\t%s\t%s\t%s\t%s\n", s.name, strings.Join(s.ports, " "), s.maker, s.model, s.version,
			said, mark(!missed(s)), strings.Join(s.nmap, ", "), mark(s.knownToNmap()))
	}
	m.must(w.Flush())
	m.t.Log("\n" + b.String())
	m.t.Logf("%d devices; model missed by firmward: %d, by nmap: %d", len(m.subjects), m.count(missed), m.count(func(s *subject) bool { return !s.knownToNmap() }))
	m.t.Logf("version missed by firmward: %d (%s tells nobody)", m.count(func(s *subject) bool { return !s.versionKnown() }), secretive)
	m.t.Logf("firmward %s, nmap %s: %.1f times as fast", m.firmward.Round(time.Millisecond), m.nmap.Round(time.Millisecond), m.nmap.Seconds()/m.firmward.Seconds())
	m.t.Logf("frozen or printed: by firmward %s, by nmap %s", m.hurt[0], m.hurt[1])
}
