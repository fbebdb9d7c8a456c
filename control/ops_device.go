package control

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/identify"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/upgrade"
)

// DeviceFacts is what a person says about a device. Nil fields are left as they are.
type DeviceFacts struct {
	Name, Vendor, Model, Hardware, Serial, Firmware, Class *string
	Variant                                                *string
	Parts                                                  map[string]string // versions of parts beside the firmware; an empty one takes back
	MAC                                                    *string
	Owner, Function, Location                              *string
	Criticality                                            *int
	Updates                                                *string // auto, ask, never
	Spare, NeverContain, Exposed, Retired                  *bool
	Released                                               *firmward.Span
	Site                                                   *string // only for devices that no network shows
	Addr                                                   *netip.Addr
}

// AddDevice puts a device into the inventory that a person knows of. With an address in a named
// network later looks find it; without one it joins steps and reports all the same. The site must be
// known; an address in a named network says it too, and where there is one site only nobody has to.
func (c *Control) AddDevice(ctx context.Context, who firmward.Person, in DeviceFacts) (firmward.Device, error) {
	if in.Name == nil || strings.TrimSpace(*in.Name) == "" {
		return firmward.Device{}, firmward.Errorf(firmward.Invalid, "a device added by hand needs a name")
	}
	id := ""
	err := c.Store.Tx(ctx, func(tx *store.Tx) error {
		at, err := placeOf(ctx, tx.Reader, in)
		if err == nil {
			err = notThereYet(ctx, tx.Reader, at.site, in)
		}
		if err == nil {
			id, err = c.addDevice(ctx, tx, who, "person:"+who.Name, firmward.OriginByHand, at, in)
		}
		return err
	})
	if err != nil {
		return firmward.Device{}, err
	}
	c.touch(id)
	return c.Store.Device(ctx, id)
}

// addDevice writes a new device in a transaction and gives its id.
func (c *Control) addDevice(ctx context.Context, tx *store.Tx, who firmward.Person, source string, origin firmward.Origin, at place, in DeviceFacts) (string, error) {
	d := firmward.Device{
		ID: store.NewID("dev"), Class: firmward.ClassUnknown, Origin: origin, FirstSeen: c.Clock.Now(), Lab: c.Lab,
		Site: at.site, Zone: at.zone, Network: at.network,
	}
	if in.Addr != nil {
		d.Addrs = []netip.Addr{*in.Addr}
	}
	if err := tx.PutDevice(ctx, d, store.Change{Actor: who.Name, Source: source, At: c.Clock.Now()}); err != nil {
		return "", err
	}
	if err := c.leaf(ctx, tx, who.Name, "device-add", d.ID, map[string]string{"name": *in.Name, "site": d.Site}); err != nil {
		return "", err
	}
	return d.ID, c.setFacts(ctx, tx, who, source, d, in)
}

// place is where a device that a person tells of stands.
type place struct {
	site, network string
	zone          firmward.Zone
}

// placeOf says where a new device stands, and refuses an unknown site and one that is not that of the network.
func placeOf(ctx context.Context, r store.Reader, in DeviceFacts) (place, error) {
	at := place{zone: firmward.ZoneUnmarked}
	if in.Site != nil {
		at.site = *in.Site
		if _, err := knownSite(ctx, r, at.site); err != nil {
			return at, err
		}
		networks, _, err := r.Networks(ctx, at.site, store.Page{Limit: 1})
		if err != nil {
			return at, err
		}
		if len(networks) > 0 {
			at.zone = networks[0].Zone()
		}
	}
	if in.Addr != nil {
		switch n, err := r.NetworkFor(ctx, *in.Addr); {
		case err == nil && at.site != "" && at.site != n.Site:
			return at, firmward.Errorf(firmward.Conflict, fmt.Sprintf("%s lies in %s, and that is at %s, not at %s", in.Addr, n.Prefix, n.Site, at.site))
		case err == nil:
			at = place{n.Site, n.Prefix.String(), n.Zone()}
		case firmward.CodeOf(err) != firmward.NotFound:
			return at, err
		}
	}
	if at.site == "" {
		all, err := siteNames(ctx, r)
		if err != nil {
			return at, err
		}
		if len(all) == 1 { // there is no other place
			in.Site = &all[0]
			return placeOf(ctx, r, in)
		}
		return at, firmward.Errorf(firmward.Invalid, "a new device needs a site (--site), or an address in a named network")
	}
	return at, nil
}

// notThereYet refuses a second device with the same name or address at one site: it would be the same.
func notThereYet(ctx context.Context, r store.Reader, site string, in DeviceFacts) error {
	var refs []string
	if in.Name != nil {
		refs = append(refs, *in.Name)
	}
	if in.Addr != nil {
		refs = append(refs, in.Addr.String())
	}
	for _, ref := range refs {
		found, err := r.FindDevices(ctx, ref)
		if err != nil {
			return err
		}
		for _, d := range found {
			if d.Site == site && !d.Retired {
				return firmward.Errorf(firmward.Conflict, fmt.Sprintf("%s is in the inventory of %s already as %s: say more of it with devices set %s", ref, site, d.ID, d.ID))
			}
		}
	}
	return nil
}

// SetDevice changes what a person says about a device.
func (c *Control) SetDevice(ctx context.Context, who firmward.Person, ref string, in DeviceFacts) (firmward.Device, error) {
	d, err := c.find(ctx, ref)
	if err != nil {
		return d, err
	}
	if in.Site != nil || in.Addr != nil {
		return d, firmward.Errorf(firmward.Invalid, "site and address come from the network; add the device anew if they are wrong")
	}
	if err := c.Store.Tx(ctx, func(tx *store.Tx) error {
		d, err := tx.Device(ctx, d.ID)
		if err != nil {
			return err
		}
		return c.setFacts(ctx, tx, who, "person:"+who.Name, d, in)
	}); err != nil {
		return d, err
	}
	c.touch(d.ID)
	c.wake(loopDeploy)
	return c.Store.Device(ctx, d.ID)
}

// setFacts writes owner-given fields, turns the others into claims, and works the identity out anew.
func (c *Control) setFacts(ctx context.Context, tx *store.Tx, who firmward.Person, source string, d firmward.Device, in DeviceFacts) error {
	if err := checkFacts(in); err != nil {
		return err
	}
	detail := map[string]string{}
	for name, f := range map[string]struct {
		to   *string
		from *string
	}{"owner": {&d.Owner, in.Owner}, "function": {&d.Function, in.Function}, "location": {&d.Location, in.Location}} {
		if f.from != nil {
			*f.to, detail[name] = *f.from, *f.from
		}
	}
	for name, f := range map[string]struct {
		to   *bool
		from *bool
	}{"spare": {&d.Spare, in.Spare}, "never-contain": {&d.NeverContain, in.NeverContain}, "exposed": {&d.Exposed, in.Exposed}, "retired": {&d.Retired, in.Retired}} {
		if f.from != nil {
			*f.to, detail[name] = *f.from, strconv.FormatBool(*f.from)
		}
	}
	if in.Updates != nil {
		d.Updates, _ = firmward.ParseUpdates(*in.Updates) // checkFacts has
		detail["updates"] = *in.Updates
	}
	if in.Criticality != nil {
		d.Criticality, detail["criticality"] = *in.Criticality, strconv.Itoa(*in.Criticality)
	}
	if in.Released != nil {
		d.Released, detail["released"] = *in.Released, in.Released.From.Format(time.RFC3339)+"/"+in.Released.To.Format(time.RFC3339)
	}
	change := store.Change{Actor: who.Name, Source: source, At: c.Clock.Now()}
	old, err := tx.Identity(ctx, d.ID)
	if err != nil {
		return err
	}
	claims := slices.Clone(old.Claims)
	type fact struct {
		field firmward.Field
		from  *string
	}
	facts := []fact{
		{firmward.FieldName, in.Name},
		{firmward.FieldVendor, in.Vendor},
		{firmward.FieldModel, in.Model},
		{firmward.FieldHardware, in.Hardware},
		{firmward.FieldSerial, in.Serial},
		{firmward.FieldFirmware, in.Firmware},
		{firmward.FieldClass, in.Class},
		{firmward.FieldMAC, in.MAC},
		{firmward.FieldVariant, in.Variant},
	}
	for _, part := range slices.Sorted(maps.Keys(in.Parts)) {
		facts = append(facts, fact{firmward.PartField(part), new(in.Parts[part])})
	}
	for _, f := range facts {
		if f.from == nil {
			continue
		}
		detail[string(f.field)] = *f.from
		claims = slices.DeleteFunc(claims, func(cl firmward.Claim) bool { return said(cl) && cl.Field == f.field })
		if *f.from != "" {
			cl := identify.ByHand(f.field, *f.from, who.Name)
			cl.Source, cl.At = source, change.At
			claims = append(claims, cl)
		}
	}
	if _, err := c.workOut(ctx, tx, d, firmward.Identity{Claims: claims}, change); err != nil {
		return err
	}
	return c.leaf(ctx, tx, who.Name, "device-set", d.ID, detail)
}

func checkFacts(in DeviceFacts) error {
	if in.Class != nil && *in.Class != "" {
		if _, err := identify.Class(*in.Class); err != nil {
			return err
		}
	}
	if in.MAC != nil && *in.MAC != "" && identify.ByHand(firmward.FieldMAC, *in.MAC, "").Value == "" {
		return firmward.Errorf(firmward.Invalid, *in.MAC+" is no MAC address: want one such as 3C:52:82:01:46:4A")
	}
	for part := range in.Parts {
		if part == firmward.MainPart {
			return firmward.Errorf(firmward.Invalid, "the version of the firmware is said with --firmware")
		}
		if err := upgrade.CheckPart(part); err != nil {
			return err
		}
	}
	if in.Updates != nil {
		if _, err := firmward.ParseUpdates(*in.Updates); err != nil {
			return err
		}
	}
	if in.Criticality != nil && (*in.Criticality < 0 || *in.Criticality > 5) {
		return firmward.Errorf(firmward.Invalid, "criticality is 1 (spare) to 5 (life or plant depends on it)")
	}
	if in.Released != nil && !in.Released.To.After(in.Released.From) {
		return firmward.Errorf(firmward.Invalid, "a release for maintenance must end after it begins")
	}
	return nil
}
