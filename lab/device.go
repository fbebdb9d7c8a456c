package lab

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Device is one simulated device. All its methods are safe for concurrent use.
type Device struct {
	lab        *Lab
	name, site string
	kind       string
	host       *host
	serial     string
	model      string
	hardware   string
	bootTime   time.Duration // house time from power to answering
	services   []service
	byHand     bool
	onBoot     func()                               // called with mu held after the services started; may be nil
	onOffer    func()                               // called with mu held when the maker's offer changed; may be nil
	lamps      func() []HueLampFacts                // behind a bridge; nil elsewhere
	setUp      func(path []string, value any) error // called with mu held; nil where no configuration is kept

	printed atomic.Int64

	mu        sync.Mutex
	faults    map[string]bool
	slots     []slot
	active    int
	committed bool
	powered   bool
	bricked   bool
	frozenBy  string
	muted     bool
	busy      bool // an update is under way
	upSince   time.Time
	flashes   []Flash
	vital     vitals
	offer     *offer
	running   map[string]func()               // how to stop each running service
	outside   map[string]func() (shut func()) // real sockets of services that only a flawed image opens
	timers    map[*timer]bool
	power     context.Context // ends when the power goes or the device reboots
	cutPower  context.CancelFunc
}

// slot is a place for firmware with what its image and the faults of its hour do to the device.
type slot struct {
	Slot
	flaws     []string
	deadMain  bool // the main service does not start
	mute      bool // the device is silent while this slot runs
	loses     bool // the first device behind it is not reached
	defaulted bool // its configuration is the factory's: each slot of a camera has its own
}

type offer struct {
	version string
	image   []byte
}

// service is something that a device does on a port. A service without a network is one method group inside another
// service and is only shown in Facts.
type service struct {
	name    string
	network string // tcp, udp or empty
	port    uint16
	group   netip.Addr // for udp: what is sent to this multicast group arrives too
	main    bool       // the service that FaultDeadService kills
	flaw    string     // an image with it does not start the service, or starts it alone: see opened
	opened  bool       // it is there only with its flaw
	stream  func(net.Listener) (stop func())
	packet  func(net.PacketConn)
}

type timer struct{ stop func() bool }

func (d *Device) clock() *Clock { return d.lab.clock }

// Name returns the device's name in the lab.
func (d *Device) Name() string { return d.name }

// SetBoot says how long the device takes to boot from now on, in house time.
func (d *Device) SetBoot(t time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.bootTime = t
}

// now is what the device believes to be the time. It needs d.mu.
func (d *Device) now() time.Time {
	if d.has(FaultClockWrong) {
		return d.clock().Now().AddDate(-1, 0, 0)
	}
	return d.clock().Now()
}

// version needs d.mu.
func (d *Device) version() string { return d.slots[d.active].Version }

// reportedHardware is what the device says about its revision. It needs d.mu.
func (d *Device) reportedHardware() string {
	if d.has(FaultWrongHardware) {
		return d.hardware + "-X"
	}
	return d.hardware
}

// after runs f with d.mu held after the house duration wait, unless the power goes first. It needs d.mu.
func (d *Device) after(wait time.Duration, f func()) *timer {
	t := &timer{}
	d.timers[t] = true
	t.stop = d.clock().AfterFunc(wait, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.timers[t] {
			delete(d.timers, t)
			f()
		}
	})
	return t
}

// cancel needs d.mu.
func (d *Device) cancel(t *timer) {
	if t != nil && d.timers[t] {
		delete(d.timers, t)
		t.stop()
	}
}

// boot starts the device at once. It needs d.mu.
func (d *Device) boot() {
	if d.powered || d.bricked || d.has(FaultOffline) || d.lab.ctx.Err() != nil {
		return
	}
	d.powered = true
	d.busy = false
	d.upSince = d.clock().Now()
	d.power, d.cutPower = context.WithCancel(d.lab.ctx)
	d.muted = d.slots[d.active].mute
	d.host.setPower(true, true)
	d.applyFaults()
	for _, s := range d.services {
		if d.dead(s) {
			continue
		}
		d.running[s.name] = d.start(s)
		if open := d.outside[s.name]; open != nil {
			end, shut := d.running[s.name], open()
			d.running[s.name] = func() { shut(); end() }
		}
	}
	if d.onBoot != nil {
		d.onBoot()
	}
}

// dead tells whether the firmware in the active slot cannot run the service. It needs d.mu.
func (d *Device) dead(s service) bool {
	now := d.slots[d.active]
	if s.flaw != "" && slices.Contains(now.flaws, s.flaw) != s.opened {
		return true
	}
	return s.main && (now.deadMain || slices.Contains(now.flaws, FlawDeadStream) && (d.kind == "camera" || d.kind == "ip-camera"))
}

func (d *Device) start(s service) (stop func()) {
	at := netip.AddrPortFrom(netip.Addr{}, s.port)
	switch s.network {
	case "tcp":
		l, err := d.host.listen(at)
		if err != nil {
			panic(fmt.Sprintf("lab: %s: listen on %s: %v", d.name, s.name, err)) // two services on one port
		}
		return s.stream(l)
	case "udp":
		p, err := d.host.bindPacket(at, netip.AddrPort{})
		if err != nil {
			panic(fmt.Sprintf("lab: %s: listen on %s: %v", d.name, s.name, err))
		}
		d.lab.wg.Go(func() { s.packet(p) })
		if !s.group.IsValid() {
			return func() { _ = p.Close() }
		}
		g, err := d.host.bindPacket(netip.AddrPortFrom(s.group, s.port), netip.AddrPort{})
		if err != nil {
			panic(fmt.Sprintf("lab: %s: join the group of %s: %v", d.name, s.name, err))
		}
		d.lab.wg.Go(func() { s.packet(g) })
		return func() { _, _ = p.Close(), g.Close() }
	}
	return func() {}
}

// stop ends all services and timers. It needs d.mu.
func (d *Device) stop() {
	d.powered = false
	for name, end := range d.running {
		end()
		delete(d.running, name)
	}
	for t := range d.timers {
		d.cancel(t)
	}
	if d.cutPower != nil {
		d.cutPower()
	}
}

// powerOff takes the power away without notice. It needs d.mu.
func (d *Device) powerOff() {
	d.host.setPower(false, false)
	d.stop()
}

// startBoot lets the device answer again after the house duration dark. It needs d.mu.
func (d *Device) startBoot(dark time.Duration) {
	if d.lab.ctx.Err() == nil {
		d.after(dark, d.boot)
	}
}

// reboot shuts down in order (peers are told) and comes back after dark. It needs d.mu.
func (d *Device) reboot(dark time.Duration) {
	d.stop()
	d.host.setPower(false, true)
	d.startBoot(dark)
}

// PowerCycle takes the power away and gives it back at once; the device then boots. A camera whose firmware was not
// committed comes back on the old slot. It does nothing while the fault offline holds.
func (d *Device) PowerCycle() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.has(FaultOffline) {
		return
	}
	d.loseUncommitted()
	d.powerOff()
	d.startBoot(d.bootTime)
}

// loseUncommitted goes back to the old slot if the running one was never committed. It needs d.mu.
func (d *Device) loseUncommitted() {
	if d.committed || len(d.slots) < 2 {
		return
	}
	d.active = 1 - d.active
	d.committed = true
	if n := len(d.flashes); n > 0 {
		d.flashes[n-1].Outcome = OutcomeRolledBack
	}
}

// freeze stops a fragile device for good, or until someone switches it off and on by hand (which the lab has not).
// It needs d.mu.
func (d *Device) freeze(why string) {
	if d.frozenBy == "" && d.powered {
		d.frozenBy = why
		d.applyFaults()
	}
}

// Offer sets what the maker's cloud offers to a plug or a bridge. At a plug CheckForUpdate then names version, and an update by
// stage installs image. A bridge needs no image: it installs the version in the night, or when it is told to. An empty version
// takes the offer away.
func (d *Device) Offer(version string, image []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.offer = nil
	if version != "" {
		d.offer = &offer{version, image}
	}
	if d.onOffer != nil {
		d.onOffer()
	}
}

// InstallByHand is the person at the device with a stick, the service tool or the vendor's app. The device reboots (house time) and
// then runs version; an update fault that is set takes its effect. Only printers, pumps and plugs can be updated so; the
// error says if this one cannot, or has no power.
func (d *Device) InstallByHand(version string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case !d.byHand:
		return fmt.Errorf("install %s on %s by hand: a %s has no such way", version, d.name, d.kind)
	case !d.powered || d.bricked || d.frozenBy != "":
		return fmt.Errorf("install %s on %s by hand: the device is not running", version, d.name)
	case version == "":
		return fmt.Errorf("install on %s by hand: no version", d.name)
	}
	img := receivedImage{imageHeader: imageHeader{Model: d.model, Version: version}}
	d.activate(img, d.beginFlash(PathByHand), false)
	return nil
}

// Facts returns the ground truth of this moment.
func (d *Device) Facts() Facts {
	ports := d.host.portCounts()
	d.mu.Lock()
	defer d.mu.Unlock()
	f := Facts{
		Name: d.name, Site: d.site, Kind: d.kind, Serial: d.serial, Model: d.model, HardwareRev: d.hardware,
		InstalledVersion: d.version(), ActiveSlot: d.active, Committed: d.committed, Powered: d.powered,
		Bricked: d.bricked, Frozen: d.frozenBy != "", FrozenBy: d.frozenBy, ServiceUp: map[string]bool{},
		Flashes: append([]Flash{}, d.flashes...), Ports: ports, PrintedPages: d.printed.Load(),
		UpSince: d.upSince, Faults: []string{}, External: d.vital.external, Signal: d.vital.signal,
	}
	if n := d.vital.battery; n >= 0 {
		f.Battery = &n
	}
	for _, i := range d.host.ifaces {
		f.Addrs = append(f.Addrs, i.addr)
		f.MACs = append(f.MACs, i.mac.String())
	}
	for _, s := range d.slots {
		f.Slots = append(f.Slots, s.Slot)
	}
	heard := d.powered && d.frozenBy == "" && !d.muted && !d.has(FaultSilent)
	for _, s := range d.services {
		f.ServiceUp[s.name] = heard && d.running[s.name] != nil
	}
	for name := range d.faults {
		f.Faults = append(f.Faults, name)
	}
	slices.Sort(f.Faults)
	return f
}

// random gives the device its own source of randomness, the same in every run.
func (d *Device) random(purpose uint64) *rand.Rand {
	n := purpose
	for _, b := range []byte(d.name) {
		n = n*1099511628211 ^ uint64(b)
	}
	return rand.New(rand.NewPCG(n, purpose))
}
