package store

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/firmward/firmward"
)

// Merge records that two devices were made one, with all that is needed to take it back.
type Merge struct {
	From, Into string // Into as it was called then
	At         time.Time
	By, Why    string
	Undone     time.Time // zero while it holds

	Device   firmward.Device   // the row of From
	Identity firmward.Identity // and who it was
	Own      []netip.Addr      // addresses that From had and Into had not
	Filled   []string          // fields of Into that were empty and took From's word
	Rows     map[string][]string
	Rollouts []string // in which From was a target and Into was not
	Edges    []mergedEdge
}

// mergedEdge is one relation of From and what became of it. An edge between the two became nothing.
type mergedEdge struct {
	Was, Is firmward.Relation
	Had     bool // Into had the same edge already
}

// mergedTables hold rows that move with their device; their bodies name it.
var mergedTables = []string{"observation", "exception", "workorder", "containment", "device_alias"}

// MergeDevices makes two devices one: what hangs on from goes to into, the row of from is deleted, and its id goes on
// finding into. Observations, exceptions, relations, work orders, containments, claims and rollout targets move; the
// history of from stays under its own id. Findings and next step of from are dropped, they are to be worked out anew. Into
// takes addresses and MACs of from, its word (owner, function, place, criticality) where it has none of its own, and what
// people said of it where they said nothing of into. Conflict when both take part in the same unfinished
// rollout, or when a person said that they are two (see UnmergeDevice); then nothing was changed.
func (t *Tx) MergeDevices(ctx context.Context, into, from, why string, c Change) error {
	if into == from {
		return firmward.Errorf(firmward.Invalid, "a device cannot be merged into itself")
	}
	a, err := t.Device(ctx, into)
	if err != nil {
		return err
	}
	b, err := t.Device(ctx, from)
	if err != nil {
		return err
	}
	if a.ID == b.ID {
		return firmward.Errorf(firmward.Conflict, into+" and "+from+" are one device already")
	}
	if apart, err := t.Apart(ctx, a.ID); err != nil {
		return err
	} else if slices.Contains(apart, b.ID) {
		return firmward.Errorf(firmward.Conflict, a.Name+" and "+b.Name+" were split by a person: they stay two")
	}
	m := Merge{
		From: b.ID, Into: a.ID, At: c.At, By: c.Actor, Why: why, Device: b, Rows: map[string][]string{},
		Own: slices.DeleteFunc(slices.Clone(b.Addrs), func(addr netip.Addr) bool { return slices.Contains(a.Addrs, addr) }),
	}
	if m.Identity, err = t.Identity(ctx, b.ID); err != nil {
		return err
	}
	if m.Rollouts, err = t.mergeTargets(ctx, a.ID, b.ID); err != nil {
		return err
	}
	if err := t.dropOf(ctx, b.ID); err != nil {
		return err
	}
	for _, table := range mergedTables {
		if m.Rows[table], err = t.moveRows(ctx, table, a.ID, b.ID); err != nil {
			return err
		}
	}
	for _, move := range []string{
		"UPDATE claim SET device = $1 WHERE device = $2",
		"INSERT INTO device_alias (device, id) VALUES ($1, $2)",
	} {
		if err := t.put(ctx, move, a.ID, b.ID); err != nil {
			return err
		}
	}
	if err := t.rename(ctx, a.ID); err != nil {
		return err
	}
	if m.Edges, err = t.mergeRelations(ctx, a.ID, b.ID); err != nil {
		return err
	}
	if err := t.countDevice(ctx, b, -1); err != nil {
		return err
	}
	if err := t.Touch(ctx, []Seen{{Device: a.ID, At: b.LastSeen}}); err != nil {
		return err
	}
	m.Filled = fill(&a, b)
	if err := t.putMerge(ctx, m); err != nil {
		return err
	}
	return t.PutDevice(ctx, a, c)
}

// fill gives a what b says where a says nothing, and names the fields. What protects a device holds for both.
func fill(a *firmward.Device, b firmward.Device) (filled []string) {
	for _, f := range ownerWords(a, &b) {
		if *f.into == "" && *f.from != "" {
			*f.into = *f.from
			filled = append(filled, f.name)
		}
	}
	if a.Criticality == 0 && b.Criticality != 0 {
		a.Criticality = b.Criticality
		filled = append(filled, "criticality")
	}
	if a.Updates != firmward.UpdatesNever && b.Updates != firmward.UpdatesAuto {
		a.Updates = b.Updates // the stricter wish
	}
	a.NeverContain, a.Exposed = a.NeverContain || b.NeverContain, a.Exposed || b.Exposed
	a.Addrs, a.MACs = union(a.Addrs, b.Addrs), union(a.MACs, b.MACs)
	if !b.FirstSeen.IsZero() && (a.FirstSeen.IsZero() || b.FirstSeen.Before(a.FirstSeen)) {
		a.FirstSeen = b.FirstSeen
	}
	return filled
}

type ownerWord struct {
	name       string
	into, from *string
}

func ownerWords(a, b *firmward.Device) []ownerWord {
	return []ownerWord{{"owner", &a.Owner, &b.Owner}, {"function", &a.Function, &b.Function}, {"location", &a.Location, &b.Location}}
}

// UnmergeDevice takes a merge back: the device that from was gets its row, its identity and all that had moved with it again, and
// what was seen since at addresses that it alone had. What else happened since stays with the other one. The two are
// kept apart from now on. It gives the merge; both identities are to be worked out anew. NotFound when from was never merged,
// Conflict when that was taken back already or while an update of the device runs.
func (t *Tx) UnmergeDevice(ctx context.Context, from string, c Change) (Merge, error) {
	m, err := one[Merge](ctx, t.Reader, "merged device", from, "SELECT body FROM device_merge WHERE from_device = $1", from)
	if err != nil {
		return m, err
	}
	if !m.Undone.IsZero() {
		return m, firmward.Errorf(firmward.Conflict, m.Device.Name+" was split off already")
	}
	a, err := t.Device(ctx, from) // into may be part of a third device by now
	if err != nil {
		return m, err
	}
	targets, err := t.TargetsOf(ctx, a.ID)
	if err != nil {
		return m, err
	}
	for _, g := range targets {
		if g.State.InFlight() {
			return m, firmward.Errorf(firmward.Conflict, a.Name+" is being updated: split it when that has ended")
		}
	}
	m.Into, m.Undone = a.ID, c.At
	if err := t.put(ctx, "DELETE FROM device_alias WHERE id = $1", from); err != nil {
		return m, err
	}
	if err := t.moveBack(ctx, m); err != nil {
		return m, err
	}
	for _, f := range ownerWords(&a, &m.Device) {
		if slices.Contains(m.Filled, f.name) && *f.into == *f.from {
			*f.into = ""
		}
	}
	if slices.Contains(m.Filled, "criticality") && a.Criticality == m.Device.Criticality {
		a.Criticality = 0
	}
	a.Addrs = slices.DeleteFunc(a.Addrs, func(addr netip.Addr) bool { return slices.Contains(m.Own, addr) })
	if err := t.PutDevice(ctx, a, c); err != nil {
		return m, err
	}
	if err := t.PutDevice(ctx, m.Device, c); err != nil {
		return m, err
	}
	if err := t.Touch(ctx, []Seen{{Device: from, At: m.Device.LastSeen}}); err != nil {
		return m, err
	}
	if err := t.PutIdentity(ctx, from, m.Identity); err != nil {
		return m, err
	}
	x, y := min(a.ID, from), max(a.ID, from)
	err = t.put(ctx, "INSERT INTO device_apart (one, other, at, actor) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING", x, y, c.At, c.Actor)
	if err != nil {
		return m, err
	}
	return m, t.putMerge(ctx, m)
}

// moveBack gives rows, targets and relations to the device that they came from.
func (t *Tx) moveBack(ctx context.Context, m Merge) error {
	for _, table := range mergedTables {
		for _, id := range m.Rows[table] {
			if err := t.put(ctx, "UPDATE "+table+" SET device = $1 WHERE id = $2 AND device = $3", m.From, id, m.Into); err != nil {
				return err
			}
		}
	}
	for _, addr := range m.Own {
		if err := t.put(ctx, "UPDATE observation SET device = $1 WHERE addr = $2 AND device = $3", m.From, addr, m.Into); err != nil {
			return err
		}
	}
	if err := t.rename(ctx, m.From); err != nil {
		return err
	}
	for _, id := range m.Rollouts {
		g, err := t.Target(ctx, id, m.Into)
		if err != nil {
			return err
		}
		if err := t.moveTarget(ctx, g, m.From); err != nil {
			return err
		}
	}
	for _, e := range m.Edges {
		if e.Is.From != "" && !e.Had {
			if err := t.DeleteRelation(ctx, e.Is); err != nil && firmward.CodeOf(err) != firmward.NotFound {
				return err
			}
		}
		if err := t.PutRelation(ctx, e.Was); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tx) putMerge(ctx context.Context, m Merge) error {
	return t.put(ctx, `INSERT INTO device_merge (from_device, into_device, body) VALUES ($1, $2, $3)
		ON CONFLICT (from_device) DO UPDATE SET into_device = excluded.into_device, body = excluded.body`, m.From, m.Into, js{m})
}

// MergesOf gives the merges that made a device what it is, those that were taken back left out, sorted by the id of the
// device that was merged away.
func (r Reader) MergesOf(ctx context.Context, device string) ([]Merge, error) {
	all, err := list(ctx, r, bodies[Merge], `SELECT body FROM device_merge
		WHERE from_device IN (SELECT id FROM device_alias WHERE device = $1) ORDER BY from_device`, device)
	return slices.DeleteFunc(all, func(m Merge) bool { return !m.Undone.IsZero() }), err
}

// Apart gives the devices of which a person said that they are not this one, sorted.
func (r Reader) Apart(ctx context.Context, device string) ([]string, error) {
	return list(ctx, r, func(s scan) (id string, err error) {
		err = s(&id)
		return id, err
	}, "SELECT other FROM device_apart WHERE one = $1 UNION SELECT one FROM device_apart WHERE other = $1 ORDER BY 1", device)
}

// Together takes back that two devices are kept apart.
func (t *Tx) Together(ctx context.Context, a, b string) error {
	return t.put(ctx, "DELETE FROM device_apart WHERE one = $1 AND other = $2", min(a, b), max(a, b))
}

// moveRows gives the rows of one device to another and tells which.
func (t *Tx) moveRows(ctx context.Context, table, into, from string) ([]string, error) {
	return list(ctx, t.Reader, func(s scan) (id string, err error) {
		err = s(&id)
		return id, err
	}, "UPDATE "+table+" SET device = $1 WHERE device = $2 RETURNING id", into, from)
}

// dropOf removes what belongs to a device alone.
func (t *Tx) dropOf(ctx context.Context, id string) error {
	if err := t.dropFindings(ctx, id); err != nil {
		return err
	}
	if err := t.DeleteNextStep(ctx, id); err != nil {
		return err
	}
	for _, table := range []string{"identity", "device_key", "device_addr", "device_seen", "device_fingerprint"} {
		if err := t.put(ctx, "DELETE FROM "+table+" WHERE device = $1", id); err != nil {
			return err
		}
	}
	return t.put(ctx, "DELETE FROM device WHERE id = $1", id)
}

// rename writes the id of a device into the bodies of the rows that hang on it.
func (t *Tx) rename(ctx context.Context, id string) error {
	exceptions, err := list(ctx, t.Reader, bodies[firmward.Exception], "SELECT body FROM exception WHERE device = $1", id)
	if err != nil {
		return err
	}
	for _, e := range exceptions {
		e.DeviceID = id
		if err := t.PutException(ctx, e); err != nil {
			return err
		}
	}
	orders, err := list(ctx, t.Reader, bodies[firmward.WorkOrder], "SELECT body FROM workorder WHERE device = $1", id)
	if err != nil {
		return err
	}
	for _, w := range orders {
		w.DeviceID = id
		if err := t.PutWorkOrder(ctx, w); err != nil {
			return err
		}
	}
	containments, err := list(ctx, t.Reader, bodies[firmward.Containment], "SELECT body FROM containment WHERE device = $1", id)
	if err != nil {
		return err
	}
	for _, c := range containments {
		c.DeviceID = id
		if err := t.PutContainment(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func union[T comparable](a, b []T) []T {
	out := append([]T(nil), a...)
	have := make(map[T]bool, len(a))
	for _, v := range a {
		have[v] = true
	}
	for _, v := range b {
		if !have[v] {
			out = append(out, v)
		}
	}
	return out
}
