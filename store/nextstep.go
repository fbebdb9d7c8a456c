package store

import (
	"context"
	"math"
	"time"

	"github.com/firmward/firmward"
)

// PutNextStep writes the one next step of a device and keeps the counts.
func (t *Tx) PutNextStep(ctx context.Context, s firmward.NextStep) error {
	if err := t.countStep(ctx, s.DeviceID, -1); err != nil {
		return err
	}
	err := t.put(ctx, `INSERT INTO nextstep (device, site, kind, bucket, ease, due, body)
		VALUES ($1, COALESCE((SELECT site FROM device WHERE id = $1), ''), $2, $3, $4, $5, $6)
		ON CONFLICT (device) DO UPDATE SET site = excluded.site, kind = excluded.kind, bucket = excluded.bucket,
		ease = excluded.ease, due = excluded.due, body = excluded.body`,
		s.DeviceID, s.Now.Kind, s.Bucket(), -s.Risk, due(s), js{s})
	if err != nil {
		return err
	}
	return t.countStep(ctx, s.DeviceID, 1)
}

// due orders steps: by the day of their deadline, so that the risk decides between two of one day; then what is to be done
// without a deadline, then what waits.
func due(s firmward.NextStep) int64 {
	if by, ok := s.Deadline(); ok {
		return micros(by.Truncate(24 * time.Hour))
	}
	switch s.Bucket() {
	case "watch", "accept":
		return math.MaxInt64
	}
	return math.MaxInt64 - 1
}

// DeleteNextStep removes the step of a device, when it has one.
func (t *Tx) DeleteNextStep(ctx context.Context, device string) error {
	if err := t.countStep(ctx, device, -1); err != nil {
		return err
	}
	return t.put(ctx, "DELETE FROM nextstep WHERE device = $1", device)
}

func (t *Tx) countStep(ctx context.Context, device string, by int) error {
	var kind, bucket string
	found, err := t.row(ctx, "SELECT kind, bucket FROM nextstep WHERE device = $1", args(device), &kind, &bucket)
	if err != nil || !found {
		return err
	}
	return t.put(ctx, `INSERT INTO nextstep_count (kind, bucket, n) VALUES ($1, $2, $3)
		ON CONFLICT (kind, bucket) DO UPDATE SET n = nextstep_count.n + excluded.n`, kind, bucket, by)
}

func (t *Tx) moveStep(ctx context.Context, device, site string) error {
	return t.put(ctx, "UPDATE nextstep SET site = $2 WHERE device = $1", device, site)
}

// NextStep gives the next step of a device.
func (r Reader) NextStep(ctx context.Context, device string) (firmward.NextStep, error) {
	return one[firmward.NextStep](ctx, r, "next step for device", device, "SELECT body FROM nextstep WHERE device = $1", device)
}

// StepFilter chooses next steps. Zero fields choose nothing out.
type StepFilter struct {
	Kind         firmward.StepKind
	Bucket, Site string
}

// NextSteps lists next steps: the earliest day of a deadline first, then the highest risk, then by device. What waits comes last.
func (r Reader) NextSteps(ctx context.Context, want StepFilter, p Page) ([]firmward.NextStep, string, error) {
	var f filter
	f.is("kind", want.Kind)
	f.is("bucket", want.Bucket)
	f.is("site", want.Site)
	return page(ctx, r, ordered("due", "ease", "device"), p, f, "nextstep", "body", bodies[firmward.NextStep])
}

// StepCount is the number of devices with one kind of next step in one bucket.
type StepCount struct {
	Kind   firmward.StepKind
	Bucket string
	N      int
}

// CountSteps gives the counts that are kept with each change, sorted by kind and bucket.
func (r Reader) CountSteps(ctx context.Context) ([]StepCount, error) {
	return list(ctx, r, func(s scan) (c StepCount, err error) {
		err = s(&c.Kind, &c.Bucket, &c.N)
		return c, err
	}, "SELECT kind, bucket, n FROM nextstep_count WHERE n <> 0 ORDER BY kind, bucket")
}
