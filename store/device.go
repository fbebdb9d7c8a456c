package store

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/firmward/firmward"
)

// Change says who changed something and on what ground.
type Change struct {
	Actor  string // person, or "firmward"
	Source string // probe, "person:anna", "import:devices.csv"
	At     time.Time
}

// PutDevice writes a device with its addresses and its serial and MAC keys, adds each changed field to its history
// and keeps the counts. LastSeen is not written here: see Touch.
func (t *Tx) PutDevice(ctx context.Context, d firmward.Device, c Change) error {
	if d.ID == "" {
		return firmward.Errorf(firmward.Invalid, "a device needs an id")
	}
	d.LastSeen = time.Time{}
	var old firmward.Device
	found, err := t.row(ctx, "SELECT body FROM device WHERE id = $1", args(d.ID), body{&old})
	if err != nil {
		return err
	}
	if err := t.addHistory(ctx, old, d, found, c); err != nil {
		return err
	}
	search := strings.ToLower(strings.Join([]string{d.Name, d.Vendor, d.Model, d.Serial}, "\n"))
	err = t.put(ctx, `INSERT INTO device (id, name, name_key, site, network, zone, class, family, vendor, model, serial_key, owner, spare, retired, search, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, name_key = excluded.name_key, site = excluded.site,
		network = excluded.network, zone = excluded.zone, class = excluded.class, family = excluded.family,
		vendor = excluded.vendor, model = excluded.model, serial_key = excluded.serial_key, owner = excluded.owner,
		spare = excluded.spare, retired = excluded.retired, search = excluded.search, body = excluded.body`,
		d.ID, d.Name, strings.ToLower(d.Name), d.Site, d.Network, d.Zone, d.Class, d.Family, d.Vendor, d.Model,
		strings.ToLower(d.Serial), d.Owner, d.Spare, d.Retired, search, js{d})
	if err != nil {
		return err
	}
	if found {
		if err := t.countDevice(ctx, old, -1); err != nil {
			return err
		}
		if old.Site != d.Site {
			if err := t.moveStep(ctx, d.ID, d.Site); err != nil {
				return err
			}
		}
	}
	if err := t.countDevice(ctx, d, 1); err != nil {
		return err
	}
	if err := t.putAddrs(ctx, d); err != nil {
		return err
	}
	return t.putKeys(ctx, d.ID, "device", deviceKeys(d))
}

func (t *Tx) countDevice(ctx context.Context, d firmward.Device, by int) error {
	if d.Retired {
		return nil
	}
	return t.put(ctx, `INSERT INTO device_count (site, class, n) VALUES ($1, $2, $3)
		ON CONFLICT (site, class) DO UPDATE SET n = device_count.n + excluded.n`, d.Site, d.Class, by)
}

func (t *Tx) putAddrs(ctx context.Context, d firmward.Device) error {
	if err := t.put(ctx, "DELETE FROM device_addr WHERE device = $1", d.ID); err != nil {
		return err
	}
	for _, a := range d.Addrs {
		err := t.put(ctx, "INSERT INTO device_addr (addr, device) VALUES ($1, $2) ON CONFLICT DO NOTHING", a, d.ID)
		if err != nil {
			return err
		}
	}
	return nil
}

// Device gives one device by its id, or by the id of one that was merged into it.
func (r Reader) Device(ctx context.Context, id string) (firmward.Device, error) {
	found, err := list(ctx, r, deviceRow, deviceSelect+" WHERE d.id = $1 OR d.id = (SELECT a.device FROM device_alias a WHERE a.id = $1)", id)
	if err != nil || len(found) == 0 {
		if err == nil {
			err = notFound("device", id)
		}
		return firmward.Device{}, err
	}
	return found[0], nil
}

const deviceSelect = "SELECT d.body, COALESCE((SELECT s.at FROM device_seen s WHERE s.device = d.id), 0) FROM device d"

func deviceRow(s scan) (d firmward.Device, err error) {
	err = s(body{&d}, timeInto{&d.LastSeen})
	return d, err
}

// DeviceFilter chooses devices. Zero fields choose nothing out.
type DeviceFilter struct {
	Site, Network, Family, Vendor, Model, Owner string
	Zone                                        firmward.Zone
	Class                                       firmward.Class
	Text                                        string // part of name, vendor, model or serial, in any case
	Spare, Retired                              *bool  // nil: both
}

// Devices lists devices by id.
func (r Reader) Devices(ctx context.Context, want DeviceFilter, p Page) ([]firmward.Device, string, error) {
	var f filter
	f.is("d.site", want.Site)
	f.is("d.network", want.Network)
	f.is("d.family", want.Family)
	f.is("d.vendor", want.Vendor)
	f.is("d.model", want.Model)
	f.is("d.owner", want.Owner)
	f.is("d.zone", want.Zone)
	f.is("d.class", want.Class)
	f.truth("d.spare", want.Spare)
	f.truth("d.retired", want.Retired)
	if want.Text != "" {
		escaped := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(want.Text))
		f.add(`d.search LIKE ? ESCAPE '\'`, "%"+escaped+"%")
	}
	return page(ctx, r, ordered("d.id"), p, f, "device d",
		"d.body, COALESCE((SELECT s.at FROM device_seen s WHERE s.device = d.id), 0)", deviceRow)
}

// DeviceCount is the number of devices of one site and class that are not retired.
type DeviceCount struct {
	Site  string
	Class firmward.Class
	N     int
}

// CountDevices gives the counts that are kept with each change, sorted by site and class.
func (r Reader) CountDevices(ctx context.Context) ([]DeviceCount, error) {
	return list(ctx, r, func(s scan) (c DeviceCount, err error) {
		err = s(&c.Site, &c.Class, &c.N)
		return c, err
	}, "SELECT site, class, n FROM device_count WHERE n <> 0 ORDER BY site, class")
}

// Seen says that a device answered.
type Seen struct {
	Device string
	Addr   netip.Addr
	At     time.Time
}

// Touch moves LastSeen of devices forward. It writes a narrow table only, so it is cheap and leaves no history.
func (t *Tx) Touch(ctx context.Context, seen []Seen) error {
	for _, s := range seen {
		err := t.put(ctx, `INSERT INTO device_seen (device, at, addr) VALUES ($1, $2, $3)
			ON CONFLICT (device) DO UPDATE SET at = excluded.at, addr = excluded.addr WHERE device_seen.at < excluded.at`,
			s.Device, s.At, s.Addr)
		if err != nil {
			return err
		}
	}
	return nil
}

// PutIdentity writes all that is known of who a device is and the keys among its claims.
func (t *Tx) PutIdentity(ctx context.Context, device string, id firmward.Identity) error {
	err := t.put(ctx, "INSERT INTO identity (device, body) VALUES ($1, $2) ON CONFLICT (device) DO UPDATE SET body = excluded.body",
		device, js{id})
	if err != nil {
		return err
	}
	vendor := ""
	if c, ok := id.Best(firmward.FieldVendor); ok {
		vendor = c.Value
	}
	var keys []Key
	for _, c := range id.Claims {
		if c.Field.Key() {
			keys = append(keys, Key{c.Field, vendor, c.Value}.normal())
		}
	}
	return t.putKeys(ctx, device, "identity", keys)
}

// Identity gives what is known of who a device is; the zero Identity when nothing was written yet.
func (r Reader) Identity(ctx context.Context, device string) (firmward.Identity, error) {
	var id firmward.Identity
	_, err := r.row(ctx, "SELECT body FROM identity WHERE device = $1", args(device), body{&id})
	return id, err
}
