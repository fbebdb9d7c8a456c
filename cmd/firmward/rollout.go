package main

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

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
	Restore RolloutRestoreCmd `cmd:"" help:"Let a device that it left worse go back to the version before."`
	Hasten  RolloutHastenCmd  `cmd:"" help:"Shorten the soaks: what it mends is being exploited."`
	Show    RolloutShowCmd    `cmd:"" help:"Show a rollout, device by device."`
	List    RolloutListCmd    `cmd:"" default:"withargs" help:"List rollouts."`
}

// RolloutPlanCmd plans a rollout.
type RolloutPlanCmd struct {
	Release string `arg:"" help:"Release."`
	Policy  string `help:"Rollout policy; that of the first device that fits unless given." placeholder:"NAME"`
	Select  string `help:"Only devices for which this is true." placeholder:"EXPR"`

	AllowConfigWipe    string `help:"Why it is right that the update wipes the configuration of devices." placeholder:"WHY"`
	AllowVariantChange string `help:"Why it is right that the update changes the variant of devices." placeholder:"WHY"`
}

// Help gives examples.
func (RolloutPlanCmd) Help() string {
	return examples("firmward rollout plan rel-0123456789ab", `firmward rollout plan rel-0123456789ab --select 'criticality < 4'`,
		"firmward rollout plan rel-0123456789ab \\", "    --allow-config-wipe 'settings are saved, Tom puts them back'")
}

// Run carries it out.
func (c *RolloutPlanCmd) Run(ctx context.Context, a *app) error {
	var d httpapi.RolloutDetail
	in := httpapi.NewRollout{Release: c.Release, Policy: c.Policy, Select: c.Select}
	for _, v := range []httpapi.Allowance{{Risk: firmward.RiskWipesConfig, Why: c.AllowConfigWipe}, {Risk: firmward.RiskChangesVariant, Why: c.AllowVariantChange}} {
		if v.Why != "" {
			in.Allowed = append(in.Allowed, v)
		}
	}
	if err := a.client.post(ctx, "/rollouts", in, &d); err != nil {
		return err
	}
	if done, err := a.asJSON(d); done {
		return err
	}
	printRollout(a, d)
	if d.Rollout.Total == 0 {
		fmt.Fprintln(a.out, "\nNobody would get it. Mend what the reasons above name, and plan again.")
		return nil
	}
	fmt.Fprintf(a.out, "\nNothing has started. Now: firmward rollout start %s\n", d.Rollout.ID)
	return nil
}

// Steer is what the commands that steer a rollout have in common.
type Steer struct {
	ID  string `arg:"" help:"Rollout."`
	Why string `help:"Why." placeholder:"WHY"`
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
	a.para(0, fmt.Sprintf("%s is %s", r.ID, stateText(r)))
	if a.client.local != nil && r.State == firmward.RolloutRunning {
		a.para(0, "No server runs, and this is work that takes days: start 'firmward serve' and leave it running.")
	}
	return nil
}

// stateText is the state with its reason, which may begin with the state itself.
func stateText(r httpapi.Rollout) string {
	why := strings.TrimRight(strings.TrimPrefix(r.Why, string(r.State)+": "), ".: ")
	return strings.TrimSuffix(string(r.State)+": "+why, ": ")
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

// RolloutStopCmd stops a rollout, one of its waves, or some of its devices.
type RolloutStopCmd struct {
	Steer
	Device []string `help:"Only this device; may be repeated. The rollout goes on without it." sep:"none" placeholder:"REF"`
	Wave   *int     `help:"Only this wave; 0 are the canaries. The rollout goes on without it." placeholder:"N"`
}

// Help gives examples.
func (RolloutStopCmd) Help() string {
	return examples("firmward rollout stop ro-abc --why 'bad build'", "firmward rollout stop ro-abc --device cam-7 --why 'a guest sleeps there'",
		"firmward rollout stop ro-abc --wave 2 --why 'the plant runs extra shifts'")
}

// Run carries it out.
func (c *RolloutStopCmd) Run(ctx context.Context, a *app) error {
	switch {
	case len(c.Device) == 0 && c.Wave == nil:
		return c.run(ctx, a, "stop")
	case len(c.Device) > 0 && c.Wave != nil:
		return usageError("--device or --wave, not both")
	}
	var s httpapi.StoppedTargets
	in := httpapi.StopTargets{Wave: c.Wave, Devices: c.Device, Why: c.Why}
	if err := a.client.post(ctx, "/rollouts/"+url.PathEscape(c.ID)+"/stop-targets", in, &s); err != nil {
		return err
	}
	what := fmt.Sprintf("%s taken out: the rollout sends nothing there.", plural(len(s.Skipped), "device is", "devices are"))
	if n := len(s.Flying); n > 0 {
		what += fmt.Sprintf(" %s being changed, and watched to the end.", plural(n, "is", "are"))
	}
	return a.say(s, what)
}

// RolloutRestoreCmd lets a device go back.
type RolloutRestoreCmd struct {
	ID     string `arg:"" help:"Rollout."`
	Device string `arg:"" help:"Device."`
	Why    string `help:"Why." placeholder:"WHY"`
}

// Help gives examples.
func (RolloutRestoreCmd) Help() string {
	return "Devices in clinical or process use, and all where the policy says 'restore: ask', go back on a person's word only.\n\n" +
		examples("firmward rollout restore ro-abc cam-7 --why 'nobody is in the room'")
}

// Run carries it out.
func (c *RolloutRestoreCmd) Run(ctx context.Context, a *app) error {
	var t httpapi.Target
	if err := a.client.post(ctx, "/rollouts/"+url.PathEscape(c.ID)+"/restore", httpapi.RestoreTarget{Device: c.Device, Why: c.Why}, &t); err != nil {
		return err
	}
	return a.say(t, fmt.Sprintf("%s: %s, %s.", t.Device, t.State, t.Why))
}

// RolloutHastenCmd shortens the soaks of a rollout.
type RolloutHastenCmd struct{ Steer }

// Help gives examples.
func (RolloutHastenCmd) Help() string {
	return "The soaks become those of the policy's emergency path (emergency-soak); canary, budget, approvals and windows stay. Only where something that is being " +
		"exploited is open on its devices, and none of them is in clinical or process use. Approvals must be given anew.\n\n" +
		examples("firmward rollout hasten ro-abc --why 'attacks are seen in the neighbourhood'")
}

// Run carries it out.
func (c *RolloutHastenCmd) Run(ctx context.Context, a *app) error { return c.run(ctx, a, "hasten") }

// RolloutApproveCmd approves a rollout.
type RolloutApproveCmd struct {
	ID   string `arg:"" help:"Rollout."`
	Wave int    `help:"Wave; 0 is the start." default:"0"`
	Note string `help:"A note for the record." placeholder:"TEXT"`
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

// waveName is the wave of a device: 0 is the canary.
func waveName(wave int) string {
	if wave == 0 {
		return "canary"
	}
	return "wave " + strconv.Itoa(wave)
}

// waveShort is the wave in a table.
func waveShort(r httpapi.Rollout) string {
	switch {
	case r.Total == 0:
		return "none"
	case r.Wave == 0:
		return "canary"
	}
	return fmt.Sprintf("%d of %d", r.Wave, max(r.Waves-1, 0))
}

// waveText says which wave it is: 0 is the canary.
func waveText(r httpapi.Rollout) string {
	last := max(r.Waves-1, 0)
	switch {
	case r.Total == 0:
		return "no waves"
	case last == 0:
		return "one wave, the canary"
	case r.State == firmward.RolloutPlanned:
		return "a canary and " + plural(last, "wave", "waves") + " after it"
	case r.Wave == 0:
		return "at the canary, before " + plural(last, "wave", "waves")
	}
	return fmt.Sprintf("at wave %d of %d", r.Wave, last)
}

// waveSizes says how many devices each wave holds.
func waveSizes(r httpapi.Rollout) string {
	if len(r.WaveSizes) < 2 {
		return ""
	}
	out := make([]string, len(r.WaveSizes))
	for i, n := range r.WaveSizes {
		out[i] = fmt.Sprintf("%s: %d", waveName(i), n)
		if i > 0 && i <= len(r.Policy.Waves) {
			out[i] += waveRule(r.Policy.Waves[i-1], i == len(r.Policy.Waves))
		}
	}
	return "Devices: " + strings.Join(out, ", ") + "."
}

// waveRule is what the policy says of a wave, where its number of devices does not say it.
func waveRule(w httpapi.Wave, last bool) string {
	switch {
	case last:
		return ""
	case w.Select != "":
		return " (" + w.Select + ")"
	case w.Count > 0:
		return ""
	}
	return fmt.Sprintf(" (%d %%)", w.Percent)
}

// riskText says what was taken on.
var riskText = map[string]string{
	firmward.RiskWipesConfig: "the configuration of devices is wiped", firmward.RiskChangesVariant: "the variant of devices changes",
}

func printRollout(a *app, d httpapi.RolloutDetail) {
	r := d.Rollout
	a.para(0, fmt.Sprintf("%s: %s to %s, %s.", r.ID, d.Release.Version, plural(r.Total, "device", "devices"), stateText(r)))
	approvals := fmt.Sprintf("approvals %d of %d", len(r.Approvals), r.Policy.Approvals)
	if r.Policy.Approvals == 0 {
		approvals = "no approval needed"
	}
	a.para(0, fmt.Sprintf("Policy %s: window %s, %s, %s.", r.Policy.Name, r.Policy.Window, approvals, waveText(r)))
	if sizes := waveSizes(r); sizes != "" {
		a.para(0, sizes)
	}
	if r.Emergency != "" {
		a.para(0, "Hastened, soaks of "+r.Policy.EmergencySoak+": "+r.Emergency)
	}
	for _, v := range r.Allowed {
		a.para(0, fmt.Sprintf("Taken on by %s: %s, because %s.", r.Author, riskText[v.Risk], strings.TrimRight(v.Why, ".")))
	}
	if r.Void != "" {
		a.para(0, "Earlier approvals are void: "+r.Void)
	}
	if r.Started > 0 {
		a.para(0, fmt.Sprintf("So far %d started: %d succeeded, %d failed, %d under way.", r.Started, r.Succeeded, r.Failed, r.InFlight))
	}
	for _, g := range d.Targets {
		if len(g.StillOpen) > 0 {
			a.para(0, fmt.Sprintf("%s runs %s, and this is still open on it: %s.", g.Device, g.Want, strings.Join(g.StillOpen, ", ")))
		}
	}
	if !strings.HasPrefix(r.ID, "stage-") { // a rehearsal is the staging
		a.para(0, "Staging: "+known(r.Staging))
	}
	for _, v := range r.Covered {
		a.para(2, coverText(v))
	}
	if len(r.Covered) == 0 { // a rehearsal, or planned by an earlier firmward
		for _, v := range d.Staging {
			a.para(2, fmt.Sprintf("%s %s by %s: %s, %s", v.Model, v.Hardware, v.Path, v.Result, v.Why))
		}
	}
	if len(d.Targets) > 0 {
		a.title("Devices")
		t := table{head: []string{"WAVE", "DEVICE", "FROM", "TO", "STATE", "WHY"}}
		slices.SortStableFunc(d.Targets, func(x, y httpapi.Target) int { return cmp.Compare(x.Wave, y.Wave) })
		for _, g := range d.Targets {
			why := g.Why
			if g.Code == "battery" || g.Code == "signal" {
				why = strings.TrimSuffix(why+"; asked again "+when(g.AskAgain), "; asked again unknown")
			}
			t.rows = append(t.rows, []string{waveName(g.Wave), g.Device, known(g.From), g.Want, string(g.State), why})
		}
		t.write(a)
	}
	if len(d.Refusals) > 0 {
		a.title("Not taking part")
		refusalTable(d.Refusals).write(a)
	}
	if d.More {
		fmt.Fprintln(a.err, "There are more devices than shown.")
	}
}

// refusalTable has a row for each reason.
func refusalTable(refused []httpapi.Target) table {
	slices.SortFunc(refused, func(a, b httpapi.Target) int {
		return cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.Why, b.Why), cmp.Compare(a.Device, b.Device))
	})
	t := table{head: []string{"CODE", "WHY", "DEVICES"}}
	for i, r := range refused {
		if i > 0 && r.Code == refused[i-1].Code && r.Why == refused[i-1].Why {
			t.rows[len(t.rows)-1][2] += ", " + r.Device
			continue
		}
		t.rows = append(t.rows, []string{r.Code, r.Why, r.Device})
	}
	return t
}

// RolloutListCmd lists rollouts.
type RolloutListCmd struct {
	Listing
	Release string `help:"Only of this release." placeholder:"ID"`
}

// Help gives examples.
func (RolloutListCmd) Help() string {
	return examples("firmward rollout", "firmward rollout list --json")
}

// Run carries it out.
func (c *RolloutListCmd) Run(ctx context.Context, a *app) error {
	return listSorted(ctx, a, "/rollouts", values("release", c.Release), c.Limit, []string{"ROLLOUT", "RELEASE", "STATE", "WAVE", "DONE", "WHY"},
		func(r httpapi.Rollout) []string {
			return []string{
				r.ID, r.Release, string(r.State), waveShort(r),
				fmt.Sprintf("%d of %d, %d failed", r.Succeeded, r.Total, r.Failed), r.Why,
			}
		}, func(x, y httpapi.Rollout) int { return y.Created.Compare(x.Created) }) // the newest first
}
