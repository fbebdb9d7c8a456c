package main

import (
	"context"
	"fmt"
	"net/url"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/httpapi"
)

// AcceptCmd records an exception.
type AcceptCmd struct {
	Device   string `arg:"" optional:"" help:"Device; every device unless given."`
	Advisory string `help:"Advisory; every one of the device unless given." placeholder:"ID"`
	Reason   string `help:"Why." required:"" placeholder:"WHY"`
	Until    string `help:"Last day, at most a year from now." required:"" placeholder:"YYYY-MM-DD"`
	Kind     string `help:"accept (carry the risk), mitigate (a proven containment keeps attackers away), defer (later), suppress (the finding is wrong), waive (a policy rule does not apply)." enum:"accept,mitigate,defer,suppress,waive" default:"accept"`
	Because  string `help:"Why a finding is wrong: component-not-present, platform-not-present, other-product (these outlive an update), version-not-affected, vulnerable-code-not-in-execute-path, vulnerable-code-cannot-be-controlled." enum:",component-not-present,platform-not-present,other-product,version-not-affected,vulnerable-code-not-in-execute-path,vulnerable-code-cannot-be-controlled" default:"" placeholder:"GROUND"`
}

// Help gives examples.
func (AcceptCmd) Help() string {
	return "It ends by itself when what it rests on changes for the worse: something is exploited, the device gets reachable from the internet, a containment is no " +
		"longer proven, a verdict gets worse, or, for a false positive, other firmware runs. A false positive, and anything that is exploited, needs a second person.\n\n" +
		examples("firmward accept nas-1 --advisory CVE-2024-3273 \\", "    --reason 'stands in a cut-off network' --until 2027-03-31",
			"firmward accept cam-1 --kind defer --reason 'a trial' --until 2027-03-31",
			"firmward accept cam-1 --kind suppress --advisory CVE-2026-0001 \\", "    --because component-not-present --reason 'no RTSP built in' \\", "    --until 2027-03-31")
}

// Run carries it out.
func (c *AcceptCmd) Run(ctx context.Context, a *app) error {
	until, err := dayOrTime(c.Until)
	if err != nil {
		return err
	}
	if err := a.client.settle(ctx); err != nil { // its premise is what is known now
		return err
	}
	var e httpapi.Exception
	if err := a.client.post(ctx, "/exceptions", httpapi.NewException{
		Kind: firmward.ExceptionKind(c.Kind), Device: c.Device, Advisory: c.Advisory, Reason: c.Reason, Because: firmward.Ground(c.Because), Expires: until,
	}, &e); err != nil {
		return err
	}
	text := fmt.Sprintf("Recorded as %s: %s until %s, by %s.", e.ID, e.Kind, when(e.Expires), e.Author)
	if e.State == firmward.ExceptionAwaiting {
		text += " It is not in force yet: a second person must approve it (exceptions approve " + e.ID + ")."
	}
	return a.say(e, text)
}

// ExceptionsCmd is about decisions to differ.
type ExceptionsCmd struct {
	List    ExceptionsListCmd    `cmd:"" default:"withargs" help:"List exceptions."`
	Approve ExceptionsApproveCmd `cmd:"" help:"Approve what somebody else decided."`
}

// ExceptionsListCmd lists exceptions.
type ExceptionsListCmd struct {
	Listing
	Device   string `help:"Only those made for this device." placeholder:"REF"`
	Advisory string `help:"Only those made for this advisory." placeholder:"ID"`
	All      bool   `help:"Ended ones too, with why they ended."`
}

// Help gives examples.
func (ExceptionsListCmd) Help() string {
	return examples("firmward exceptions", "firmward exceptions --device cam-1 --all", "firmward exceptions --all --json")
}

// Run carries it out.
func (c *ExceptionsListCmd) Run(ctx context.Context, a *app) error {
	if err := a.client.settle(ctx); err != nil {
		return err
	}
	q := values("device", c.Device, "advisory", c.Advisory)
	if !c.All {
		q.Set("valid", "true")
	}
	return listTo(ctx, a, "/exceptions", q, c.Limit, []string{"EXCEPTION", "DEVICE", "ADVISORY", "KIND", "STATE", "BY", "WHY"}, func(e httpapi.Exception) []string {
		device, advisory := e.Device, e.Advisory
		if device == "" {
			device = "every device"
		}
		if advisory == "" {
			advisory = "every one"
		}
		return []string{e.ID, device, advisory, string(e.Kind), exceptionState(e), exceptionBy(e), e.Reason}
	})
}

// ExceptionsApproveCmd approves an exception.
type ExceptionsApproveCmd struct {
	ID   string `arg:"" help:"Exception."`
	Note string `help:"A note for the record." placeholder:"TEXT"`
}

// Help gives examples.
func (ExceptionsApproveCmd) Help() string {
	return "Who made it cannot approve it.\n\n" + examples("firmward exceptions approve exc-abc --note 'looked at the parts list'")
}

// Run carries it out.
func (c *ExceptionsApproveCmd) Run(ctx context.Context, a *app) error {
	var e httpapi.Exception
	if err := a.client.post(ctx, "/exceptions/"+url.PathEscape(c.ID)+"/approve", httpapi.ExceptionConsent{Note: c.Note}, &e); err != nil {
		return err
	}
	return a.say(e, fmt.Sprintf("%s is in force: %s until %s, by %s.", e.ID, e.Kind, when(e.Expires), exceptionBy(e)))
}

// exceptionState says how an exception stands.
func exceptionState(e httpapi.Exception) string {
	switch e.State {
	case firmward.ExceptionFallen:
		return "ended " + when(e.FellAt) + ": " + e.FellWhy
	case firmward.ExceptionExpired:
		return "expired " + when(e.Expires)
	case firmward.ExceptionAwaiting:
		return "waits for a second person, until " + when(e.Expires)
	}
	return "in force until " + when(e.Expires)
}

func exceptionBy(e httpapi.Exception) string {
	if e.Approver != "" {
		return e.Author + ", approved by " + e.Approver
	}
	return e.Author
}

// exceptionText says all of an exception in a sentence.
func exceptionText(e httpapi.Exception) string {
	text := fmt.Sprintf("%s by %s, %s: %s", e.Kind, exceptionBy(e), exceptionState(e), e.Reason)
	if e.Because != "" {
		text += " (" + string(e.Because) + ")"
	}
	return text
}
