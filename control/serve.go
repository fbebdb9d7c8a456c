package control

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/firmward/firmward/depot"
)

// serveDepot lets devices fetch the images that were granted to them, and nothing else.
func (c *Control) serveDepot(ctx context.Context) error {
	ln, err := c.Network.Listen(ctx, "tcp", c.Serve.String())
	if err != nil {
		return fmt.Errorf("listen for devices that fetch their image: %w", err)
	}
	srv := &http.Server{Handler: c.grant, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	if err := srv.Serve(ln); err != nil && !errors.Is(err, http.ErrServerClosed) && ctx.Err() == nil {
		return fmt.Errorf("serve images: %w", err)
	}
	return nil
}

// served notes who fetched what.
func (c *Control) served(s depot.Served) {
	c.Log.Info("image asked for", "addr", s.Addr, "status", s.Status, "bytes", s.Bytes, "why", s.Why)
}

// recover takes over what an earlier run left: with one owner per data directory nobody else can hold
// the leases, so commands that were sent are in doubt at once and the others are free.
func (c *Control) recover(ctx context.Context) error {
	if err := c.Store.FreeLeases(ctx, c.Clock.Now()); err != nil {
		return fmt.Errorf("take over commands: %w", err)
	}
	if err := c.reread(ctx); err != nil {
		return fmt.Errorf("read evidence by the new rules: %w", err)
	}
	if err := c.restoreWalls(ctx); err != nil {
		return fmt.Errorf("set walls again: %w", err)
	}
	if err := c.resumeGrants(ctx); err != nil {
		return fmt.Errorf("let devices fetch on: %w", err)
	}
	return c.resolveDoubt(ctx, c.Clock.Now())
}
