package lab

import (
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// window is how many bytes one direction of a connection holds before its writer waits, as a TCP window does.
const window = 256 << 10

// deadline wakes the waiters of a stream when its time has come. It is guarded by the stream's mutex.
type deadline struct {
	timer   *time.Timer
	expired bool
}

// set arms the deadline; the zero time disarms it. wake is called with mu held.
func (d *deadline) set(t time.Time, mu *sync.Mutex, wake func()) {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.expired = false
	if t.IsZero() {
		return
	}
	left := time.Until(t)
	if left <= 0 {
		d.expired = true
		wake()
		return
	}
	var self *time.Timer
	self = time.AfterFunc(left, func() {
		mu.Lock()
		defer mu.Unlock()
		if d.timer == self {
			d.expired = true
			wake()
		}
	})
	d.timer = self
}

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}

// stream is one direction of a connection: a growing ring of at most window bytes.
type stream struct {
	mu       sync.Mutex
	readable sync.Cond
	writable sync.Cond
	ring     []byte
	head, n  int

	fin          bool // the writer is done: reads end with io.EOF once drained
	readerClosed bool // the reading end is closed here: its reads fail
	writerClosed bool // the writing end is closed here: its writes fail
	gone         bool // the reader told its peer that it left: writes fail with EPIPE
	reset        bool // the connection was reset: both ends fail

	readBy, writeBy deadline
	count           *atomic.Int64 // bytes put into the stream; may be nil
}

func newStream(count *atomic.Int64) *stream {
	s := &stream{count: count}
	s.readable.L, s.writable.L = &s.mu, &s.mu
	return s
}

func (s *stream) wake() {
	s.readable.Broadcast()
	s.writable.Broadcast()
}

func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.readerClosed:
			return 0, net.ErrClosed
		case s.readBy.expired:
			return 0, os.ErrDeadlineExceeded
		case len(p) == 0:
			return 0, nil
		case s.n > 0:
			n := copy(p, s.ring[s.head:min(s.head+s.n, len(s.ring))])
			if n < len(p) && n < s.n {
				n += copy(p[n:], s.ring[:s.n-n])
			}
			s.head = (s.head + n) % len(s.ring)
			s.n -= n
			s.writable.Signal()
			return n, nil
		case s.reset:
			return 0, syscall.ECONNRESET
		case s.fin:
			return 0, io.EOF
		}
		s.readable.Wait()
	}
}

func (s *stream) write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	done := 0
	for {
		switch {
		case s.writerClosed:
			return done, net.ErrClosed
		case s.fin:
			return done, syscall.EPIPE
		case s.reset:
			return done, syscall.ECONNRESET
		case s.gone:
			return done, syscall.EPIPE
		case s.writeBy.expired:
			return done, os.ErrDeadlineExceeded
		}
		if done == len(p) {
			return done, nil
		}
		if s.n < window {
			n := s.put(p[done:])
			done += n
			if s.count != nil {
				s.count.Add(int64(n))
			}
			s.readable.Signal()
			continue
		}
		s.writable.Wait()
	}
}

// put copies what fits into the ring and returns how much that was; there is room for at least one byte.
func (s *stream) put(p []byte) int {
	if need := min(s.n+len(p), window); need > len(s.ring) {
		size := max(len(s.ring), 2048)
		for size < need {
			size *= 2
		}
		bigger := make([]byte, min(size, window))
		first := copy(bigger, s.ring[s.head:min(s.head+s.n, len(s.ring))])
		copy(bigger[first:], s.ring[:s.n-first])
		s.ring, s.head = bigger, 0
	}
	n := min(len(p), len(s.ring)-s.n)
	tail := (s.head + s.n) % len(s.ring)
	first := copy(s.ring[tail:], p[:n])
	copy(s.ring, p[first:n])
	s.n += n
	return n
}

func (s *stream) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	s.wake()
}

func (s *stream) setReadDeadline(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readBy.set(t, &s.mu, s.wake)
}

func (s *stream) setWriteDeadline(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writeBy.set(t, &s.mu, s.wake)
}

// conn is one end of a TCP connection.
type conn struct {
	host          *host
	local, remote *net.TCPAddr
	in, out       *stream
	served        bool          // this is the end that was accepted: faults slow it down
	writing       chan struct{} // holds the one writer, as a socket does
	done          chan struct{}
	state         *pumpConn // only on connections to a pump
	once          sync.Once
}

func (c *conn) wrap(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.in.read(p)
	return n, c.wrap("read", err)
}

// Write implements net.Conn: writers take turns, so that their bytes do not mix. The host's pace (faults slow and drip)
// holds for the end that was accepted. Whoever waits for a turn must do so at a channel: the clock of a synctest bubble
// stands still while a goroutine waits for a mutex, and a paced writer needs the clock to finish.
func (c *conn) Write(p []byte) (int, error) {
	select {
	case c.writing <- struct{}{}:
		defer func() { <-c.writing }()
	case <-c.done:
		return 0, c.wrap("write", net.ErrClosed)
	}
	done := 0
	for c.served && done < len(p) {
		step := c.host.pace.Load()
		if step == nil {
			break
		}
		if !c.pause(step.wait) {
			return done, c.wrap("write", net.ErrClosed)
		}
		n, err := c.out.write(p[done:min(done+step.bytes, len(p))])
		done += n
		if err != nil {
			return done, c.wrap("write", err)
		}
	}
	n, err := c.out.write(p[done:])
	return done + n, c.wrap("write", err)
}

func (c *conn) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.done:
		return false
	}
}

// Close ends both directions: the peer reads what is left and then io.EOF.
func (c *conn) Close() error {
	c.leave(false)
	return nil
}

// leave closes this end. A silent leave tells the peer nothing, as a host does that lost its power.
func (c *conn) leave(silent bool) {
	c.once.Do(func() {
		close(c.done)
		c.in.change(func() {
			c.in.readerClosed = true
			c.in.readBy.stop()
			if !silent {
				c.in.gone = true
			}
		})
		c.out.change(func() {
			c.out.writerClosed = true
			c.out.writeBy.stop()
			if !silent {
				c.out.fin = true
			}
		})
		c.host.forget(c)
	})
}

// CloseWrite half-closes: the peer reads io.EOF, this end can still read.
func (c *conn) CloseWrite() error {
	c.out.change(func() { c.out.fin = true })
	return nil
}

// abort resets the connection: the peer sees ECONNRESET.
func (c *conn) abort() {
	for _, s := range []*stream{c.in, c.out} {
		s.change(func() { s.reset, s.n = true, 0 })
	}
	c.leave(false)
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) SetDeadline(t time.Time) error {
	c.in.setReadDeadline(t)
	c.out.setWriteDeadline(t)
	return nil
}

func (c *conn) SetReadDeadline(t time.Time) error  { c.in.setReadDeadline(t); return nil }
func (c *conn) SetWriteDeadline(t time.Time) error { c.out.setWriteDeadline(t); return nil }

// isLeft tells whether the writing end was closed fully, not only half.
func (s *stream) isLeft() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writerClosed
}
