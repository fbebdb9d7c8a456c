package store

import (
	"context"

	"github.com/firmward/firmward"
)

// PutStaging writes a staging verdict, bound to what was tested: content, path, model, hardware revision and configuration class.
func (t *Tx) PutStaging(ctx context.Context, v firmward.StagingVerdict) error {
	v.Differences = nil // they depend on who asks
	return t.put(ctx, `INSERT INTO staging (sha256, path, model, hardware, config, body) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (sha256, path, model, hardware, config) DO UPDATE SET body = excluded.body`, v.SHA256, v.Path, v.Model, v.Hardware, v.Config.Class, js{v})
}

// Stagings gives the verdicts for exactly this content, delivery path, model and hardware revision, one for each configuration class
// that was tested or was found to have no spare.
func (r Reader) Stagings(ctx context.Context, sha256, path, model, hardware string) ([]firmward.StagingVerdict, error) {
	return list(ctx, r, bodies[firmward.StagingVerdict],
		"SELECT body FROM staging WHERE sha256 = $1 AND path = $2 AND model = $3 AND hardware = $4 ORDER BY config", sha256, path, model, hardware)
}

// StagingsOf gives all verdicts on a firmware file, sorted by path, model, hardware revision and configuration class.
func (r Reader) StagingsOf(ctx context.Context, sha256 string) ([]firmward.StagingVerdict, error) {
	return list(ctx, r, bodies[firmward.StagingVerdict], "SELECT body FROM staging WHERE sha256 = $1 ORDER BY path, model, hardware, config", sha256)
}

// AllStagings gives the verdicts on all files, page by page.
func (r Reader) AllStagings(ctx context.Context, p Page) ([]firmward.StagingVerdict, string, error) {
	return page(ctx, r, ordered("sha256", "path", "model", "hardware", "config"), p, filter{}, "staging", "body", bodies[firmward.StagingVerdict])
}

// PutRehearsal writes a rehearsal by its rollout.
func (t *Tx) PutRehearsal(ctx context.Context, h firmward.Rehearsal) error {
	return t.put(ctx, `INSERT INTO rehearsal (rollout, release, ended, body) VALUES ($1, $2, $3, $4)
		ON CONFLICT (rollout) DO UPDATE SET ended = excluded.ended, body = excluded.body`, h.RolloutID, h.ReleaseID, h.Phase == firmward.RehearseDone, js{h})
}

// Rehearsal gives the rehearsal that a rollout belongs to.
func (r Reader) Rehearsal(ctx context.Context, rollout string) (firmward.Rehearsal, error) {
	return one[firmward.Rehearsal](ctx, r, "rehearsal", rollout, "SELECT body FROM rehearsal WHERE rollout = $1", rollout)
}

// OpenRehearsals gives the rehearsals that have no verdict yet, of one release unless it is empty.
func (r Reader) OpenRehearsals(ctx context.Context, release string) ([]firmward.Rehearsal, error) {
	var f filter
	f.add("ended = 0")
	f.is("release", release)
	return list(ctx, r, bodies[firmward.Rehearsal], "SELECT body FROM rehearsal"+f.where()+" ORDER BY rollout", f.args...)
}
