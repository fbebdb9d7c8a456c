package sim

import (
	"strconv"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
)

// kill ends firmward between two writes: what was saved stays, what was to come next does not happen. Until it is back nobody decides, hears
// a device or obeys a person; what devices were told before goes on.
func (w *World) kill(down time.Duration) {
	w.backAt = w.Now.Add(down)
	w.kills++
	w.downs = append(w.downs, firmward.Span{From: w.Now, To: w.backAt})
	w.tell("firmward", "killed", "")
	w.At(w.backAt, w.back)
}

// back is firmward's start after it was killed: it goes through all that is saved.
func (w *World) back() {
	if w.off() {
		return
	}
	w.tell("firmward", "back", "")
	for s := range w.flying() {
		w.engine.crashed(w, s)
	}
	for _, r := range w.runs {
		w.abandon(r)
	}
	w.wake()
}

// off reports whether firmward does not run.
func (w *World) off() bool { return w.Now.Before(w.backAt) }

// outage is how long firmward did not run since a time.
func (w *World) outage(since time.Time) (sum time.Duration) {
	for _, d := range w.downs {
		if d.To.After(since) {
			sum += d.To.Sub(d.From)
		}
	}
	return sum
}

// up lets do happen when firmward runs: now, or as soon as it is back.
func (w *World) up(do func()) {
	if !w.off() {
		do()
		return
	}
	w.At(w.backAt, func() { w.up(do) })
}

// deaf tells a person that firmward does not run, if so.
func (w *World) deaf(who, order string) bool {
	if w.off() {
		w.tell(who, order, "refused: firmward does not answer")
	}
	return w.off()
}

// killed lets firmward be killed right after a write, as the dice fall.
func (w *World) killed(write string) bool {
	if w.Odds.Kill == 0 || w.off() {
		return false
	}
	write += strconv.Itoa(w.kills) // the same write may be tried again
	if w.dice("kill "+write, 1000) >= w.Odds.Kill {
		return false
	}
	w.kill(time.Duration(1+w.dice("down "+write, 180)) * time.Minute)
	return true
}

// abandon ends what a rollout that is over has not touched.
func (w *World) abandon(r *Run) {
	if !over(r) {
		return
	}
	for _, wave := range r.waves {
		for _, s := range wave {
			if s.untouched() {
				w.apply(r, s, rollout.Event{Kind: rollout.Abandon})
			}
			if w.off() {
				return
			}
		}
	}
}
