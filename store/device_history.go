package store

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/firmward/firmward"
)

// FieldChange is one changed field of a device.
type FieldChange struct {
	Seq    int64
	Device string
	At     time.Time
	Field  string // name in firmward.Device; "created" for the first one
	Before string // JSON, empty before creation
	After  string // JSON
	Actor  string
	Source string
}

// created marks the first entry of a device's history; After then is the whole device.
const created = "created"

func (t *Tx) addHistory(ctx context.Context, old, now firmward.Device, exists bool, c Change) error {
	if !exists {
		b, err := json.Marshal(now)
		if err != nil {
			return fmt.Errorf("write device: %w", err)
		}
		return t.addChange(ctx, FieldChange{Device: now.ID, At: c.At, Field: created, After: string(b), Actor: c.Actor, Source: c.Source})
	}
	before, err := fields(old)
	if err != nil {
		return err
	}
	after, err := fields(now)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if string(before[name]) == string(after[name]) {
			continue
		}
		err := t.addChange(ctx, FieldChange{
			Device: now.ID, At: c.At, Field: name, Before: string(before[name]), After: string(after[name]), Actor: c.Actor, Source: c.Source,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func fields(d firmward.Device) (map[string]json.RawMessage, error) {
	b, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("write device: %w", err)
	}
	var m map[string]json.RawMessage
	err = json.Unmarshal(b, &m)
	return m, err
}

func (t *Tx) addChange(ctx context.Context, c FieldChange) error {
	return t.put(ctx, `INSERT INTO device_history (seq, device, at, field, before, after, actor, source)
		VALUES ((SELECT COALESCE(MAX(seq), 0) + 1 FROM device_history), $1, $2, $3, $4, $5, $6, $7)`,
		c.Device, c.At, c.Field, c.Before, c.After, c.Actor, c.Source)
}

func changeRow(s scan) (c FieldChange, err error) {
	err = s(&c.Seq, &c.Device, timeInto{&c.At}, &c.Field, &c.Before, &c.After, &c.Actor, &c.Source)
	return c, err
}

// HistoryOf lists what changed on a device, newest first.
func (r Reader) HistoryOf(ctx context.Context, device string, p Page) ([]FieldChange, string, error) {
	var f filter
	f.add("device = ?", device)
	return page(ctx, r, keyset{columns: []string{"seq"}, desc: true}, p, f, "device_history",
		"seq, device, at, field, before, after, actor, source", changeRow)
}

// ChangedDevices gives the devices of which something changed at a time or later, the last one first.
func (r Reader) ChangedDevices(ctx context.Context, since time.Time) ([]string, error) {
	var out []string
	seen := map[string]bool{}
	for c, err := range All(func(p Page) ([]FieldChange, string, error) {
		return page(ctx, r, keyset{columns: []string{"seq"}, desc: true}, p, filter{}, "device_history",
			"seq, device, at, field, '', '', actor, source", changeRow)
	}) {
		if err != nil {
			return nil, err
		}
		if c.At.Before(since) { // rows stand in the order of their times
			break
		}
		if !seen[c.Device] {
			seen[c.Device] = true
			out = append(out, c.Device)
		}
	}
	return out, nil
}

// DeviceAsOf gives the device as firmward knew it at a time: the fields that changed later are taken back. NotFound when
// it was not known then. LastSeen stays empty.
func (r Reader) DeviceAsOf(ctx context.Context, id string, at time.Time) (firmward.Device, error) {
	changes, err := list(ctx, r, changeRow,
		"SELECT seq, device, at, field, before, after, actor, source FROM device_history WHERE device = $1 AND at <= $2 ORDER BY at, seq", id, at)
	if err != nil {
		return firmward.Device{}, err
	}
	var state map[string]json.RawMessage
	for _, c := range changes {
		switch {
		case c.Field == created:
			state = nil
			if err := json.Unmarshal([]byte(c.After), &state); err != nil {
				return firmward.Device{}, fmt.Errorf("read history of %s: %w", id, err)
			}
		case state != nil:
			state[c.Field] = json.RawMessage(c.After)
		}
	}
	if state == nil {
		return firmward.Device{}, notFound("device", id+" known at "+at.UTC().Format(time.RFC3339))
	}
	b, err := json.Marshal(state)
	if err != nil {
		return firmward.Device{}, fmt.Errorf("read history of %s: %w", id, err)
	}
	var d firmward.Device
	err = json.Unmarshal(b, &d)
	return d, err
}
