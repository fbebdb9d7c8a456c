package control

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
)

// othersPace is the least time between two turns that other servers cause.
const othersPace = 200 * time.Millisecond

// hearOthers wakes what other servers on the same database may have left work for, at once and then at most once in othersPace. What
// is not heard is found all the same, later: see idle.
func (c *Control) hearOthers(ctx context.Context) error {
	news := make(chan struct{}, 1)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return c.Store.Others(ctx, func() {
			select {
			case news <- struct{}{}:
			default:
			}
		})
	})
	g.Go(func() error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-news:
				c.wake(loopDeploy, loopDispatch)
			}
			pace := time.NewTimer(othersPace)
			select {
			case <-ctx.Done():
				pace.Stop()
				return nil
			case <-pace.C:
			}
		}
	})
	return g.Wait()
}
