package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// PutSetting writes a named value.
func (t *Tx) PutSetting(ctx context.Context, name, value string) error {
	return t.put(ctx, "INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value", name, value)
}

// Setting gives a named value, empty when it was never written.
func (r Reader) Setting(ctx context.Context, name string) (string, error) {
	var v string
	_, err := r.row(ctx, "SELECT value FROM setting WHERE name = $1", args(name), &v)
	return v, err
}

// stopAll is the setting behind the red button.
const stopAll = "stop-all"

// StopAll is the red button: while On, nothing new is started.
type StopAll struct {
	On  bool
	By  string
	At  time.Time
	Why string
}

// PutStopAll presses or frees the red button.
func (t *Tx) PutStopAll(ctx context.Context, s StopAll) error {
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("write stop-all: %w", err)
	}
	return t.PutSetting(ctx, stopAll, string(b))
}

// StopAll gives the state of the red button: one read by key.
func (r Reader) StopAll(ctx context.Context) (StopAll, error) {
	var s StopAll
	_, err := r.row(ctx, "SELECT value FROM setting WHERE name = $1", args(stopAll), body{&s})
	return s, err
}
