// Package demo tells firmward's main job as a story on simulated devices: see, know, decide, act, prove.
//
// The acts are those of persons (anna runs the places, ben approves, the vendor's technician works by
// hand) and go the same way as everybody's. Every outcome is checked against the lab's own state, never
// against firmward's word.
package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/audit"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/store"
)

// House is a running firmward beside its lab.
type House struct {
	Store  *store.Store // read by the story's checks; every act goes through the API
	Lab    *lab.Lab
	Clock  control.Clock
	Anna   Person        // an administrator: she runs all three places
	Ben    Person        // an approver
	Signer *audit.Signer // for the one who rewrites history in the last chapter
	Wall   *Wall         // where the storage box really stands; nil: in memory, like everybody
	NoWall string        // why it is nil
}

// Outcome is one line of the story and whether it came true.
type Outcome struct {
	Line int // number in the story
	Text string
	OK   bool
	Seen string // what the lab shows
}

// Story is one telling.
type Story struct {
	House
	say      func(string)
	outcomes []Outcome
	ids      map[string]string // lab device name → firmward device id
	earlier  audit.Checkpoint  // kept outside early on
	batches  []batch           // rollouts that run beside
}

// New prepares a telling. say gets each line for people.
func New(h House, say func(string)) *Story {
	return &Story{House: h, say: say, ids: map[string]string{}}
}

// Outcomes lists what happened so far.
func (s *Story) Outcomes() []Outcome { return s.outcomes }

// Play tells the whole story. It ends when every outcome is known or ctx ends; the error is about the
// telling itself, not about an outcome that did not happen.
func (s *Story) Play(ctx context.Context) error {
	for _, chapter := range []struct {
		title string
		play  func(context.Context) error
	}{
		{"See: three networks are named", s.see},
		{"Know: what each device is, and what is known against it", s.know},
		{"Decide: one next step for every device", s.decide},
		{"Act: releases, a plan and its refusals", s.plan},
		{"Act: other makers' devices, side by side", s.small},
		{"Act: plugs at home, in waves", s.plugs},
		{"Act: a bad camera release in the clinic", s.badCamera},
		{"Act: the mended camera release", s.goodCamera},
		{"Act: what ran beside", s.smallEnd},
		{"Act: work for people", s.work},
		{"Contain: the abandoned NAS", s.contain},
		{"Prove: the record", s.prove},
	} {
		s.head(chapter.title)
		if err := chapter.play(ctx); err != nil {
			return fmt.Errorf("%s: %w", strings.ToLower(chapter.title), err)
		}
	}
	return nil
}

func (s *Story) head(text string) { s.say(""); s.say("── " + text) }

func (s *Story) tell(format string, args ...any) {
	s.say(s.Clock.Now().Format("Mon 15:04  ") + fmt.Sprintf(format, args...))
}

// outcome records whether a line of the story came true.
func (s *Story) outcome(line int, ok bool, text, seen string) {
	s.outcomes = append(s.outcomes, Outcome{Line: line, Text: text, OK: ok, Seen: seen})
	mark := "✓"
	if !ok {
		mark = "✗"
	}
	s.say(fmt.Sprintf("           %s %s", mark, text))
	s.say("             " + seen)
}

// until waits until cond holds, looking whenever something changed, at most limit of house time.
func (s *Story) until(ctx context.Context, limit time.Duration, cond func() (bool, error)) (bool, error) {
	end := s.Clock.Now().Add(limit)
	for {
		ok, err := cond()
		if ok || err != nil {
			return ok, err
		}
		if s.Clock.Now().After(end) {
			return false, nil
		}
		t := s.Clock.Timer(5 * time.Minute)
		select {
		case <-ctx.Done():
			t.Stop()
			return false, ctx.Err()
		case <-t.C:
		}
	}
}

// settled waits until the loops have nothing due for a little while.
func (s *Story) settled(ctx context.Context, d time.Duration) error {
	t := s.Clock.Timer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// truth is the lab's own state of a device.
func (s *Story) truth(name string) lab.Facts {
	d, ok := s.Lab.Device(name)
	if !ok {
		return lab.Facts{}
	}
	return d.Facts()
}

// device is firmward's record of a lab device, by one of its addresses.
func (s *Story) device(ctx context.Context, name string) (firmward.Device, error) {
	f := s.truth(name)
	if len(f.Addrs) == 0 {
		return firmward.Device{}, fmt.Errorf("no lab device %s", name)
	}
	found, err := s.Store.FindDevices(ctx, f.Addrs[0].String())
	if err != nil {
		return firmward.Device{}, err
	}
	if len(found) != 1 {
		return firmward.Device{}, fmt.Errorf("%d devices at the address of %s", len(found), name)
	}
	return found[0], nil
}

// End is the state of every device at the end of the story, one line each, without ids and times: the
// lab's truth, firmward's record, the next step and the last target.
func (s *Story) End(ctx context.Context) ([]string, error) {
	devices, _, err := s.Store.Devices(ctx, store.DeviceFilter{}, store.Page{Limit: 1000})
	if err != nil {
		return nil, err
	}
	var out []string
	for _, d := range devices {
		step, err := s.Store.NextStep(ctx, d.ID)
		if err != nil {
			return nil, err
		}
		targets, err := s.Store.TargetsOf(ctx, d.ID)
		if err != nil {
			return nil, err
		}
		var ends []string
		for _, t := range targets {
			ends = append(ends, fmt.Sprintf("%s %s %s", t.Want, t.State, t.Code))
		}
		slices.Sort(ends)
		truth := s.truth(d.Name)
		out = append(out, fmt.Sprintf("%s: %s %s %s; lab: %s, %d flashes; step: %s %q risk %d; targets: %s",
			d.Name, d.Model, d.Hardware, d.Firmware, truth.InstalledVersion, len(truth.Flashes), step.Now.Kind, step.BlockerCode, step.Risk, strings.Join(ends, ", ")))
	}
	slices.Sort(out)
	return out, nil
}
