package sim

import (
	"fmt"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/topology"
)

// Random makes a small fleet with troubled devices, one or two rollouts, a policy, a topology and
// persons who steer at odd times. Everything follows from the seed.
func Random(seed uint64, begin time.Time, cast Cast) *World { return random(seed, begin, cast, sound) }

// Cast says who takes part in a fleet that is made from a seed.
type Cast int

// The casts.
const (
	Everyone Cast = iota
	Machines      // no device that a person updates, none that sleeps, none that comes late: as fleets were at first
)

func random(seed uint64, begin time.Time, cast Cast, e engine) *World {
	w := New(begin, seed)
	w.Check, w.engine, w.cast = true, e, cast
	w.Odds = Odds{CrashBefore: w.dice("before", 60), CrashAfter: w.dice("after", 60), Twice: w.dice("twice", 60), Late: w.dice("late", 40), Kill: max(0, w.dice("kill", 160)-80)}
	order, late := w.settlers(), []string(nil)
	if n := w.dice("late", 6); len(order) > n+2 && cast == Everyone { // the last ones are not there yet
		order, late = order[:len(order)-n], order[len(order)-n:]
	}
	rel := firmward.Release{ID: "rel-2", Family: "f", Models: []string{"M0", "M1"}, Hardware: [][]string{{"*"}, {"*"}, {"h0"}, {"h0", "h1"}}[w.dice("revisions", 4)], Version: "2.0.0", Fixes: fixes}
	w.trouble("", "2.0.0", 4000)
	w.persons(w.Plan("ro1", "anna", rel, w.policy("one"), order), "one", 4000)
	if w.dice("second rollout", 3) == 0 {
		if w.dice("the same again", 3) > 0 { // else the image that the first one carries, under another policy
			rel.ID, rel.Version = "rel-3", "3.0.0"
		}
		w.persons(w.Plan("ro2", "dora", rel, w.policy("two"), order), "two", 4000)
	}
	if len(late) > 0 {
		w.At(begin.Add(time.Duration(w.dice("late at", 3000))*time.Minute), func() { w.Arrive(late...) })
	}
	w.beside("", order, 3000)
	if w.dice("zone", 2) == 0 {
		w.Zone = zones[w.dice("which zone", len(zones))]
	}
	w.stops("", 3000)
	return w
}

// fixes is what releases of fleets made by chance are to close.
var fixes = []string{"CVE-1", "CVE-2"}

// settlers makes a small fleet with its topology, and gives the ids of its devices.
func (w *World) settlers() []string {
	n := 2 + w.dice("devices", 14)
	bad := w.dice("bad", 60) // per cent of devices with a habit
	order := make([]string, n)
	var relations []firmward.Relation
	for i := range order {
		id := fmt.Sprintf("d%02d", i)
		order[i] = id
		d := &Device{Facts: firmward.Device{
			ID: id, Name: id, Model: fmt.Sprintf("M%d", w.dice(id+"model", 2)), Hardware: fmt.Sprintf("h%d", w.dice(id+"hardware", 2)),
			Firmware: "1.0.0", Network: "192.0.2.0/24", Family: "f", Zone: firmward.ZoneHome, Criticality: w.dice(id+"criticality", 5), Lab: w.dice(id+"lab", 2) == 0,
			Site: fmt.Sprintf("s%d", w.dice(id+"site", 2)),
		}, Path: []string{"push", "pull"}[w.dice(id+"path", 4)/3]}
		w.mature(d, w.Now)
		d.Open = fixes[:w.dice(id+"open", len(fixes)+1)]
		if w.dice(id+"bad", 100) < bad {
			d.Habit = 1<<w.dice(id+"habit", dealt) | 1<<w.dice(id+"second", dealt)
		}
		if w.dice(id+"loses", 8) == 0 {
			d.Habit |= LosesChild
		}
		if w.dice(id+"stays open", 16) == 0 {
			d.Habit |= StaysOpen
		}
		d.Habit |= Habit(w.dice(id+"dead-man", 2)) * DeadMan
		if d.Manner = w.manner(id); d.Manner.has(ByHand) {
			d.Path = "person"
		}
		w.Put(d)
		if i > 0 && w.dice(id+"behind", 4) == 0 {
			relations = append(relations, firmward.Relation{From: id, To: order[w.dice(id+"gateway", i)], Kind: firmward.Behind})
		} else if i > 0 && w.dice(id+"twin", 5) == 0 {
			relations = append(relations, firmward.Relation{From: id, To: order[i-1], Kind: firmward.RedundantWith})
		}
	}
	for i, id := range order {
		if i > 0 && w.dice(id+"air", 4) == 0 {
			relations = append(relations, firmward.Relation{From: id, To: order[w.dice(id+"medium", i)], Kind: firmward.SameMedium})
		}
	}
	w.Topo = topology.New(relations)
	w.lows("", order)
	return order
}

// manner deals how a device and its person are: in every second fleet some are updated by hand, in every fourth some sleep.
func (w *World) manner(id string) (m Manner) {
	if w.cast == Machines {
		return 0
	}
	if w.dice("hands", 4) > 1 && w.dice(id+"hand", 3) == 0 {
		m = ByHand
		for i := 1; i <= 4; i++ { // Idle to Careless
			if w.dice(id+manners[i], 5) == 0 {
				m |= 1 << i
			}
		}
	}
	if w.dice("sleepers", 4) == 0 && w.dice(id+"sleeps", 3) == 0 {
		m |= Sleeper
	}
	return m
}

// trouble lets an image be flawed, and vendors do what vendors do within so many minutes. name goes before the names of the dice.
func (w *World) trouble(name, version string, minutes int) {
	begin := w.Now
	roll := func(what string, sides int) int { return w.dice(name+what, sides) }
	at := func(what string) time.Time { return begin.Add(time.Duration(roll(what+" at", minutes)) * time.Minute) }
	model := []string{"", "M0", "M1"}[roll("whose", 3)]
	if roll("flaw", 3) == 0 {
		f := Flaw{Model: model, Habit: []Habit{Bricks, PowerCut, Minimal, Minimal | PowerCut, Minimal | PowerCut, DiesLate, Dies, DeadService, OldVersion, 0}[roll("which flaw", 10)]}
		switch roll("flaw of", 4) {
		case 0:
			f.Path = []string{"push", "pull"}[roll("flawed path", 2)]
		case 1:
			f.Hardware = "h1"
		case 2:
			f.Version = version
		}
		if f.Habit == 0 {
			f.Dies = at("date")
		}
		w.Flaws = append(w.Flaws, f)
	}
	if roll("stays open", 10) == 0 {
		w.Flaws = append(w.Flaws, Flaw{Model: model, Version: version, Habit: StaysOpen})
	}
	hits := func(d firmward.Device) bool { return model == "" || d.Model == model }
	if roll("content", 8) == 0 {
		w.At(at("content"), func() { w.Strike("vendor", hits) })
	}
	if roll("push", 8) == 0 {
		w.At(at("push"), func() { w.Push("vendor", version, hits) })
	}
	if roll("withdrawn", 8) == 0 {
		w.At(at("withdrawn"), func() { w.Withdraw("vendor", version, "it bricks devices") })
	}
}

// beside lets somebody change devices beside firmward within so many minutes.
func (w *World) beside(name string, order []string, minutes int) {
	begin := w.Now
	for i := range w.dice(name+"drifts", 4) {
		name := fmt.Sprint(name, "drift", i)
		id := order[w.dice(name+"who", len(order))]
		w.At(begin.Add(time.Duration(w.dice(name+"at", minutes))*time.Minute), func() {
			unseen := w.dice(name+"seen", 2) == 0
			w.Drift(id, unseen, func(d *firmward.Device) {
				if !unseen && w.dice(name+"what", 4) == 0 { // a model that nobody has seen is refused by the look before the start
					d.Model = "M9"
					return
				}
				d.Firmware = fmt.Sprintf("1.0.%d", w.dice(name+"version", 3))
			})
		})
	}
}

// stops lets people freeze the site and press the red button, for a while each, within so many minutes.
func (w *World) stops(name string, minutes int) {
	begin := w.Now
	roll := func(what string, sides int) int { return w.dice(name+what, sides) }
	if roll("site freeze", 4) == 0 {
		day := begin.AddDate(0, 0, roll("site frozen", 3)).Format(time.DateOnly)
		f := firmward.Freeze{Name: name + "stocktaking", From: day, To: day, By: "carl"}
		w.At(begin.Add(time.Duration(roll("site freeze at", minutes))*time.Minute), func() { w.Freeze(f) })
	}
	if roll("button", 3) == 0 {
		press := roll("press", minutes)
		w.At(begin.Add(time.Duration(press)*time.Minute), func() { w.Press("carl", true) })
		w.At(begin.Add(time.Duration(press+roll("release", 600))*time.Minute), func() { w.Press("carl", false) })
	}
}

// mature lets some devices wait for a release to mature, and some of those for the word of their owner.
func (w *World) mature(d *Device, begin time.Time) {
	id := d.Facts.ID
	at := func(what string) time.Time { return begin.Add(time.Duration(w.dice(id+what, 3000)) * time.Minute) }
	if w.dice(id+"held", 5) == 0 {
		d.Held.Until = at("held until")
	}
	if w.dice(id+"word", 8) == 0 {
		d.Held.Release = true
		from := at("released")
		d.Facts.Released = firmward.Span{From: from, To: from.AddDate(9, 0, 0)} // else it may wait for ever, as it must
	}
}

// zones are places whose clocks are odd in their own ways: the first two change while a fleet is played.
var zones = func() (out []*time.Location) {
	for _, name := range []string{"America/New_York", "America/Havana", "Australia/Lord_Howe", "Asia/Kolkata"} {
		if loc, err := time.LoadLocation(name); err == nil {
			out = append(out, loc)
		}
	}
	return append(out, time.UTC)
}()

// persons lets people start a rollout and interfere with it within so many minutes.
func (w *World) persons(r *Run, name string, minutes int) {
	w.At(w.Now, func() { w.Steer(r, r.Author, "start", "") })
	for i := range w.dice(name+"orders", 12) {
		id := fmt.Sprint(name, "order", i)
		at := w.Now.Add(time.Duration(w.dice(id+"at", minutes)) * time.Minute)
		who := []string{"anna", "bert", "carl"}[w.dice(id+"who", 3)]
		order := []string{"approve", "approve", "approve", "pause", "resume", "resume", "start", "stop"}[w.dice(id+"what", 8)]
		wave := w.dice(id+"wave", 3)
		w.At(at, func() {
			if order == "approve" {
				w.Approve(r, who, wave)
				return
			}
			w.Steer(r, who, order, "as the dice say")
		})
	}
}

// calm ends all trouble between firmward and its devices, and starts it if it was killed.
func (w *World) calm() {
	w.Odds = Odds{}
	if w.off() {
		w.backAt = w.Now
		w.back()
	}
	w.Press("carl", false)
}

// Calm ends all trouble outside the devices: no faults, no red button, and persons who approve and
// resume everything again and again. What does not come to an end now never will.
func (w *World) Calm() error {
	w.calm()
	for range 10 { // each device that is found changed takes approvals back once more
		for _, r := range w.runs {
			for wave := range r.Waves {
				w.Approve(r, "bert", wave)
				w.Approve(r, "carl", wave)
			}
			w.Steer(r, r.Author, "start", "")
			w.Steer(r, "bert", "resume", "looked at it")
		}
		w.settle()
		if err := w.Run(w.Now.AddDate(0, 0, 60)); err != nil {
			return err
		}
	}
	return w.Stuck()
}
