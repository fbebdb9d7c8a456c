package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/firmward/firmward/httpapi"
	"github.com/firmward/firmward/policy"
)

// PolicyCmd is about policy files.
type PolicyCmd struct {
	Check PolicyCheckCmd `cmd:"" help:"Check a policy file. Needs no server and changes nothing."`
}

// PolicyCheckCmd checks a policy file.
type PolicyCheckCmd struct {
	File string `arg:"" type:"existingfile" help:"YAML file."`
}

// Help gives examples.
func (PolicyCheckCmd) Help() string { return examples("firmward policy check policies.yaml") }

// Run carries it out.
func (c *PolicyCheckCmd) Run(_ context.Context, a *app) error {
	b, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	f, err := policy.Parse(b, filepath.Base(c.File))
	if err != nil {
		return err
	}
	if done, err := a.asJSON(httpapi.PoliciesOf(f)); done {
		return err
	}
	t := table{head: []string{"POLICY", "APPROVALS", "IN FLIGHT", "WINDOW", "FOR"}}
	for _, p := range f.Rollout {
		t.rows = append(t.rows, []string{p.Name, strconv.Itoa(p.Approvals), strconv.Itoa(p.MaxInFlight), p.Window.String(), cmp.Or(p.Source, "every device")})
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
	fmt.Fprintf(a.out, "%s is fine: %d for rollouts, %d for risk.\n", filepath.Base(c.File), len(f.Rollout), len(f.Risk))
	return nil
}
