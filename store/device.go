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
	d = kept(d)
	olds, err := list(ctx, t.Reader, deviceRow, deviceSelect+" WHERE d.id = $1", d.ID)
	if err != nil {
		return err
	}
	var old firmward.Device
	found := len(olds) > 0
	if found {
		old = kept(olds[0])
	}
	if err := t.addHistory(ctx, old, d, found, c); err != nil {
		return err
	}
	if err := t.writeDevice(ctx, d); err != nil {
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

// kept gives a device in the form in which its row comes back, so that only real changes become history.
func kept(d firmward.Device) firmward.Device {
	d.LastSeen = time.Time{}
	for _, at := range []*time.Time{&d.FirstSeen, &d.Released.From, &d.Released.To} {
		*at = fromMicros(micros(*at))
	}
	if len(d.Addrs) == 0 {
		d.Addrs = nil
	}
	if len(d.MACs) == 0 {
		d.MACs = nil
	}
	return d
}

// writeDevice writes the row. It is columns alone: pages of devices are what people and loops read most.
func (t *Tx) writeDevice(ctx context.Context, d firmward.Device) error {
	addrs := make([]string, len(d.Addrs))
	for i, a := range d.Addrs {
		addrs[i] = addrText(a)
	}
	search := strings.ToLower(strings.Join([]string{d.Name, d.Vendor, d.Model, d.Serial}, "\n"))
	return t.put(ctx, devicePut, d.ID, d.Name, d.Site, d.Network, d.Zone, d.Class, d.Family, d.Vendor, d.Model, d.Hardware, d.Serial,
		d.Firmware, strings.Join(addrs, " "), strings.Join(d.MACs, " "), d.Origin, d.Owner, d.Function, d.Criticality, d.Location,
		d.Spare, d.Lab, d.NeverContain, d.Exposed, d.Released.From, d.Released.To, d.Retired, d.FirstSeen, d.Updates,
		strings.ToLower(d.Name), strings.ToLower(d.Serial), search)
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

// DevicesIn gives devices by their ids, sorted. Those that are not there, or were merged into others, are left out.
func (r Reader) DevicesIn(ctx context.Context, ids []string) ([]firmward.Device, error) {
	return list(ctx, r, deviceRow, deviceSelect+" WHERE d.id IN ("+r.d.elements("$1")+") ORDER BY d.id", js{ids})
}

// deviceColumns are the columns of a firmward.Device in the order in which writeDevice and deviceRow name them. Addresses
// and MACs are joined by spaces.
const deviceColumns = `id name site network zone class family vendor model hardware serial firmware addrs macs origin owner
	function criticality location spare lab never_contain exposed released_from released_to retired first_seen updates`

var (
	deviceRead   = "d." + strings.Join(strings.Fields(deviceColumns), ", d.") + ", COALESCE((SELECT s.at FROM device_seen s WHERE s.device = d.id), 0)"
	deviceSelect = "SELECT " + deviceRead + " FROM device d"
	devicePut    = load{table: "device", columns: strings.Fields(deviceColumns + " name_key serial_key search"), keys: 1}.insert()
)

func deviceRow(s scan) (firmward.Device, error) {
	var d firmward.Device
	var addrs, macs string
	var from, to, first, last int64
	err := s(&d.ID, &d.Name, &d.Site, &d.Network, (*string)(&d.Zone), (*string)(&d.Class), &d.Family, &d.Vendor, &d.Model, &d.Hardware,
		&d.Serial, &d.Firmware, &addrs, &macs, (*string)(&d.Origin), &d.Owner, &d.Function, &d.Criticality, &d.Location,
		&d.Spare, &d.Lab, &d.NeverContain, &d.Exposed, &from, &to, &d.Retired, &first, (*string)(&d.Updates), &last)
	if err != nil {
		return d, err
	}
	d.Released.From, d.Released.To, d.FirstSeen, d.LastSeen = fromMicros(from), fromMicros(to), fromMicros(first), fromMicros(last)
	if macs != "" {
		d.MACs = strings.Split(macs, " ")
	}
	for text := range strings.FieldsSeq(addrs) {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return d, err
		}
		d.Addrs = append(d.Addrs, a)
	}
	return d, nil
}

// DeviceFilter chooses devices. Zero fields choose nothing out.
type DeviceFilter struct {
	Site, Network, Family, Vendor, Model, Owner string
	Zone                                        firmward.Zone
	Class                                       firmward.Class
	Text                                        string // part of name, vendor, model or serial, in any case
	Spare, Retired                              *bool  // nil: both
	Where                                       firmward.Filter
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
	if want.Where.Op != firmward.FilterAll {
		f.add(f.match(want.Where))
	}
	if want.Text != "" {
		escaped := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(want.Text))
		f.add(`d.search LIKE ? ESCAPE '\'`, "%"+escaped+"%")
	}
	return page(ctx, r, ordered("d.id"), p, f, "device d", deviceRead, deviceRow)
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

// IdentitiesIn gives what is known of who devices are, by their ids.
func (r Reader) IdentitiesIn(ctx context.Context, devices []string) (map[string]firmward.Identity, error) {
	type row struct {
		device string
		id     firmward.Identity
	}
	rows, err := list(ctx, r, func(s scan) (v row, err error) {
		err = s(&v.device, body{&v.id})
		return v, err
	}, "SELECT device, body FROM identity WHERE device IN ("+r.d.elements("$1")+")", js{devices})
	out := make(map[string]firmward.Identity, len(rows))
	for _, v := range rows {
		out[v.device] = v.id
	}
	return out, err
}
