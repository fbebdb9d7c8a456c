package store

import (
	"context"

	"github.com/firmward/firmward"
)

// PutUpdateTimes writes how long updates took, by rollout and device.
func (t *Tx) PutUpdateTimes(ctx context.Context, times ...firmward.UpdateTime) error {
	l := load{table: "update_time", columns: []string{"rollout", "device", "model", "at", "body"}, keys: 2}
	for _, u := range times {
		l.rows = append(l.rows, []any{u.RolloutID, u.DeviceID, u.Model, u.At, js{u}})
	}
	return t.fold(ctx, l)
}

// UpdateTimes gives how long the last updates of a model took, the newest first.
func (r Reader) UpdateTimes(ctx context.Context, model string, most int) ([]firmward.UpdateTime, error) {
	return list(ctx, r, bodies[firmward.UpdateTime], "SELECT body FROM update_time WHERE model = $1 ORDER BY at DESC, rollout, device LIMIT $2", model, most)
}
