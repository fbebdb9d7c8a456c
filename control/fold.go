package control

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/audit"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/topology"
)

// foldAtOnce bounds the events of one rollout that one transaction takes.
const foldAtOnce = 256

// happening is one event of a target.
type happening struct {
	device   string
	event    rollout.Event
	finished string     // command that it answers, empty for an event without one
	done     chan error // of inbox: what became of it
}

// inbox gathers what happens to the targets of rollouts while an earlier transaction of the same rollout runs.
type inbox struct {
	mu      sync.Mutex
	waiting map[string][]happening
	busy    map[string]bool
}

// report saves an outcome together with those of the same rollout that arrive meanwhile, and tells what became of it. One that
// comes alone is saved at once.
func (c *Control) report(ctx context.Context, rolloutID string, h happening) error {
	h.done = make(chan error, 1)
	c.inbox.mu.Lock()
	c.inbox.waiting[rolloutID] = append(c.inbox.waiting[rolloutID], h)
	lead := !c.inbox.busy[rolloutID]
	c.inbox.busy[rolloutID] = true
	c.inbox.mu.Unlock()
	for lead {
		c.inbox.mu.Lock()
		all := c.inbox.waiting[rolloutID]
		some := all[:min(len(all), foldAtOnce)]
		c.inbox.waiting[rolloutID] = all[len(some):]
		if lead = len(some) > 0; !lead {
			delete(c.inbox.waiting, rolloutID)
			delete(c.inbox.busy, rolloutID)
		}
		c.inbox.mu.Unlock()
		for i, err := range c.fold(ctx, rolloutID, 0, some...) {
			some[i].done <- err
		}
	}
	return <-h.done
}

// fold gives events of one rollout to the engine, in order, and saves what it decides: header, targets, claims, commands, leaves
// and the ends of the commands that the events answer, in one transaction. A header that changed meanwhile is read again. When the
// transaction fails, each event is saved alone, so that one that cannot be saved holds no other back. The answer has an error for
// each. claims is the edition of claims that Start events were picked by.
func (c *Control) fold(ctx context.Context, rolloutID string, claims int64, some ...happening) []error {
	if len(some) == 0 {
		return nil
	}
	var err error
	for range 20 {
		var errs []error
		if errs, err = c.foldOnce(ctx, rolloutID, claims, some); err == nil {
			return errs
		}
		if ctx.Err() != nil || firmward.CodeOf(err) != firmward.Conflict {
			break
		}
	}
	if len(some) == 1 || ctx.Err() != nil {
		return same(err, len(some))
	}
	c.Log.WarnContext(ctx, "events cannot be saved together; each is saved alone", "rollout", rolloutID, "events", len(some), "error", err)
	var errs []error
	for _, h := range some {
		errs = append(errs, c.fold(ctx, rolloutID, claims, h)...)
	}
	return errs
}

func same(err error, n int) []error {
	errs := make([]error, n)
	for i := range errs {
		errs[i] = err
	}
	return errs
}

// folding is one transaction of events.
type folding struct {
	c        *Control
	tx       *store.Tx
	now      time.Time
	devices  map[string]firmward.Device
	able     map[string]rollout.Abilities // by device
	topo     topology.Map
	rollout  firmward.Rollout
	targets  map[string]*firmward.Target
	flying   map[string]bool // devices in flight before, or started here
	changed  map[string]bool // devices whose target changed
	turned   []string        // devices whose next step may be another one now
	commands []rollout.Command
	took     []firmward.UpdateTime
	leaves   []audit.Leaf
	events   []firmward.Event
	strays   map[string]int
	errs     []error
	fell     string            // why a spare in rehearsal falls back
	hands    map[string]string // devices that people update and whose target changed, with the observation that showed it
}

// The reasons for which an outcome changes nothing.
const (
	strayUnknown  = "unknown"  // no such command or target
	strayFinished = "finished" // the command had its outcome
	strayLate     = "late"     // the target has gone on without it
)

func (c *Control) foldOnce(ctx context.Context, rolloutID string, claims int64, some []happening) ([]error, error) {
	ids := make([]string, len(some))
	starts := false
	for i, h := range some {
		ids[i] = h.device
		starts = starts || takes(h.event.Kind)
	}
	devices, err := devicesByID(ctx, c.Store.Reader, ids)
	if err != nil {
		return nil, err
	}
	able, err := c.abilitiesOf(ctx, devices)
	if err != nil {
		return nil, err
	}
	var topo topology.Map
	if starts {
		if topo, err = c.topology(ctx); err != nil {
			return nil, err
		}
	}
	var f *folding
	var steered bool
	err = c.Store.Tx(ctx, func(tx *store.Tx) error {
		f = &folding{
			c: c, tx: tx, now: c.Clock.Now(), devices: devices, able: able, topo: topo, targets: map[string]*firmward.Target{},
			flying: map[string]bool{}, changed: map[string]bool{}, hands: map[string]string{}, strays: map[string]int{}, errs: make([]error, len(some)),
		}
		is, err := tx.Open(ctx, rolloutID, ids, f.now, ends(some)...)
		if err != nil {
			return err
		}
		f.rollout = is.Rollout
		for i, t := range is.Targets {
			f.targets[t.DeviceID], f.flying[t.DeviceID] = &is.Targets[i], t.State.InFlight()
		}
		if starts {
			if err := f.claim(ctx, claims, some); err != nil {
				return err
			}
		}
		if err := f.advance(ctx, is.Did, some); err != nil {
			return err
		}
		steered = f.rollout.State != is.Rollout.State
		if steered {
			f.tell("rollout-"+string(f.rollout.State), rolloutID, map[string]string{"why": f.rollout.Why}, "rollout", fmt.Sprintf("rollout %s: %s", f.rollout.State, f.rollout.Why))
		}
		return f.save(ctx, reflect.DeepEqual(is.Rollout, f.rollout))
	})
	if err != nil {
		return nil, err
	}
	c.after(rolloutID, f, steered)
	return f.errs, nil
}

// abilitiesOf gives what can be done to devices, by their ids. Devices of one model can do the same; whether one must be careful with it depends on where
// it stands.
func (c *Control) abilitiesOf(ctx context.Context, devices map[string]firmward.Device) (map[string]rollout.Abilities, error) {
	type kind struct {
		family, vendor, model string
		class                 firmward.Class
	}
	known := map[kind]rollout.Abilities{}
	out := make(map[string]rollout.Abilities, len(devices))
	for id, d := range devices {
		of := kind{d.Family, d.Vendor, d.Model, d.Class}
		can, ok := known[of]
		if !ok {
			var err error
			if can, err = c.abilities(ctx, d); err != nil {
				return nil, err
			}
			known[of] = can
		}
		can.Careful = d.Careful()
		out[id] = can
	}
	return out, nil
}

// after wakes whom a saved change concerns.
func (c *Control) after(rolloutID string, f *folding, steered bool) {
	if len(f.commands) > 0 {
		c.wake(loopDispatch)
	}
	if len(f.leaves) > 0 {
		c.unsealed.Store(true)
		c.untold.Store(true)
		c.wake(loopAudit, loopNotify)
	}
	if len(f.turned) > 0 {
		c.touch(f.turned...)
	}
	if steered {
		c.touchTargets(rolloutID)
	}
}

// takes reports whether an event takes a claim: a device is changed from then on.
func takes(k rollout.Kind) bool { return k == rollout.Start || k == rollout.Restore }

// claim takes for the Start and Restore events what their devices hold while they are changed. What Pick saw may have changed since: when others
// claimed something meanwhile, nobody starts and who starts is picked anew.
func (f *folding) claim(ctx context.Context, edition int64, some []happening) error {
	stop, err := f.tx.StopAll(ctx)
	if err != nil {
		return err
	}
	now, err := f.tx.Edition(ctx, store.EditionClaims)
	if err != nil {
		return err
	}
	var refused error
	switch {
	case stop.On || f.c.halted.Load() != 0:
		refused = firmward.Errorf(firmward.Conflict, "the red button is pressed")
	case edition != now:
		refused = errOvertaken
	}
	var claimants []store.Claimant
	var of []int
	for i, h := range some {
		t, d := f.targets[h.device], f.devices[h.device]
		if !takes(h.event.Kind) || t == nil || t.State != firmward.TargetPending && t.State != firmward.TargetAsked && !t.MayRestore {
			continue
		}
		if f.errs[i] = refused; refused == nil {
			claimants, of = append(claimants, claimant(f.topo, d, f.rollout)), append(of, i)
		}
	}
	answers, err := f.tx.Claim(ctx, f.rollout.ID, claimants...)
	if err != nil {
		return err
	}
	for n, i := range of {
		f.errs[i] = answers[n]
	}
	return nil
}

// errOvertaken says that a pick rests on what is no longer so.
var errOvertaken = firmward.Errorf(firmward.Conflict, "others started something meanwhile")

// ends are the commands that events answer.
func ends(some []happening) (out []store.Finish) {
	for _, h := range some {
		if h.finished != "" {
			out = append(out, store.Finish{ID: h.finished, Outcome: string(h.event.Kind)})
		}
	}
	return out
}

// advance gives the events to the engine. did names the commands that ended with them.
func (f *folding) advance(ctx context.Context, did map[string]bool, some []happening) error {
	for i, h := range some {
		if f.errs[i] != nil {
			continue
		}
		if h.finished != "" && !did[h.finished] {
			why := strayFinished
			if _, err := f.tx.Command(ctx, h.finished); firmward.CodeOf(err) == firmward.NotFound {
				why = strayUnknown
			} else if err != nil {
				return err
			}
			f.strays[why]++
			continue
		}
		delete(did, h.finished) // a second outcome of the same command finds it finished
		f.one(h)
	}
	return nil
}

func (f *folding) one(h happening) {
	t, d := f.targets[h.device], f.devices[h.device]
	if t == nil || d.ID == "" {
		f.strays[strayUnknown]++
		return
	}
	before := *t
	n := len(f.commands)
	in := rollout.Input{Now: f.now, Rollout: &f.rollout, Target: t, Abilities: f.able[h.device], Event: h.event}
	f.commands = rollout.Advance(&in, f.commands)
	if n == len(f.commands) && before.State == t.State && reflect.DeepEqual(before, *t) {
		if h.event.Command != "" {
			f.strays[strayLate]++
		}
		return
	}
	f.changed[h.device] = true
	if t.ByHand {
		f.hands[h.device] = cmp.Or(h.event.Seen.Evidence, f.hands[h.device])
	}
	if u, ok := rollout.Took(before, *t, d); ok {
		f.took = append(f.took, u)
	}
	if t.State.InFlight() && takes(h.event.Kind) {
		f.flying[h.device] = true
	}
	if t.State.InFlight() != before.State.InFlight() || t.State.Waits() != before.State.Waits() || t.State != before.State && t.State.Final() {
		f.turned = append(f.turned, d.ID)
	}
	if t.State != before.State || t.State.Final() && t.Code != before.Code {
		detail := targetDetail(*t)
		if h.event.Kind == rollout.PreflightOK {
			tellVitals(detail, h.event.Seen.Vitals)
		}
		f.tell("target-"+string(t.State), d.ID, detail, "target", fmt.Sprintf("%s: %s (%s)", d.Name, t.State, t.Why))
		if t.State == firmward.TargetFalling && f.rollout.Rehearsal {
			f.fell = t.Why
		}
	}
}

// tellVitals adds what a device said of its battery and radio before the start, as far as it did.
func tellVitals(detail map[string]string, v firmward.Vitals) {
	if v.Battery != nil {
		detail["battery"] = fmt.Sprintf("%d %%", *v.Battery)
	}
	if v.External {
		detail["power"] = "external"
	}
	if v.Signal != nil {
		detail["signal"] = fmt.Sprintf("%d dBm", *v.Signal)
	}
}

// tell keeps the leaf and the event of a change. The subject of the event is the rollout.
func (f *folding) tell(action, subject string, detail map[string]string, kind, text string) {
	f.leaves = append(f.leaves, audit.Leaf{At: f.now, Actor: self, Action: action, Subject: subject, Detail: detail})
	f.events = append(f.events, firmward.Event{At: f.now, Kind: kind, Subject: f.rollout.ID, Text: text})
}

// save writes what changed. What is quickest to make ready comes first, since the database writes it while the rest is made ready, and
// what is waited for comes last. A header that says what it said is not written.
func (f *folding) save(ctx context.Context, unchanged bool) error {
	var targets []firmward.Target
	var free []string
	for _, id := range slices.Sorted(maps.Keys(f.changed)) {
		targets = append(targets, *f.targets[id])
		if f.flying[id] && !f.targets[id].State.InFlight() {
			free = append(free, id)
		}
	}
	if err := f.tx.Unclaim(ctx, f.rollout.ID, free...); err != nil {
		return err
	}
	if err := f.orders(ctx); err != nil {
		return err
	}
	var commands []store.Command
	for _, cmd := range f.commands {
		if cmd.Verb == rollout.DoAsk { // carried out here, see orders
			continue
		}
		payload, err := json.Marshal(cmd)
		if err != nil {
			return err
		}
		commands = append(commands, store.Command{ID: cmd.ID, Kind: string(cmd.Verb), Subject: f.rollout.ID, Payload: payload, Created: f.now})
	}
	if err := f.tx.Enqueue(ctx, commands...); err != nil {
		return err
	}
	if err := f.tx.Record(ctx, f.leaves...); err != nil {
		return err
	}
	if err := f.tx.PutTargets(ctx, targets); err != nil {
		return err
	}
	if err := f.tx.PutUpdateTimes(ctx, f.took...); err != nil {
		return err
	}
	for why, n := range f.strays {
		if err := f.tx.CountStray(ctx, why, n, f.now); err != nil {
			return err
		}
	}
	if err := f.tx.Emit(ctx, f.events...); err != nil {
		return err
	}
	if f.fell != "" {
		if err := noteFall(ctx, f.tx, f.rollout.ID, f.fell); err != nil {
			return err
		}
	}
	if unchanged {
		return nil
	}
	_, err := f.tx.PutRollout(ctx, f.rollout)
	return err
}
