package control

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

// AddNetwork is what a person says about an address range.
type AddNetwork struct {
	Prefix   netip.Prefix
	Site     string
	Profile  firmward.Profile
	TimeZone string // of the site, IANA name; empty keeps it
	Owned    bool   // needed for public space
	Yes      bool   // needed for more than a /16
}

// NameNetwork names a network: from now on firmward may look there as far as its profile allows.
// Home and office networks allow stateful probes at once; careful ones nothing beyond the neighbour table.
func (c *Control) NameNetwork(ctx context.Context, who firmward.Person, in AddNetwork) (firmward.Network, error) {
	p := in.Prefix.Masked()
	if err := checkPrefix(p, in); err != nil {
		return firmward.Network{}, err
	}
	n := firmward.Network{Prefix: p, Site: in.Site, Profile: in.Profile, Owned: in.Owned, Lab: c.Lab, NamedBy: who.Name, NamedAt: c.Clock.Now(), Allowed: firmward.Passive}
	if !n.Zone().Careful() {
		n.Allowed = firmward.Stateful
	}
	err := c.Store.Tx(ctx, func(tx *store.Tx) error {
		if _, err := tx.Network(ctx, p); err == nil {
			return firmward.Errorf(firmward.Conflict, "network "+p.String()+" is named already")
		}
		site, err := tx.Site(ctx, in.Site)
		if err != nil && firmward.CodeOf(err) != firmward.NotFound {
			return err
		}
		site.Name = in.Site
		if in.TimeZone != "" {
			site.TimeZone = in.TimeZone
		}
		if err := tx.PutSite(ctx, site); err != nil {
			return err
		}
		if err := tx.PutNetwork(ctx, n); err != nil {
			return err
		}
		if err := c.emit(ctx, tx, "network", p.String(), "network "+p.String()+" is named, profile "+string(n.Profile)); err != nil {
			return err
		}
		return c.leaf(ctx, tx, who.Name, "network-name", p.String(), map[string]string{
			"site": in.Site, "profile": string(in.Profile), "owned": fmt.Sprint(in.Owned), "allowed": n.Allowed.String(),
		})
	})
	return n, err
}

func checkPrefix(p netip.Prefix, in AddNetwork) error {
	switch {
	case !p.IsValid():
		return firmward.Errorf(firmward.Invalid, "not a network: want for example 192.168.1.0/24")
	case in.Site == "":
		return firmward.Errorf(firmward.Invalid, "say where it is: --site NAME")
	case firmward.ZoneOf(in.Profile) == firmward.ZoneUnmarked:
		return firmward.Errorf(firmward.Invalid, "profile must be home, office, ot or medical")
	case p.Addr().IsMulticast() || p.Addr().IsUnspecified():
		return firmward.Errorf(firmward.Invalid, p.String()+" holds no devices")
	case !in.Owned && !private(p):
		return firmward.Errorf(firmward.Refused, p.String()+" is public address space: firmward looks there only when you say that it is yours (--owned)")
	case !in.Yes && p.Addr().Is4() && p.Bits() < 16:
		return firmward.Errorf(firmward.Refused, fmt.Sprintf("%s holds %d addresses, more than a /16: say that you mean it (--yes)", p, 1<<(32-p.Bits())))
	}
	if in.TimeZone != "" {
		if _, err := time.LoadLocation(in.TimeZone); err != nil {
			return &firmward.Error{Code: firmward.Invalid, Message: "unknown time zone " + in.TimeZone, Err: err}
		}
	}
	return nil
}

// private reports whether the whole prefix lies in space that is never routed publicly.
func private(p netip.Prefix) bool {
	for _, s := range [...]string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16", "100.64.0.0/10", "fc00::/7", "fe80::/10", "::1/128"} {
		if in := netip.MustParsePrefix(s); in.Contains(p.Addr()) && in.Bits() <= p.Bits() {
			return true
		}
	}
	return false
}

// AllowNetwork lets probes go further on a network, or takes that back.
func (c *Control) AllowNetwork(ctx context.Context, who firmward.Person, prefix netip.Prefix, step firmward.Safety) (firmward.Network, error) {
	if step == firmward.NeverUnasked {
		return firmward.Network{}, firmward.Errorf(firmward.Refused, "never-unasked probes cannot be allowed for a whole network")
	}
	var n firmward.Network
	err := c.Store.Tx(ctx, func(tx *store.Tx) error {
		var err error
		if n, err = tx.Network(ctx, prefix.Masked()); err != nil {
			return err
		}
		before := n.Allowed
		n.Allowed, n.Allower = step, who.Name
		if err := tx.PutNetwork(ctx, n); err != nil {
			return err
		}
		return c.leaf(ctx, tx, who.Name, "network-allow", n.Prefix.String(), map[string]string{"before": before.String(), "after": step.String()})
	})
	c.touchAll()
	return n, err
}

// Credential is a password for one device, or for a family at a site.
type Credential struct {
	Device   string // reference; or
	Family   string // with
	Site     string
	User     string
	Password string
}

// SetCredential seals and stores a password. It is never shown again and never stands on a leaf.
func (c *Control) SetCredential(ctx context.Context, who firmward.Person, in Credential) error {
	scope := "family:" + in.Family + "@" + in.Site
	switch {
	case in.Password == "":
		return firmward.Errorf(firmward.Invalid, "the password is empty")
	case in.Device != "":
		d, err := c.find(ctx, in.Device)
		if err != nil {
			return err
		}
		scope = "device:" + d.ID
	case in.Family == "" || in.Site == "":
		return firmward.Errorf(firmward.Invalid, "name a device, or a family and a site")
	}
	sealed, err := c.seal(scope, in.User, in.Password)
	if err != nil {
		return err
	}
	return c.Store.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.PutSecret(ctx, store.Secret{Scope: scope, User: in.User, Ciphertext: sealed, At: c.Clock.Now()}); err != nil {
			return err
		}
		return c.leaf(ctx, tx, who.Name, "credential-set", scope, map[string]string{"user": in.User})
	})
}
