package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/firmward/firmward/httpapi"
	"github.com/firmward/firmward/policy"
)

// PolicyCmd is about policy files.
type PolicyCmd struct {
	Check   PolicyCheckCmd   `cmd:"" help:"Check a policy file and show what its windows mean. Needs no server and changes nothing."`
	Preview PolicyPreviewCmd `cmd:"" help:"Show which devices fall under which policy, and which of them fell under another one yesterday. Changes nothing."`
}

// PolicyCheckCmd checks a policy file.
type PolicyCheckCmd struct {
	File string   `arg:"" type:"existingfile" help:"YAML file."`
	Zone []string `help:"Time zone of a site for which the next openings are shown; may be repeated." default:"UTC" placeholder:"Europe/Berlin"`
	At   string   `help:"Show them from this time on; now unless given." placeholder:"2026-03-28T12:00:00Z"`
}

// Help gives examples.
func (PolicyCheckCmd) Help() string {
	return examples("firmward policy check policies.yaml", "firmward policy check policies.yaml --zone Europe/Berlin --zone Asia/Tokyo")
}

// Run carries it out.
func (c *PolicyCheckCmd) Run(_ context.Context, a *app) error {
	at := time.Now()
	if c.At != "" {
		var err error
		if at, err = time.Parse(time.RFC3339, c.At); err != nil {
			return usageError(c.At + " is no time: want for example 2026-03-28T12:00:00Z")
		}
	}
	zones := make([]*time.Location, len(c.Zone))
	for i, name := range c.Zone {
		var err error
		if zones[i], err = time.LoadLocation(name); err != nil || name == "Local" {
			return usageError(name + " is no time zone: want an IANA name such as Europe/Berlin")
		}
	}
	b, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	f, err := policy.ParseAt(b, filepath.Base(c.File), at)
	if err != nil {
		return err
	}
	checked, err := httpapi.CheckedPolicies(f, at, zones)
	if err != nil {
		return err
	}
	if done, err := a.asJSON(checked); done {
		return err
	}
	t := table{head: []string{"POLICY", "APPROVALS", "IN FLIGHT", "WINDOW", "FOR"}}
	for _, p := range f.Rollout {
		t.rows = append(t.rows, []string{p.Name, strconv.Itoa(p.Approvals), strconv.Itoa(p.MaxInFlight), p.Hours(), cmp.Or(p.Source, "every device")})
	}
	if len(t.rows) > 0 {
		t.write(a)
	}
	t = table{head: []string{"RISK POLICY", "CLOCKS OF", "FOR"}}
	for _, p := range f.Risk {
		var regimes []string
		for _, r := range p.Regimes {
			regimes = append(regimes, string(r))
		}
		t.rows = append(t.rows, []string{p.Label(), strings.Join(regimes, ", "), cmp.Or(p.Source, "every device")})
	}
	if len(t.rows) > 0 {
		t.write(a)
	}
	printHours(a, checked.Rollout, zones)
	fmt.Fprintf(a.out, "%s is fine: %d for rollouts, %d for risk.\n", filepath.Base(c.File), len(f.Rollout), len(f.Risk))
	return nil
}

// printHours shows when devices may be changed, so that a person sees what a rule means.
func printHours(a *app, policies []httpapi.RolloutPolicy, zones []*time.Location) {
	const form = "Mon 2006-01-02 15:04 -07:00"
	openings := table{head: []string{"NEXT OPENINGS OF", "AT A SITE IN", "FROM", "TO"}}
	freezes := table{head: []string{"FREEZE", "OF", "FROM", "TO", "WHY"}}
	for _, p := range policies {
		for _, o := range p.Openings {
			openings.rows = append(openings.rows, []string{p.Name, o.Zone, o.From.Format(form), o.To.Format(form)})
		}
		if len(p.Openings) == 0 {
			openings.rows = append(openings.rows, []string{p.Name, zones[0].String(), "any time", ""})
		}
		for _, f := range p.Freezes {
			freezes.rows = append(freezes.rows, []string{f.Name, p.Name, f.Begins.Format(form), f.Ends.Format(form), f.Why})
		}
	}
	for _, t := range []table{openings, freezes} {
		if len(t.rows) > 0 {
			t.write(a)
		}
	}
}
