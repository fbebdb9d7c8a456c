package demo

import (
	"context"
	_ "embed"
	"fmt"
	"slices"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

// Policies are the policies of the demo, as a policy file.
//
//go:embed policies.yaml
var Policies []byte

// Gaps lists what is not green, before anything else is said: what is only possible, what was refused,
// who is silent, what was not staged, what stays open. Each line is one gap.
func (s *Story) Gaps(ctx context.Context) ([]string, error) {
	devices, _, err := s.Store.Devices(ctx, store.DeviceFilter{}, store.Page{Limit: 1000})
	if err != nil {
		return nil, err
	}
	var gaps []string
	knowledge := ""
	for _, d := range devices {
		step, err := s.Store.NextStep(ctx, d.ID)
		if err != nil {
			return nil, err
		}
		knowledge = step.Knowledge
		findings, err := s.Store.FindingsOf(ctx, d.ID)
		if err != nil {
			return nil, err
		}
		possible := 0
		for _, f := range findings {
			if f.Open() && f.Verdict == firmward.Possible {
				possible++
			}
		}
		if possible > 0 {
			advisories := "1 advisory"
			if possible > 1 {
				advisories = fmt.Sprintf("%d advisories", possible)
			}
			gaps = append(gaps, fmt.Sprintf("possible   %s may be affected by %s; nobody can tell from its version", d.Name, advisories))
		}
		targets, err := s.Store.TargetsOf(ctx, d.ID)
		if err != nil {
			return nil, err
		}
		for _, t := range targets {
			switch {
			case t.State == firmward.TargetFailed && t.Code == "silent":
				gaps = append(gaps, "silent     "+d.Name+" has been "+t.Why)
			case t.State == firmward.TargetFailed:
				gaps = append(gaps, "failed     "+d.Name+" "+t.Why)
			case t.State == firmward.TargetRefused && t.Code != "model-mismatch":
				gaps = append(gaps, fmt.Sprintf("refused    %s → %s: %s", d.Name, t.Want, t.Why))
			}
		}
		if step.Now.Kind == firmward.StepContain {
			why, err := s.notContained(ctx, step)
			if err != nil {
				return nil, err
			}
			gaps = append(gaps, "open       "+d.Name+" is not contained: "+why)
		}
	}
	slices.Sort(gaps)
	return append([]string{"knowledge  " + knowledge}, gaps...), nil
}

// notContained says why a device that should be contained is not.
func (s *Story) notContained(ctx context.Context, step firmward.NextStep) (string, error) {
	held, _, err := s.Store.Containments(ctx, store.ContainmentFilter{Device: step.DeviceID, State: firmward.ContainReleased}, store.Page{Limit: 1000})
	switch {
	case err != nil:
		return "", err
	case step.Blocker != "":
		return step.Blocker, nil
	case len(held) == 0:
		return "nobody asked for it yet", nil
	}
	last := slices.MaxFunc(held, func(a, b firmward.Containment) int { return a.EndedAt.Compare(b.EndedAt) })
	return "released by " + last.ReleaseBy + ", " + last.ReleaseOn, nil
}
