package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
)

// Flaw is what is wrong with an image: on every device for which it says nothing else, it does what a habit says. An image of another
// model, for example, is {Model: "M0", Habit: Bricks}, one that only its way over the air spoils {Path: "pull", Habit: Bricks}.
type Flaw struct {
	Version, Model, Hardware, Path string // each empty: all
	Habit                          Habit
	Dies                           time.Time // when devices that run it die together; zero: never
}

// fate is what an image does to one device.
type fate struct {
	habit Habit
	dies  time.Time
}

// fate adds up the flaws of a release for a device.
func (w *World) fate(rel firmward.Release, d *Device) (out fate) {
	fits := func(want, is string) bool { return want == "" || want == is }
	for _, f := range w.Flaws {
		if fits(f.Version, rel.Version) && fits(f.Model, d.Facts.Model) && fits(f.Hardware, d.Facts.Hardware) && fits(f.Path, d.Path) {
			out.habit |= f.Habit
			if f.Dies.After(w.Now) {
				out.dies = f.Dies
			}
		}
	}
	return out
}

// sweepTime is how often firmward looks at all devices, whatever else it does.
const sweepTime = 15 * time.Minute

// sweepAfter is the first sweep that sees what happens at a time.
func sweepAfter(at time.Time) time.Time { return at.UTC().Truncate(sweepTime).Add(sweepTime) }

// fall lets the sweep after a time look who fell.
func (w *World) fall(at time.Time) {
	if at.IsZero() {
		return
	}
	if when := sweepAfter(at); !w.sweeps[when] {
		w.sweeps[when] = true
		w.At(when, func() { w.up(w.sweep) })
	}
}

// Strike lets content that a vendor sends beside its firmware kill devices, all at once, whether or not they are in a rollout.
func (w *World) Strike(vendor string, hits func(firmward.Device) bool) {
	n := 0
	for _, id := range w.everyone() {
		if d := w.devices[id]; hits(d.Facts) && !d.dark(w.Now) {
			d.gone = true
			n++
		}
	}
	w.tell(vendor, "strikes", devices(n))
	w.fall(w.Now)
}

// Mend lets a person bring back devices that content struck.
func (w *World) Mend(who string, which func(firmward.Device) bool) {
	n := 0
	for _, id := range w.everyone() {
		if d := w.devices[id]; which(d.Facts) && d.gone {
			d.gone = false
			n++
		}
	}
	w.tell(who, "mends", devices(n))
	w.wake()
}

// Push lets a vendor install a version by itself, flaws and all. A device that is just being changed is left alone.
func (w *World) Push(vendor, version string, hits func(firmward.Device) bool) {
	n := 0
	for _, id := range w.everyone() {
		d := w.devices[id]
		d.pass(w.Now)
		if !hits(d.Facts) || !d.reachable(w.Now) || w.claims.Device[id] != "" {
			continue
		}
		n++
		d.image = w.fate(firmward.Release{Version: version}, d)
		d.do(rollout.DoInstall, version, 0, w.Now)
		d.trial, d.before = false, ""
		w.fall(d.diesAt)
		if !d.gone {
			w.up(func() { w.learn(d) })
		}
	}
	w.tell(vendor, "pushes", version+" to "+devices(n))
	w.fall(w.Now)
}

// Withdraw lets a vendor take a release back.
func (w *World) Withdraw(vendor, version, why string) {
	if w.off() { // it is heard when firmward is back
		w.up(func() { w.Withdraw(vendor, version, why) })
		return
	}
	w.tell(vendor, "withdraws", version+": "+why)
	for i := range w.Depot {
		if w.Depot[i].Version == version {
			w.Depot[i].Withdrawn, w.Depot[i].WhyGone = w.Now, why
		}
	}
	for _, r := range w.runs {
		if r.Release.Version != version {
			continue
		}
		over := r.State == firmward.RolloutFinished || r.State == firmward.RolloutStopped
		r.recalled = r.recalled || !over
		r.Release.Withdrawn, r.Release.WhyGone = w.Now, why
		w.logged(r, func(h *firmward.Rollout, _ map[string]*firmward.Target) { w.engine.recall(h, why) })
		if was := r.State; w.engine.recall(&r.Rollout, why) && r.State == was {
			w.tell(r.ID, string(r.State), r.Why)
		} else {
			w.steered(r, was)
		}
	}
}

func devices(n int) string {
	if n == 1 {
		return "1 device"
	}
	return fmt.Sprint(n, " devices")
}

// sweep looks at all devices, as firmward does again and again, and asks the engine whether many of one family fell.
func (w *World) sweep() {
	delete(w.sweeps, w.Now.Truncate(sweepTime))
	watched := map[string]int{}
	var fallen []rollout.Fallen
	for _, id := range w.everyone() {
		d := w.devices[id]
		d.pass(w.Now)
		d.cut = false // whom the one before it does not reach has not fallen by itself
		fell, seen := w.fallen[id]
		switch well := d.reachable(w.Now) && !d.dead; {
		case well || d.Habit.has(Unreachable):
			delete(w.fallen, id)
		case !seen:
			fell = rollout.Fallen{DeviceID: id, Family: d.Facts.Family, Site: d.Facts.Site, At: w.Now}
			w.fallen[id] = fell
		}
		if _, down := w.fallen[id]; down {
			fallen = append(fallen, fell)
		}
		if _, down := w.fallen[id]; !d.Habit.has(Unreachable) && (!down || w.Now.Sub(fell.At) <= time.Hour) {
			watched[d.Facts.Family]++
		}
	}
	for _, e := range w.engine.events(fallen, watched, w.claims, w.Topo, w.Now) {
		for _, id := range e.Devices {
			fell := w.fallen[id]
			fell.Told = true
			w.fallen[id] = fell
		}
		w.tell("firmward", "event", e.String())
		for _, r := range w.runs {
			if r.Release.Family == e.Family {
				w.logged(r, func(h *firmward.Rollout, _ map[string]*firmward.Target) { w.engine.halt(e, h) })
			}
			if was := r.State; r.Release.Family == e.Family && w.engine.halt(e, &r.Rollout) {
				w.steered(r, was)
			}
		}
	}
	w.swept(fallen, watched)
}

// swept checks after a sweep that what many devices of one family say together halts every rollout of it.
func (w *World) swept(fallen []rollout.Fallen, watched map[string]int) {
	if !w.Check {
		return
	}
	down, fell, all, total := map[string]bool{}, map[string]int{}, 0, 0
	for _, f := range fallen {
		down[f.DeviceID] = true
	}
	for _, f := range fallen {
		quiet := w.claims.Device[f.DeviceID] == ""
		for _, up := range w.Topo.Carriers(f.DeviceID) {
			quiet = quiet && !down[up] && w.claims.Device[up] == ""
		}
		if quiet && !f.Told && w.Now.Sub(f.At) <= time.Hour {
			fell[f.Family]++
			all++
		}
	}
	for _, n := range watched {
		total += n
	}
	for _, r := range w.runs {
		n, of := float64(fell[r.Release.Family]), float64(watched[r.Release.Family])
		rest, others := float64(all)-n, float64(total)-of
		if n < 3 || n < of/10 || others > 0 && n/of < 2*rest/others-slack {
			continue
		}
		switch r.State {
		case firmward.RolloutRunning, firmward.RolloutAwaiting, firmward.RolloutPaused:
			w.fail("%.0f of %.0f devices of family %s fell together, and %s is %s", n, of, r.Release.Family, r.ID, r.State)
		case firmward.RolloutHalted:
			r.struck = true
		}
	}
}

// everyone lists the ids of all devices, sorted.
func (w *World) everyone() []string {
	if len(w.ids) != len(w.devices) {
		w.ids = w.ids[:0]
		for id := range w.devices {
			w.ids = append(w.ids, id)
		}
		slices.Sort(w.ids)
	}
	return w.ids
}

// Toll counts the devices that firmward sent an image to, and those that are worse than before for good.
func (w *World) Toll() (touched, lost int) {
	for _, d := range w.devices {
		d.pass(w.Now)
		if len(d.flashes) > 0 {
			touched++
		}
		if d.lost(w.Now) {
			lost++
		}
	}
	return touched, lost
}
