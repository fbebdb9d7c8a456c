package control

import (
	"context"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/remedy"
	"github.com/firmward/firmward/store"
)

// AcceptRisk records an expiring exception with the premise on which it rests. Where a second person must approve, it is not in force
// until then.
func (c *Control) AcceptRisk(ctx context.Context, who firmward.Person, e firmward.Exception, ref string) (firmward.Exception, error) {
	now := c.Clock.Now()
	if e.Kind == "" {
		e.Kind = firmward.Accept
	}
	switch {
	case e.Reason == "":
		return e, firmward.Errorf(firmward.Invalid, "an exception needs a reason (--reason)")
	case !e.Expires.After(now):
		return e, firmward.Errorf(firmward.Invalid, "an exception must end, and later than now (--until)")
	case e.Expires.After(now.AddDate(1, 0, 0)):
		return e, firmward.Errorf(firmward.Refused, "an exception lasts at most a year; decide again then")
	case ref == "" && e.Advisory == "":
		return e, firmward.Errorf(firmward.Invalid, "name a device, an advisory, or both")
	case e.Ground != "" && e.Kind != firmward.Suppress:
		return e, firmward.Errorf(firmward.Invalid, "only a finding that is wrong (--kind suppress) has a ground (--because)")
	case e.Kind == firmward.Mitigate && ref == "":
		return e, firmward.Errorf(firmward.Invalid, "name the device whose containment mitigates")
	}
	var d firmward.Device
	if ref != "" {
		var err error
		if d, err = c.find(ctx, ref); err != nil {
			return e, err
		}
		e.DeviceID = d.ID
	}
	premise, err := c.premise(ctx, d, e)
	if err != nil {
		return e, err
	}
	if e.Kind == firmward.Mitigate && premise.Control == "" {
		return e, firmward.Errorf(firmward.Refused, "nothing is proven to mitigate it on "+d.Name+": contain it first (contain), or accept the risk")
	}
	e.ID, e.Author, e.Created, e.Premise = store.NewID("exc"), who.Name, now, &premise
	e.Second, e.Approver = remedy.NeedsSecond(e.Kind, premise), ""
	alone := false
	if e.Second {
		if alone, err = c.alone(ctx, who); err != nil {
			return e, err
		}
		e.Second = !alone // a family of one cannot wait for somebody; that nobody else looked is recorded
	}
	err = c.Store.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.PutException(ctx, e); err != nil {
			return err
		}
		detail := map[string]string{"device": e.DeviceID, "advisory": e.Advisory, "reason": e.Reason, "until": e.Expires.Format(time.RFC3339)}
		if e.Ground != "" {
			detail["ground"] = string(e.Ground)
		}
		switch {
		case e.Second:
			detail["approval"] = "wanted"
		case alone:
			detail["approval"] = "nobody else may approve"
		}
		return c.leaf(ctx, tx, who.Name, "exception-"+string(e.Kind), e.ID, detail)
	})
	if err != nil {
		return e, err
	}
	c.touchExcepted(e)
	return e, nil
}

// alone reports whether nobody but one person may approve.
func (c *Control) alone(ctx context.Context, who firmward.Person) (bool, error) {
	for t, err := range store.All(func(p store.Page) ([]store.Token, string, error) { return c.Store.Tokens(ctx, p) }) {
		if err != nil {
			return false, err
		}
		if t.Person.Name != who.Name && t.Person.Role.Includes(firmward.Approver) && (t.Expires.IsZero() || t.Expires.After(c.Clock.Now())) {
			return false, nil
		}
	}
	return true, nil
}

// ApproveException is a second person's consent. Only then an exception that needs one is in force.
func (c *Control) ApproveException(ctx context.Context, who firmward.Person, id, note string) (firmward.Exception, error) {
	var e firmward.Exception
	err := c.Store.Tx(ctx, func(tx *store.Tx) (err error) {
		if e, err = tx.Exception(ctx, id); err != nil {
			return err
		}
		switch state := e.State(c.Clock.Now()); {
		case e.Author == who.Name:
			return firmward.Errorf(firmward.Refused, who.Name+" made this exception: somebody else must approve it")
		case e.Approver != "":
			return firmward.Errorf(firmward.Conflict, e.Approver+" has approved it already")
		case state == firmward.ExceptionFallen || state == firmward.ExceptionExpired:
			return firmward.Errorf(firmward.Conflict, "the exception has ended: "+string(state)+" "+e.FellWhy)
		}
		e.Approver = who.Name
		if err := tx.PutException(ctx, e); err != nil {
			return err
		}
		if err := c.emit(ctx, tx, "exception", e.ID, who.Name+" approved"); err != nil {
			return err
		}
		return c.leaf(ctx, tx, who.Name, "exception-approve", e.ID, map[string]string{"device": e.DeviceID, "advisory": e.Advisory, "note": note})
	})
	if err == nil {
		c.touchExcepted(e)
	}
	return e, err
}

// touchExcepted marks whom an exception is about.
func (c *Control) touchExcepted(e firmward.Exception) {
	if e.DeviceID != "" {
		c.touch(e.DeviceID)
	} else {
		c.touchAll()
	}
}

// premise gives what an exception for a device, or with a zero device for every one, rests on now.
func (c *Control) premise(ctx context.Context, d firmward.Device, e firmward.Exception) (firmward.Premise, error) {
	if d.ID != "" {
		f := remedy.Facts{Device: d}
		var err error
		if f.Findings, err = c.Store.FindingsOf(ctx, d.ID); err != nil {
			return firmward.Premise{}, err
		}
		if f.Containment, err = c.lastContainment(ctx, d.ID); err != nil {
			return firmward.Premise{}, err
		}
		return remedy.Rest(e.Kind, remedy.PremiseOf(f, e)), nil
	}
	var all firmward.Premise
	for fd, err := range store.All(func(p store.Page) ([]firmward.Finding, string, error) {
		return c.Store.Findings(ctx, store.FindingFilter{Advisory: e.Advisory}, p)
	}) {
		if err != nil {
			return all, err
		}
		on, err := c.Store.Device(ctx, fd.DeviceID)
		if err != nil {
			return all, err
		}
		all = remedy.Widen(all, remedy.PremiseOf(remedy.Facts{Device: on, Findings: []firmward.Finding{fd}}, e))
	}
	return all, nil
}

// lastContainment is the latest of a device, nil when there was none.
func (c *Control) lastContainment(ctx context.Context, device string) (*firmward.Containment, error) {
	held, _, err := c.Store.Containments(ctx, store.ContainmentFilter{Device: device}, store.Page{Limit: 1000})
	var last *firmward.Containment
	for i := range held {
		if last == nil || held[i].Created.After(last.Created) {
			last = &held[i]
		}
	}
	return last, err
}

// endExceptions records that exceptions fell, in the transaction of the step that returns for it.
func (c *Control) endExceptions(ctx context.Context, tx *store.Tx, d firmward.Device, fallen []firmward.Exception) error {
	for _, f := range fallen {
		e, err := tx.Exception(ctx, f.ID)
		if err != nil {
			return err
		}
		if !e.FellAt.IsZero() { // at another device already
			continue
		}
		e.FellAt, e.FellWhy = f.FellAt, f.FellWhy
		if err := tx.PutException(ctx, e); err != nil {
			return err
		}
		if err := c.leaf(ctx, tx, self, "exception-fall", e.ID, map[string]string{"device": d.ID, "advisory": e.Advisory, "kind": string(e.Kind), "why": e.FellWhy}); err != nil {
			return err
		}
		if err := c.emit(ctx, tx, "exception", e.ID, d.Name+": the exception by "+e.Author+" has ended: "+e.FellWhy); err != nil {
			return err
		}
		if e.DeviceID == "" {
			c.touchAll() // it covered others too
		}
	}
	return nil
}
