package control

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/contain"
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/enforce"
	"github.com/firmward/firmward/store"
)

// containStep takes every open containment one step: guard, cap, apply, prove, confirm. What cannot be
// done stays open with its reason. An applied one that is not proven in time undoes itself on the
// enforcing side; here that is only noted.
func (c *Control) containStep(ctx context.Context) (time.Time, error) {
	open := true
	c.walls.Lock()
	defer c.walls.Unlock()
	held, err := c.containments(ctx, store.ContainmentFilter{Open: &open})
	if err != nil {
		return time.Time{}, err
	}
	var due time.Time
	for _, h := range held {
		next, err := c.containOne(ctx, h)
		if err != nil {
			return time.Time{}, fmt.Errorf("contain %s: %w", h.DeviceID, err)
		}
		due = earlier(due, next)
	}
	return due, nil
}

// containments gives all containments that match: a desired state that was cut off at a page would let the
// rest go.
func (c *Control) containments(ctx context.Context, want store.ContainmentFilter) ([]firmward.Containment, error) {
	return store.Every(func(p store.Page) ([]firmward.Containment, string, error) { return c.Store.Containments(ctx, want, p) })
}

// afterRestart is the code of a containment that stood before firmward was started again.
const afterRestart = firmward.ContainRestart

// restoreWalls sets the rules of everything that is contained again: a restarted router has forgotten
// them. Each is proven anew before it is confirmed; one that cannot be proven stays as open, with the reason.
func (c *Control) restoreWalls(ctx context.Context) error {
	c.walls.Lock()
	defer c.walls.Unlock()
	held, err := c.containments(ctx, store.ContainmentFilter{State: firmward.ContainContained})
	if err != nil {
		return err
	}
	for _, h := range held {
		if err := c.saveContainment(ctx, h, firmward.ContainOpen, afterRestart, "firmward has started again: the cut is set and proven anew"); err != nil {
			return err
		}
	}
	return nil
}

// containRetry is how long an open containment waits before it is tried again by itself.
const containRetry = time.Hour

func (c *Control) containOne(ctx context.Context, h firmward.Containment) (time.Time, error) {
	now := c.Clock.Now()
	switch h.State {
	case firmward.ContainOpen:
		if h.NextDue.After(now) {
			return h.NextDue, nil
		}
		return c.applyContainment(ctx, h)
	case firmward.ContainApplied: // a crash came between: the wall's own timer decides
		if now.Before(h.ConfirmBy) {
			return h.ConfirmBy, nil
		}
		return time.Time{}, c.saveContainment(ctx, h, firmward.ContainUndone, "not-confirmed", "it was not confirmed in time and has undone itself")
	}
	return time.Time{}, nil
}

func (c *Control) applyContainment(ctx context.Context, h firmward.Containment) (time.Time, error) {
	d, err := c.Store.Device(ctx, h.DeviceID)
	if err != nil {
		return time.Time{}, err
	}
	if code, why := contain.Guard(d); code != "" {
		return time.Time{}, c.saveContainment(ctx, h, firmward.ContainRefused, code, why)
	}
	if code, why, err := c.storm(ctx, h, d); h.Code != afterRestart && (err != nil || code != "") {
		return c.keepOpen(ctx, h, code, why, err)
	}
	wall, why := c.wall(ctx)
	if wall == nil {
		return c.keepOpen(ctx, h, "no-enforcer", why, nil)
	}
	if !slices.ContainsFunc(c.Witness, func(v enforce.Vantage) bool { return !v.Allowed }) {
		return c.keepOpen(ctx, h, "no-witness", "no place is set from which packets could prove the cut (serve --witness with a second address of this host)", nil)
	}
	want, err := c.wantedRules(ctx, h.ID)
	if err != nil {
		return time.Time{}, err
	}
	h.Rules = contain.Rules(d, c.Self, nil)
	h.Enforcer = wall.Info().Name
	// One moment on two clocks: the wall counts real time whatever the house's pace, the record tells house time.
	undo := time.Now().Add(contain.UndoAfter)
	h.ConfirmBy = c.Clock.Now().Add(c.Clock.Real(contain.UndoAfter))
	if err := c.saveContainment(ctx, h, firmward.ContainApplied, "", "the rules are being set; without proof they undo themselves"); err != nil {
		return time.Time{}, err
	}
	applied, err := wall.Apply(ctx, append(want, h.Rules...), undo)
	if err != nil {
		h.NextDue = c.Clock.Now().Add(containRetry)
		return h.NextDue, c.saveContainment(ctx, h, firmward.ContainOpen, "enforcer-failed", wall.Info().Name+" failed: "+err.Error())
	}
	proofs := c.prove(ctx, wall, d)
	for _, p := range proofs {
		h.Proof = append(h.Proof, firmward.ServiceState{Probe: p.Path, OK: p.Open == p.Want, Note: map[bool]string{true: "open", false: "cut"}[p.Open]})
	}
	if ok, why := contain.Judge(proofs); !ok {
		if _, err := wall.Apply(ctx, want, time.Now().Add(contain.UndoAfter)); err != nil {
			c.Log.ErrorContext(ctx, "rules not taken back at once; their own timer will", "device", d.ID, "error", err)
		}
		return time.Time{}, c.saveContainment(ctx, h, firmward.ContainUndone, "not-proven", "the proof failed, so the rules were taken back: "+why)
	} else if err := wall.Confirm(ctx, applied); err != nil {
		return time.Time{}, c.saveContainment(ctx, h, firmward.ContainUndone, "not-confirmed", "the confirmation failed, the rules undo themselves: "+err.Error())
	} else {
		return time.Time{}, c.saveContainment(ctx, h, firmward.ContainContained, "", "proven by packets: "+why)
	}
}

// storm asks the cap.
func (c *Control) storm(ctx context.Context, h firmward.Containment, d firmward.Device) (code, why string, err error) {
	all, err := c.containments(ctx, store.ContainmentFilter{})
	if err != nil {
		return "", "", err
	}
	recent := 0
	since := c.Clock.Now().Add(-time.Hour)
	for _, other := range all {
		if other.ID == h.ID || other.Created.Before(since) || other.State != firmward.ContainContained && other.State != firmward.ContainApplied {
			continue
		}
		if od, err := c.Store.Device(ctx, other.DeviceID); err == nil && od.Site == d.Site {
			recent++
		}
	}
	counts, err := c.Store.CountDevices(ctx)
	if err != nil {
		return "", "", err
	}
	total := 0
	for _, n := range counts {
		if n.Site == d.Site {
			total += n.N
		}
	}
	code, why = contain.Cap(recent, total)
	return code, why, nil
}

// wall is the first enforcer that can work here; else the reasons why none can.
func (c *Control) wall(ctx context.Context) (enforce.Enforcer, string) {
	why := "no enforcer is set up"
	for _, e := range c.Enforcers {
		err := e.Ready(ctx)
		if err == nil {
			return e, ""
		}
		why = e.Info().Name + ": " + err.Error()
	}
	return nil, why
}

// wantedRules is the full desired state of everything that is contained now, but for one containment.
func (c *Control) wantedRules(ctx context.Context, except string) ([]firmward.AccessRule, error) {
	held, err := c.containments(ctx, store.ContainmentFilter{State: firmward.ContainContained})
	if err != nil {
		return nil, err
	}
	again, err := c.containments(ctx, store.ContainmentFilter{State: firmward.ContainOpen})
	if err != nil {
		return nil, err
	}
	var rules []firmward.AccessRule
	for _, h := range append(held, again...) {
		if h.ID != except && (h.State == firmward.ContainContained || h.Code == afterRestart) { // the latter may still stand
			rules = append(rules, h.Rules...)
		}
	}
	return rules, nil
}

// prove sends packets from every vantage to a port of the device that answered before.
func (c *Control) prove(ctx context.Context, wall enforce.Enforcer, d firmward.Device) []contain.Proof {
	var out []contain.Proof
	port := c.openPort(ctx, d)
	if port == 0 || len(d.Addrs) == 0 {
		return nil
	}
	for _, addr := range d.Addrs {
		to := netip.AddrPortFrom(addr, port)
		for _, v := range c.Witness {
			dctx, cancel := context.WithTimeout(ctx, 2*time.Second)
			conn, err := v.Network.DialContext(dctx, "tcp", to.String())
			cancel()
			if err == nil {
				conn.Close()
			}
			out = append(out, contain.Proof{Path: fmt.Sprintf("%s → %s tcp", v.Name, to), Open: err == nil, Want: v.Allowed})
		}
	}
	return out
}

// openPort is a TCP port at which the device answered a probe.
func (c *Control) openPort(ctx context.Context, d firmward.Device) uint16 {
	obs, err := c.Store.ObservationsOf(ctx, d.ID)
	if err != nil {
		return 0
	}
	for _, o := range obs {
		p, ok := c.byProbe[o.Probe]
		if ok && o.Outcome == firmward.Answered && o.Port != 0 && slices.Contains(p.Info().Ports, discover.Port{Network: "tcp", Number: o.Port}) {
			return o.Port
		}
	}
	return 0
}

func (c *Control) keepOpen(ctx context.Context, h firmward.Containment, code, why string, err error) (time.Time, error) {
	if err != nil {
		return time.Time{}, err
	}
	h.NextDue = c.Clock.Now().Add(containRetry)
	return h.NextDue, c.saveContainment(ctx, h, firmward.ContainOpen, code, why)
}

// saveContainment writes the new state with its leaf. A release is the act of a person, all else that of a rule.
func (c *Control) saveContainment(ctx context.Context, h firmward.Containment, state firmward.ContainState, code, why string) error {
	same := h.State == state && h.Code == code && h.Why == why
	h.State, h.Code, h.Why = state, code, why
	actor := self
	if state == firmward.ContainReleased {
		actor = h.ReleaseBy
	}
	switch state {
	case firmward.ContainRefused, firmward.ContainUndone, firmward.ContainReleased:
		h.EndedAt, h.NextDue = c.Clock.Now(), time.Time{}
	case firmward.ContainContained, firmward.ContainApplied:
		h.NextDue = time.Time{}
	}
	err := c.Store.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.PutContainment(ctx, h); err != nil || same {
			return err
		}
		detail := map[string]string{"device": h.DeviceID, "why": why, "code": code, "enforcer": h.Enforcer}
		if len(h.Proof) > 0 {
			b, err := json.Marshal(h.Proof)
			if err != nil {
				return err
			}
			detail["proof"] = string(b)
		}
		if err := c.leaf(ctx, tx, actor, "containment-"+string(state), h.ID, detail); err != nil {
			return err
		}
		return c.emit(ctx, tx, "containment", h.ID, string(state)+": "+why)
	})
	c.touch(h.DeviceID)
	return err
}

// Contain asks for a device to be cut off. The guard may refuse at once.
func (c *Control) Contain(ctx context.Context, who firmward.Person, ref, reason string) (firmward.Containment, error) {
	d, err := c.find(ctx, ref)
	if err != nil {
		return firmward.Containment{}, err
	}
	open := true
	held, _, err := c.Store.Containments(ctx, store.ContainmentFilter{Device: d.ID, Open: &open}, store.Page{})
	if err != nil {
		return firmward.Containment{}, err
	}
	if len(held) > 0 && held[0].State != firmward.ContainOpen {
		return held[0], nil
	}
	h := firmward.Containment{ID: store.NewID("con"), DeviceID: d.ID, State: firmward.ContainOpen, Why: reason, By: who.Name, Created: c.Clock.Now()}
	if len(held) > 0 {
		h = held[0]
		h.NextDue = time.Time{}
	}
	err = c.Store.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.PutContainment(ctx, h); err != nil {
			return err
		}
		return c.leaf(ctx, tx, who.Name, "containment-ask", h.ID, map[string]string{"device": d.ID, "reason": reason})
	})
	if err != nil {
		return h, err
	}
	if err := c.containNow(ctx, h); err != nil {
		return h, err
	}
	h, err = c.Store.Containment(ctx, h.ID)
	if err == nil && h.State == firmward.ContainRefused {
		return h, firmward.Errorf(firmward.Refused, d.Name+" is never contained: "+h.Why)
	}
	return h, err
}

// containNow takes one containment a step at once, never beside the loop.
func (c *Control) containNow(ctx context.Context, h firmward.Containment) error {
	c.walls.Lock()
	defer c.walls.Unlock()
	now, err := c.Store.Containment(ctx, h.ID) // the loop may have been faster
	if err != nil || now.State != firmward.ContainOpen {
		return err
	}
	_, err = c.containOne(ctx, now)
	return err
}

// Release ends a containment: by evidence that nothing exploited is open, or by a recorded decision.
func (c *Control) Release(ctx context.Context, who firmward.Person, ref, decision string) (firmward.Containment, error) {
	d, err := c.find(ctx, ref)
	if err != nil {
		return firmward.Containment{}, err
	}
	open := true
	held, _, err := c.Store.Containments(ctx, store.ContainmentFilter{Device: d.ID, Open: &open}, store.Page{})
	if err != nil {
		return firmward.Containment{}, err
	}
	if len(held) == 0 {
		return firmward.Containment{}, firmward.Errorf(firmward.NotFound, d.Name+" is not contained")
	}
	h := held[0]
	findings, err := c.Store.FindingsOf(ctx, d.ID)
	if err != nil {
		return h, err
	}
	ok, why := contain.Release(findings, decision)
	if !ok {
		return h, firmward.Errorf(firmward.Refused, why)
	}
	c.walls.Lock()
	defer c.walls.Unlock()
	if h.State == firmward.ContainContained || h.State == firmward.ContainApplied {
		if err := c.liftRules(ctx, h); err != nil {
			return h, err
		}
	}
	h.ReleaseBy, h.ReleaseOn = who.Name, why
	if err := c.saveContainment(ctx, h, firmward.ContainReleased, "", why); err != nil {
		return h, err
	}
	return c.Store.Containment(ctx, h.ID)
}

// liftRules sets the desired state of everybody else.
func (c *Control) liftRules(ctx context.Context, h firmward.Containment) error {
	wall, why := c.wall(ctx)
	if wall == nil {
		return firmward.Errorf(firmward.Unavailable, "the rules cannot be taken back: "+why)
	}
	all, err := c.containments(ctx, store.ContainmentFilter{State: firmward.ContainContained})
	if err != nil {
		return err
	}
	var rest []firmward.AccessRule
	for _, other := range all {
		if other.ID != h.ID {
			rest = append(rest, other.Rules...)
		}
	}
	applied, err := wall.Apply(ctx, rest, time.Now().Add(contain.UndoAfter))
	if err != nil {
		return fmt.Errorf("take the rules back: %w", err)
	}
	return wall.Confirm(ctx, applied)
}
