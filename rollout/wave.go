package rollout

import (
	"github.com/firmward/firmward"
)

// waves appends the places of all who are not canaries, from wave 1 on. rest is sorted by who goes first. A wave takes of those that
// no earlier wave took: so many that a share of all of rest has gone, a number, or all that match. The last takes who is left.
// Outside the lab a wave holds at most PerModelInFlight devices of a model: who is over that goes to the next wave that has
// room, also to waves that the policy does not name.
func waves(p firmward.RolloutPolicy, rest []fit, at func(int) *Candidate, out []Place) []Place {
	steps := p.Waves
	if len(steps) == 0 {
		steps = firmward.Percents(100)
	}
	full := map[int32]room{} // model → its last wave
	left := rest
	for i, step := range steps {
		taken, others := take(step, left, len(rest), at)
		if i == len(steps)-1 {
			taken, others = left, nil
		}
		for _, f := range taken {
			out = append(out, Place{f.number, int32(spread(p, full, f, i+1))})
		}
		left = others
	}
	return out
}

// take splits who is left into those that a wave takes and the others, each in order. all is the number of devices of all waves.
func take(w firmward.Wave, left []fit, all int, at func(int) *Candidate) (taken, others []fit) {
	n := 0
	switch {
	case w.Source != "":
		for _, f := range left {
			if w.Select.Match(at(int(f.number)).Device) {
				taken = append(taken, f)
			} else {
				others = append(others, f)
			}
		}
		return taken, others
	case w.Count > 0:
		n = w.Count
	default:
		n = w.Percent*all/100 - (all - len(left))
	}
	n = max(0, min(n, len(left)))
	return left[:n], left[n:]
}

// room is the last wave that has devices of a model, and how many.
type room struct{ wave, n int }

// spread gives the first wave from the policy's on that has room for one more of the model.
func spread(p firmward.RolloutPolicy, full map[int32]room, f fit, wave int) int {
	if f.lab || p.PerModelInFlight == 0 {
		return wave
	}
	last := full[f.model]
	switch {
	case wave > last.wave:
		last = room{wave: wave}
	case last.n >= p.PerModelInFlight:
		last = room{wave: last.wave + 1}
	}
	last.n++
	full[f.model] = last
	return last.wave
}

// Sizes counts the targets of each wave, the canaries first.
func Sizes(targets []firmward.Target) []int {
	var out []int
	for _, t := range targets {
		for len(out) <= t.Wave {
			out = append(out, 0)
		}
		out[t.Wave]++
	}
	return out
}
