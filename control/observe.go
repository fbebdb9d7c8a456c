package control

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/identify"
	"github.com/firmward/firmward/remedy"
	"github.com/firmward/firmward/store"
)

// record stores what probes saw at addresses of one network: finds or makes the devices, joins those
// that are proven to be one, and works out their identities anew. It gives the devices concerned.
func (c *Control) record(ctx context.Context, network firmward.Network, seen []firmward.Observation) ([]string, error) {
	var touched, changed []string
	err := c.Store.Tx(ctx, func(tx *store.Tx) error {
		touched, changed = touched[:0], changed[:0]
		for _, o := range seen {
			if !worthKeeping(o) {
				continue
			}
			id, back, err := c.keep(ctx, tx, network, o)
			if err != nil {
				return err
			}
			if back {
				changed = append(changed, id)
			}
			if id != "" && !slices.Contains(touched, id) {
				touched = append(touched, id)
			}
		}
		for _, id := range touched {
			news, err := c.reidentify(ctx, tx, id, store.Change{Actor: self, Source: "probe", At: c.Clock.Now()})
			if err != nil {
				return err
			}
			if news {
				changed = append(changed, id)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("record observations: %w", err)
	}
	if c.sleepers.Load() && len(touched) > 0 {
		c.wake(loopDeploy)
	}
	c.touch(changed...) // the same evidence once more changes no decision
	return touched, nil
}

// worthKeeping leaves silence out: it is no evidence about who a device is.
func worthKeeping(o firmward.Observation) bool {
	return o.Outcome == firmward.Answered || o.Outcome == firmward.Cut
}

// keep writes one observation and says whose it is, and whether that device is back after it was missed.
func (c *Control) keep(ctx context.Context, tx *store.Tx, network firmward.Network, o firmward.Observation) (device string, back bool, err error) {
	o.ID, o.Site, o.Network, o.At = store.NewID("obs"), network.Site, network.Prefix.String(), c.Clock.Now()
	if o.Outcome == firmward.Cut {
		o.Probe += ".cut" // kept beside the last good answer, not instead of it
	}
	keys := identify.Keys(c.Catalog.Rules.Claims(o))
	if o.Child != "" && len(keys) == 0 {
		return "", false, nil // nothing would recognise it the next time
	}
	candidates, err := candidates(ctx, tx, o, keys)
	if err != nil {
		return "", false, err
	}
	a := identify.Assign(own(o), keys, candidates)
	if a.Device == "" {
		if a.Device, err = c.newDevice(ctx, tx, network, o); err != nil {
			return "", false, err
		}
	}
	d, err := tx.Device(ctx, a.Device)
	if err != nil {
		return "", false, err
	}
	for _, other := range a.Merge {
		err := c.merge(ctx, tx, a.Device, other, a.Why, store.Change{Actor: self, Source: "identify", At: c.Clock.Now()})
		if err != nil && firmward.CodeOf(err) != firmward.Conflict { // those that cannot be one now will be joined by a later look
			return "", false, err
		}
	}
	if _, err := tx.AddObservation(ctx, a.Device, o); err != nil {
		return "", false, err
	}
	if o.Child != "" {
		if err := c.behind(ctx, tx, a.Device, o); err != nil {
			return "", false, err
		}
	}
	back = !d.LastSeen.IsZero() && o.At.Sub(d.LastSeen) >= remedy.Missed
	return a.Device, back, tx.Touch(ctx, []store.Seen{{Device: a.Device, Addr: own(o), At: o.At}})
}

// newDevice puts the device that an observation is about into the inventory.
func (c *Control) newDevice(ctx context.Context, tx *store.Tx, network firmward.Network, o firmward.Observation) (string, error) {
	d := firmward.Device{
		ID: store.NewID("dev"), Name: o.Addr.String(), Site: network.Site, Network: network.Prefix.String(), Zone: network.Zone(),
		Class: firmward.ClassUnknown, Addrs: []netip.Addr{o.Addr}, Origin: firmward.OriginSeen, Lab: network.Lab, FirstSeen: o.At,
	}
	at := o.Addr.String()
	if o.Child != "" {
		d.Name, d.Addrs, at = o.Child, nil, o.Child+" behind "+at
	}
	if err := tx.PutDevice(ctx, d, store.Change{Actor: self, Source: o.Probe, At: o.At}); err != nil {
		return "", err
	}
	if err := c.leaf(ctx, tx, self, "device-found", d.ID, map[string]string{"address": at, "network": d.Network, "probe": o.Probe}); err != nil {
		return "", err
	}
	return d.ID, c.emit(ctx, tx, "device", d.ID, "a new device at "+at)
}

// own is the address of the device that an observation is about: a device behind another has none.
func own(o firmward.Observation) netip.Addr {
	if o.Child != "" {
		return netip.Addr{}
	}
	return o.Addr
}

// behind writes that a device is reached through the one that answered for it, instead of what a probe said of that before.
func (c *Control) behind(ctx context.Context, tx *store.Tx, child string, o firmward.Observation) error {
	at, err := tx.DevicesAt(ctx, o.Site, o.Addr)
	if err != nil || len(at) == 0 {
		return err
	}
	edge := firmward.Relation{From: child, To: latest(at).ID, Kind: firmward.Behind, Source: "probe:" + o.Probe}
	known, err := tx.RelationsOf(ctx, child)
	if err != nil {
		return err
	}
	for _, k := range known {
		switch {
		case k.From != child || k.Kind != firmward.Behind:
		case k.To == edge.To:
			return nil
		case strings.HasPrefix(k.Source, "probe:"):
			if err := tx.DeleteRelation(ctx, k); err != nil {
				return err
			}
		}
	}
	return tx.PutRelation(ctx, edge)
}

// candidates are the devices that share a key or the address with an observation.
func candidates(ctx context.Context, tx *store.Tx, o firmward.Observation, keys []identify.Key) ([]identify.Candidate, error) {
	byID := map[string]firmward.Device{}
	var order []string
	add := func(found []firmward.Device) {
		for _, d := range found {
			if _, ok := byID[d.ID]; !ok && !d.Retired {
				byID[d.ID] = d
				order = append(order, d.ID)
			}
		}
	}
	for _, k := range keys {
		found, err := tx.DevicesByKey(ctx, store.Key{Field: k.Field, Vendor: k.Vendor, Value: k.Value})
		if err != nil {
			return nil, err
		}
		add(found)
	}
	if o.Child == "" {
		found, err := tx.DevicesAt(ctx, o.Site, o.Addr)
		if err != nil {
			return nil, err
		}
		add(found)
	}
	out := make([]identify.Candidate, 0, len(order))
	for _, id := range order {
		known, err := tx.Identity(ctx, id)
		if err != nil && firmward.CodeOf(err) != firmward.NotFound {
			return nil, err
		}
		apart, err := tx.Apart(ctx, id)
		if err != nil {
			return nil, err
		}
		away, err := away(ctx, tx, id, o, keys)
		if err != nil {
			return nil, err
		}
		out = append(out, identify.Candidate{ID: id, Keys: identify.Keys(known.Claims), Addrs: byID[id].Addrs, Apart: apart, Away: away})
	}
	return out, nil
}

// moment is how long after its last answer a device is taken to be where it answered.
const moment = time.Hour

// away reports whether a device answered at another address a moment ago, and not at that of the observation.
func away(ctx context.Context, tx *store.Tx, device string, o firmward.Observation, keys []identify.Key) (bool, error) {
	if !slices.ContainsFunc(keys, func(k identify.Key) bool { return k.Field == firmward.FieldUUID || k.Field == firmward.FieldHostKey }) {
		return false, nil // no other key asks for it
	}
	obs, err := tx.ObservationsOf(ctx, device)
	if err != nil {
		return false, err
	}
	elsewhere := false
	for _, known := range obs {
		switch {
		case o.At.Sub(known.At) > moment:
		case known.Addr == o.Addr && known.Child == o.Child:
			return false, nil
		case known.Addr.IsValid():
			elsewhere = true
		}
	}
	return elsewhere, nil
}

// reidentify works the identity of a device out from all its evidence: the latest observations read by
// today's rules, and what people said. news tells whether it says anything else than before.
func (c *Control) reidentify(ctx context.Context, tx *store.Tx, id string, change store.Change) (news bool, err error) {
	d, err := tx.Device(ctx, id)
	if err != nil {
		return false, err
	}
	old, err := tx.Identity(ctx, id)
	if err != nil {
		return false, err
	}
	return c.workOut(ctx, tx, d, old, change)
}

// workOut writes a device with the identity that its observations and what people said of it give. What old holds of
// observations is read anew.
func (c *Control) workOut(ctx context.Context, tx *store.Tx, d firmward.Device, old firmward.Identity, change store.Change) (news bool, err error) {
	var claims []firmward.Claim
	for _, cl := range old.Claims {
		if said(cl) {
			claims = append(claims, cl)
		}
	}
	obs, err := tx.ObservationsOf(ctx, d.ID)
	if err != nil {
		return false, err
	}
	addrs := slices.Clone(d.Addrs)
	for _, o := range obs {
		claims = append(claims, c.Catalog.Rules.Claims(o)...)
		if a := own(o); a.IsValid() && !slices.Contains(addrs, a) {
			addrs = append(addrs, a)
		}
	}
	now := identify.Merge(claims)
	before := d
	d = identify.Apply(d, now)
	if d.Family == "" {
		d.Family = c.Catalog.FamilyOf(d.Vendor, d.Model)
	}
	if m := c.Catalog.Model(d); d.Class == firmward.ClassUnknown && m.Class != "" {
		d.Class = m.Class
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	d.Addrs = addrs
	d.Name = displayName(d, now)
	if err := tx.PutDevice(ctx, d, change); err != nil {
		return false, err
	}
	if err := tx.PutIdentity(ctx, d.ID, now); err != nil {
		return false, err
	}
	news = !reflect.DeepEqual(before, d) || !slices.EqualFunc(old.Claims, now.Claims, sameClaim)
	return news, c.tellIdentity(ctx, tx, before, d)
}

// settingRules is the digest of the rules by which the stored identities were read.
const settingRules = "catalogue-digest"

// reread reads all stored evidence anew when the rules have changed since the last run. No device is
// touched for it.
func (c *Control) reread(ctx context.Context) error {
	before, err := c.Store.Setting(ctx, settingRules)
	if err != nil || before == c.Catalog.Digest {
		return err
	}
	n := 0
	if err := c.eachDevice(ctx, store.DeviceFilter{}, func(d firmward.Device) error {
		n++
		return c.Store.Tx(ctx, func(tx *store.Tx) error {
			_, err := c.reidentify(ctx, tx, d.ID, store.Change{Actor: self, Source: "rules", At: c.Clock.Now()})
			return err
		})
	}); err != nil {
		return err
	}
	return c.Store.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.PutSetting(ctx, settingRules, c.Catalog.Digest); err != nil || n == 0 {
			return err
		}
		return c.leaf(ctx, tx, self, "identities-reread", "all", map[string]string{"devices": fmt.Sprint(n), "rules": c.Catalog.Digest})
	})
}

// sameClaim compares claims without the time and the observation that carried them.
func sameClaim(a, b firmward.Claim) bool {
	a.At, a.Observation = b.At, b.Observation
	return a == b
}

// tellIdentity writes leaf and event of a changed version or model, and tells the rollouts that wait for the device.
func (c *Control) tellIdentity(ctx context.Context, tx *store.Tx, before, d firmward.Device) error {
	if before.Firmware != d.Firmware || before.Model != d.Model {
		if err := c.drift(ctx, tx, d); err != nil {
			return err
		}
	}
	if before.Firmware != "" && d.Firmware != "" && before.Firmware != d.Firmware {
		alone, err := byItself(ctx, tx, d.ID, d.Firmware, c.Clock.Now())
		if err != nil {
			return err
		}
		action, how := "firmware-changed", ""
		if alone {
			action, how = "changed-by-itself", " changed by itself, nobody here ordered it:"
		}
		if err := c.leaf(ctx, tx, self, action, d.ID, map[string]string{"before": before.Firmware, "after": d.Firmware}); err != nil {
			return err
		}
		return c.emit(ctx, tx, "device", d.ID, fmt.Sprintf("%s:%s firmware %s → %s", d.Name, how, before.Firmware, d.Firmware))
	}
	if before.Model != d.Model {
		return c.emit(ctx, tx, "device", d.ID, strings.TrimSpace(d.Name+" is a "+d.Vendor+" "+d.Model))
	}
	return nil
}

// said reports whether a claim rests on a person or an import and not on an observation.
func said(c firmward.Claim) bool {
	return strings.HasPrefix(c.Source, "person:") || strings.HasPrefix(c.Source, "import:")
}

// displayName is the claimed name, else model and end of serial, else the address.
func displayName(d firmward.Device, id firmward.Identity) string {
	if n, ok := id.Best(firmward.FieldName); ok {
		return n.Value
	}
	if d.Model != "" && d.Serial != "" {
		return d.Model + " " + d.Serial[max(0, len(d.Serial)-4):]
	}
	if len(d.Addrs) > 0 {
		return d.Addrs[0].String()
	}
	return d.Name
}

// find resolves what a person typed to exactly one device.
func (c *Control) find(ctx context.Context, ref string) (firmward.Device, error) {
	found, err := c.Store.FindDevices(ctx, ref)
	if err != nil {
		return firmward.Device{}, err
	}
	switch len(found) {
	case 0:
		return firmward.Device{}, firmward.Errorf(firmward.NotFound, "no device is called "+ref+" (try: firmward devices)")
	case 1:
		return found[0], nil
	}
	names := make([]string, len(found))
	for i, d := range found {
		names[i] = d.ID + " (" + d.Name + ", " + d.Site + ")"
	}
	return firmward.Device{}, firmward.Errorf(firmward.Conflict, ref+" could be "+strings.Join(names, " or ")+": use the id")
}

var errNoAddress = errors.New("it has no address")
