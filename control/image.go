package control

import (
	"context"
	"fmt"
	"io"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/driver"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/wire"
)

// image makes the release ready for one device: for pulling devices a one-time address bound to the
// device. The depot verifies hash and size before a byte leaves.
func (c *Control) image(ctx context.Context, j job) (driver.Image, error) {
	img := driver.Image{Release: j.release, FallBack: j.rollout.Policy.CommitWithin}
	_, err := c.Depot.Verify(ctx, j.release.SHA256)
	if err != nil {
		return img, fmt.Errorf("the image in the depot is not sound: %w", err)
	}
	img.Open = func() (io.ReadCloser, error) { return c.Depot.Open(j.release.SHA256, j.release.Size) }
	if j.driver.Info().Path != driver.Pull {
		return img, nil
	}
	if !c.Serve.IsValid() {
		return img, firmward.Errorf(firmward.NotSupported, "the device fetches its image from firmward, but no address is set for that (serve --depot-addr)")
	}
	from := j.device.Addrs[0]
	if t, ok := c.Network.(wire.Translated); ok {
		from = t.SeenFrom(from)
	}
	g := store.Grant{SHA256: j.release.SHA256, Addr: from, Expires: c.Clock.Now().Add(max(j.rollout.Policy.Deadline, c.Clock.Real(installLimit)))}
	if g.Path, err = c.grant.Grant(g.SHA256, j.release.FileName, g.Addr, g.Expires); err != nil {
		return img, err
	}
	img.URL = "http://" + c.Serve.String() + g.Path
	// The device fetches after it said yes, even when firmward restarts meanwhile. The grant ends by its time.
	return img, c.Store.Tx(ctx, func(tx *store.Tx) error { return tx.PutGrant(ctx, g, c.Clock.Now()) })
}

// resumeGrants lets devices that said yes before a restart fetch what was promised to them.
func (c *Control) resumeGrants(ctx context.Context) error {
	grants, err := c.Store.Grants(ctx, c.Clock.Now())
	if err != nil {
		return err
	}
	for _, g := range grants {
		if err := c.grant.Resume(g.Path, g.SHA256, g.Addr, g.Expires); err != nil {
			c.Log.WarnContext(ctx, "a device cannot fetch its image any more", "addr", g.Addr, "sha256", g.SHA256, "error", err)
		}
	}
	return nil
}
