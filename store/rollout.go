package store

import (
	"context"
	"fmt"

	"github.com/firmward/firmward"
)

// PutRollout writes the header of a rollout and gives it back with its new Version. Version 0 is a new one. Conflict
// when it changed since it was read: read it again and decide anew.
func (t *Tx) PutRollout(ctx context.Context, r firmward.Rollout) (firmward.Rollout, error) {
	was := r.Version
	r.Version++
	query, values := `INSERT INTO rollout (id, release, state, next_due, version, body) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (id) DO NOTHING RETURNING id`, args(r.ID, r.ReleaseID, r.State, r.NextDue, r.Version, js{&r})
	if was != 0 {
		query, values = `UPDATE rollout SET release = $2, state = $3, next_due = $4, version = $5, body = $6
			WHERE id = $1 AND version = $7 RETURNING id`, append(values, was)
	}
	did, err := ask(ctx, t, texts, query, values...)() // sent with what waits already
	if err == nil && len(did) == 0 {
		err = firmward.Errorf(firmward.Conflict, fmt.Sprintf("rollout %s was changed by somebody else meanwhile (version %d is old): look at it again", r.ID, was))
	}
	return r, err
}

// Rollout gives one rollout header.
func (r Reader) Rollout(ctx context.Context, id string) (firmward.Rollout, error) {
	return one[firmward.Rollout](ctx, r, "rollout", id, rolloutByID, id)
}

const rolloutByID = "SELECT body FROM rollout WHERE id = $1"

// RolloutFilter chooses rollouts. Zero fields choose nothing out.
type RolloutFilter struct {
	ReleaseID string
	States    []firmward.RolloutState
}

// Rollouts lists rollouts by id.
func (r Reader) Rollouts(ctx context.Context, want RolloutFilter, p Page) ([]firmward.Rollout, string, error) {
	var f filter
	f.is("release", want.ReleaseID)
	if len(want.States) > 0 {
		states := make([]string, len(want.States))
		for i, s := range want.States {
			states[i] = string(s)
		}
		f.in("state", states)
	}
	return page(ctx, r, ordered("id"), p, f, "rollout", "body", bodies[firmward.Rollout])
}

// RolloutsToEnd gives the ids of rollouts that have ended while targets still wait in them, sorted.
func (r Reader) RolloutsToEnd(ctx context.Context) ([]string, error) {
	return list(ctx, r, texts, `SELECT id FROM rollout WHERE state IN ('stopped', 'finished')
		AND EXISTS (SELECT 1 FROM target WHERE target.rollout = rollout.id AND target.state IN `+unstarted+`) ORDER BY id`)
}

func texts(s scan) (v string, err error) {
	err = s(&v)
	return v, err
}
