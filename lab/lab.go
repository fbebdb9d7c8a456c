package lab

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"net"
	"net/netip"
	"sort"
	"sync"
	"sync/atomic"
)

// Options sets up a [Lab]. Both fields may be nil: then house time is real time, and the lab makes its own network.
type Options struct {
	Clock *Clock
	Net   *Net
}

// Lab is a set of simulated devices on one network. Create it inside the synctest bubble in which it is used.
type Lab struct {
	clock    *Clock
	net      *Net
	ctx      context.Context // ends with Close; a lab is a running thing, not a call
	cancel   context.CancelFunc
	wg       sync.WaitGroup
	loopback atomic.Bool

	mu      sync.Mutex
	closed  bool
	sites   map[string]netip.Prefix
	views   map[string]*Stack
	devices map[string]*Device
	macs    map[string]bool
	ports   PortMap
}

// New returns a lab with the sites home (192.168.20.0/24) and clinic (10.40.0.0/24) and no device.
func New(opts Options) *Lab {
	l := &Lab{
		clock: opts.Clock, net: opts.Net,
		sites: map[string]netip.Prefix{
			"home":   netip.MustParsePrefix("192.168.20.0/24"),
			"clinic": netip.MustParsePrefix("10.40.0.0/24"),
		},
		views: map[string]*Stack{}, devices: map[string]*Device{}, macs: map[string]bool{},
	}
	if l.clock == nil {
		l.clock = RealClock()
	}
	if l.net == nil {
		l.net = NewNet()
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// AddSite adds a site, or gives one another prefix. Devices without an address get the next free one of their site.
func (l *Lab) AddSite(name string, prefix netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sites[name] = prefix.Masked()
}

// Sites returns the prefix of every site.
func (l *Lab) Sites() map[string]netip.Prefix {
	l.mu.Lock()
	defer l.mu.Unlock()
	sites := make(map[string]netip.Prefix, len(l.sites))
	maps.Copy(sites, l.sites)
	return sites
}

// Clock returns the lab's clock.
func (l *Lab) Clock() *Clock { return l.clock }

// Attach returns the view of a host of our own in a site, at its second address (.2 in a /24). It reaches the whole
// network; each call gives the same host. It returns nil if the site is unknown.
func (l *Lab) Attach(site string) *Stack {
	l.mu.Lock()
	defer l.mu.Unlock()
	prefix, ok := l.sites[site]
	if !ok {
		return nil
	}
	if l.views[site] == nil {
		l.views[site] = l.net.Attach(prefix.Addr().Next().Next(), l.newMAC([]byte{0x02, 0x46, 0x57}, "firmward in "+site))
	}
	return l.views[site]
}

// Device returns the device of that name.
func (l *Lab) Device(name string) (*Device, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d, ok := l.devices[name]
	return d, ok
}

// Devices returns all devices, sorted by name.
func (l *Lab) Devices() []*Device {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]*Device, 0, len(l.devices))
	for _, d := range l.devices {
		all = append(all, d)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].name < all[j].name })
	return all
}

// Close switches every device off, closes the network and ends everything that the lab started. It waits for that.
func (l *Lab) Close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.cancel()
	for _, d := range l.Devices() {
		d.mu.Lock()
		d.powerOff()
		d.mu.Unlock()
	}
	err := l.net.Close()
	l.wg.Wait()
	return err
}

// Interface is one network interface of a device.
type Interface struct {
	Addr netip.Addr
	MAC  net.HardwareAddr
}

// Place says what a device is called and where it stands.
type Place struct {
	Name  string           // unique in the lab
	Site  string           // "home" if empty
	Addr  netip.Addr       // the next free address of the site if not valid
	MAC   net.HardwareAddr // made from the maker's prefix and the name if nil
	Extra []Interface      // further interfaces; a nil MAC is made up likewise

	// Behind names the device, added before, that all traffic goes through: while it is dark, this one is out of sight.
	Behind string
}

// add puts a device on the network; the caller sets its services and boots it.
func (l *Lab) add(kind string, at Place, oui []byte, twoSlots bool, version string) (*Device, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at.Site == "" {
		at.Site = "home"
	}
	prefix, known := l.sites[at.Site]
	switch {
	case l.closed:
		return nil, errors.New("add device: the lab is closed")
	case at.Name == "" || l.devices[at.Name] != nil:
		return nil, fmt.Errorf("add device %q: the name is empty or taken", at.Name)
	case !known:
		return nil, fmt.Errorf("add device %s: unknown site %q", at.Name, at.Site)
	case version == "":
		return nil, fmt.Errorf("add device %s: no version", at.Name)
	case at.Behind != "" && l.devices[at.Behind] == nil:
		return nil, fmt.Errorf("add device %s: no device %q to stand behind", at.Name, at.Behind)
	}
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	if !at.Addr.IsValid() {
		// .1 is the router, .2 is firmward.
		for at.Addr = prefix.Addr().Next().Next().Next(); l.net.hosts[at.Addr] != nil; {
			at.Addr = at.Addr.Next()
		}
		if !prefix.Contains(at.Addr) {
			return nil, fmt.Errorf("add device %s: no free address in %s", at.Name, prefix)
		}
	}
	all := append([]Interface{{at.Addr, at.MAC}}, at.Extra...)
	var ifaces []iface
	for i, each := range all {
		if l.net.hosts[each.Addr.Unmap()] != nil {
			return nil, fmt.Errorf("add device %s: address %s is taken", at.Name, each.Addr)
		}
		if each.MAC == nil {
			each.MAC = l.newMAC(oui, fmt.Sprint(at.Name, "/", i))
		}
		ifaces = append(ifaces, iface{each.Addr.Unmap(), each.MAC})
	}
	d := &Device{
		lab: l, name: at.Name, site: at.Site, kind: kind, host: l.net.newHost(ifaces...),
		slots: []slot{{Slot: Slot{Version: version}}}, committed: true,
		faults: map[string]bool{}, running: map[string]func(){}, timers: map[*timer]bool{}, vital: vitals{battery: -1},
	}
	if twoSlots {
		d.slots = append(d.slots, slot{})
	}
	d.host.up = false
	if at.Behind != "" {
		d.host.front = l.devices[at.Behind].host
	}
	l.devices[at.Name] = d
	return d, nil
}

// newMAC makes a hardware address that is always the same for the same name. It needs l.mu.
func (l *Lab) newMAC(oui []byte, name string) net.HardwareAddr {
	h := fnv.New32a()
	h.Write([]byte(name))
	for n := h.Sum32(); ; n++ {
		mac := net.HardwareAddr{oui[0], oui[1], oui[2], byte(n >> 16), byte(n >> 8), byte(n)}
		if !l.macs[mac.String()] {
			l.macs[mac.String()] = true
			return mac
		}
	}
}
