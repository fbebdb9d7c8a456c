package store

import (
	"context"
	"time"

	"github.com/firmward/firmward"
)

// PutRelease writes a release by its id.
func (t *Tx) PutRelease(ctx context.Context, r firmward.Release) error {
	return t.put(ctx, `INSERT INTO firmware_release (id, family, sha256, withdrawn, body) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (id) DO UPDATE SET family = excluded.family, sha256 = excluded.sha256, withdrawn = excluded.withdrawn, body = excluded.body`,
		r.ID, r.Family, r.SHA256, r.Withdrawn, js{r})
}

// Release gives one release.
func (r Reader) Release(ctx context.Context, id string) (firmward.Release, error) {
	return one[firmward.Release](ctx, r, "release", id, "SELECT body FROM firmware_release WHERE id = $1", id)
}

// ReleaseFilter chooses releases. Zero fields choose nothing out.
type ReleaseFilter struct {
	Family, SHA256 string
	Withdrawn      *bool
}

// Releases lists releases by id.
func (r Reader) Releases(ctx context.Context, want ReleaseFilter, p Page) ([]firmward.Release, string, error) {
	var f filter
	f.is("family", want.Family)
	f.is("sha256", want.SHA256)
	if want.Withdrawn != nil && *want.Withdrawn {
		f.add("withdrawn <> 0")
	} else if want.Withdrawn != nil {
		f.add("withdrawn = 0")
	}
	return page(ctx, r, ordered("id"), p, f, "firmware_release", "body", bodies[firmward.Release])
}

// WithdrawRelease marks a release as no longer to be installed. Conflict when it is withdrawn already.
func (t *Tx) WithdrawRelease(ctx context.Context, id, why string, at time.Time) (firmward.Release, error) {
	r, err := t.Release(ctx, id)
	if err != nil {
		return r, err
	}
	if !r.Withdrawn.IsZero() {
		return r, firmward.Errorf(firmward.Conflict, "release "+id+" was withdrawn already: "+r.WhyGone)
	}
	r.Withdrawn, r.WhyGone = at, why
	return r, t.PutRelease(ctx, r)
}
