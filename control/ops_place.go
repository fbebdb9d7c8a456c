package control

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/wire"
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

// NamedNetwork is a network that was just named.
type NamedNetwork struct {
	firmward.Network
	NewSite bool // naming it made its site
}

// NameNetwork names a network: from now on firmward may look there as far as its profile allows.
// Home and office networks allow stateful probes at once; careful ones nothing beyond the neighbour table.
// A site that is not known yet is made.
func (c *Control) NameNetwork(ctx context.Context, who firmward.Person, in AddNetwork) (NamedNetwork, error) {
	p := in.Prefix.Masked()
	if err := checkPrefix(p, in); err != nil {
		return NamedNetwork{}, err
	}
	made, moved := false, []firmward.Device(nil)
	n := unnamed(p, in.Profile)
	n.Site, n.Owned, n.Lab, n.NamedBy, n.NamedAt = in.Site, in.Owned, c.Lab, who.Name, c.Clock.Now()
	err := c.Store.Tx(ctx, func(tx *store.Tx) error {
		if _, err := tx.Network(ctx, p); err == nil {
			return firmward.Errorf(firmward.Conflict, "network "+p.String()+" is named already (firmward networks)")
		}
		var err error
		if made, err = c.siteOf(ctx, tx, who, in); err != nil {
			return err
		}
		if err := tx.PutNetwork(ctx, n); err != nil {
			return err
		}
		if moved, err = newcomers(ctx, tx.Reader, n); err == nil {
			err = c.move(ctx, tx, who, moved, n)
		}
		if err != nil {
			return err
		}
		if err := c.emit(ctx, tx, "network", p.String(), "network "+p.String()+" is named, profile "+string(n.Profile)); err != nil {
			return err
		}
		return c.leaf(ctx, tx, who.Name, "network-name", p.String(), map[string]string{
			"site": in.Site, "profile": string(in.Profile), "owned": fmt.Sprint(in.Owned), "allowed": n.Allowed.String(),
			"devices": strconv.Itoa(len(moved)),
		})
	})
	for _, d := range moved {
		c.touch(d.ID)
	}
	c.wake(loopListen)
	return NamedNetwork{n, made}, err
}

// siteOf makes the site of a network when it is not there yet, else gives it the time zone that was said.
func (c *Control) siteOf(ctx context.Context, tx *store.Tx, who firmward.Person, in AddNetwork) (made bool, err error) {
	site, err := tx.Site(ctx, in.Site)
	switch {
	case firmward.CodeOf(err) == firmward.NotFound:
		return true, c.newSite(ctx, tx, who, firmward.Site{Name: in.Site, TimeZone: in.TimeZone})
	case err != nil || in.TimeZone == "" || in.TimeZone == site.TimeZone:
		return false, err
	case site.TimeZone != "":
		return false, firmward.Errorf(firmward.Conflict, fmt.Sprintf("the clock of %s is %s: change it with: firmward sites set %s --time-zone %s", site.Name, site.TimeZone, site.Name, in.TimeZone))
	}
	site.TimeZone = in.TimeZone
	return false, tx.PutSite(ctx, site)
}

// RemoveNetwork takes the name of a network back, so that a mistake can be mended. Its devices go to the network
// around it; where there is none and devices are known, it stays: their steps and rollouts stand on it.
func (c *Control) RemoveNetwork(ctx context.Context, who firmward.Person, prefix netip.Prefix) error {
	prefix = prefix.Masked()
	err := c.Store.Tx(ctx, func(tx *store.Tx) error {
		n, err := tx.Network(ctx, prefix)
		if err != nil {
			return err
		}
		inUse := false
		here, err := devicesIn(ctx, tx.Reader, store.DeviceFilter{Network: prefix.String(), Retired: &inUse}, prefix)
		if err != nil {
			return err
		}
		around, found, err := aroundNetwork(ctx, tx.Reader, prefix)
		switch {
		case err != nil:
			return err
		case found:
			err = c.move(ctx, tx, who, here, around)
		case len(here) > 0:
			err = firmward.Errorf(firmward.Conflict, fmt.Sprintf("devices stand in %s, for example %s: retire them first (devices set --retired), or let probes do less there (networks allow %s --step passive)",
				prefix, here[0].Name, prefix))
		}
		if err != nil {
			return err
		}
		if err := tx.DeleteNetwork(ctx, prefix); err != nil {
			return err
		}
		if err := c.emit(ctx, tx, "network", prefix.String(), "network "+prefix.String()+" is named no more"); err != nil {
			return err
		}
		return c.leaf(ctx, tx, who.Name, "network-remove", prefix.String(), map[string]string{"site": n.Site, "devices": strconv.Itoa(len(here))})
	})
	c.touchAll()
	c.wake(loopListen)
	return err
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
	return checkTimeZone(in.TimeZone)
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
	Factory  bool // of a family and a site: what its maker sets, with which rehearsals may try whether an image lets it in again
}

// SetCredential seals and stores a password. It is never shown again and never stands on a leaf. That of one device is sealed
// together with the key of the certificate that the device shows by now: over TLS it goes to nobody else. A family's goes to
// nobody over TLS, because any host can claim to be of the family.
func (c *Control) SetCredential(ctx context.Context, who firmward.Person, in Credential) error {
	scope := "family:" + in.Family + "@" + in.Site
	secret := wire.Secret{User: in.User, Password: in.Password}
	facts := map[string]string{"user": in.User}
	switch {
	case in.Password == "":
		return firmward.Errorf(firmward.Invalid, "the password is empty")
	case in.Factory && in.Device != "":
		return firmward.Errorf(firmward.Invalid, "the maker's password is that of a family at a site: name these, not a device")
	case in.Device != "":
		d, err := c.find(ctx, in.Device)
		if err != nil {
			return err
		}
		scope = "device:" + d.ID
		if secret.Key, err = c.certificate(ctx, d); err != nil {
			return err
		}
		if secret.Key != "" {
			facts["certificate"] = secret.Key
		}
	case in.Family == "" || in.Site == "":
		return firmward.Errorf(firmward.Invalid, "name a device, or a family and a site")
	default:
		if _, ok := c.Catalog.Family(in.Family); !ok {
			return firmward.Errorf(firmward.NotFound, "the catalogue has no family "+in.Family+" (firmward device REF --json names a device's family)")
		}
		if _, err := knownSite(ctx, c.Store.Reader, in.Site); err != nil {
			return err
		}
		if in.Factory {
			scope = factoryScope(in.Family, in.Site)
		}
	}
	sealed, err := c.Secrets.Seal(scope, secret)
	if err != nil {
		return err
	}
	return c.Store.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.PutSecret(ctx, store.Secret{Scope: scope, User: in.User, Ciphertext: sealed, At: c.Clock.Now()}); err != nil {
			return err
		}
		return c.leaf(ctx, tx, who.Name, "credential-set", scope, facts)
	})
}

// certificate gives the key of the TLS certificate that a device showed last, empty when none was seen.
func (c *Control) certificate(ctx context.Context, d firmward.Device) (string, error) {
	obs, err := c.Store.ObservationsOf(ctx, d.ID)
	if err != nil {
		return "", err
	}
	for _, o := range obs {
		if key, ok := o.Get("tls.key"); ok && o.Outcome == firmward.Answered {
			return key, nil
		}
	}
	return "", nil
}
