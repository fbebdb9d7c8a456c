package rtsp_test

import (
	"bufio"
	"bytes"
	"testing"

	"github.com/firmward/firmward/proto/rtsp"
)

// FuzzReadResponse reads any stream: never a panic, never an endless read, never a body over its bound.
func FuzzReadResponse(f *testing.F) {
	f.Add([]byte("RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 2\r\n\r\nv="))
	f.Add([]byte("$\x00\x00\x02xxRTSP/1.0 401 Unauthorized\r\n\r\n"))
	f.Add([]byte("RTSP/1.0 200 OK\r\nContent-Length: 99999999\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bufio.NewReader(bytes.NewReader(b))
		res, err := rtsp.ReadResponse(r)
		if len(res.Body) > rtsp.MaxBody || err == nil && len(res.Body) > len(b) {
			t.Errorf("body of %d bytes", len(res.Body))
		}
		if media := rtsp.Describe(b); len(media) > len(b) {
			t.Errorf("%d media", len(media))
		}
		_, _ = rtsp.ReadFrame(r)
	})
}
