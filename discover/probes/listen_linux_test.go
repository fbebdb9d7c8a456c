package probes_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/wire/wiretest"
)

const udhcpdConf = `interface e0
start 10.99.8.100
end 10.99.8.110
lease_file %[1]s/leases
pidfile %[1]s/pid
max_leases 10
option subnet 255.255.255.0
option router 10.99.8.1
`

const dhclientConf = `send host-name "pump-9";
send vendor-class-identifier "AXIS,Network Camera,P3265-LV,10.12.206";
request subnet-mask, routers, domain-name-servers;
`

// packets is how many packets a namespace's first interface sent.
func packets(t *testing.T, s *wiretest.Space) (sent string) {
	t.Helper()
	if err := s.Do(func() error {
		b, err := os.ReadFile("/proc/thread-self/net/dev")
		_, after, _ := strings.Cut(string(b), "e0:")
		if f := strings.Fields(after); len(f) > 9 {
			sent = f[9]
		}
		return err
	}); err != nil || sent == "" {
		t.Fatal(sent, err)
	}
	return sent
}

// TestDHCPClients listens to Debian's DHCP clients as they ask a real server for an address, in a ward where nothing may be
// sent: what they say is known, and not one packet leaves the listener.
func TestDHCPClients(t *testing.T) {
	udhcpd, udhcpc, dhclient := wiretest.Tool(t, "udhcpd", "udhcpd"), wiretest.Tool(t, "udhcpc", "udhcpc"), wiretest.Tool(t, "dhclient", "isc-dhcp-client")
	listener, sw, router := wiretest.New(t, "listener"), wiretest.New(t, "sw"), wiretest.New(t, "router")
	box, pump := wiretest.New(t, "box"), wiretest.New(t, "pump")
	if err := listener.Sysctl("net/ipv6/conf/default/disable_ipv6", "1"); err != nil { // else its kernel greets by itself
		t.Fatal(err)
	}
	sw.Switch(map[*wiretest.Space][]string{listener: {"10.99.8.2/24"}, router: {"10.99.8.1/24"}, box: nil, pump: nil})
	c, st := loops(t, listener, netip.MustParseAddr("10.99.8.2"))
	ward := netip.MustParsePrefix("10.99.8.0/24")
	if _, err := c.NameNetwork(t.Context(), firmward.Person{Name: "anna"}, control.AddNetwork{Prefix: ward, Site: "clinic", Profile: firmward.ProfileMedical}); err != nil {
		t.Fatal(err)
	}
	wiretest.Await(t, 10*time.Second, "somebody to listen", func() bool {
		yes, _ := c.Listening(ward)
		return yes
	})
	dir := t.TempDir()
	at(t, dir, "leases", "")
	router.Start(nil, udhcpd, "-f", at(t, dir, "udhcpd.conf", fmt.Sprintf(udhcpdConf, dir)))
	// The clients' scripts would change this machine's resolv.conf: nothing is done with what they get.
	box.Start(nil, udhcpc, "-f", "-t", "20", "-T", "1", "-i", "e0", "-s", "/bin/true", "-x", "hostname:box-7", "-F", "box-7.ward")
	pump.Start(nil, dhclient, "-4", "-d", "-sf", "/bin/true", "-cf", at(t, dir, "dhclient.conf", dhclientConf),
		"-lf", filepath.Join(dir, "dhclient.leases"), "-pf", filepath.Join(dir, "dhclient.pid"), "e0")

	want := map[string]map[string]string{ // by hostname
		"box-7":  {"dhcp.vendorClass": "udhcp 1.", "dhcp.parameters": "1,3,6,12,15,28,42", "dhcp.fqdn": "box-7.ward", "dhcp.mac": "", "dhcp.clientID": "01"},
		"pump-9": {"dhcp.vendorClass": "AXIS,Network Camera,", "dhcp.parameters": "1,3,6", "dhcp.mac": ""},
	}
	wiretest.Await(t, 60*time.Second, "both clients to be known by name", func() bool {
		for name := range want {
			if found, err := st.FindDevices(t.Context(), name); err != nil || len(found) != 1 {
				return false
			}
		}
		return true
	})
	for name, readings := range want {
		found, err := st.FindDevices(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		obs, err := st.ObservationsOf(t.Context(), found[0].ID)
		if err != nil || !ward.Contains(found[0].Addrs[0]) || len(found[0].MACs) != 1 {
			t.Errorf("%s: %+v, %v", name, found[0], err)
		}
		for _, o := range obs {
			if o.Port != 67 {
				continue
			}
			for r, begins := range readings {
				v, ok := o.Get(r)
				t.Logf("%-8s %-18s %s", name, r, v)
				if !ok || !strings.HasPrefix(v, begins) {
					t.Errorf("%s: %s is %q, want %q", name, r, v, begins)
				}
			}
		}
	}
	if found, err := st.FindDevices(t.Context(), "pump-9"); err != nil || found[0].Model != "AXIS P3265-LV" || found[0].Firmware != "10.12.206" {
		t.Errorf("the words of the vendor class: %+v, %v", found, err)
	}
	if n := packets(t, listener); n != "0" {
		t.Errorf("the listener's host sent %s packets", n)
	}
}
