package sim

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/firmward/firmward/rollout"
)

// Decisions is what was decided in one rollout, without the times: the states of its header and of each device in their order, and what each
// device was asked to do. Looks that follow each other count as one, since how many there are depends on how long a device takes. It is the
// same whether the devices were simulated or real.
type Decisions struct {
	Names map[string]string // device id → what to call it; those without one keep their id

	header  []string
	state   string // of the rollout, the last one told
	states  map[string][]string
	orders  map[string][]string
	endings map[string]string
}

// Header adds a state of the rollout, or that its next wave opened.
func (d *Decisions) Header(what string) {
	if what == d.state { // it says its reason anew
		return
	}
	if what != "wave" {
		d.state = what
	}
	d.header = append(d.header, what)
}

// State adds a state of a device.
func (d *Decisions) State(device, state string) {
	if d.states == nil {
		d.states = map[string][]string{}
	}
	d.states[device] = follow(d.states[device], state)
}

// Order adds what a device was asked to do.
func (d *Decisions) Order(device string, v rollout.Verb) {
	if d.orders == nil {
		d.orders = map[string][]string{}
	}
	if v == rollout.DoLook {
		d.orders[device] = follow(d.orders[device], string(v))
		return
	}
	d.orders[device] = append(d.orders[device], string(v))
}

// End sets the code with which a device ended.
func (d *Decisions) End(device, code string) {
	if d.endings == nil {
		d.endings = map[string]string{}
	}
	d.endings[device] = code
}

func follow(list []string, next string) []string {
	if n := len(list); n > 0 && list[n-1] == next {
		return list
	}
	return append(list, next)
}

// beside is what people do and firmward decides nothing about.
var beside = map[string]bool{"worked-on": true, "visited": true, "not-yet": true}

// hear takes what a world tells of its rollout and its devices.
func (d *Decisions) hear(w *World, who, what, why string) {
	switch {
	case who == run:
		d.Header(what)
	case w.devices[who] == nil || what == "!" || what == "waits" || beside[what] || strings.HasPrefix(what, "refused "): // persons, troubles, reasons
	case what == ">":
		d.Order(who, rollout.Verb(why))
	default:
		d.State(who, what)
	}
}

// String is a line for the header and one for each device, sorted.
func (d Decisions) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "rollout: %s\n", strings.Join(d.header, " "))
	var lines []string
	for id, states := range d.states {
		lines = append(lines, fmt.Sprintf("%s: %s (%s); asked: %s\n", cmp.Or(d.Names[id], id), strings.Join(states, " "), d.endings[id], strings.Join(d.orders[id], " ")))
	}
	slices.Sort(lines)
	for _, l := range lines {
		b.WriteString(l)
	}
	return b.String()
}

// Sum is the SHA-256 of String, in hexadecimal.
func (d Decisions) Sum() string {
	sum := sha256.Sum256([]byte(d.String()))
	return hex.EncodeToString(sum[:])
}
