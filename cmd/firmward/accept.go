package main

import (
	"context"
	"fmt"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/httpapi"
)

// AcceptCmd records an exception.
type AcceptCmd struct {
	Device   string `arg:"" optional:"" help:"Device; every device unless given."`
	Advisory string `help:"Advisory; every one of the device unless given." placeholder:"ID"`
	Reason   string `help:"Why." required:"" placeholder:"WHY"`
	Until    string `help:"Last day, at most a year from now." required:"" placeholder:"YYYY-MM-DD"`
	Kind     string `help:"accept (carry the risk), defer (later), suppress (the finding is wrong), waive (a policy rule does not apply)." enum:"accept,defer,suppress,waive" default:"accept"`
}

// Help gives examples.
func (AcceptCmd) Help() string {
	return examples("firmward accept nas-1 --advisory CVE-2024-3273 \\", "    --reason 'stands in a cut-off network' --until 2027-03-31",
		"firmward accept cam-1 --kind defer --reason 'a trial' --until 2027-03-31")
}

// Run carries it out.
func (c *AcceptCmd) Run(ctx context.Context, a *app) error {
	until, err := dayOrTime(c.Until)
	if err != nil {
		return err
	}
	var e httpapi.Exception
	if err := a.client.post(ctx, "/exceptions", httpapi.NewException{
		Kind: firmward.ExceptionKind(c.Kind), Device: c.Device, Advisory: c.Advisory, Reason: c.Reason, Expires: until,
	}, &e); err != nil {
		return err
	}
	return a.say(e, fmt.Sprintf("Recorded as %s: %s until %s, by %s.", e.ID, e.Kind, when(e.Expires), e.Author))
}
