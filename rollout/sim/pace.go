package sim

import (
	"math"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
)

// What is assumed of a model of which no update was seen yet. A device that fetches its image has accepted at once, one that is sent
// it by a slow line after minutes: of such a time only the order is guessed.
const (
	leastAsk, mostAsk   = 50 * time.Millisecond, 15 * time.Second
	leastSend, mostSend = 100 * time.Millisecond, 2 * time.Minute
)

// paces draws how long a device takes to be asked, to get its image, and to be back. What nobody knows of a model yet is drawn once in a
// run and holds for all its devices, give or take a tenth: they are alike, and what is not known of one is not known of any. Later the
// model's own updates are drawn from.
func (w *World) paces(k *Known) (ask, send, boot time.Duration) {
	ask, send, boot = w.drawn(k)
	return ask.Truncate(time.Millisecond), send.Truncate(time.Millisecond), boot.Truncate(time.Millisecond)
}

func (w *World) drawn(k *Known) (ask, send, boot time.Duration) {
	d := &k.Candidate.Device
	p := w.paceOf(d.Model, k.Candidate.Model)
	ask = p.ask
	if len(k.Took) > 0 {
		u := k.Took[w.dice("took "+d.ID, len(k.Took))]
		return ask, max(time.Second, u.Sent-ask), max(time.Second, u.Back-unseen(k.Abilities)/2)
	}
	return ask, p.send, p.boot + w.between("boot "+d.ID, -p.boot/10, p.boot/10)
}

type modelKey struct {
	name   string
	outage time.Duration
}

// modelPace is what is drawn once for a model.
type modelPace struct{ ask, send, boot time.Duration }

func (w *World) paceOf(model string, card firmward.Model) modelPace {
	most := rollout.Outage(card)
	key := modelKey{model, most}
	if p, ok := w.modelPaces[key]; ok {
		return p
	}
	p := modelPace{w.order("ask "+model, leastAsk, mostAsk), w.order("send "+model, leastSend, mostSend), w.between("boot "+model, most/3, most)}
	if w.modelPaces == nil {
		w.modelPaces = map[modelKey]modelPace{}
	}
	w.modelPaces[key] = p
	return p
}

// unseen is how long a device may be back before a look sees it: looks come a quarter of its settle time after each other.
func unseen(a rollout.Abilities) time.Duration { return max(a.Settle/4, 30*time.Second) }

// order draws a time of which only the order is known: each is as likely as ten times it.
func (w *World) order(what string, least, most time.Duration) time.Duration {
	return time.Duration(float64(least) * math.Pow(float64(most)/float64(least), float64(w.dice(what, 1001))/1000))
}

// between draws a time.
func (w *World) between(what string, least, most time.Duration) time.Duration {
	return least + (most-least)*time.Duration(w.dice(what, 1001))/1000
}
