package control

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/driver"
	"github.com/firmward/firmward/staging"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/wire"
)

// copyTaken is how long, in real time, a place may take until it has restarted with a configuration: nobody knocks while it is away.
const copyTaken = 5 * time.Second

// mirror lets a place take over how a device in use is set up, and looks until it is back. Where that cannot be, the rehearsal goes on and its
// verdict says why.
func (c *Control) mirror(ctx context.Context, h firmward.Rehearsal, spare firmward.Device) (time.Time, error) {
	away := c.Clock.Real(copyTaken)
	if h.Tries == 0 { // a crash before it is saved copies twice, which changes nothing
		like, size, sum, err := c.copyConfig(ctx, h, spare)
		if ctx.Err() != nil {
			return time.Time{}, ctx.Err()
		}
		if err != nil {
			h.NotCopied = err.Error()
			return c.to(ctx, h, firmward.RehearseBefore)
		}
		h.Tries, h.Since, h.Copied = 1, c.Clock.Now(), like.Name
		err = c.Store.Tx(ctx, func(tx *store.Tx) error {
			if err := tx.PutRehearsal(ctx, h); err != nil {
				return err
			}
			return c.leaf(ctx, tx, self, "config-copy", like.ID, map[string]string{
				"rehearsal": h.RolloutID, "to": spare.ID, "place": string(h.Place), "size": fmt.Sprint(size), "sha256": sum,
			})
		})
		return h.Since.Add(away), err
	}
	if c.Clock.Now().Before(h.Since.Add(away)) {
		return h.Since.Add(away), nil
	}
	seen, err := c.look(ctx, spare)
	switch {
	case err != nil:
		return time.Time{}, err
	case seen.Reachable:
		return c.to(ctx, h, firmward.RehearseBefore)
	case c.Clock.Now().Before(h.Since.Add(c.backWithin(c.able(c.Catalog.Model(spare), nil).Settle))):
		return c.Clock.Now().Add(c.Clock.Real(time.Second)), nil
	}
	h.NotCopied, h.Copied = "it did not come back with that of "+h.Copied, ""
	return c.to(ctx, h, firmward.RehearseBefore)
}

// copyConfig reads the configuration of the device in use and puts it into the spare. The error says why not, for people.
func (c *Control) copyConfig(ctx context.Context, h firmward.Rehearsal, spare firmward.Device) (like firmward.Device, size int, sum string, err error) {
	drv := c.byDriver[c.Catalog.Model(spare).Driver]
	saves, ok := drv.(driver.Backuper)
	puts, can := drv.(driver.Restorer)
	if !ok || !can {
		return like, 0, "", firmward.Errorf(firmward.NotSupported, "its driver cannot copy it")
	}
	if like, err = c.Store.Device(ctx, h.Like); err != nil {
		return like, 0, "", err
	}
	if why := staging.MayCopy(like, c.Clock.Now()); why != "" {
		return like, 0, "", firmward.Errorf(firmward.Refused, why)
	}
	var saved bounded
	if err = c.short(ctx, like, drv, func(ctx context.Context, conn wire.Conn) error { return saves.Backup(ctx, conn, &saved) }); err != nil {
		return like, 0, "", fmt.Errorf("that of %s cannot be read: %w", like.Name, err)
	}
	if err = c.short(ctx, spare, drv, func(ctx context.Context, conn wire.Conn) error { return puts.Restore(ctx, conn, saved.Bytes()) }); err != nil {
		return like, 0, "", fmt.Errorf("it did not take that of %s: %w", like.Name, err)
	}
	hash := sha256.Sum256(saved.Bytes())
	return like, saved.Len(), hex.EncodeToString(hash[:]), nil
}
