package httpapi

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
)

// Network is an address range that a person named.
type Network struct {
	Prefix    string           `json:"prefix"`
	Site      string           `json:"site"`
	Profile   firmward.Profile `json:"profile"`
	Zone      firmward.Zone    `json:"zone"`
	Allowed   string           `json:"allowed" enum:"passive,polite,stateful,never-unasked" doc:"how far probes may go while a device's class is unknown"`
	Owned     bool             `json:"owned" doc:"the range is public and its owner said that it is theirs"`
	Lab       bool             `json:"lab"`
	NamedBy   string           `json:"namedBy"`
	NamedAt   time.Time        `json:"namedAt"`
	Allower   string           `json:"allower,omitempty"`
	Scanned   time.Time        `json:"scanned,omitzero" doc:"end of the last completed scan"`
	Listening bool             `json:"listening" doc:"what its devices say to everybody (ARP, DHCP) is heard; that sends nothing"`
	Deaf      string           `json:"deaf,omitempty" doc:"why it is not listened to"`
	NewSite   bool             `json:"newSite,omitempty" doc:"only where it was just named: its site is new too"`
}

func (a *API) networkOf(n firmward.Network) Network {
	listening, deaf := a.Control.Listening(n.Prefix)
	return Network{
		Prefix: n.Prefix.String(), Site: n.Site, Profile: n.Profile, Zone: n.Zone(), Allowed: n.Allowed.String(), Owned: n.Owned, Lab: n.Lab,
		NamedBy: n.NamedBy, NamedAt: n.NamedAt, Allower: n.Allower, Scanned: n.Scanned,
		Listening: listening, Deaf: deaf,
	}
}

// NewNetwork is what a person says about an address range.
type NewNetwork struct {
	Prefix   string           `json:"prefix" example:"192.168.1.0/24"`
	Site     string           `json:"site"`
	Profile  firmward.Profile `json:"profile" enum:"home,office,ot,medical"`
	TimeZone string           `json:"timeZone,omitempty" doc:"of the site, IANA name"`
	Owned    bool             `json:"owned,omitempty" doc:"needed for public address space"`
	Yes      bool             `json:"yes,omitempty" doc:"needed for more than a /16"`
}

// AllowStep says how far probes may go.
type AllowStep struct {
	Step string `json:"step" enum:"passive,polite,stateful"`
}

func (a *API) networkRoutes() {
	serve(a, spec{method: http.MethodGet, path: "/networks", id: "list-networks", role: firmward.Viewer, tag: "Networks", summary: "List named networks"},
		func(ctx context.Context, in *struct {
			PageInput
			Site string `query:"site"`
		},
		) (Page[Network], error) {
			l, next, err := a.Store.Networks(ctx, in.Site, in.page())
			return pageOf(l, next, err, a.networkOf)
		})
	serve(a, spec{
		method: http.MethodPost, path: "/networks", id: "add-network", role: firmward.Admin, tag: "Networks", summary: "Name a network", status: http.StatusCreated,
		doc: "firmward sends packets only to networks that a person named. Public space needs owned, more than a /16 needs yes. " +
			"A site that is not known yet is made; newSite says so.",
	}, func(ctx context.Context, in *struct{ Body NewNetwork }) (Network, error) {
		p, err := parsePrefix(in.Body.Prefix)
		if err != nil {
			return Network{}, err
		}
		n, err := a.Control.NameNetwork(ctx, person(ctx), control.AddNetwork{
			Prefix: p, Site: in.Body.Site, Profile: in.Body.Profile, TimeZone: in.Body.TimeZone, Owned: in.Body.Owned, Yes: in.Body.Yes,
		})
		out := a.networkOf(n.Network)
		out.NewSite = n.NewSite
		return out, err
	})
	serveNone(a, spec{
		method: http.MethodDelete, path: "/networks/{prefix}", id: "remove-network", role: firmward.Admin, tag: "Networks", summary: "Take a network's name back",
		doc: "To mend a mistake: a network in which devices are known stays.",
	}, func(ctx context.Context, in *struct {
		Prefix string `path:"prefix"`
	},
	) error {
		p, err := parsePrefix(in.Prefix)
		if err != nil {
			return err
		}
		return a.Control.RemoveNetwork(ctx, person(ctx), p)
	})
	serve(a, spec{
		method: http.MethodPost, path: "/networks/{prefix}/allow", id: "allow-network", role: firmward.Admin, tag: "Networks", summary: "Let probes go further",
		doc: "The slash of the prefix is escaped: /networks/10.40.0.0%2F24/allow.",
	}, func(ctx context.Context, in *struct {
		Prefix string `path:"prefix"`
		Body   AllowStep
	},
	) (Network, error) {
		p, err := parsePrefix(in.Prefix)
		if err != nil {
			return Network{}, err
		}
		step, err := firmward.ParseSafety(in.Body.Step)
		if err != nil {
			return Network{}, err
		}
		n, err := a.Control.AllowNetwork(ctx, person(ctx), p, step)
		return a.networkOf(n), err
	})
}

// parsePrefix reads a network as people write it; host bits are cut off.
func parsePrefix(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, invalid(s + " is not a network: want for example 192.168.1.0/24")
	}
	return p.Masked(), nil
}
