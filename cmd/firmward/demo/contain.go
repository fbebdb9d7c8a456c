package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/audit"
)

// contain is story line 10. Where a wall can stand, it stands, and what it does is tried by packets that
// firmward did not send. Elsewhere the step stays open with its reason.
func (s *Story) contain(ctx context.Context) error {
	pump, err := s.device(ctx, "pump-2")
	if err != nil {
		return err
	}
	_, err = s.Anna.contain(ctx, pump.ID, "try")
	s.outcome(10, firmward.CodeOf(err) == firmward.Refused, "a pump is never contained", fmt.Sprint(err))
	nas, err := s.device(ctx, box)
	if err != nil {
		return err
	}
	if s.Wall == nil {
		return s.unwalled(ctx, nas)
	}
	if err := s.walled(ctx, nas); err != nil {
		return err
	}
	return s.opened(ctx, nas)
}

const whyContain = "exploited, and nobody mends it"

func (s *Story) unwalled(ctx context.Context, nas firmward.Device) error {
	s.tell("no wall can stand here: %s", or(s.NoWall, "everything is in memory"))
	h, err := s.Anna.contain(ctx, nas.ID, whyContain)
	if err != nil {
		return err
	}
	s.outcome(10, h.State == firmward.ContainOpen && h.Why != "", nas.Name+" is not called contained: the step stays open with its reason", string(h.State)+": "+h.Why)
	return nil
}

// walled cuts the storage box off.
func (s *Story) walled(ctx context.Context, nas firmward.Device) error {
	s.tell("a guest's laptop, across the router, tries what it can reach")
	before := s.Wall.try(ctx)
	s.outcome(10, before == allOpen, nas.Name+" stands open to everybody", before.String())
	s.tell("anna asks for %s to be cut off: %s", nas.Name, whyContain)
	h, err := s.Anna.contain(ctx, nas.ID, whyContain)
	if err != nil {
		return err
	}
	var proof []string
	for _, p := range h.Proof {
		proof = append(proof, p.Probe+" is "+p.Note)
	}
	s.outcome(10, h.State == firmward.ContainContained && len(h.Proof) > 0, fmt.Sprintf("%s is %s: %s", nas.Name, h.State, h.Why), or(strings.Join(proof, "; "), "no packet proves it"))
	after := s.Wall.try(ctx)
	s.outcome(10, after == contained, "tried without firmward: nobody but firmward gets through, in or out", after.String())
	var step firmward.NextStep
	_, err = s.until(ctx, 24*time.Hour, func() (bool, error) {
		step, err = s.Store.NextStep(ctx, nas.ID)
		return step.Now.Kind == firmward.StepReplace, err
	})
	if err != nil {
		return err
	}
	s.outcome(10, step.Now.Kind == firmward.StepReplace, "what is left to do is to replace it", fmt.Sprintf("%s, by %s; risk %d", step.Now.Action, step.Now.By.Format(time.DateOnly), step.Risk))
	return nil
}

// opened ends the cut: not by a wish, but by a decision that stays in the record.
func (s *Story) opened(ctx context.Context, nas firmward.Device) error {
	_, err := s.Anna.free(ctx, nas.ID, "")
	now := s.Wall.try(ctx)
	s.outcome(10, firmward.CodeOf(err) == firmward.Refused && now == contained, "no release by a mere wish while the hole is open", fmt.Sprintf("%v; %s", err, now))
	const decision = "its photos are being copied to the new box; anna carries the risk"
	s.tell("anna decides: %s", decision)
	h, err := s.Anna.free(ctx, nas.ID, decision)
	if err != nil {
		return err
	}
	now = s.Wall.try(ctx)
	s.outcome(10, h.State == firmward.ContainReleased && now == allOpen, "a recorded decision opens it again", now.String())
	seen, err := s.recorded(ctx, "containment-released", h.ID, func(l audit.Leaf) string { return l.Actor + ", " + l.Detail["why"] })
	if err != nil {
		return err
	}
	s.outcome(10, strings.Contains(seen, "anna, by decision: "+decision), "the record says who decided, and why", seen)
	return nil
}
