package lab

import (
	"net"
	"sync"
)

type listener struct {
	host  *host
	addr  *net.TCPAddr
	queue chan *conn
	done  chan struct{}
	once  sync.Once
}

// offer needs net.mu.
func (l *listener) offer(c *conn) bool {
	select {
	case l.queue <- c:
		return true
	default:
		return false
	}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case <-l.done:
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.addr, Err: net.ErrClosed}
	default:
	}
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.done:
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.addr, Err: net.ErrClosed}
	}
}

func (l *listener) Close() error {
	l.once.Do(func() {
		l.host.net.mu.Lock()
		if l.host.listeners[uint16(l.addr.Port)] == l {
			delete(l.host.listeners, uint16(l.addr.Port))
		}
		close(l.done)
		l.host.net.mu.Unlock()
		for {
			select {
			case c := <-l.queue:
				c.abort()
			default:
				return
			}
		}
	})
	return nil
}

func (l *listener) Addr() net.Addr { return l.addr }
