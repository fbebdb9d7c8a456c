package firmward

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Wave says whom a wave after the canaries takes of those that no earlier wave took. One of Percent, Count and Source is set. The
// last wave takes everyone who is left, whatever it says.
type Wave struct {
	Percent int    // as many as are wanting until this share of all devices after the canaries is taken
	Count   int    // so many
	Select  Filter // all that match; only with Source
	Source  string // Select as it was written
}

// UnmarshalJSON also reads a bare number: a percentage, as rollouts were stored before waves could say more.
func (w *Wave) UnmarshalJSON(b []byte) error {
	type plain Wave
	if b = bytes.TrimSpace(b); len(b) > 0 && b[0] != '{' {
		return json.Unmarshal(b, &w.Percent)
	}
	return json.Unmarshal(b, (*plain)(w))
}

func (w Wave) String() string {
	switch {
	case w.Source != "":
		return "select " + w.Source
	case w.Count > 0:
		return fmt.Sprintf("count %d", w.Count)
	}
	return fmt.Sprintf("%d%%", w.Percent)
}

// Percents are waves of cumulative percentages.
func Percents(shares ...int) []Wave {
	out := make([]Wave, len(shares))
	for i, p := range shares {
		out[i].Percent = p
	}
	return out
}

// Ramp lets the number of devices that are changed at one time grow with successes. The zero Ramp does not hold anything back.
type Ramp struct {
	Start       int // devices at one time in the beginning, and after each failure
	DoubleEvery int // successes since then after which the number doubles
	Max         int // it grows no further
}

// Room is how many devices may be changed at one time after so many successes in a row.
func (r Ramp) Room(successes int) int {
	room := r.Start
	for n := successes / max(r.DoubleEvery, 1); n > 0 && room < r.Max; n-- {
		room *= 2
	}
	return min(room, r.Max)
}
