package control

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/driver"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/wire"
)

// MaxConfig bounds a saved configuration, in bytes.
const MaxConfig = 8 << 20

// errConfigSize ends the saving of a configuration that is too large.
var errConfigSize = firmward.Errorf(firmward.TooLarge, fmt.Sprintf("its configuration is larger than %d bytes", MaxConfig))

// configScope is where the configurations of a device are kept: one for each content, so that a wiped one takes the place of none.
func configScope(device, sum string) string { return "config:" + device + ":" + sum }

// bounded takes at most MaxConfig bytes.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > MaxConfig {
		return 0, errConfigSize
	}
	return b.Buffer.Write(p)
}

// saveConfig takes the configuration of a device into safekeeping before it is wiped, where its driver can read that. A configuration
// that cannot be saved keeps the image from being sent. It holds secrets: it is sealed like a credential. ev is nil when all is well.
func (c *Control) saveConfig(ctx context.Context, j job, conn wire.Conn) (ev *rollout.Event, err error) {
	drv, ok := j.driver.(driver.Backuper)
	if !ok || !j.release.WipesConfig {
		return nil, nil
	}
	var saved bounded
	err = drv.Backup(ctx, conn, &saved)
	switch code := firmward.CodeOf(err); {
	case err != nil && (code == firmward.Refused || code == firmward.Unauthorized || code == firmward.TooLarge):
		return &rollout.Event{Kind: rollout.PreflightRefused, Code: "config-not-saved", Why: "its configuration cannot be saved before it is wiped: " + err.Error()}, nil
	case err != nil:
		return &rollout.Event{Kind: rollout.PreflightFailed, Why: "its configuration was not saved before it is wiped: " + err.Error()}, nil
	}
	hash := sha256.Sum256(saved.Bytes())
	sum := hex.EncodeToString(hash[:])
	scope := configScope(j.device.ID, sum[:12])
	sealed, err := c.Secrets.Seal(scope, wire.Secret{User: j.device.Firmware, Password: saved.String()})
	if err != nil {
		return nil, err
	}
	return nil, c.Store.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.PutSecret(ctx, store.Secret{Scope: scope, User: j.device.Firmware, Ciphertext: sealed, At: c.Clock.Now()}); err != nil {
			return err
		}
		return c.leaf(ctx, tx, self, "config-save", j.device.ID, map[string]string{
			"rollout": j.rollout.ID, "firmware": j.device.Firmware, "size": fmt.Sprint(saved.Len()), "sha256": sum,
		})
	})
}

// SavedConfig gives the configuration of a device that was saved last, and records who took it out.
func (c *Control) SavedConfig(ctx context.Context, who firmward.Person, ref string) ([]byte, error) {
	d, err := c.find(ctx, ref)
	if err != nil {
		return nil, err
	}
	all, err := c.Store.SecretsUnder(ctx, configScope(d.ID, ""))
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, firmward.Errorf(firmward.NotFound, "no configuration of "+d.Name+" was saved: that is done before an update that wipes it, where the driver can")
	}
	last := all[0]
	for _, s := range all[1:] {
		if s.At.After(last.At) {
			last = s
		}
	}
	secret, err := c.Secrets.Open(last.Scope, last.Ciphertext)
	if err != nil {
		return nil, err
	}
	if err := c.Store.Tx(ctx, func(tx *store.Tx) error {
		return c.leaf(ctx, tx, who.Name, "config-read", d.ID, map[string]string{"firmware": secret.User, "saved": last.At.Format(time.RFC3339)})
	}); err != nil {
		return nil, err
	}
	return []byte(secret.Password), nil
}
