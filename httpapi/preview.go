package httpapi

import (
	"context"
	"encoding/hex"
	"net/http"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
)

// ScanPreview is what a scan would send and withhold.
type ScanPreview struct {
	Network  string           `json:"network"`
	Named    bool             `json:"named" doc:"false: worked out for a network that nobody named yet"`
	Site     string           `json:"site,omitempty"`
	Profile  firmward.Profile `json:"profile"`
	Allowed  string           `json:"allowed"`
	Every    string           `json:"every" doc:"least time between two connections to one unknown device"`
	Burst    int              `json:"burst" doc:"how many may go without waiting"`
	Targets  int              `json:"targets" doc:"addresses that would be looked at"`
	NotSwept string           `json:"notSwept,omitempty" doc:"why not every address of the network is looked at"`
	Probes   []PlannedProbe   `json:"probes"`
}

// PlannedProbe is one probe of a preview.
type PlannedProbe struct {
	Probe    string   `json:"probe"`
	Safety   string   `json:"safety"`
	Ports    []string `json:"ports" doc:"where it looks, as udp/161"`
	Group    string   `json:"group,omitempty" doc:"multicast group that it asks"`
	When     []string `json:"when" doc:"whom it asks; empty: nobody"`
	Withheld string   `json:"withheld,omitempty" doc:"what stands against it, and how to allow it"`
	First    []Packet `json:"first" doc:"what it sends before anything has answered, shown towards the first address of the network"`
}

// Packet is one write of a probe, or a connection that is opened and closed without one.
type Packet struct {
	To    string `json:"to" example:"tcp/192.168.1.1:80"`
	Bytes int    `json:"bytes"`
	Hex   string `json:"hex,omitempty"`
	Text  string `json:"text,omitempty" doc:"the same where it is text"`
}

func previewOf(p control.Preview) ScanPreview {
	out := ScanPreview{
		Network: p.Network.Prefix.String(), Named: p.Named, Site: p.Network.Site, Profile: p.Network.Profile, Allowed: p.Network.Allowed.String(),
		Every: span(p.Pace.Every), Burst: p.Pace.Burst, Targets: p.Targets, NotSwept: p.NotSwept, Probes: []PlannedProbe{},
	}
	for _, pl := range p.Probes {
		one := PlannedProbe{Probe: pl.Name, Safety: pl.Safety.String(), Ports: []string{}, When: append([]string{}, pl.When...), Withheld: pl.Withheld, First: []Packet{}}
		for _, port := range pl.Ports {
			one.Ports = append(one.Ports, port.String())
		}
		if pl.AtOnce {
			one.Group = pl.Group.String()
		}
		for _, s := range pl.First {
			packet := Packet{To: s.Network + "/" + s.To.String(), Bytes: len(s.Bytes), Hex: hex.EncodeToString(s.Bytes)}
			if isText(s.Bytes) {
				packet.Text = string(s.Bytes)
			}
			one.First = append(one.First, packet)
		}
		out.Probes = append(out.Probes, one)
	}
	return out
}

func (a *API) previewRoutes() {
	serve(a, spec{
		method: http.MethodGet, path: "/networks/{prefix}/preview", id: "preview-scan", role: firmward.Viewer, tag: "Scans", summary: "See what a scan would send",
		doc: "Nothing is sent for it. A network that nobody named is looked at as if it had been named with profile. The slash of the prefix is escaped.",
	}, func(ctx context.Context, in *struct {
		Prefix  string           `path:"prefix"`
		Profile firmward.Profile `query:"profile" enum:"home,office,ot,medical"`
	},
	) (ScanPreview, error) {
		p, err := parsePrefix(in.Prefix)
		if err != nil {
			return ScanPreview{}, err
		}
		preview, err := a.Control.PreviewScan(ctx, p, in.Profile)
		return previewOf(preview), err
	})
}
