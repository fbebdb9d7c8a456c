package main

import (
	"context"
	"fmt"
	"net/url"
	"strconv"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/httpapi"
)

// RolloutCmd is about bringing a release to devices.
type RolloutCmd struct {
	Plan    RolloutPlanCmd    `cmd:"" help:"Plan who gets a release, in which wave, and who does not. Nothing starts."`
	Start   RolloutStartCmd   `cmd:"" help:"Start a planned rollout."`
	Approve RolloutApproveCmd `cmd:"" help:"Approve what somebody else planned."`
	Pause   RolloutPauseCmd   `cmd:"" help:"Start no more devices for now."`
	Resume  RolloutResumeCmd  `cmd:"" help:"Go on."`
	Stop    RolloutStopCmd    `cmd:"" help:"End it. What is under way is watched to its end."`
	Show    RolloutShowCmd    `cmd:"" help:"Show a rollout, device by device."`
	List    RolloutListCmd    `cmd:"" default:"withargs" help:"List rollouts."`
}

// RolloutPlanCmd plans a rollout.
type RolloutPlanCmd struct {
	Release string `arg:"" help:"Release."`
	Policy  string `help:"Rollout policy; that of the first device that fits unless given."`
	Select  string `help:"Only devices for which this is true." placeholder:"EXPR"`
}

// Help gives examples.
func (RolloutPlanCmd) Help() string {
	return examples("firmward rollout plan rel-0123456789ab", `firmward rollout plan rel-0123456789ab --select 'site == "clinic" && criticality < 4'`)
}

// Run carries it out.
func (c *RolloutPlanCmd) Run(ctx context.Context, a *app) error {
	var d httpapi.RolloutDetail
	if err := a.client.post(ctx, "/rollouts", httpapi.NewRollout{Release: c.Release, Policy: c.Policy, Select: c.Select}, &d); err != nil {
		return err
	}
	if done, err := a.asJSON(d); done {
		return err
	}
	printRollout(a, d)
	fmt.Fprintf(a.out, "\nNothing has started. Now: firmward rollout start %s\n", d.Rollout.ID)
	return nil
}

// Steer is what the commands that steer a rollout have in common.
type Steer struct {
	ID  string `arg:"" help:"Rollout."`
	Why string `help:"Why."`
}

func (s Steer) run(ctx context.Context, a *app, order string) error {
	var r httpapi.Rollout
	if err := a.client.post(ctx, "/rollouts/"+url.PathEscape(s.ID)+"/"+order, httpapi.Reason{Why: s.Why}, &r); err != nil {
		return err
	}
	return a.saySteered(r)
}

func (a *app) saySteered(r httpapi.Rollout) error {
	if done, err := a.asJSON(r); done {
		return err
	}
	a.para(0, fmt.Sprintf("%s is %s: %s", r.ID, r.State, r.Why))
	if a.client.local != nil && r.State == firmward.RolloutRunning {
		a.para(0, "No server runs, and this is work that takes days: start 'firmward serve' and leave it running.")
	}
	return nil
}

// RolloutStartCmd starts a rollout.
type RolloutStartCmd struct{ Steer }

// Help gives examples.
func (RolloutStartCmd) Help() string { return examples("firmward rollout start ro-abc") }

// Run carries it out.
func (c *RolloutStartCmd) Run(ctx context.Context, a *app) error { return c.run(ctx, a, "start") }

// RolloutPauseCmd pauses a rollout.
type RolloutPauseCmd struct{ Steer }

// Help gives examples.
func (RolloutPauseCmd) Help() string {
	return examples("firmward rollout pause ro-abc --why 'visitors in the house'")
}

// Run carries it out.
func (c *RolloutPauseCmd) Run(ctx context.Context, a *app) error { return c.run(ctx, a, "pause") }

// RolloutResumeCmd resumes a rollout.
type RolloutResumeCmd struct{ Steer }

// Help gives examples.
func (RolloutResumeCmd) Help() string {
	return examples("firmward rollout resume ro-abc --why 'the failure was a loose cable'")
}

// Run carries it out.
func (c *RolloutResumeCmd) Run(ctx context.Context, a *app) error { return c.run(ctx, a, "resume") }

// RolloutStopCmd stops a rollout.
type RolloutStopCmd struct{ Steer }

// Help gives examples.
func (RolloutStopCmd) Help() string {
	return examples("firmward rollout stop ro-abc --why 'bad build'")
}

// Run carries it out.
func (c *RolloutStopCmd) Run(ctx context.Context, a *app) error { return c.run(ctx, a, "stop") }

// RolloutApproveCmd approves a rollout.
type RolloutApproveCmd struct {
	ID   string `arg:"" help:"Rollout."`
	Wave int    `help:"Wave; 0 is the start." default:"0"`
	Note string `help:"A note for the record."`
}

// Help gives examples.
func (RolloutApproveCmd) Help() string {
	return examples("firmward rollout approve ro-abc --note 'agreed with ward 3'")
}

// Run carries it out.
func (c *RolloutApproveCmd) Run(ctx context.Context, a *app) error {
	var r httpapi.Rollout
	if err := a.client.post(ctx, "/rollouts/"+url.PathEscape(c.ID)+"/approve", httpapi.Consent{Wave: c.Wave, Note: c.Note}, &r); err != nil {
		return err
	}
	return a.saySteered(r)
}

// RolloutShowCmd shows a rollout.
type RolloutShowCmd struct {
	ID string `arg:"" help:"Rollout."`
}

// Help gives examples.
func (RolloutShowCmd) Help() string { return examples("firmward rollout show ro-abc") }

// Run carries it out.
func (c *RolloutShowCmd) Run(ctx context.Context, a *app) error {
	var d httpapi.RolloutDetail
	if err := a.client.get(ctx, "/rollouts/"+url.PathEscape(c.ID), nil, &d); err != nil {
		return err
	}
	if done, err := a.asJSON(d); done {
		return err
	}
	printRollout(a, d)
	return nil
}

func printRollout(a *app, d httpapi.RolloutDetail) {
	r := d.Rollout
	a.para(0, fmt.Sprintf("%s: %s to %d devices, %s. %s", a.bold(r.ID), d.Release.Version, r.Total, r.State, r.Why))
	a.para(0, fmt.Sprintf("Policy %s: wave %d of %d is open, %d started, %d succeeded, %d failed, %d in flight; window %s; approvals %d of %d.",
		r.Policy.Name, r.Wave, max(r.Waves-1, 0), r.Started, r.Succeeded, r.Failed, r.InFlight, r.Policy.Window, len(r.Approvals), r.Policy.Approvals))
	a.para(0, "Staging: "+known(r.Staging))
	for _, v := range d.Staging {
		a.para(2, fmt.Sprintf("%s %s by %s: %s, %s", v.Model, v.Hardware, v.Path, v.Result, v.Why))
	}
	if len(d.Targets) > 0 {
		a.title("Devices")
		t := table{head: []string{"WAVE", "DEVICE", "FROM", "TO", "STATE", "WHY"}}
		for _, g := range d.Targets {
			wave := strconv.Itoa(g.Wave)
			if g.Wave == 0 {
				wave = "canary"
			}
			t.rows = append(t.rows, []string{wave, g.Device, known(g.From), g.Want, string(g.State), g.Why})
		}
		t.write(a)
	}
	if len(d.Refusals) > 0 {
		a.title("Not taking part")
		t := table{head: []string{"DEVICE", "CODE", "WHY"}}
		for _, g := range d.Refusals {
			t.rows = append(t.rows, []string{g.Device, g.Code, g.Why})
		}
		t.write(a)
	}
	if d.More {
		fmt.Fprintln(a.err, "There are more devices than shown.")
	}
}

// RolloutListCmd lists rollouts.
type RolloutListCmd struct {
	Listing
	Release string `help:"Only of this release."`
}

// Help gives examples.
func (RolloutListCmd) Help() string {
	return examples("firmward rollout", "firmward rollout list --json")
}

// Run carries it out.
func (c *RolloutListCmd) Run(ctx context.Context, a *app) error {
	return listTo(ctx, a, "/rollouts", values("release", c.Release), c.Limit, []string{"ROLLOUT", "RELEASE", "STATE", "WAVE", "DONE", "WHY"},
		func(r httpapi.Rollout) []string {
			return []string{
				r.ID, r.Release, string(r.State), fmt.Sprintf("%d/%d", r.Wave, max(r.Waves-1, 0)),
				fmt.Sprintf("%d of %d, %d failed", r.Succeeded, r.Total, r.Failed), r.Why,
			}
		})
}
