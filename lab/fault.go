package lab

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Faults that can be injected into any device at any time.
const (
	FaultSilent             = "silent"
	FaultSilentAfterUpdate  = "silent-after-update"
	FaultOldVersionBack     = "old-version-back"
	FaultAcceptedAndNothing = "accepted-and-nothing"
	FaultDeadService        = "dead-service-after-update"
	FaultWrongModelBricks   = "wrong-model-bricks"
	FaultSlow               = "slow"
	FaultOffline            = "offline"
	FaultPowerCut           = "power-cut-mid-flash"
	FaultWrongHardware      = "wrong-hardware-revision"
	FaultClockWrong         = "clock-wrong-by-a-year"
	FaultHugeAnswer         = "huge-answer"
	FaultDrip               = "drip"
	FaultRedirect           = "redirect-elsewhere"
	FaultBusy               = "busy"
	FaultOverloaded         = "overloaded"
	FaultLosesOne           = "loses-one-behind"
)

// FaultInfo describes a fault in one line.
type FaultInfo struct {
	Name    string `json:"name"`
	Meaning string `json:"meaning"`
}

// Faults lists every fault that [Lab.Fault] knows, with its meaning.
func Faults() []FaultInfo {
	return []FaultInfo{
		{FaultSilent, "drops everything from now on"},
		{FaultSilentAfterUpdate, "goes dark when it activates a new image"},
		{FaultOldVersionBack, "accepts the update, reboots and comes back with the old version"},
		{FaultAcceptedAndNothing, "says that the update was accepted and does nothing"},
		{FaultDeadService, "runs the new version with its main service dead (cameras: RTSP, plugs: Switch methods)"},
		{FaultWrongModelBricks, "accepts an image of the wrong model, which bricks it"},
		{FaultSlow, "sends a second late, and 1,400 bytes at a time"},
		{FaultOffline, "has no power from now on"},
		{FaultPowerCut, "loses power once while it writes firmware: two slots survive, one bricks"},
		{FaultWrongHardware, "reports another hardware revision than it has"},
		{FaultClockWrong, "believes that it is a year earlier"},
		{FaultHugeAnswer, "answers every HTTP request, DESCRIBE of RTSP and SUBSCRIBE of MQTT with up to 1 GB"},
		{FaultDrip, "sends one byte per second"},
		{FaultRedirect, "answers every HTTP request with 302 to http://198.51.100.7/"},
		{FaultBusy, "says that it is at another update (printers: at another job) and takes none"},
		{FaultOverloaded, "answers every HTTP request with 503 Service Unavailable"},
		{FaultLosesOne, "runs the new version and does not reach the first device behind it any more"},
	}
}

// Fault injects a fault into a device, from now until [Lab.ClearFaults]. The error for an unknown device or fault
// lists the known ones.
func (l *Lab) Fault(device, fault string) error {
	d, ok := l.Device(device)
	if !ok {
		return l.unknown(device)
	}
	known := Faults()
	if !slices.ContainsFunc(known, func(f FaultInfo) bool { return f.Name == fault }) {
		names := make([]string, len(known))
		for i, f := range known {
			names[i] = f.Name
		}
		return fmt.Errorf("inject fault into %s: unknown fault %q, known are %s", device, fault, strings.Join(names, ", "))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults[fault] = true
	d.applyFaults()
	if fault == FaultOffline {
		d.powerOff()
	}
	return nil
}

// ClearFaults takes all faults from a device. A device that was silent or without power comes back (after its boot
// time if it had no power). Damage that was done stays: a bricked or frozen device, a dead service until the next boot
// of another slot.
func (l *Lab) ClearFaults(device string) error {
	d, ok := l.Device(device)
	if !ok {
		return l.unknown(device)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	wasOff := d.faults[FaultOffline]
	clear(d.faults)
	d.muted = false
	for i := range d.slots {
		d.slots[i].mute, d.slots[i].loses = false, false
	}
	d.applyFaults()
	if wasOff {
		d.loseUncommitted()
		d.startBoot(d.bootTime)
	}
	return nil
}

func (l *Lab) unknown(device string) error {
	var names []string
	for _, d := range l.Devices() {
		names = append(names, d.name)
	}
	return fmt.Errorf("unknown device %q, known are %s", device, strings.Join(names, ", "))
}

// applyFaults brings the host into the state that the faults ask for. It needs d.mu.
func (d *Device) applyFaults() {
	d.host.setSilent(d.faults[FaultSilent] || d.muted || d.frozenBy != "")
	d.host.setLoses(d.slots[d.active].loses)
	switch {
	case d.faults[FaultDrip]:
		d.host.pace.Store(&pace{d.clock().real(time.Second), 1})
	case d.faults[FaultSlow]:
		d.host.pace.Store(&pace{d.clock().real(time.Second), 1400})
	default:
		d.host.pace.Store(nil)
	}
}

// has tells whether a fault is set. It needs d.mu.
func (d *Device) has(fault string) bool { return d.faults[fault] }

// use tells whether a fault is set, and clears it: it happens once. It needs d.mu.
func (d *Device) use(fault string) bool {
	set := d.faults[fault]
	delete(d.faults, fault)
	return set
}
