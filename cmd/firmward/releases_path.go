package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/httpapi"
)

// ReleasesPathCmd shows how a device comes to a version.
type ReleasesPathCmd struct {
	Device  string `arg:"" help:"Id, name, address, serial number or MAC address."`
	To      string `help:"Version that it shall run; the newest release for it unless given." placeholder:"VERSION"`
	Variant string `help:"Variant that it shall be of; as it is unless given." placeholder:"VARIANT"`
}

// Help gives examples.
func (ReleasesPathCmd) Help() string {
	return "Of all ways the one with the fewest wipes of its configuration is taken, then the fewest changes of variant, the fewest steps without a way back, " +
		"the fewest steps down, the fewest steps, and the newest versions. Where no way leads there, what is missing is named. Nothing starts.\n\n" +
		examples("firmward releases path pump-7", "firmward releases path pump-7 --to 12.3.1", "firmward releases path 192.168.1.1 --to 7.12 --json")
}

// Run carries it out.
func (c *ReleasesPathCmd) Run(ctx context.Context, a *app) error {
	var w httpapi.Way
	if err := a.client.get(ctx, "/devices/"+url.PathEscape(c.Device)+"/upgrade-path", values("to", c.To, "variant", c.Variant), &w); err != nil {
		return err
	}
	if done, err := a.asJSON(w); done {
		return err
	}
	switch {
	case w.Refusal != nil:
		a.para(0, fmt.Sprintf("%s cannot go from %s to %s: %s.", w.Device, known(w.From), w.To, w.Refusal.Why))
		if n := w.Refusal.Nearest; n != "" {
			a.para(0, fmt.Sprintf("It can go to %s: firmward releases path %s --to %s", n, quoted(w.Device), n))
		}
	case len(w.Hops) == 0:
		a.para(0, fmt.Sprintf("%s runs %s already.", w.Device, w.To))
	default:
		a.para(0, fmt.Sprintf("%s goes from %s to %s in %s:", w.Device, w.From, w.To, plural(len(w.Hops), "step", "steps")))
		for i, h := range w.Hops {
			a.para(2, hopText(i, h))
		}
		if len(w.Hops) > 1 {
			a.para(0, "One step at a time: the next one follows when the one before was seen to run.")
		}
	}
	return nil
}

func hopText(i int, h httpapi.Hop) string {
	what := h.From + " to " + h.To
	if h.Part != firmward.MainPart {
		what = h.Part + " " + what
	}
	text := fmt.Sprintf("%d. %s (%s): %s; about %s dark", i+1, what, h.Release, h.Why, plural(h.OutageMinutes, "minute", "minutes"))
	if len(h.Risks) > 0 {
		text += "; " + strings.Join(h.Risks, ", ")
	}
	return text
}
