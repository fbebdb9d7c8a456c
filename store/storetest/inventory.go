package storetest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

var inventory = []check{
	{"sites and networks", networks},
	{"freezes", freezes},
	{"update times", updateTimes},
	{"observations", observations},
	{"observation evidence is kept", evidence},
	{"devices", devices},
	{"device history", history},
	{"selectors", filters},
	{"device keys", keys},
	{"merge and split", merge},
	{"paging while rows come", paging},
	{"collation", collation},
	{"last seen", touch},
	{"identity", identity},
	{"transmissions", transmissions},
}

var same = cmp.Options{cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}), cmpopts.EquateEmpty()}

func diff(t *testing.T, what string, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got, same); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func freezes(t *testing.T, s *store.Store) {
	ctx := t.Context()
	quarter := firmward.Freeze{Name: "quarter-end", From: "2026-03-25", To: "2026-04-02", Why: "books", By: "anna", At: t0}
	yearly := firmward.Freeze{Name: "Ferien", From: "2025-12-20", To: "2026-01-06", Yearly: true, By: "bert", At: t0}
	add := func(site string, f firmward.Freeze) error {
		return s.Tx(ctx, func(tx *store.Tx) error { return tx.AddFreeze(ctx, site, f) })
	}
	at := func(site string, f firmward.Freeze) store.SiteFreeze { return store.SiteFreeze{Site: site, Freeze: f} }
	of := func(site string) []store.SiteFreeze { return must[[]store.SiteFreeze](t)(s.Freezes(ctx, site)) }
	for site, f := range map[string]firmward.Freeze{"Zürich": quarter, "home": yearly} {
		if err := add(site, f); err != nil {
			t.Fatal(err)
		}
	}
	if err := add("home", quarter); err != nil {
		t.Fatal(err)
	}
	wantCode(t, add("home", yearly), firmward.Conflict)
	diff(t, "of one site", []store.SiteFreeze{at("home", yearly), at("home", quarter)}, of("home"))
	diff(t, "of all", []store.SiteFreeze{at("Zürich", quarter), at("home", yearly), at("home", quarter)}, of(""))
	wantCode(t, s.Tx(ctx, func(tx *store.Tx) error { return tx.DeleteFreeze(ctx, "Zürich", "Ferien") }), firmward.NotFound)
	write(t, s, func(tx *store.Tx) error { return tx.DeleteFreeze(ctx, "home", "Ferien") })
	diff(t, "after delete", []store.SiteFreeze{at("home", quarter)}, of("home"))
}

func updateTimes(t *testing.T, s *store.Store) {
	ctx := t.Context()
	took := func(rollout, device, model string, minutes int) firmward.UpdateTime {
		return firmward.UpdateTime{Model: model, Hardware: "h", RolloutID: rollout, DeviceID: device, Sent: time.Minute, Back: 5 * time.Minute, At: t0.Add(time.Duration(minutes) * time.Minute)}
	}
	old, middle, latest, other := took("r1", "a", "M", 1), took("r1", "b", "M", 2), took("r2", "a", "M", 3), took("r1", "c", "N", 4)
	write(t, s, func(tx *store.Tx) error {
		return errors.Join(tx.PutUpdateTimes(ctx, middle, old, other, latest), tx.PutUpdateTimes(ctx, took("r1", "b", "M", 2)))
	})
	of := func(model string, most int) []firmward.UpdateTime {
		return must[[]firmward.UpdateTime](t)(s.UpdateTimes(ctx, model, most))
	}
	diff(t, "the newest first", []firmward.UpdateTime{latest, middle, old}, of("M", 50))
	diff(t, "no more than asked for", []firmward.UpdateTime{latest, middle}, of("M", 2))
	diff(t, "of a model without updates", []firmward.UpdateTime{}, of("O", 50))
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func networks(t *testing.T, s *store.Store) {
	ctx := t.Context()
	site := firmward.Site{Name: "Zürich", TimeZone: "Europe/Zurich"}
	wide := firmward.Network{Prefix: netip.MustParsePrefix("10.1.2.3/8"), Site: "Zürich", Profile: firmward.ProfileOffice, NamedBy: "anna", NamedAt: t0}
	narrow := firmward.Network{Prefix: netip.MustParsePrefix("10.7.0.0/16"), Site: "Zürich", Profile: firmward.ProfileOT, Allowed: firmward.Polite, Allower: "eva"}
	six := firmward.Network{Prefix: netip.MustParsePrefix("fd00:7::/64"), Site: "other"}
	write(t, s, func(tx *store.Tx) error {
		for _, n := range []firmward.Network{wide, narrow, six} {
			if err := tx.PutNetwork(ctx, n); err != nil {
				return err
			}
		}
		return tx.PutSite(ctx, site)
	})
	diff(t, "site", site, must[firmward.Site](t)(s.Site(ctx, "Zürich")))
	wide.Prefix = netip.MustParsePrefix("10.0.0.0/8")
	for a, want := range map[string]firmward.Network{"10.7.1.1": narrow, "10.8.1.1": wide, "::ffff:10.7.9.9": narrow, "fd00:7::9": six} {
		diff(t, a, want, must[firmward.Network](t)(s.NetworkFor(ctx, addr(a))))
	}
	_, err := s.NetworkFor(ctx, addr("192.0.2.1"))
	wantCode(t, err, firmward.NotFound)
	_, err = s.Site(ctx, "zürich")
	wantCode(t, err, firmward.NotFound)
	got := each(t, 1, func(p store.Page) ([]firmward.Network, string, error) { return s.Networks(ctx, "Zürich", p) })
	diff(t, "networks of a site", []firmward.Network{wide, narrow}, got)
	write(t, s, func(tx *store.Tx) error { return tx.DeleteNetwork(ctx, narrow.Prefix) })
	write(t, s, func(tx *store.Tx) error { return tx.DeleteSite(ctx, "Zürich") })
	_, err = s.Site(ctx, "Zürich")
	wantCode(t, err, firmward.NotFound)
	wantCode(t, s.Tx(ctx, func(tx *store.Tx) error { return tx.DeleteSite(ctx, "Zürich") }), firmward.NotFound)
	diff(t, "after delete", wide, must[firmward.Network](t)(s.NetworkFor(ctx, addr("10.7.1.1"))))
}

func observe(id, value string, at time.Time) firmward.Observation {
	return firmward.Observation{
		ID: id, Site: "home", Network: "10.0.0.0/8", Addr: addr("10.0.0.5"), Port: 80, Probe: "http", At: at, Outcome: firmward.Answered,
		Readings: []firmward.Reading{{Name: "http.title", Value: value}},
	}
}

func observations(t *testing.T, s *store.Store) {
	ctx := t.Context()
	add := func(device string, o firmward.Observation) (changed bool) {
		write(t, s, func(tx *store.Tx) (err error) {
			changed, err = tx.AddObservation(ctx, device, o)
			return err
		})
		return changed
	}
	if !add("", observe("o1", "a", t0)) || add("", observe("o2", "a", t0.Add(time.Hour))) || !add("d1", observe("o3", "b\x00\xff", t0.Add(2*time.Hour))) {
		t.Error("changed must tell whether the readings changed")
	}
	_, err := s.Observation(ctx, "o1")
	wantCode(t, err, firmward.NotFound)
	diff(t, "history", observe("o2", "a", t0.Add(time.Hour)), must[firmward.Observation](t)(s.Observation(ctx, "o2")))
	diff(t, "latest", []firmward.Observation{observe("o3", "b\x00\uFFFD", t0.Add(2*time.Hour))}, must[[]firmward.Observation](t)(s.ObservationsOf(ctx, "d1")))
	if got := must[[]firmward.Observation](t)(s.ObservationsAt(ctx, "", addr("10.0.0.5"))); len(got) != 1 || got[0].ID != "o3" {
		t.Errorf("at the address: %v", got)
	}
	if got := must[[]firmward.Observation](t)(s.ObservationsAt(ctx, "elsewhere", addr("10.0.0.5"))); len(got) != 0 {
		t.Errorf("the same address at another site: %v", got)
	}
	for i := range 40 {
		add("d1", observe(fmt.Sprintf("p%02d", i), fmt.Sprint(i), t0.Add(time.Duration(3+i)*time.Hour)))
	}
	all := each(t, 7, func(p store.Page) ([]firmward.Observation, string, error) {
		return s.ObservationHistory(ctx, "d1", "http", p)
	})
	if len(all) != 21 || all[0].ID != "p39" || all[20].ID != "p19" {
		t.Errorf("history holds %d, want the latest and 20 before", len(all))
	}
	write(t, s, func(tx *store.Tx) error { return tx.AssignObservations(ctx, "d1", "d2") })
	if got := must[[]firmward.Observation](t)(s.ObservationsOf(ctx, "d2")); len(got) != 1 {
		t.Errorf("after assigning: %v", got)
	}
}

func evidence(t *testing.T, s *store.Store) {
	ctx := t.Context()
	write(t, s, func(tx *store.Tx) error {
		if _, err := tx.AddObservation(ctx, "d1", observe("proof", "v2", t0)); err != nil {
			return err
		}
		if err := tx.PinObservation(ctx, "proof"); err != nil {
			return err
		}
		for i := range 30 {
			if _, err := tx.AddObservation(ctx, "d1", observe(fmt.Sprint("o", i), fmt.Sprint(i/2), t0.Add(time.Duration(i+1)*time.Minute))); err != nil {
				return err
			}
		}
		return nil
	})
	diff(t, "pinned", observe("proof", "v2", t0), must[firmward.Observation](t)(s.Observation(ctx, "proof")))
}

func device(id string, change func(*firmward.Device)) firmward.Device {
	d := firmward.Device{ID: id, Name: "cam " + id, Site: "home", Class: firmward.ClassCamera, Vendor: "axis", Model: "M3045", Firmware: "9.80.1", FirstSeen: t0}
	if change != nil {
		change(&d)
	}
	return d
}

func put(t *testing.T, s *store.Store, at time.Time, list ...firmward.Device) {
	t.Helper()
	write(t, s, func(tx *store.Tx) error {
		for _, d := range list {
			if err := tx.PutDevice(t.Context(), d, store.Change{Actor: "anna", Source: "test", At: at}); err != nil {
				return err
			}
		}
		return nil
	})
}

func devices(t *testing.T, s *store.Store) {
	ctx := t.Context()
	a := device("a", func(d *firmward.Device) {
		d.Addrs = []netip.Addr{addr("10.0.0.1")}
		d.Serial = "ABC_1%"
		d.Owner = "bea"
	})
	b := device("b", func(d *firmward.Device) { d.Class, d.Vendor, d.Site = firmward.ClassPLC, "siemens", "plant" })
	c := device("c", func(d *firmward.Device) { d.Retired = true })
	put(t, s, t0, a, b, c)
	diff(t, "device", a, must[firmward.Device](t)(s.Device(ctx, "a")))
	ids := func(f store.DeviceFilter) string {
		var out strings.Builder
		for _, d := range each(t, 1, func(p store.Page) ([]firmward.Device, string, error) { return s.Devices(ctx, f, p) }) {
			out.WriteString(d.ID)
		}
		return out.String()
	}
	yes, no := true, false
	for want, f := range map[string]store.DeviceFilter{
		"abc": {}, "ac": {Vendor: "axis"}, "b": {Site: "plant", Class: firmward.ClassPLC}, "ab": {Retired: &no}, "c": {Retired: &yes}, "a": {Text: "bc_1%"}, "": {Text: "a_c"},
	} {
		if got := ids(f); got != want {
			t.Errorf("%+v: %q, want %q", f, got, want)
		}
	}
	want := []store.DeviceCount{{Site: "home", Class: firmward.ClassCamera, N: 1}, {Site: "plant", Class: firmward.ClassPLC, N: 1}}
	diff(t, "counts", want, must[[]store.DeviceCount](t)(s.CountDevices(ctx)))
	a.Retired = true
	put(t, s, t0, a)
	diff(t, "counts", want[1:], must[[]store.DeviceCount](t)(s.CountDevices(ctx)))
	_, err := s.Device(ctx, "A")
	wantCode(t, err, firmward.NotFound)
	_, _, err = s.Devices(ctx, store.DeviceFilter{}, store.Page{After: "garbage"})
	wantCode(t, err, firmward.Invalid)
}

func history(t *testing.T, s *store.Store) {
	ctx := t.Context()
	first := device("a", nil)
	second := device("a", func(d *firmward.Device) { d.Firmware, d.Addrs = "9.80.55", []netip.Addr{addr("10.0.0.9")} })
	put(t, s, t0, first)
	put(t, s, t0.Add(time.Hour), second)
	put(t, s, t0.Add(2*time.Hour), second)
	diff(t, "then", first, must[firmward.Device](t)(s.DeviceAsOf(ctx, "a", t0.Add(59*time.Minute))))
	diff(t, "now", second, must[firmward.Device](t)(s.DeviceAsOf(ctx, "a", t0.Add(time.Hour))))
	_, err := s.DeviceAsOf(ctx, "a", t0.Add(-time.Second))
	wantCode(t, err, firmward.NotFound)
	got := each(t, 2, func(p store.Page) ([]store.FieldChange, string, error) { return s.HistoryOf(ctx, "a", p) })
	if len(got) != 3 || got[0].Field != "Firmware" || got[0].Before != `"9.80.1"` || got[0].After != `"9.80.55"` || got[0].Actor != "anna" || !got[0].At.Equal(t0.Add(time.Hour)) {
		t.Errorf("history: %+v", got)
	}
}

func keys(t *testing.T, s *store.Store) {
	ctx := t.Context()
	put(t, s, t0,
		device("a", func(d *firmward.Device) { d.Serial, d.MACs, d.Name = "SN-77", []string{"00:11:22:AA:BB:CC"}, "Lobby" }),
		device("b", func(d *firmward.Device) {
			d.Serial, d.Vendor, d.Name, d.Addrs = "SN-77", "hikvision", "lobby", []netip.Addr{addr("10.0.0.7")}
		}))
	write(t, s, func(tx *store.Tx) error {
		return tx.PutIdentity(ctx, "b", firmward.Identity{Claims: []firmward.Claim{{Field: firmward.FieldUUID, Value: "uuid:1"}}})
	})
	for ref, want := range map[string]int{"a": 1, "LOBBY": 2, "sn-77": 2, "00-11-22-aa-bb-cc": 1, "0011.22aa.bbcc": 1, "10.0.0.7": 1, "nothing": 0, "": 0} {
		if got := must[[]firmward.Device](t)(s.FindDevices(ctx, ref)); len(got) != want {
			t.Errorf("find %q: %d devices, want %d", ref, len(got), want)
		}
	}
	for want, k := range map[int]store.Key{
		1: {Field: firmward.FieldSerial, Vendor: "AXIS", Value: "sn-77"}, 2: {Field: firmward.FieldSerial, Value: "SN-77"}, 0: {Field: firmward.FieldUUID, Value: "uuid:2"},
	} {
		if got := must[[]firmward.Device](t)(s.DevicesByKey(ctx, k)); len(got) != want {
			t.Errorf("by key %+v: %d, want %d", k, len(got), want)
		}
	}
	if got := must[[]firmward.Device](t)(s.DevicesByKey(ctx, store.Key{Field: firmward.FieldUUID, Value: "uuid:1"})); len(got) != 1 || got[0].ID != "b" {
		t.Errorf("by uuid: %v", got)
	}
}

func paging(t *testing.T, s *store.Store) {
	ctx := t.Context()
	for i := range 50 {
		put(t, s, t0, device(fmt.Sprintf("d%03d", i*10), nil))
	}
	seen := map[string]bool{}
	n := 0
	each(t, 7, func(p store.Page) ([]firmward.Device, string, error) {
		items, next, err := s.Devices(ctx, store.DeviceFilter{}, p)
		for _, d := range items {
			if seen[d.ID] {
				t.Errorf("%s came twice", d.ID)
			}
			seen[d.ID] = true
		}
		n++
		put(t, s, t0, device(fmt.Sprintf("d%03dx", 5+n), nil), device(fmt.Sprintf("d%03dx", 495-n), nil))
		return items, next, err
	})
	for i := range 50 {
		if id := fmt.Sprintf("d%03d", i*10); !seen[id] {
			t.Errorf("%s was skipped", id)
		}
	}
	items, next, err := s.Devices(ctx, store.DeviceFilter{}, store.Page{Limit: 5000})
	if err != nil || next != "" || len(items) != 50+2*n {
		t.Errorf("one page: %d items, next %q, %v", len(items), next, err)
	}
}

func collation(t *testing.T, s *store.Store) {
	names := []string{"Z", "a", "b", "~", "ä", "日"} // byte order
	for i := range names {
		name := names[len(names)-1-i]
		write(t, s, func(tx *store.Tx) error { return tx.PutSite(t.Context(), firmward.Site{Name: name}) })
	}
	var got []string
	for _, v := range each(t, 2, func(p store.Page) ([]firmward.Site, string, error) { return s.Sites(t.Context(), p) }) {
		got = append(got, v.Name)
	}
	diff(t, "byte order", names, got)
	put(t, s, t0, device("a", func(d *firmward.Device) { d.Name = "Küche" }))
	for _, text := range []string{"küche", "KÜCHE", "che"} {
		if got, _, err := s.Devices(t.Context(), store.DeviceFilter{Text: text}, store.Page{}); err != nil || len(got) != 1 {
			t.Errorf("search %s: %v, %v", text, got, err)
		}
	}
}

func touch(t *testing.T, s *store.Store) {
	ctx := t.Context()
	put(t, s, t0, device("a", nil))
	write(t, s, func(tx *store.Tx) error {
		return tx.Touch(ctx, []store.Seen{{Device: "a", At: t0.Add(time.Hour)}, {Device: "a", At: t0}})
	})
	put(t, s, t0, must[firmward.Device](t)(s.Device(ctx, "a")))
	if d := must[firmward.Device](t)(s.Device(ctx, "a")); !d.LastSeen.Equal(t0.Add(time.Hour)) {
		t.Errorf("last seen %v", d.LastSeen)
	}
	if h, _, err := s.HistoryOf(ctx, "a", store.Page{}); err != nil || len(h) != 1 {
		t.Errorf("telemetry in the history: %v, %v", h, err)
	}
}

func identity(t *testing.T, s *store.Store) {
	ctx := t.Context()
	if id := must[firmward.Identity](t)(s.Identity(ctx, "a")); len(id.Claims) != 0 {
		t.Errorf("unknown: %v", id)
	}
	want := firmward.Identity{
		Claims:         []firmward.Claim{{Field: firmward.FieldModel, Value: "M3045", Source: "http", Addr: addr("10.0.0.5"), At: t0, Confidence: 90}},
		Contradictions: []firmward.Contradiction{{Field: firmward.FieldModel, Chosen: firmward.Claim{Value: "M3045"}, Why: "newer"}},
	}
	write(t, s, func(tx *store.Tx) error { return tx.PutIdentity(ctx, "a", want) })
	diff(t, "identity", want, must[firmward.Identity](t)(s.Identity(ctx, "a")))
}

func transmissions(t *testing.T, s *store.Store) {
	ctx := t.Context()
	write(t, s, func(tx *store.Tx) error { return sendMany(ctx, tx, 510) })
	got := each(t, 200, func(p store.Page) ([]store.Transmission, string, error) {
		return s.TransmissionsOf(ctx, addr("10.0.0.5"), p)
	})
	if len(got) != 500 || got[0].Total != 509 || got[499].Total != 10 || len(got[0].Bytes) != 2048 || string(got[0].Bytes[:2]) != "\x00\xff" {
		t.Errorf("%d kept, newest %d", len(got), got[0].Total)
	}
}

func sendMany(ctx context.Context, tx *store.Tx, n int) error {
	var batch []store.Transmission
	for i := range n {
		batch = append(batch, store.Transmission{Addr: addr("10.0.0.5"), At: t0, Network: "tcp", Port: 80, Purpose: "http", Bytes: append([]byte{0, 0xff}, make([]byte, 3000)...), Total: i})
	}
	return tx.AddTransmissions(ctx, batch)
}
