package wire

import (
	"bytes"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// pieces gives bytes in pieces of at most size and notes whether a read has a deadline.
type pieces struct {
	net.Conn
	rest  *bytes.Reader
	size  int
	until time.Time
}

func (p *pieces) Read(b []byte) (int, error)        { return p.rest.Read(b[:min(len(b), p.size)]) }
func (p *pieces) SetReadDeadline(t time.Time) error { p.until = t; return nil }

// FuzzRecords: however records are cut into pieces, their bytes stay as they are and a deadline stands exactly within a record.
func FuzzRecords(f *testing.F) {
	f.Add([]byte("\x16\x03\x03\x00\x02hi\x17\x03\x03\x00\x00\x17\x03\x03\x00\x05hell"), uint8(1))
	f.Add([]byte("\x16\x03"), uint8(7))
	f.Fuzz(func(t *testing.T, b []byte, size uint8) {
		within := false // told by another way of counting
		for rest := b; len(rest) > 0 && !within; {
			n := 5
			if len(rest) >= 5 {
				n += int(rest[3])<<8 | int(rest[4])
			}
			if within = len(rest) < n; !within {
				rest = rest[n:]
			}
		}
		p := &pieces{rest: bytes.NewReader(b), size: int(size) + 1}
		got, err := io.ReadAll(&records{Conn: p})
		if err != nil || !bytes.Equal(got, b) || p.until.IsZero() == within {
			t.Errorf("%q, %v, deadline %v, within a record %v", got, err, p.until, within)
		}
	})
}

// TestRecordsEnd: a record that drips ends in time, and silence between records does not count.
func TestRecordsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		done := make(chan struct{})
		defer func() { here.Close(); <-done }()
		go func() {
			defer close(done)
			defer there.Close()
			time.Sleep(10 * tlsLimit)
			if _, err := there.Write([]byte("\x17\x03\x03\x00\x01x")); err != nil {
				return
			}
			time.Sleep(10 * tlsLimit)
			for _, c := range []byte("\x17\x03\x03\x01\x00" + string(make([]byte, 256))) {
				if _, err := there.Write([]byte{c}); err != nil {
					return
				}
				time.Sleep(1100 * time.Millisecond)
			}
		}()
		began := time.Now()
		b, err := io.ReadAll(&records{Conn: here})
		if took := time.Since(began); !Timeout(err) || took != 21*tlsLimit || len(b) != 6+10 {
			t.Errorf("%d bytes after %s, %v", len(b), took, err)
		}
	})
}
