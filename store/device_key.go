package store

import (
	"context"
	"net"
	"net/netip"
	"strings"

	"github.com/firmward/firmward"
)

// Key is a value that ties observations to one device.
type Key struct {
	Field  firmward.Field
	Vendor string // serials only: they are unique per vendor
	Value  string
}

// normal gives the form under which keys are compared: vendor and value without case, MACs as Device has them.
func (k Key) normal() Key {
	k.Vendor = strings.ToLower(strings.TrimSpace(k.Vendor))
	k.Value = strings.TrimSpace(k.Value)
	switch k.Field {
	case firmward.FieldSerial:
		k.Value = strings.ToLower(k.Value)
	case firmward.FieldMAC:
		k.Vendor = ""
		k.Value = macText(k.Value)
	default:
		k.Vendor = ""
	}
	return k
}

func macText(s string) string {
	if mac, err := net.ParseMAC(s); err == nil {
		s = mac.String()
	}
	return strings.ToUpper(s)
}

func deviceKeys(d firmward.Device) []Key {
	var keys []Key
	if d.Serial != "" {
		keys = append(keys, Key{firmward.FieldSerial, d.Vendor, d.Serial}.normal())
	}
	for _, mac := range d.MACs {
		keys = append(keys, Key{firmward.FieldMAC, "", mac}.normal())
	}
	return keys
}

// putKeys replaces the keys that came from one origin: the device row or its identity.
func (t *Tx) putKeys(ctx context.Context, device, origin string, keys []Key) error {
	if err := t.put(ctx, "DELETE FROM device_key WHERE device = $1 AND origin = $2", device, origin); err != nil {
		return err
	}
	for _, k := range keys {
		err := t.put(ctx, `INSERT INTO device_key (field, vendor, value, device, origin) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT DO NOTHING`, k.Field, k.Vendor, k.Value, device, origin)
		if err != nil {
			return err
		}
	}
	return nil
}

// DevicesByKey gives the devices that hold a key, sorted by id. Serials are looked up within their vendor; an empty
// vendor finds those of every vendor.
func (r Reader) DevicesByKey(ctx context.Context, key Key) ([]firmward.Device, error) {
	key = key.normal()
	var f filter
	f.add("field = ? AND value = ?", key.Field, key.Value)
	f.is("vendor", key.Vendor)
	return list(ctx, r, deviceRow, deviceSelect+" WHERE d.id IN (SELECT device FROM device_key"+f.where()+") ORDER BY d.id", f.args...)
}

// FindDevices gives the devices that a person may mean by ref: an id, else a name, an address, a serial number or a
// MAC address, in any case. At most 100, sorted by id. Several mean that ref is ambiguous.
func (r Reader) FindDevices(ctx context.Context, ref string) ([]firmward.Device, error) {
	if ref = strings.TrimSpace(ref); ref == "" {
		return nil, nil
	}
	d, err := r.Device(ctx, ref)
	if err == nil {
		return []firmward.Device{d}, nil
	} else if firmward.CodeOf(err) != firmward.NotFound {
		return nil, err
	}
	where, args := `d.name_key = $1 OR d.serial_key = $1 AND d.serial_key <> ''
		OR d.id IN (SELECT device FROM device_key WHERE field = 'serial' AND value = $1)`, []any{strings.ToLower(ref)}
	if addr, err := netip.ParseAddr(ref); err == nil {
		where, args = where+" OR d.id IN (SELECT device FROM device_addr WHERE addr = $2)", append(args, addr)
	} else if mac, err := net.ParseMAC(ref); err == nil {
		where, args = where+" OR d.id IN (SELECT device FROM device_key WHERE field = 'mac' AND value = $2)", append(args, strings.ToUpper(mac.String()))
	}
	return list(ctx, r, deviceRow, deviceSelect+" WHERE "+where+" ORDER BY d.id LIMIT 100", args...)
}

// DevicesAt gives the devices that have the address, at one site unless site is empty, sorted by id.
func (r Reader) DevicesAt(ctx context.Context, site string, addr netip.Addr) ([]firmward.Device, error) {
	var f filter
	f.add("d.id IN (SELECT device FROM device_addr WHERE addr = ?)", addr)
	f.is("d.site", site)
	return list(ctx, r, deviceRow, deviceSelect+f.where()+" ORDER BY d.id", f.args...)
}
