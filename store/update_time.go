package store

import (
	"context"

	"github.com/firmward/firmward"
)

// PutUpdateTime writes how long an update took, by rollout and device.
func (t *Tx) PutUpdateTime(ctx context.Context, u firmward.UpdateTime) error {
	return t.put(ctx, `INSERT INTO update_time (rollout, device, model, at, body) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (rollout, device) DO UPDATE SET model = excluded.model, at = excluded.at, body = excluded.body`,
		u.RolloutID, u.DeviceID, u.Model, u.At, js{u})
}

// UpdateTimes gives how long the last updates of a model took, the newest first.
func (r Reader) UpdateTimes(ctx context.Context, model string, most int) ([]firmward.UpdateTime, error) {
	return list(ctx, r, bodies[firmward.UpdateTime], "SELECT body FROM update_time WHERE model = $1 ORDER BY at DESC, rollout, device LIMIT $2", model, most)
}
