package main

import (
	"cmp"
	"context"
	"fmt"
	"net/url"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/httpapi"
)

// ContainCmd cuts a device off.
type ContainCmd struct {
	Ref string `arg:"" help:"Device."`
	Why string `help:"Why." required:"" placeholder:"WHY"`
}

// Help gives examples.
func (ContainCmd) Help() string {
	return "Devices that keep people alive are refused. Without proof by packets the rules undo themselves.\n\n" +
		examples("firmward contain nas-1 --why 'exploited, no fix'")
}

// Run carries it out.
func (c *ContainCmd) Run(ctx context.Context, a *app) error {
	return containment(ctx, a, c.Ref, "contain", c.Why)
}

// ReleaseCmd ends a containment.
type ReleaseCmd struct {
	Ref string `arg:"" help:"Device."`
	Why string `help:"The decision, when evidence alone does not do." placeholder:"WHY"`
}

// Help gives examples.
func (ReleaseCmd) Help() string {
	return examples("firmward release nas-1", "firmward release nas-1 --why 'moved to its own network'")
}

// Run carries it out.
func (c *ReleaseCmd) Run(ctx context.Context, a *app) error {
	return containment(ctx, a, c.Ref, "release", c.Why)
}

// containedText says whether the device is cut off now.
func containedText(h httpapi.Containment) string {
	if h.State == firmward.ContainOpen {
		return fmt.Sprintf("%s is not cut off: %s. The decision stays open, and so does the device.", h.Device, h.Why)
	}
	return fmt.Sprintf("%s: %s. %s", h.Device, h.State, h.Why)
}

func containment(ctx context.Context, a *app, ref, order, why string) error {
	var h httpapi.Containment
	if err := a.client.post(ctx, "/devices/"+url.PathEscape(ref)+"/"+order, httpapi.Reason{Why: why}, &h); err != nil {
		return err
	}
	var failed error
	if order == "contain" && h.State != firmward.ContainContained && h.State != firmward.ContainApplied {
		failed = exitWith(exitUnavailable) // the decision is kept, but whoever asked must not take it for done
	}
	if done, err := a.asJSON(h); done {
		return cmp.Or(err, failed)
	}
	a.para(0, containedText(h))
	for _, p := range h.Proof {
		a.para(2, fmt.Sprintf("%s: %s, as it should be: %s", p.Probe, p.Note, yes(p.OK)))
	}
	return failed
}
