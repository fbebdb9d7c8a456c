package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"

	"github.com/firmward/firmward"
)

// historyOf bounds how many earlier observations of one probe are kept per device, pinned ones aside.
const historyOf = 20

// AddObservation stores what a probe saw, for a device (empty: not yet known whose it is). It is the latest of its
// site, address, child, port and probe. What it replaces is kept as history when the readings or the outcome
// changed or when it is pinned as evidence. changed tells whether they did.
func (t *Tx) AddObservation(ctx context.Context, device string, o firmward.Observation) (changed bool, err error) {
	if o.ID == "" || !o.Addr.IsValid() {
		return false, firmward.Errorf(firmward.Invalid, "an observation needs an id and an address")
	}
	o.Addr = o.Addr.Unmap()
	hash, err := hashOf(o)
	if err != nil {
		return false, err
	}
	var oldID, oldHash, oldDevice string
	var pinned bool
	found, err := t.row(ctx, `SELECT id, hash, device, pinned FROM observation
		WHERE addr = $1 AND probe = $2 AND port = $3 AND latest = 1 AND site = $4 AND child = $5`,
		args(o.Addr, o.Probe, o.Port, o.Site, o.Child), &oldID, &oldHash, &oldDevice, &pinned)
	if err != nil {
		return false, err
	}
	changed = !found || oldHash != hash
	if device == "" {
		device = oldDevice
	}
	if found && (changed || pinned) {
		err = t.put(ctx, "UPDATE observation SET latest = 0 WHERE id = $1", oldID)
	} else if found {
		err = t.put(ctx, "DELETE FROM observation WHERE id = $1", oldID)
	}
	if err != nil {
		return false, err
	}
	err = t.put(ctx, `INSERT INTO observation (id, device, site, addr, child, port, probe, at, latest, pinned, hash, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1, 0, $9, $10)`,
		o.ID, device, o.Site, o.Addr, o.Child, o.Port, o.Probe, o.At, hash, js{o})
	if err != nil || !found {
		return changed, err
	}
	return changed, t.put(ctx, `DELETE FROM observation WHERE id IN (SELECT id FROM observation
		WHERE device = $1 AND probe = $2 AND latest = 0 AND pinned = 0 AND (device <> '' OR addr = $3 AND child = $4)
		ORDER BY at DESC, id DESC LIMIT 1000 OFFSET $5)`, device, o.Probe, o.Addr, o.Child, historyOf)
}

func hashOf(o firmward.Observation) (string, error) {
	b, err := json.Marshal([]any{o.Outcome, o.Note, o.Readings})
	if err != nil {
		return "", fmt.Errorf("write observation: %w", err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// PinObservation keeps an observation for good because something rests on it as evidence. An empty or unknown id is
// left alone.
func (t *Tx) PinObservation(ctx context.Context, id string) error {
	return t.put(ctx, "UPDATE observation SET pinned = 1 WHERE id = $1 AND pinned = 0", id)
}

// AssignObservation says whose observation it is.
func (t *Tx) AssignObservation(ctx context.Context, id, device string) error {
	n, err := t.exec(ctx, "UPDATE observation SET device = $2 WHERE id = $1", id, device)
	if err == nil && n == 0 {
		return notFound("observation", id)
	}
	return err
}

// AssignObservations moves every observation of one device to another.
func (t *Tx) AssignObservations(ctx context.Context, from, to string) error {
	return t.put(ctx, "UPDATE observation SET device = $2 WHERE device = $1", from, to)
}

// Observation gives one observation, latest or kept as history.
func (r Reader) Observation(ctx context.Context, id string) (firmward.Observation, error) {
	return one[firmward.Observation](ctx, r, "observation", id, "SELECT body FROM observation WHERE id = $1", id)
}

// ObservationsOf gives the latest observation of each address, port and probe of a device, sorted by probe, address
// and port.
func (r Reader) ObservationsOf(ctx context.Context, device string) ([]firmward.Observation, error) {
	return list(ctx, r, bodies[firmward.Observation],
		"SELECT body FROM observation WHERE device = $1 AND latest = 1 ORDER BY probe, addr, port, id", device)
}

// ObservationHistory lists what one probe saw of a device, newest first, the latest included.
func (r Reader) ObservationHistory(ctx context.Context, device, probe string, p Page) ([]firmward.Observation, string, error) {
	var f filter
	f.add("device = ?", device)
	f.is("probe", probe)
	return page(ctx, r, keyset{columns: []string{"at", "id"}, desc: true}, p, f, "observation", "body", bodies[firmward.Observation])
}

// ObservationsAt gives the latest observations at an address, those of devices behind it included, at one site unless site is
// empty.
func (r Reader) ObservationsAt(ctx context.Context, site string, addr netip.Addr) ([]firmward.Observation, error) {
	var f filter
	f.add("addr = ? AND latest = 1", addr)
	f.is("site", site)
	return list(ctx, r, bodies[firmward.Observation], "SELECT body FROM observation"+f.where()+" ORDER BY probe, port, id", f.args...)
}

// DeviceOfObservation gives the id of the device that an observation was assigned to, empty when none was.
func (r Reader) DeviceOfObservation(ctx context.Context, id string) (string, error) {
	var device string
	found, err := r.row(ctx, "SELECT device FROM observation WHERE id = $1", args(id), &device)
	if err == nil && !found {
		err = notFound("observation", id)
	}
	return device, err
}
