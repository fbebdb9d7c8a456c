package lab

import (
	"context"
	"net"
	"sync"
)

// serveConns runs handle for every connection of a plain TCP service, in its own goroutine. handle must return when
// its context ends or its connection is closed.
func (d *Device) serveConns(handle func(context.Context, net.Conn)) func(net.Listener) func() {
	return func(l net.Listener) func() {
		ctx, cancel := context.WithCancel(d.lab.ctx)
		var mu sync.Mutex
		open := map[net.Conn]bool{}
		d.lab.wg.Go(func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				mu.Lock()
				if ctx.Err() != nil {
					mu.Unlock()
					_ = c.Close()
					continue
				}
				open[c] = true
				mu.Unlock()
				d.lab.wg.Go(func() {
					handle(ctx, c)
					_ = c.Close()
					mu.Lock()
					delete(open, c)
					mu.Unlock()
				})
			}
		})
		return func() {
			_ = l.Close()
			mu.Lock()
			defer mu.Unlock()
			cancel()
			for c := range open {
				_ = c.Close()
			}
		}
	}
}
