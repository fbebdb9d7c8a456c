package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/httpapi"
)

// DevicesLinkCmd says on what a device depends.
type DevicesLinkCmd struct {
	Ref           string `arg:"" help:"Id, name, address, serial number or MAC address."`
	Behind        string `help:"It is reached through this one." placeholder:"REF" xor:"kind" required:""`
	PoweredBy     string `help:"It gets its power from this one." placeholder:"REF" xor:"kind" required:""`
	RedundantWith string `help:"It must never be down together with this one." placeholder:"REF" xor:"kind" required:""`
	SameMedium    string `help:"It shares air time, a bus or a link with this one." placeholder:"REF" xor:"kind" required:""`
	Remove        bool   `help:"It does not, or no longer."`
}

// Help gives examples.
func (DevicesLinkCmd) Help() string {
	return "What is behind another device is not blamed when that one is silent, and is updated before it. Redundant devices are never updated together.\n\n" +
		examples("firmward devices link sensor-3 --behind gateway-1", "firmward devices link sw-1 --redundant-with sw-2", "firmward devices link sensor-3 --behind gateway-1 --remove")
}

// Run carries it out.
func (c *DevicesLinkCmd) Run(ctx context.Context, a *app) error {
	in := httpapi.LinkBody{}
	for kind, to := range map[firmward.RelationKind]string{
		firmward.Behind: c.Behind, firmward.PoweredBy: c.PoweredBy, firmward.RedundantWith: c.RedundantWith, firmward.SameMedium: c.SameMedium,
	} {
		if to != "" {
			in.Kind, in.To = kind, to
		}
	}
	order, words := "link", relationWords(in.Kind)
	if c.Remove {
		order, words = "unlink", "no longer "+words
	}
	var e httpapi.Relation
	if err := a.client.post(ctx, "/devices/"+url.PathEscape(c.Ref)+"/"+order, in, &e); err != nil {
		return err
	}
	return a.say(e, fmt.Sprintf("%s is %s %s.", e.FromName, words, e.ToName))
}

// relationWords says what the first device of a relation is to the second.
func relationWords(k firmward.RelationKind) string {
	return map[firmward.RelationKind]string{
		firmward.Behind: "reached through", firmward.PoweredBy: "powered by",
		firmward.RedundantWith: "never down together with", firmward.SameMedium: "on one medium with",
	}[k]
}

// DevicesAutoUpdatesCmd is about a device's own automatic updates.
type DevicesAutoUpdatesCmd struct {
	Ref string `arg:"" help:"Id, name, address, serial number or MAC address."`
	Set string `arg:"" optional:"" enum:"on,off," default:"" help:"on or off; left out, the device is only asked."`
}

// Help gives examples.
func (DevicesAutoUpdatesCmd) Help() string {
	return "Asks a device whether it installs by itself what its maker offers, or switches that. After a change it is asked again: what counts is that answer.\n\n" +
		examples("firmward devices auto-updates hue-1", "firmward devices auto-updates hue-1 on")
}

// Run carries it out.
func (c *DevicesAutoUpdatesCmd) Run(ctx context.Context, a *app) error {
	path := "/devices/" + url.PathEscape(c.Ref) + "/auto-updates"
	var is httpapi.AutoUpdates
	var err error
	if c.Set == "" {
		err = a.client.get(ctx, path, nil, &is)
	} else {
		err = a.client.do(ctx, call{method: http.MethodPut, path: path, in: httpapi.SetAutoUpdates{On: c.Set == "on"}, out: &is})
	}
	if err != nil {
		return err
	}
	said := "off: it waits for somebody to install what its maker offers"
	if is.On {
		said = "on: it installs by itself what its maker offers"
		if is.At != "" {
			said += ", at " + is.At
		}
	}
	return a.say(is, fmt.Sprintf("%s says that its automatic updates are %s.", c.Ref, said))
}
