package lab

import (
	"fmt"
	"math"
)

// vitals is what a device with a radio or a battery says of them. It needs the device's mutex.
type vitals struct {
	battery  int // percent; -1: it has none
	external bool
	signal   int // dBm; 0: it is wired
}

// SetBattery gives the device a battery with so many percent, or takes it away (-1). external says that it is on external power too. Only
// Shelly devices tell of one.
func (d *Device) SetBattery(percent int, external bool) error {
	if percent < -1 || percent > 100 {
		return fmt.Errorf("set the battery of %s: %d %% is no charge", d.name, percent)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.vital.battery, d.vital.external = percent, external
	return nil
}

// SetSignal says how the device's radio hears the network from now on, in dBm; 0: a cable takes its place. Devices that were wired from the
// beginning do not tell.
func (d *Device) SetSignal(dBm int) error {
	if dBm > 0 || dBm < -127 {
		return fmt.Errorf("set the signal of %s: %d dBm is none", d.name, dBm)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.vital.signal = dBm
	return nil
}

// quality is a signal as a percentage: all from -50 dBm, nothing at -100.
func quality(dBm int) int { return max(0, min(100, 2*(dBm+100))) }

// power is a Shelly device's component devicepower:0. Two cells are full at 3 V, and empty at 2.
func (v vitals) power() map[string]any {
	volts := math.Round(100*(2+float64(v.battery)/100)) / 100
	return map[string]any{
		"id": 0, "battery": map[string]any{"V": volts, "percent": v.battery}, "external": map[string]any{"present": v.external},
	}
}
