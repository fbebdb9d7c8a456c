package httpapi

import (
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/firmward/firmward"
)

// InProcess is a transport that hands requests to a handler in the same process, in the name of one
// person. Bodies stream in both directions, so events and progress work as over a socket.
type InProcess struct {
	Handler http.Handler
	Person  firmward.Person
}

// RoundTrip starts the handler and returns as soon as it wrote its header.
func (t InProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	out := r.Clone(LocalPerson(r.Context(), t.Person))
	if out.Body == nil {
		out.Body = http.NoBody
	}
	out.Host, out.RequestURI, out.RemoteAddr = r.URL.Host, r.URL.RequestURI(), "in-process"
	pr, pw := io.Pipe()
	w := &pipeWriter{header: http.Header{}, body: pw, ready: make(chan struct{})}
	go func() {
		err := error(io.EOF)
		defer func() {
			if v := recover(); v != nil { // http.ErrAbortHandler: the answer is cut off
				err = io.ErrUnexpectedEOF
			}
			w.WriteHeader(http.StatusOK)
			pw.CloseWithError(err)
			out.Body.Close()
		}()
		t.Handler.ServeHTTP(w, out)
	}()
	select {
	case <-w.ready:
	case <-r.Context().Done():
	}
	if err := r.Context().Err(); err != nil { // also when both are ready: what the handler then says is only that it was given up
		pr.CloseWithError(err)
		return nil, err
	}
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, Body: pr, ContentLength: -1, Request: r,
	}, nil
}

// pipeWriter is the handler's side of the transport.
type pipeWriter struct {
	header http.Header
	sent   http.Header // as it was when the header was written
	status int
	body   *io.PipeWriter
	once   sync.Once
	ready  chan struct{}
}

func (w *pipeWriter) Header() http.Header { return w.header }

func (w *pipeWriter) WriteHeader(status int) {
	w.once.Do(func() {
		w.status, w.sent = status, w.header.Clone()
		close(w.ready)
	})
}

func (w *pipeWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

// Flush has nothing to do: every write reaches the reader at once.
func (w *pipeWriter) Flush() { w.WriteHeader(http.StatusOK) }

// SetReadDeadline has nothing to do: both ends end with the request's context.
func (w *pipeWriter) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline has nothing to do.
func (w *pipeWriter) SetWriteDeadline(time.Time) error { return nil }
