package control

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/identify"
	"github.com/firmward/firmward/store"
)

// DeviceFacts is what a person says about a device. Nil fields are left as they are.
type DeviceFacts struct {
	Name, Vendor, Model, Hardware, Serial, Firmware, Class *string
	MAC                                                    *string
	Owner, Function, Location                              *string
	Criticality                                            *int
	Spare, NeverContain, Exposed, Retired                  *bool
	Released                                               *firmward.Span
	Site                                                   *string // only for devices that no network shows
	Addr                                                   *netip.Addr
}

// AddDevice puts a device into the inventory that a person knows of. With an address in a named
// network later looks find it; without one it joins steps and reports all the same.
func (c *Control) AddDevice(ctx context.Context, who firmward.Person, in DeviceFacts) (firmward.Device, error) {
	if in.Site == nil || *in.Site == "" || in.Name == nil || *in.Name == "" {
		return firmward.Device{}, firmward.Errorf(firmward.Invalid, "a device added by hand needs a name and a site")
	}
	return c.addDevice(ctx, who, "person:"+who.Name, firmward.OriginByHand, in)
}

func (c *Control) addDevice(ctx context.Context, who firmward.Person, source string, origin firmward.Origin, in DeviceFacts) (firmward.Device, error) {
	d := firmward.Device{
		ID: store.NewID("dev"), Site: *in.Site, Class: firmward.ClassUnknown, Zone: firmward.ZoneUnmarked, Origin: origin,
		FirstSeen: c.Clock.Now(), Lab: c.Lab,
	}
	err := c.Store.Tx(ctx, func(tx *store.Tx) error {
		networks, _, err := tx.Networks(ctx, *in.Site, store.Page{Limit: 1000})
		if err != nil {
			return err
		}
		if len(networks) > 0 {
			d.Zone = networks[0].Zone()
		}
		if in.Addr != nil {
			d.Addrs = []netip.Addr{*in.Addr}
			if n, err := tx.NetworkFor(ctx, *in.Addr); err == nil {
				d.Network, d.Zone, d.Site = n.Prefix.String(), n.Zone(), n.Site
			}
		}
		if err := tx.PutDevice(ctx, d, store.Change{Actor: who.Name, Source: source, At: c.Clock.Now()}); err != nil {
			return err
		}
		if err := c.leaf(ctx, tx, who.Name, "device-add", d.ID, map[string]string{"name": *in.Name, "site": d.Site}); err != nil {
			return err
		}
		return c.setFacts(ctx, tx, who, source, d.ID, in)
	})
	if err != nil {
		return d, err
	}
	c.touch(d.ID)
	return c.Store.Device(ctx, d.ID)
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
		return c.setFacts(ctx, tx, who, "person:"+who.Name, d.ID, in)
	}); err != nil {
		return d, err
	}
	c.touch(d.ID)
	c.wake(loopDeploy)
	return c.Store.Device(ctx, d.ID)
}

// setFacts writes owner-given fields, turns the others into claims, and works the identity out anew.
func (c *Control) setFacts(ctx context.Context, tx *store.Tx, who firmward.Person, source, id string, in DeviceFacts) error {
	d, err := tx.Device(ctx, id)
	if err != nil {
		return err
	}
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
	if in.Criticality != nil {
		d.Criticality, detail["criticality"] = *in.Criticality, strconv.Itoa(*in.Criticality)
	}
	if in.Released != nil {
		d.Released, detail["released"] = *in.Released, in.Released.From.Format(time.RFC3339)+"/"+in.Released.To.Format(time.RFC3339)
	}
	change := store.Change{Actor: who.Name, Source: source, At: c.Clock.Now()}
	if err := tx.PutDevice(ctx, d, change); err != nil {
		return err
	}
	old, err := tx.Identity(ctx, id)
	if err != nil && firmward.CodeOf(err) != firmward.NotFound {
		return err
	}
	claims := slices.Clone(old.Claims)
	for _, f := range [...]struct {
		field firmward.Field
		from  *string
	}{
		{firmward.FieldName, in.Name},
		{firmward.FieldVendor, in.Vendor},
		{firmward.FieldModel, in.Model},
		{firmward.FieldHardware, in.Hardware},
		{firmward.FieldSerial, in.Serial},
		{firmward.FieldFirmware, in.Firmware},
		{firmward.FieldClass, in.Class},
		{firmward.FieldMAC, in.MAC},
	} {
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
	if err := tx.PutIdentity(ctx, id, firmward.Identity{Claims: claims}); err != nil {
		return err
	}
	if _, err := c.reidentify(ctx, tx, id, change); err != nil {
		return err
	}
	return c.leaf(ctx, tx, who.Name, "device-set", id, detail)
}

func checkFacts(in DeviceFacts) error {
	if in.Criticality != nil && (*in.Criticality < 0 || *in.Criticality > 5) {
		return firmward.Errorf(firmward.Invalid, "criticality is 1 (spare) to 5 (life or plant depends on it)")
	}
	if in.Released != nil && !in.Released.To.After(in.Released.From) {
		return firmward.Errorf(firmward.Invalid, "a release for maintenance must end after it begins")
	}
	return nil
}

// maxImport bounds one inventory file, in rows.
const maxImport = 100_000

// ImportDevices reads an inventory as CSV with a header line. Known columns: address, mac, serial, name,
// site, vendor, model, hardware, firmware, class, owner, function, location, criticality, spare. A row that
// names a known device (by address, mac, serial or name) adds to it, else it becomes a new one. One bad
// row fails the whole file, with its line: nothing is half-imported.
func (c *Control) ImportDevices(ctx context.Context, who firmward.Person, document string, r io.Reader) (added, changed int, err error) {
	rows := csv.NewReader(r)
	rows.TrimLeadingSpace = true
	head, err := rows.Read()
	if err != nil {
		return 0, 0, &firmward.Error{Code: firmward.Invalid, Message: document + ": no header line", Err: err}
	}
	known := []string{"address", "mac", "serial", "name", "site", "vendor", "model", "hardware", "firmware", "class", "owner", "function", "location", "criticality", "spare"}
	for i, h := range head {
		head[i] = strings.ToLower(strings.TrimSpace(h))
		if !slices.Contains(known, head[i]) {
			return 0, 0, firmward.Errorf(firmward.Invalid, fmt.Sprintf("%s: line 1: unknown column %q: want some of %s", document, h, strings.Join(known, ", ")))
		}
	}
	type row struct {
		line   int
		facts  DeviceFacts
		ref    []string
		device firmward.Device // the known one; zero for a new device
	}
	var all []row
	for {
		rec, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		line, _ := rows.FieldPos(0)
		if err != nil {
			return 0, 0, &firmward.Error{Code: firmward.Invalid, Message: document, Err: err}
		}
		f, ref, err := rowFacts(head, rec)
		if err == nil && len(all) >= maxImport {
			err = fmt.Errorf("more than %d rows", maxImport)
		}
		if err != nil {
			return 0, 0, &firmward.Error{Code: firmward.Invalid, Message: fmt.Sprintf("%s: line %d", document, line), Err: err}
		}
		all = append(all, row{line: line, facts: f, ref: ref})
	}
	// Every row is checked and matched before the first is written.
	for i, r := range all {
		d, found, err := c.known(ctx, r.ref)
		if err == nil && !found && (r.facts.Site == nil || r.facts.Name == nil) {
			err = firmward.Errorf(firmward.Invalid, "no known device matches "+strings.Join(r.ref, ", ")+", and a new one needs a name and a site")
		}
		if err != nil {
			return 0, 0, &firmward.Error{Code: firmward.CodeOf(err), Message: fmt.Sprintf("%s: line %d", document, r.line), Err: err}
		}
		all[i].device = d
	}
	source := "import:" + document
	for _, r := range all {
		if r.device.ID == "" {
			if _, err := c.addDevice(ctx, who, source, firmward.OriginImported, r.facts); err != nil {
				return added, changed, fmt.Errorf("%s: line %d: %w", document, r.line, err)
			}
			added++
			continue
		}
		r.facts.Site, r.facts.Addr = nil, nil
		if err := c.Store.Tx(ctx, func(tx *store.Tx) error { return c.setFacts(ctx, tx, who, source, r.device.ID, r.facts) }); err != nil {
			return added, changed, fmt.Errorf("%s: line %d: %w", document, r.line, err)
		}
		c.touch(r.device.ID)
		changed++
	}
	return added, changed, nil
}

func (c *Control) known(ctx context.Context, refs []string) (firmward.Device, bool, error) {
	for _, ref := range refs {
		found, err := c.Store.FindDevices(ctx, ref)
		if err != nil {
			return firmward.Device{}, false, err
		}
		if len(found) > 1 {
			return firmward.Device{}, false, firmward.Errorf(firmward.Conflict, ref+" names several devices")
		}
		if len(found) == 1 {
			return found[0], true, nil
		}
	}
	return firmward.Device{}, false, nil
}

func rowFacts(head, rec []string) (f DeviceFacts, ref []string, err error) {
	for i, v := range rec {
		v = strings.TrimSpace(v)
		if v == "" {
			continue
		}
		switch head[i] {
		case "address":
			a, err := netip.ParseAddr(v)
			if err != nil {
				return f, nil, fmt.Errorf("%q is not an address", v)
			}
			f.Addr = &a
			ref = append(ref, v)
		case "mac":
			f.MAC = &v
			ref = append(ref, v)
		case "serial":
			f.Serial = &v
			ref = append(ref, v)
		case "criticality":
			n, err := strconv.Atoi(v)
			if err != nil {
				return f, nil, fmt.Errorf("criticality: %w", err)
			}
			f.Criticality = &n
		case "spare":
			b, err := strconv.ParseBool(v)
			if err != nil {
				return f, nil, fmt.Errorf("spare: %w", err)
			}
			f.Spare = &b
		default:
			*map[string]**string{
				"name": &f.Name, "site": &f.Site, "vendor": &f.Vendor, "model": &f.Model, "hardware": &f.Hardware, "firmware": &f.Firmware,
				"class": &f.Class, "owner": &f.Owner, "function": &f.Function, "location": &f.Location,
			}[head[i]] = &v
		}
	}
	if f.Name != nil {
		ref = append(ref, *f.Name)
	}
	if len(ref) == 0 {
		return f, nil, errors.New("a row needs an address, mac, serial or name")
	}
	return f, ref, checkFacts(f)
}
