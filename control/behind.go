package control

import (
	"cmp"
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/store"
)

// The bounds of asking those directly behind a device that is changed. Times are the wall's.
const (
	behindMost   = 256              // devices behind one that are asked
	behindAtOnce = 64               // of them together
	behindEach   = 3 * time.Second  // for one of them
	behindLimit  = 10 * time.Second // for all, as far as the look at the device itself leaves it of lookLimit
	behindLeast  = 5 * time.Second  // but at least this
)

// see looks at the device of a command, at those directly behind it that answered before the start, and at what its release was to close on it.
func (c *Control) see(ctx context.Context, j job) (seenNow, error) {
	began := time.Now()
	seen, err := c.eyes(ctx, j.device)
	if err != nil || !seen.Reachable || !seen.SameDevice {
		return seen, err
	}
	if err := c.askWhoAnswered(ctx, j, &seen, began); err != nil {
		return seen, err
	}
	if len(j.target.Closes) > 0 && seen.Version != "" && seen.Version != j.target.From {
		seen.StillOpen, err = c.stillOpen(ctx, j.device.ID, j.target.Closes, seen.Version)
	}
	return seen, err
}

// askBehind looks before the start how those directly behind a device answer. Who is retired, is being changed, or may not be asked does not count.
func (c *Control) askBehind(ctx context.Context, j job, seen *seenNow) error {
	began := time.Now()
	all, err := c.directlyBehind(ctx, j.device.ID)
	if err != nil || len(all) == 0 {
		return err
	}
	busy, err := c.changing(ctx)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(b stander) bool { return b.Retired || busy[b.ID] })
	asked := all[:min(len(all), behindMost)]
	replies, err := c.askEach(ctx, j.device, seen.Showed, asked, began)
	if err != nil {
		return err
	}
	seen.Unasked = len(all) - len(asked)
	for i, r := range replies {
		switch r {
		case late:
			seen.Unasked++
		case answered, silence:
			seen.Services = append(seen.Services, firmward.ServiceState{Probe: asked[i].said, OK: r == answered, Note: r.note(), Behind: asked[i].ID})
		}
	}
	return nil
}

// askWhoAnswered looks after the start at those behind a device that answered before. Who left meanwhile, or was changed itself since, is not missed.
func (c *Control) askWhoAnswered(ctx context.Context, j job, seen *seenNow, began time.Time) error {
	var ids []string
	for _, was := range j.target.Baseline {
		if was.OK && was.Behind != "" {
			ids = append(ids, was.Behind)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	known, err := devicesByID(ctx, c.Store.Reader, ids)
	if err != nil {
		return err
	}
	var asked []stander
	states := map[string]firmward.ServiceState{}
	for _, was := range j.target.Baseline {
		if !was.OK || was.Behind == "" {
			continue
		}
		d, there := known[was.Behind]
		if !there || d.Retired {
			was.Note = "not asked: it left the inventory"
			states[was.Behind] = was
			continue
		}
		asked = append(asked, stander{Device: d, id: was.Behind, said: was.Probe})
	}
	replies, err := c.askEach(ctx, j.device, seen.Showed, asked, began)
	if err != nil {
		return err
	}
	for i, r := range replies {
		if r != answered {
			if replies[i], err = c.itself(ctx, j, asked[i].Device, r); err != nil {
				return err
			}
			r = replies[i]
		}
		states[asked[i].id] = firmward.ServiceState{Probe: asked[i].said, OK: r == answered || r == barred || r == changed, Note: r.note(), Behind: asked[i].id}
	}
	for _, id := range ids { // in the order of the baseline
		seen.Services = append(seen.Services, states[id])
	}
	return nil
}

// stander is a device that stands directly behind another.
type stander struct {
	firmward.Device
	id   string // under which it stands in the baseline; it may have been merged since
	said string // what people call it there
}

// directlyBehind lists the devices that one carries, the more critical first.
func (c *Control) directlyBehind(ctx context.Context, id string) ([]stander, error) {
	edges, err := c.Store.RelationsOf(ctx, id)
	if err != nil {
		return nil, err
	}
	how := map[string]firmward.RelationKind{}
	var ids []string
	for _, e := range edges {
		if e.To != id || e.From == id || !carries(e.Kind) {
			continue
		}
		if _, twice := how[e.From]; !twice {
			ids = append(ids, e.From)
		}
		if how[e.From] != firmward.Behind {
			how[e.From] = e.Kind
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	known, err := devicesByID(ctx, c.Store.Reader, ids)
	if err != nil {
		return nil, err
	}
	words := map[firmward.RelationKind]string{firmward.Behind: " behind it", firmward.PoweredBy: " powered by it"}
	var out []stander
	for _, id := range ids {
		d, ok := known[id]
		if !ok {
			continue
		}
		out = append(out, stander{Device: d, id: id, said: d.Name + words[how[id]]})
	}
	slices.SortStableFunc(out, func(a, b stander) int { return cmp.Compare(b.Criticality, a.Criticality) })
	return out, nil
}

// changing gives the devices that a rollout changes now.
func (c *Control) changing(ctx context.Context) (map[string]bool, error) {
	held, err := c.Store.ClaimsOf(ctx, "")
	out := map[string]bool{}
	for _, cl := range held {
		if cl.Kind == store.ClaimDevice {
			out[cl.Device] = true
		}
	}
	return out, err
}

// reply is what became of asking a device behind another.
type reply int

const (
	late     reply = iota // its turn did not come in time
	silence               // it did not answer, or another one did
	answered              //
	barred                // nobody named its network, or it may not be asked by the rules of that
	changed               // it was changed itself since: its own target tells what became of it
)

func (r reply) note() string {
	return map[reply]string{late: "there was no time to ask it", silence: "it does not answer", barred: "not asked: its network does not allow it", changed: "it was changed itself since"}[r]
}

// itself says of a device that did not answer whether it was changed itself since the one before it was asked.
func (c *Control) itself(ctx context.Context, j job, d firmward.Device, r reply) (reply, error) {
	targets, err := c.Store.TargetsOf(ctx, d.ID)
	asked := rollout.Asked(&j.rollout, &j.target)
	for _, own := range targets {
		if own.StartedAt.After(asked) {
			return changed, err
		}
	}
	return r, err
}

// askEach asks devices behind one, several together. Those of which the look at that one told have answered already.
func (c *Control) askEach(ctx context.Context, gateway firmward.Device, showed []string, all []stander, began time.Time) ([]reply, error) {
	replies := make([]reply, len(all))
	limited, cancel := context.WithTimeout(ctx, max(behindLeast, min(behindLimit, lookLimit-time.Since(began))))
	defer cancel()
	var g errgroup.Group
	g.SetLimit(behindAtOnce)
	for i, b := range all {
		if slices.Contains(showed, b.ID) {
			replies[i] = answered
			continue
		}
		g.Go(func() (err error) {
			if limited.Err() == nil {
				replies[i], err = c.ask(ctx, limited, gateway, b.Device)
			}
			return err
		})
	}
	err := g.Wait()
	return replies, cmp.Or(ctx.Err(), err)
}

// ask asks one device behind another until a probe of its family is answered. What limited cuts off is no error.
func (c *Control) ask(ctx, limited context.Context, gateway, d firmward.Device) (reply, error) {
	each, cancel := context.WithTimeout(limited, behindEach)
	defer cancel()
	if len(d.Addrs) == 0 {
		return c.askThrough(each, gateway, d)
	}
	fam, _ := c.Catalog.Family(d.Family)
	secret, err := c.secretFor(ctx, d)
	if err != nil {
		return silence, err
	}
	said := barred
	for _, addr := range d.Addrs {
		at, err := c.Store.NetworkFor(ctx, addr)
		if firmward.CodeOf(err) == firmward.NotFound {
			continue
		} else if err != nil {
			return silence, err
		}
		for _, name := range lookWith(fam, c.Catalog.Model(d)) {
			p, ok := c.byProbe[name]
			if !ok || !discover.Permitted(p.Info().Safety, at, d.Class) {
				continue
			}
			said = silence
			seen, err := c.probe(each, p, at, d, addr, secret, fam.Paths)
			there := slices.ContainsFunc(seen, func(o firmward.Observation) bool { return worthKeeping(o) && o.Child == "" })
			switch {
			case each.Err() != nil && there: // what was cut off is not kept: it says less than what is known
				return answered, nil
			case limited.Err() != nil:
				return late, nil
			case each.Err() != nil:
				return silence, nil
			case err != nil: // for a person to mend; it is no word of the device that is changed
				c.Log.WarnContext(ctx, "a device behind one that is changed cannot be asked", "device", d.ID, "probe", name, "error", err)
				continue
			case !there:
				continue
			}
			ids, err := c.record(ctx, at, seen)
			if err != nil || len(ids) == 0 || slices.Contains(ids, d.ID) {
				return answered, err
			}
		}
	}
	return said, nil
}

// askThrough asks for a device without an address of its own the one before it. When that is the one that is changed, it was asked already and did not tell of it.
func (c *Control) askThrough(ctx context.Context, gateway, d firmward.Device) (reply, error) {
	before, err := c.answersFor(ctx, d)
	switch {
	case ctx.Err() != nil:
		return late, nil
	case firmward.CodeOf(err) == firmward.NotSupported:
		return barred, nil
	case err != nil || before.ID == gateway.ID:
		return silence, err
	}
	seen, err := c.look(ctx, d)
	switch {
	case ctx.Err() != nil:
		return silence, nil
	case seen.Reachable:
		return answered, err
	}
	return silence, err
}
