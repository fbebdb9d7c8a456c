package store

import (
	"context"
	"time"

	"github.com/firmward/firmward"
)

// PutException writes an exception by its id. The column expires holds when it ended: a fallen one covers nothing.
func (t *Tx) PutException(ctx context.Context, e firmward.Exception) error {
	return t.put(ctx, `INSERT INTO exception (id, device, advisory, expires, body) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (id) DO UPDATE SET device = excluded.device, advisory = excluded.advisory, expires = excluded.expires, body = excluded.body`,
		e.ID, e.DeviceID, e.Advisory, e.Ended(), js{e})
}

// Exception gives one exception.
func (r Reader) Exception(ctx context.Context, id string) (firmward.Exception, error) {
	return one[firmward.Exception](ctx, r, "exception", id, "SELECT body FROM exception WHERE id = $1", id)
}

// ExceptionsFor gives the exceptions of the device that have neither expired nor fallen at now, those for every device included,
// sorted by id. Ones that wait for approval are among them.
func (r Reader) ExceptionsFor(ctx context.Context, device string, now time.Time) ([]firmward.Exception, error) {
	return list(ctx, r, bodies[firmward.Exception],
		"SELECT body FROM exception WHERE (device = $1 OR device = '') AND expires > $2 ORDER BY id", device, now)
}

// ExceptionsIn gives what ExceptionsFor gives, for several devices at once.
func (r Reader) ExceptionsIn(ctx context.Context, devices []string, now time.Time) ([]firmward.Exception, error) {
	return list(ctx, r, bodies[firmward.Exception],
		"SELECT body FROM exception WHERE (device IN ("+r.d.elements("$1")+") OR device = '') AND expires > $2 ORDER BY id", js{devices}, now)
}

// ExceptionsOf gives all exceptions that were ever made for the device, those for every device included, sorted by id.
func (r Reader) ExceptionsOf(ctx context.Context, device string) ([]firmward.Exception, error) {
	return list(ctx, r, bodies[firmward.Exception], "SELECT body FROM exception WHERE device = $1 OR device = '' ORDER BY id", device)
}

// ExceptionFilter chooses exceptions. Zero fields choose nothing out.
type ExceptionFilter struct {
	Device, Advisory string
	ValidAt          time.Time // neither expired nor fallen then
}

// Exceptions lists exceptions by id.
func (r Reader) Exceptions(ctx context.Context, want ExceptionFilter, p Page) ([]firmward.Exception, string, error) {
	var f filter
	f.is("device", want.Device)
	f.is("advisory", want.Advisory)
	if !want.ValidAt.IsZero() {
		f.add("expires > ?", want.ValidAt)
	}
	return page(ctx, r, ordered("id"), p, f, "exception", "body", bodies[firmward.Exception])
}
