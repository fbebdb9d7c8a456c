package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/httpapi"
	"github.com/firmward/firmward/staging"
)

// StagingCmd is about rehearsals of a release.
type StagingCmd struct {
	Plan  StagingPlanCmd  `cmd:"" help:"Show on which spare a release would be rehearsed for which devices, and which have none."`
	Run   StagingRunCmd   `cmd:"" help:"Rehearse a release now, without a rollout that waits for it."`
	Twin  StagingTwinCmd  `cmd:"" help:"Rehearse a release on a virtual machine that stands for a device."`
	Image StagingImageCmd `cmd:"" help:"Make an image that the virtual machine can run."`
	Show  StagingShowCmd  `cmd:"" help:"Show a verdict with its checks, and what was not mirrored."`
	List  StagingListCmd  `cmd:"" default:"withargs" help:"List verdicts."`
}

// StagingPlanCmd shows how a release would be rehearsed.
type StagingPlanCmd struct {
	Release string `arg:"" help:"Release."`
	Policy  string `help:"Rollout policy; that of the first device that fits unless given." placeholder:"NAME"`
}

// Help gives examples.
func (StagingPlanCmd) Help() string {
	return "Devices of one model, hardware revision, version, configuration class and delivery path are one cluster: one rehearsal speaks for all of them.\n\n" +
		examples("firmward staging plan rel-0123456789ab", "firmward staging plan rel-0123456789ab --policy clinic --json")
}

// Run carries it out.
func (c *StagingPlanCmd) Run(ctx context.Context, a *app) error {
	var p httpapi.StagingPlan
	if err := a.client.get(ctx, "/releases/"+url.PathEscape(c.Release)+"/staging-plan", values("policy", c.Policy), &p); err != nil {
		return err
	}
	if done, err := a.asJSON(p); done {
		return err
	}
	if len(p.Clusters) == 0 {
		fmt.Fprintln(a.out, "No device would get this release, so there is nothing to rehearse (firmward rollout plan says why each was refused).")
		return nil
	}
	t := table{head: []string{"MODEL", "REVISION", "RUNS", "CONFIGURATION", "DEVICES", "REHEARSED ON", "HOW CLOSE", "VERDICT"}}
	none := 0
	for _, cl := range p.Clusters {
		on, close := cl.Representative, "exact"
		switch {
		case on == "":
			on, close = "none", cl.Why
			none += cl.Count
		case len(cl.Differences) > 0:
			close = strings.Join(cl.Differences, "; ")
		}
		t.rows = append(t.rows, []string{
			cl.Model, known(cl.Hardware), known(cl.Version), cl.Config, deviceList(cl), on, close, verdictShort(cl.Verdict),
		})
	}
	t.write(a)
	if none > 0 {
		fmt.Fprintf(a.out, "\n%s nothing to be rehearsed on. A spare helps: firmward devices set NAME --spare\n", plural(none, "device has", "devices have"))
	}
	return nil
}

// deviceList names a few of a cluster's devices.
func deviceList(c httpapi.StagingCluster) string {
	const most = 3
	if c.Count <= most {
		return strings.Join(c.Devices, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(c.Devices[:most], ", "), c.Count-most)
}

// verdictShort is a verdict in a table.
func verdictShort(v httpapi.StagingVerdict) string {
	if v.Spare == "" {
		return "none"
	}
	return v.Result + " (" + v.ID + ")"
}

// coverText says for how many devices a verdict stands.
func coverText(c httpapi.StagingCover) string {
	s := fmt.Sprintf("%s, %s running %s: %s", plural(c.Devices, "device", "devices"), strings.TrimSpace(c.Model+" "+c.Hardware), known(c.Version), c.Result)
	if c.Verdict != "" {
		s += " by " + c.Verdict
	}
	s += ", " + c.Why
	if len(c.Differences) > 0 {
		s += ". Differs: " + strings.Join(c.Differences, "; ")
	}
	return s
}

// StagingRunCmd rehearses a release.
type StagingRunCmd struct {
	Release string `arg:"" help:"Release."`
	Policy  string `help:"Rollout policy whose limits hold; that of the first device that fits unless given." placeholder:"NAME"`
	Again   bool   `help:"Also where a verdict stands already."`
}

// Help gives examples.
func (StagingRunCmd) Help() string {
	return "Spares alone are touched.\n\n" + examples("firmward staging run rel-0123456789ab", "firmward staging run rel-0123456789ab --again")
}

// Run carries it out.
func (c *StagingRunCmd) Run(ctx context.Context, a *app) error {
	var r httpapi.StagingRunning
	if err := a.client.post(ctx, "/staging", httpapi.StagingRun{Release: c.Release, Policy: c.Policy, Again: c.Again}, &r); err != nil {
		return err
	}
	if done, err := a.asJSON(r); done {
		return err
	}
	if r.Rehearsals == 0 {
		fmt.Fprintf(a.out, "Nothing to rehearse: every representative has a verdict, or there is none (firmward staging plan %s).\n", c.Release)
		return nil
	}
	fmt.Fprintf(a.out, "%s under way. Then: firmward staging list --release %s\n", plural(r.Rehearsals, "rehearsal is", "rehearsals are"), c.Release)
	return nil
}

// StagingShowCmd shows a verdict.
type StagingShowCmd struct {
	ID string `arg:"" help:"Verdict."`
}

// Help gives examples.
func (StagingShowCmd) Help() string { return examples("firmward staging show sv-0123456789ab") }

// Run carries it out.
func (c *StagingShowCmd) Run(ctx context.Context, a *app) error {
	var v httpapi.StagingVerdict
	if err := a.client.get(ctx, "/staging/"+url.PathEscape(c.ID), nil, &v); err != nil {
		return err
	}
	return writeVerdict(a, v)
}

// showVerdict shows a verdict as the API gives it.
func showVerdict(ctx context.Context, a *app, v firmward.StagingVerdict) error {
	var out httpapi.StagingVerdict
	if err := a.client.get(ctx, "/staging/"+staging.ID(v), nil, &out); err != nil {
		return err
	}
	return writeVerdict(a, out)
}

func writeVerdict(a *app, v httpapi.StagingVerdict) error {
	if done, err := a.asJSON(v); done {
		return err
	}
	a.para(0, fmt.Sprintf("%s: %s, %s.", v.ID, v.Result, strings.TrimRight(v.Why, ".")))
	a.para(0, fmt.Sprintf("It speaks of release %s (%.12s…) brought by %s to %s of revision %s, configuration %s, coming from %s.",
		v.Release, v.SHA256, v.Path, v.Model, known(v.Hardware), known(v.Config), known(v.From)))
	if v.Spare != "" {
		a.para(0, fmt.Sprintf("Rehearsed on %s, a %s, on %s.", v.Spare, strings.ReplaceAll(v.Place, "-", " "), when(v.At)))
	}
	switch {
	case v.Expired:
		a.para(0, "It has expired on "+when(v.Expires)+" and speaks no longer.")
	case !v.Expires.IsZero() && v.Result == "passed":
		a.para(0, "It stands until "+when(v.Expires)+".")
	}
	if len(v.Checks) > 0 {
		a.title("Checks")
		t := table{head: []string{"CHECK", "VERDICT", "WHY"}}
		for _, k := range v.Checks {
			t.rows = append(t.rows, []string{k.Name, k.Verdict, k.Why})
		}
		t.write(a)
	}
	for _, l := range []struct {
		title string
		lines []string
	}{{"Not mirrored", v.NotMirrored}, {"Tried to reach, and was kept from", v.Reached}, {"What makes its configuration", v.ConfigHas}} {
		if len(l.lines) > 0 {
			a.title(l.title)
			for _, s := range l.lines {
				a.para(2, s)
			}
		}
	}
	return nil
}

// StagingListCmd lists verdicts.
type StagingListCmd struct {
	Listing
	Release string `help:"Only of this release." placeholder:"ID"`
}

// Help gives examples.
func (StagingListCmd) Help() string {
	return examples("firmward staging", "firmward staging list --release rel-0123456789ab --json")
}

// Run carries it out.
func (c *StagingListCmd) Run(ctx context.Context, a *app) error {
	return listTo(ctx, a, "/staging", values("release", c.Release), c.Limit, []string{"VERDICT", "RELEASE", "MODEL", "REVISION", "CONFIGURATION", "RESULT", "UNTIL", "WHY"},
		func(v httpapi.StagingVerdict) []string {
			until := "-"
			switch {
			case v.Expired:
				until = "expired"
			case !v.Expires.IsZero() && v.Result == "passed":
				until = when(v.Expires)
			}
			return []string{v.ID, v.Release, v.Model, known(v.Hardware), known(v.Config), v.Result, until, v.Why}
		})
}
