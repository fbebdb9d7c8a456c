package control

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/assess"
)

// Outcome says what Explain rests on.
type Outcome string

// The outcomes.
const (
	ExplainFinding  Outcome = "finding"       // the recorded one
	ExplainNow      Outcome = "evaluated-now" // judged for this question: nothing is recorded, as it is not affected or not weighed yet
	ExplainOther    Outcome = "other-product" // the advisory does not name this device's product
	ExplainRejected Outcome = "rejected"      // its sources took it back
	ExplainUnknown  Outcome = "unknown"       // no source in use knows it
	ExplainNoneThen Outcome = "none-then"     // there was no finding at that time
)

// Explained is why an advisory concerns a device, or why not.
type Explained struct {
	Device   firmward.Device
	Advisory string
	Outcome  Outcome
	Text     string             // why there is no finding, in a sentence; empty when there is one
	Form     *firmward.Form     // nil when there is none
	Replay   *assess.Replayed   // only for an earlier time
	Step     *firmward.NextStep // of the device, only for now; nil until it was weighed
	Excused  []firmward.Exception
}

// Explain tells why an advisory concerns a device, or why it does not; at a time that is not zero, what was so then, and whether
// the same evidence gives the same answer today.
func (c *Control) Explain(ctx context.Context, ref, advisory string, at time.Time) (Explained, error) {
	d, err := c.find(ctx, ref)
	if err != nil {
		return Explained{}, err
	}
	x := Explained{Device: d, Advisory: advisory}
	if !at.IsZero() {
		err := c.explainThen(ctx, &x, at)
		return x, err
	}
	now := c.Clock.Now()
	form, err := c.Store.FindingAsOf(ctx, d.ID, advisory, now)
	if err != nil && firmward.CodeOf(err) != firmward.NotFound {
		return x, err
	}
	switch f, err := c.Store.Finding(ctx, d.ID, advisory); {
	case err == nil: // its records may be of a newer document than those of the form
		form.Finding = f
		x.Outcome, x.Form = ExplainFinding, &form
	case firmward.CodeOf(err) != firmward.NotFound:
		return x, err
	default:
		if err := c.explainNone(ctx, &x, now); err != nil {
			return x, err
		}
	}
	step, err := c.Store.NextStep(ctx, d.ID)
	if err == nil {
		x.Step = &step
	} else if firmward.CodeOf(err) != firmward.NotFound {
		return x, err
	}
	exceptions, err := c.Store.ExceptionsFor(ctx, d.ID, now)
	for _, e := range exceptions {
		if e.Applies(d.ID, advisory, now) {
			x.Excused = append(x.Excused, e)
		}
	}
	return x, err
}

// explainNone says why there is no finding, by judging now.
func (c *Control) explainNone(ctx context.Context, x *Explained, now time.Time) error {
	known, err := c.Store.Advisory(ctx, x.Advisory)
	if firmward.CodeOf(err) == firmward.NotFound {
		return c.explainUnknown(ctx, x)
	}
	if err != nil {
		return err
	}
	subject, err := c.subject(ctx, x.Device)
	if err != nil {
		return err
	}
	generation, err := c.Store.Generation(ctx)
	if err != nil {
		return err
	}
	findings := assess.Evaluate(subject, known, assess.Extras{Snapshot: generation}, now)
	if len(findings) == 0 {
		x.Outcome, x.Text = ExplainOther, assess.Unnamed(subject, known)
		return nil
	}
	if err := c.known(ctx, findings[:1]); err != nil {
		return err
	}
	x.Outcome, x.Form = ExplainNow, &firmward.Form{Finding: findings[0]}
	return nil
}

func (c *Control) explainUnknown(ctx context.Context, x *Explained) error {
	sources, err := c.Store.RejectedBy(ctx, x.Advisory)
	if err != nil {
		return err
	}
	if len(sources) > 0 {
		x.Outcome, x.Text = ExplainRejected, fmt.Sprintf("Rejected: %s took it back, and no other source that is in use says anything of it.", strings.Join(sources, " and "))
		return nil
	}
	x.Outcome, x.Text = ExplainUnknown, "No feed that was imported knows it. That says nothing about the device: see how deep the knowledge is (feeds status)."
	return nil
}

// explainThen tells what was in force at a time and judges again.
func (c *Control) explainThen(ctx context.Context, x *Explained, at time.Time) error {
	form, err := c.Store.FindingAsOf(ctx, x.Device.ID, x.Advisory, at)
	if firmward.CodeOf(err) == firmward.NotFound {
		x.Outcome = ExplainNoneThen
		return c.firstForm(ctx, x)
	}
	if err != nil {
		return err
	}
	x.Outcome, x.Form = ExplainFinding, &form
	then, err := c.Store.AdvisoryAsOf(ctx, x.Advisory, form.Snapshot)
	if err != nil {
		return err
	}
	again := assess.Replay(form, then, c.Version)
	x.Replay = &again
	return nil
}

// firstForm says since when there is a finding, if there is one.
func (c *Control) firstForm(ctx context.Context, x *Explained) error {
	forms, err := c.Store.FormsOf(ctx, x.Device.ID, x.Advisory)
	if err != nil {
		return err
	}
	x.Text = "No finding was on record then: the device was not affected, as far as was known, or nobody knew of either. "
	if len(forms) == 0 {
		x.Text += "None is on record today."
	} else {
		x.Text += "The first was recorded at " + forms[0].Since.UTC().Format(time.RFC3339) + "."
	}
	return nil
}

// subject is a device with all that its verdicts rest on.
func (c *Control) subject(ctx context.Context, d firmward.Device) (assess.Subject, error) {
	model := c.Catalog.Model(d)
	id, err := c.Store.Identity(ctx, d.ID)
	if firmward.CodeOf(err) == firmward.NotFound {
		err = nil
	}
	return assess.Subject{Device: d, Identity: id, Model: model, Names: assess.Names(model, d)}, err
}
