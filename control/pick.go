package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/topology"
)

// startSome asks who of the open wave may start now and starts them. next is when to ask again; more says that another pass may start
// more.
//
// Those who wait are asked page by page, from where the last turn stopped, once around: so everyone's turn comes, however many before
// them wait for something else. A round of many pages is spread over turns, so that other rollouts get theirs.
func (c *Control) startSome(ctx context.Context, id string) (next time.Time, more bool, err error) {
	p, err := c.picking(ctx, id)
	if err != nil || p == nil {
		return next, false, err
	}
	at := c.rounds[id]
	if !at.cut {
		at = round{after: at.after, began: at.after, wrapped: at.after == "", woken: c.woken.Load()}
	}
	for range pagesAtOnce {
		pending, err := c.Store.WaitingTargets(ctx, id, p.rollout.Wave, at.after, pendingAtOnce)
		if err != nil {
			return next, false, err
		}
		room, err := c.startOf(ctx, p, pending)
		next = earlier(next, p.next)
		switch {
		case err != nil || p.moved:
			return next, p.moved, err
		case !room || p.stop: // the next turn goes on with those who are left of this page
			at.cut = false
			c.rounds[id] = at
			return next, p.started > 0, nil
		case at.over(pending):
			delete(c.rounds, id)
			if at.woken != c.woken.Load() && at.cut { // something has changed for those who were asked in earlier turns
				next = p.now
			}
			return next, p.started > 0, nil
		}
	}
	at.cut = true
	c.rounds[id] = at
	return p.now, false, nil
}

// round is how far the targets of a rollout that wait were asked.
type round struct {
	after   string // the device that was asked last
	began   string // where the round began: after this device
	wrapped bool   // it is before that place
	cut     bool   // it goes on where it stopped, else another begins there
	woken   int64  // how often the loop was woken before it began
}

// over moves past a page and reports whether all were asked.
func (r *round) over(page []firmward.Target) bool {
	if len(page) == pendingAtOnce {
		r.after = page[len(page)-1].DeviceID
		return r.wrapped && r.began != "" && r.after >= r.began
	}
	r.after = ""
	again := r.wrapped
	r.wrapped = true
	return again
}

// pagesAtOnce bounds the pages of one rollout that one turn asks.
const pagesAtOnce = 8

// pendingAtOnce bounds the page of targets that Pick sees.
const pendingAtOnce = 1000

// picking is what the picks of one turn of a rollout rest on.
type picking struct {
	rollout firmward.Rollout
	release firmward.Release
	stop    bool
	topo    topology.Map
	claims  rollout.Claims
	edition int64 // of claims
	now     time.Time
	places  map[string]placeTime
	next    time.Time // when a window opens, a release of a device begins, or one is to be asked again
	started int
	moved   bool // others started something meanwhile
}

// picking reads what picks rest on; nil when nobody can start.
func (c *Control) picking(ctx context.Context, id string) (*picking, error) {
	r, err := c.Store.Rollout(ctx, id)
	if err != nil || r.State != firmward.RolloutRunning {
		return nil, err
	}
	if most, _ := rollout.Most(&r); r.InFlight >= most {
		return nil, nil
	}
	if waits, _, err := c.Store.Unended(ctx, id, r.Wave); err != nil || !waits {
		return nil, err
	}
	p, err := c.ground(ctx, r)
	if err == nil && !p.release.Withdrawn.IsZero() {
		return nil, c.steer(ctx, id, self, "halt", "the release was withdrawn: "+p.release.WhyGone)
	}
	return p, err
}

// ground reads what the picks of a rollout rest on.
func (c *Control) ground(ctx context.Context, r firmward.Rollout) (*picking, error) {
	p := &picking{rollout: r, now: c.Clock.Now(), places: map[string]placeTime{}}
	var err error
	if p.release, err = c.Store.Release(ctx, r.ReleaseID); err != nil {
		return nil, err
	}
	if p.stop, err = c.stopped(ctx); err != nil {
		return nil, err
	}
	if p.topo, err = c.topology(ctx); err != nil {
		return nil, err
	}
	p.claims, p.edition, err = c.claims(ctx)
	return p, err
}

// startOf starts who may start of a page of targets, and writes the reason why not now for the others. room says that more could
// start.
func (c *Control) startOf(ctx context.Context, p *picking, pending []firmward.Target) (room bool, err error) {
	slots, err := c.candidateSlots(ctx, p, pending)
	if err != nil {
		return false, err
	}
	picks, refusals := rollout.Pick(&p.rollout, slots, p.claims, p.topo, p.stop)
	for some := range slices.Chunk(picks, foldAtOnce) {
		if p.moved, err = c.start(ctx, p, some); err != nil || p.moved {
			return false, err
		}
	}
	if err := c.noteWaiting(ctx, refusals, pending); err != nil {
		return false, err
	}
	most, _ := rollout.Most(&p.rollout)
	return p.rollout.InFlight < most, nil
}

// start starts picked targets and reads anew what the next picks rest on.
func (c *Control) start(ctx context.Context, p *picking, picks []rollout.Slot) (moved bool, err error) {
	some := make([]happening, len(picks))
	for i, s := range picks {
		some[i] = happening{device: s.Target.DeviceID, event: rollout.Begin(s)}
	}
	for _, err := range c.fold(ctx, p.rollout.ID, p.edition, some...) {
		switch {
		case err == nil:
			p.started++
		case errors.Is(err, errOvertaken):
			moved = true
		case firmward.CodeOf(err) != firmward.Conflict:
			return false, err
		}
	}
	if moved {
		return true, nil
	}
	if p.rollout, err = c.Store.Rollout(ctx, p.rollout.ID); err != nil {
		return false, err
	}
	before := p.edition
	p.claims, p.edition, err = c.claims(ctx)
	return p.rollout.State != firmward.RolloutRunning || p.edition > before+1, err // one was ours
}

// startOne starts one target on a person's word, as event says, unless that says why not. Others may start something meanwhile: then it is
// asked again.
func (c *Control) startOne(ctx context.Context, r firmward.Rollout, t firmward.Target, event func(*picking, rollout.Slot) (ev rollout.Event, not string)) error {
	for range 20 {
		p, err := c.ground(ctx, r)
		if err != nil {
			return err
		}
		slots, err := c.candidateSlots(ctx, p, []firmward.Target{t})
		if err != nil {
			return err
		}
		ev, not := event(p, slots[0])
		if not != "" {
			return firmward.Errorf(firmward.Refused, "not now: "+not)
		}
		if err = c.fold(ctx, r.ID, p.edition, happening{device: t.DeviceID, event: ev})[0]; !errors.Is(err, errOvertaken) {
			return err
		}
		if t, err = c.Store.Target(ctx, r.ID, t.DeviceID); err != nil {
			return err
		}
		if r, err = c.Store.Rollout(ctx, r.ID); err != nil {
			return err
		}
	}
	return firmward.Errorf(firmward.Conflict, "others start again and again: try again in a moment")
}

// candidateSlots are targets as Pick sees them.
func (c *Control) candidateSlots(ctx context.Context, p *picking, pending []firmward.Target) ([]rollout.Slot, error) {
	devices, err := devicesOf(ctx, c.Store.Reader, pending)
	if err != nil {
		return nil, err
	}
	cands, err := c.candidatesOf(ctx, p.release, devices)
	if err == nil {
		err = c.hold(ctx, p.release, p.rollout.Policy, cands)
	}
	if err != nil {
		return nil, err
	}
	slots := make([]rollout.Slot, len(pending))
	for i, t := range pending {
		d := devices[i]
		at, ok := p.places[d.Site]
		if !ok {
			if at, err = c.placeTime(ctx, d.Site, p.now); err != nil {
				return nil, err
			}
			p.places[d.Site] = at
			p.next = earlier(p.next, rollout.Due(p.rollout.Policy, at.local, at.freezes))
		}
		slots[i] = rollout.Slot{Target: t, Candidate: cands[i], Local: at.local, Freezes: at.freezes, Group: p.topo.Group(d.ID)}
		for _, from := range []time.Time{d.Released.From, cands[i].Held.Until, t.NextDue} {
			if from.After(p.now) {
				p.next = earlier(p.next, from)
			}
		}
	}
	return slots, nil
}

// noteWaiting writes the reason why not now where it changed.
func (c *Control) noteWaiting(ctx context.Context, refusals []rollout.Refusal, pending []firmward.Target) error {
	why := map[string]string{}
	for _, t := range pending {
		why[t.DeviceID] = t.Why
	}
	said := map[string]rollout.Refusal{}
	var ids []string
	for _, ref := range refusals {
		if why[ref.DeviceID] != ref.Why {
			said[ref.DeviceID] = ref
			ids = append(ids, ref.DeviceID)
		}
	}
	for some := range slices.Chunk(ids, foldAtOnce) {
		var changed []firmward.Target
		err := c.Store.Tx(ctx, func(tx *store.Tx) error {
			changed = changed[:0]
			targets, err := tx.TargetsIn(ctx, pending[0].RolloutID, some)
			if err != nil {
				return err
			}
			for _, t := range targets {
				if t.State == firmward.TargetPending {
					t.Why, t.Code = said[t.DeviceID].Why, said[t.DeviceID].Code
					changed = append(changed, t)
				}
			}
			return tx.PutTargets(ctx, changed)
		})
		if err != nil {
			return err
		}
		for _, t := range changed {
			c.touch(t.DeviceID)
		}
	}
	return nil
}

// topology gives the edges between devices; they are read again when one has changed.
func (c *Control) topology(ctx context.Context) (topology.Map, error) {
	edition, err := c.Store.Edition(ctx, store.EditionRelations)
	if err != nil {
		return topology.Map{}, err
	}
	c.edges.Lock()
	defer c.edges.Unlock()
	if c.edges.known && c.edges.edition == edition {
		return c.edges.Map, nil
	}
	all, err := store.Every(func(p store.Page) ([]firmward.Relation, string, error) { return c.Store.Relations(ctx, p) })
	if err != nil {
		return topology.Map{}, err
	}
	c.edges.Map, c.edges.edition, c.edges.known = topology.New(all), edition, true
	return c.edges.Map, nil
}

// edges keeps what hangs on what as it was at an edition of it.
type edges struct {
	sync.Mutex
	topology.Map
	edition int64
	known   bool
}

// placeTime is a time on the clock of a site, with the freezes that people set there.
type placeTime struct {
	local   time.Time
	freezes []firmward.Freeze
}

func (c *Control) placeTime(ctx context.Context, site string, now time.Time) (placeTime, error) {
	at := placeTime{local: now}
	s, err := c.Store.Site(ctx, site)
	if firmward.CodeOf(err) == firmward.NotFound {
		return at, nil
	}
	if err != nil {
		return at, err
	}
	if s.TimeZone != "" {
		zone, err := time.LoadLocation(s.TimeZone)
		if err != nil {
			return at, fmt.Errorf("time zone of site %s: %w", site, err)
		}
		at.local = now.In(zone)
	}
	freezes, err := c.Store.Freezes(ctx, site)
	for _, f := range freezes {
		at.freezes = append(at.freezes, f.Freeze)
	}
	return at, err
}

// LocalTime is now on the clock of a site.
func (c *Control) LocalTime(ctx context.Context, site string) (time.Time, error) {
	at, err := c.placeTime(ctx, site, c.Clock.Now())
	return at.local, err
}

// abilities are the facts about driver, card and earlier updates that the engine needs.
func (c *Control) abilities(ctx context.Context, d firmward.Device) (rollout.Abilities, error) {
	m := c.Catalog.Model(d)
	took, err := c.pace(ctx, d.Model)
	a := c.able(m, took)
	a.Careful = d.Careful()
	return a, err
}

func (c *Control) able(m firmward.Model, took []firmward.UpdateTime) rollout.Abilities {
	a := rollout.Abilities{ByHand: atWork(m), Scheme: m.Scheme, Settle: rollout.Learned(m, took), Exchange: c.Clock.Real(lookLimit)}
	if drv, ok := c.installer(m); ok {
		info := drv.Info()
		a.DeadMan = info.Rollback == firmward.RollbackDeadMan
		// One driver serves models with two slots and with one: the card says which this is.
		back := info.Rollback == firmward.RollbackSlot || info.Rollback == firmward.RollbackReflash
		a.CanRevert = back && m.Rollback.Value == string(info.Rollback)
	}
	return a
}
