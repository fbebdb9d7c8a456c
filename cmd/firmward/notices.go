package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/firmward/firmward/httpapi"
)

// NoticesCmd is about who is told.
type NoticesCmd struct {
	List    NoticesListCmd    `cmd:"" default:"withargs" help:"List who is told, and whether it arrives."`
	Add     NoticesAddCmd     `cmd:"" help:"Tell somebody: a webhook, a mailbox, a push service."`
	Try     NoticesTryCmd     `cmd:"" help:"Send the digest of this moment now."`
	Preview NoticesPreviewCmd `cmd:"" help:"Show what a digest would say now. Sends nothing."`
	Remove  NoticesRemoveCmd  `cmd:"" help:"Tell somebody no more."`
}

// NoticesAddCmd adds a recipient.
type NoticesAddCmd struct {
	Name    string `arg:"" help:"What it is called here."`
	Digest  string `help:"How often it gets a digest: daily, weekly (on Mondays) or off." enum:"daily,weekly,off" default:"daily"`
	Hour    int    `help:"Local hour of the digest." default:"8"`
	Zone    string `help:"Time zone of the hour; that of the only site, else UTC, unless given." placeholder:"Europe/Berlin"`
	Urgent  bool   `help:"Tell it at once of what cannot wait." negatable:"" default:"true"`
	Details bool   `help:"Messages may name devices, models and versions. Else they only count: they leave the house."`
}

// Help gives examples.
func (NoticesAddCmd) Help() string {
	return "The address is asked for without echo, or read from the first line of the input: it holds passwords. An https address is a webhook and gets signed JSON " +
		"(Standard Webhooks); others are written as shoutrrr does:\n\n" +
		"  https://hooks.example/firmward\n  smtp://user:password@mail.example:587/?from=fw@example&to=anna@example\n  ntfy://ntfy.example/our-topic\n\n" +
		"Told at once: a device that is exposed and exploited, a rollout that stopped itself, a wall that is down. Everything else waits for the digest.\n\n" +
		examples("firmward notices add anna --digest weekly", "pass show hook | firmward notices add ops --details")
}

// Run carries it out.
func (c *NoticesAddCmd) Run(ctx context.Context, a *app) error {
	address, err := a.hidden(ctx, "Address: ")
	if err != nil {
		return err
	}
	var made httpapi.RecipientMade
	if err := a.client.post(ctx, "/recipients", httpapi.NewRecipient{
		Name: c.Name, Address: address, Digest: c.Digest, Hour: &c.Hour, Zone: c.Zone, Urgent: &c.Urgent, Details: c.Details,
	}, &made); err != nil {
		return err
	}
	if done, err := a.asJSON(made); done {
		return err
	}
	if made.Key != "" {
		fmt.Fprintln(a.out, made.Key)
		fmt.Fprintln(a.err, "This key signs what the webhook gets. It is shown this once: keep it now.")
	}
	fmt.Fprintf(a.err, "%s is told by %s at %s. Try it: firmward notices try %s\n", made.Recipient.Name, made.Recipient.Kind, made.Recipient.Host, made.Recipient.Name)
	return nil
}

// NoticesListCmd lists recipients.
type NoticesListCmd struct{ Listing }

// Help gives examples.
func (NoticesListCmd) Help() string { return examples("firmward notices", "firmward notices --json") }

// Run carries it out.
func (c *NoticesListCmd) Run(ctx context.Context, a *app) error {
	return listTo(ctx, a, "/recipients", nil, c.Limit, []string{"NAME", "BY", "DIGEST", "AT ONCE", "NAMES", "LAST SENT", "STATE"}, func(r httpapi.Recipient) []string {
		digest := r.Digest
		if digest != "off" {
			digest = fmt.Sprintf("%s %02d:00 %s", r.Digest, r.Hour, r.Zone)
		}
		last, state := "never", "well"
		if !r.LastSent.IsZero() {
			last = when(r.LastSent)
		}
		if r.Failures > 0 {
			state = fmt.Sprintf("%s failed: %s; again %s", plural(r.Failures, "try", "tries"), r.LastError, when(r.RetryAt))
		}
		return []string{r.Name, r.Kind + " at " + r.Host, digest, yes(r.Urgent), yes(r.Details), last, state}
	})
}

// NoticesTryCmd sends a message.
type NoticesTryCmd struct {
	Name string `arg:"" help:"Recipient."`
}

// Help gives examples.
func (NoticesTryCmd) Help() string { return examples("firmward notices try anna") }

// Run carries it out.
func (c *NoticesTryCmd) Run(ctx context.Context, a *app) error {
	var n httpapi.Notice
	if err := a.client.post(ctx, "/recipients/"+url.PathEscape(c.Name)+"/try", nil, &n); err != nil {
		return err
	}
	if done, err := a.asJSON(n); done {
		return err
	}
	fmt.Fprintf(a.err, "Sent to %s:\n\n", c.Name)
	printNotice(a, n)
	return nil
}

// NoticesPreviewCmd shows a digest.
type NoticesPreviewCmd struct {
	Details bool   `help:"As to a recipient that may be told names."`
	Digest  string `help:"What happened since a day or a week ago." enum:"daily,weekly" default:"daily"`
}

// Help gives examples.
func (NoticesPreviewCmd) Help() string {
	return examples("firmward notices preview", "firmward notices preview --details --digest weekly")
}

// Run carries it out.
func (c *NoticesPreviewCmd) Run(ctx context.Context, a *app) error {
	if err := a.client.settle(ctx); err != nil {
		return err
	}
	q := values("digest", c.Digest)
	if c.Details {
		q.Set("details", "true")
	}
	var n httpapi.Notice
	if err := a.client.get(ctx, "/notices/preview", q, &n); err != nil {
		return err
	}
	if done, err := a.asJSON(n); done {
		return err
	}
	printNotice(a, n)
	return nil
}

// printNotice shows a message as people get it.
func printNotice(a *app, n httpapi.Notice) {
	fmt.Fprintln(a.out, a.bold(clean(n.Title)))
	for _, l := range n.Lines {
		a.para(0, l)
	}
	fmt.Fprintln(a.out)
	a.para(0, n.Action)
}

// NoticesRemoveCmd removes a recipient.
type NoticesRemoveCmd struct {
	Name string `arg:"" help:"Recipient."`
}

// Help gives examples.
func (NoticesRemoveCmd) Help() string { return examples("firmward notices remove anna") }

// Run carries it out.
func (c *NoticesRemoveCmd) Run(ctx context.Context, a *app) error {
	if err := a.client.do(ctx, call{method: http.MethodDelete, path: "/recipients/" + url.PathEscape(c.Name)}); err != nil {
		return err
	}
	return a.say(map[string]bool{"removed": true}, c.Name+" is told no more.")
}
