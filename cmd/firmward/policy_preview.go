package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"

	"github.com/firmward/firmward/httpapi"
)

// PolicyPreviewCmd shows what policies mean for the inventory.
type PolicyPreviewCmd struct {
	File  string `arg:"" optional:"" type:"existingfile" help:"YAML file; the policies in force unless given."`
	Since string `help:"How far back changes are told." default:"24h" placeholder:"36h"`
}

// Help gives examples.
func (PolicyPreviewCmd) Help() string {
	return examples("firmward policy preview", "firmward policy preview policies.yaml --since 7d")
}

// Run carries it out.
func (c *PolicyPreviewCmd) Run(ctx context.Context, a *app) error {
	var p httpapi.PolicyPreview
	ask := call{method: http.MethodPost, path: "/policies/preview", query: values("since", c.Since), out: &p}
	if c.File != "" {
		b, err := os.ReadFile(c.File)
		if err != nil {
			return err
		}
		ask.query.Set("name", filepath.Base(c.File))
		ask.body, ask.bodyType = bytes.NewReader(b), "application/yaml"
	}
	if err := a.client.do(ctx, ask); err != nil {
		return err
	}
	if done, err := a.asJSON(p); done {
		return err
	}
	t := table{head: []string{"POLICY", "SELECTS", "DEVICES", "CHANGED", "FOR", "NOTE"}}
	for _, r := range p.Ruled {
		t.rows = append(t.rows, []string{r.Policy, strconv.Itoa(r.Matches), strconv.Itoa(r.Rules), strconv.Itoa(r.Changed), cmp.Or(r.Select, "every device"), r.Note})
	}
	t.write(a)
	if p.None > 0 {
		fmt.Fprintf(a.out, "%s under no policy: nothing is ever rolled out to %s. Give the last policy no select.\n", plural(p.None, "device falls", "devices fall"), map[bool]string{true: "it", false: "them"}[p.None == 1])
	}
	if len(p.Changed) == 0 {
		fmt.Fprintf(a.out, "No device fell under another policy %s ago.\n", c.Since)
		return nil
	}
	a.title(plural(len(p.Changed), "device has", "devices have") + " changed since " + p.Since.Format("Mon 2006-01-02 15:04 MST"))
	t = table{head: []string{"DEVICE", "BEFORE", "NOW"}}
	for _, d := range p.Changed {
		before := cmp.Or(d.Before, "none")
		if d.New {
			before = "not known yet"
		}
		t.rows = append(t.rows, []string{d.Device, before, cmp.Or(d.Now, "none")})
	}
	t.write(a)
	return nil
}
