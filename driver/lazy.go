package driver

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// lazy is an image that is opened when its first byte is asked for: from that moment on it may have left
// this host. A transport may close it while it reads.
type lazy struct {
	open func() (io.ReadCloser, error)

	mu      sync.Mutex
	touched bool
	ended   bool // nobody can open it any more
	r       io.ReadCloser
}

// Read opens the image at the first call.
func (l *lazy) Read(b []byte) (int, error) {
	r, err := l.reader()
	if err != nil {
		return 0, err
	}
	return r.Read(b)
}

func (l *lazy) reader() (io.Reader, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.r != nil:
		return l.r, nil
	case l.ended:
		return nil, errors.New("read the image: the request has ended")
	}
	r, err := l.open()
	if err != nil {
		return nil, fmt.Errorf("open the image: %w", err)
	}
	l.r, l.touched = r, true
	return r, nil
}

// untouched reports whether no byte was read, and sees to it that none will be.
func (l *lazy) untouched() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	return !l.touched
}

// Close closes what Read opened.
func (l *lazy) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	if l.r == nil {
		return nil
	}
	return l.r.Close()
}
