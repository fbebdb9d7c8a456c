package control

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/feed"
	"github.com/firmward/firmward/wire"
)

// The limits of one request, in real time.
const (
	fetchSilence = time.Minute      // without a byte
	fetchWhole   = 30 * time.Minute // in all, and as long as bytes take at fetchRate
	fetchRate    = 64 << 10         // bytes in a second
	maxHashFile  = 64 << 10         // bytes
)

// web asks the hosts of one feed, one request after another.
type web struct {
	client  *http.Client
	hosts   []string  // with port
	agent   string    // User-Agent
	key     string    // for the server; empty: none
	pinned  feed.Keys // by which documents must be signed, in place of those that the source knows
	scratch string
	clock   Clock
	tags    map[string]firmward.FeedTag // of what is held, by URL
	last    time.Time                   // when the last request began
	asked   int                         // requests so far
	signed  map[string]int              // documents whose signature is right, by the fingerprint of the key
	got     *atomic.Int64               // bytes of documents so far
}

func (c *Control) newWeb(urls []string, key string, pinned feed.Keys, tags map[string]firmward.FeedTag, got *atomic.Int64) *web {
	hosts, agent := feed.Hosts(urls), "firmward"
	if c.Version != "" {
		agent += "/" + c.Version
	}
	return &web{
		client: wire.WebClient(c.Network, hosts), hosts: hosts, agent: agent, key: key, pinned: pinned, scratch: c.Scratch, clock: c.Clock, tags: tags,
		got: got, signed: map[string]int{},
	}
}

// later is an error that may well go away; after is how long the server wants to be left alone.
type later struct {
	err   error
	after time.Duration
}

func (l *later) Error() string { return l.err.Error() }
func (l *later) Unwrap() error { return l.err }

// answer is what came of a request.
type answer struct {
	unchanged bool // it is what is held
	tag       firmward.FeedTag
}

// get asks until it is answered, a bounded number of times. take may be called for each try and begins anew with each.
func (w *web) get(ctx context.Context, q feed.Request, most int64, take func(io.Reader) error) (answer, error) {
	for tries := 1; ; tries++ {
		a, err := w.once(ctx, q, most, take)
		l, ok := errors.AsType[*later](err)
		if !ok || tries == feed.MaxTries || ctx.Err() != nil {
			return a, err
		}
		wait := max(feed.Again(tries, rand.Float64()), l.after)
		if wait > feed.MaxWait {
			return a, err // the feed's next run comes later than that
		}
		if err := w.pause(ctx, wait); err != nil {
			return a, err
		}
	}
}

// pause waits in real time.
func (w *web) pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// once asks once.
func (w *web) once(ctx context.Context, q feed.Request, most int64, take func(io.Reader) error) (answer, error) {
	u, err := url.Parse(q.URL)
	if err != nil || !slices.Contains(w.hosts, feed.Hosts([]string{q.URL})[0]) {
		return answer{}, firmward.Errorf(firmward.Refused, fmt.Sprintf("%q is on a host that nobody named for this feed: it is not asked", feed.Clip(q.URL)))
	}
	if err := w.keepPace(ctx, q); err != nil {
		return answer{}, err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	quiet := time.AfterFunc(fetchSilence, func() { stop(fmt.Errorf("no byte came in %s", fetchSilence)) })
	defer quiet.Stop()
	begun := time.Now()
	slow := time.AfterFunc(fetchWhole, func() { stop(fmt.Errorf("it took %s, too long for what came", time.Since(begun).Round(time.Minute))) })
	defer slow.Stop()
	req, err := w.request(ctx, q, u)
	if err != nil {
		return answer{}, err
	}
	res, err := w.client.Do(req)
	if err != nil {
		return answer{}, w.failed(ctx, u, err)
	}
	defer res.Body.Close()
	a := answer{tag: firmward.FeedTag{ETag: res.Header.Get("ETag"), Modified: res.Header.Get("Last-Modified")}}
	switch {
	case res.StatusCode == http.StatusNotModified && (req.Header.Get("If-None-Match") != "" || req.Header.Get("If-Modified-Since") != ""):
		return answer{unchanged: true, tag: w.tags[q.URL]}, nil
	case res.StatusCode != http.StatusOK:
		return a, w.refused(u, res)
	case res.ContentLength > most:
		return a, tooMuch(u, most)
	}
	err = take(&steady{r: io.LimitReader(res.Body, most+1), quiet: quiet, slow: slow, begun: begun, left: most + 1, got: w.got})
	if over, ok := errors.AsType[*overflow](err); ok && over != nil {
		return a, tooMuch(u, most)
	}
	if _, ok := errors.AsType[*local](err); ok || err == nil {
		return a, err
	}
	return a, w.failed(ctx, u, err)
}

// keepPace leaves the time between requests that their source asks for.
func (w *web) keepPace(ctx context.Context, q feed.Request) error {
	pace := q.Pace
	if w.key != "" && q.KeyHeader != "" {
		pace = q.PaceKeyed
	}
	if wait := time.Until(w.last.Add(pace)); pace > 0 && wait > 0 {
		if err := w.pause(ctx, wait); err != nil {
			return err
		}
	}
	w.last = time.Now()
	w.asked++
	return nil
}

func (w *web) request(ctx context.Context, q feed.Request, u *url.URL) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("build request: %w", err)
	}
	req.Header.Set("User-Agent", w.agent)
	if len(q.Hashes) == 0 && !q.Archive && !strings.HasSuffix(u.Path, ".gz") { // a hash is that of the document as it is
		req.Header.Set("Accept-Encoding", "gzip") // what is compressed is known by its content
	}
	if q.KeyHeader != "" && w.key != "" {
		req.Header.Set(q.KeyHeader, w.key)
	}
	if tag := w.tags[q.URL]; q.Conditional {
		if tag.ETag != "" {
			req.Header.Set("If-None-Match", tag.ETag)
		}
		if tag.Modified != "" {
			req.Header.Set("If-Modified-Since", tag.Modified)
		}
	}
	return req, nil
}

// refused says what a status means.
func (w *web) refused(u *url.URL, res *http.Response) error {
	text := fmt.Sprintf("%s answers with HTTP status %d", u.Host, res.StatusCode)
	if said := res.Header.Get("Message"); said != "" { // NVD says so why
		text += ": " + feed.Clip(said)
	}
	switch code := res.StatusCode; {
	case feed.Transient(code):
		return &later{firmward.Errorf(firmward.Unavailable, text), feed.RetryAfter(res.Header.Get("Retry-After"), w.clock.Now())}
	case code == http.StatusNotFound, code == http.StatusGone:
		return firmward.Errorf(firmward.NotFound, text+" for "+u.Path)
	}
	return firmward.Errorf(firmward.Unavailable, text)
}

// failed says why there is no answer, or half of one.
func (w *web) failed(ctx context.Context, u *url.URL, err error) error {
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err
	}
	if firmward.CodeOf(err) == firmward.Refused {
		return err
	}
	switch cause := context.Cause(ctx); {
	case cause != nil && !errors.Is(cause, context.Canceled):
		err = cause
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		err = errors.New("the answer ends in the middle")
	}
	said := &firmward.Error{Code: firmward.Unavailable, Message: u.Host, Err: err}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return said // somebody has to look
	}
	return &later{err: said}
}

func tooMuch(u *url.URL, most int64) error {
	return firmward.Errorf(firmward.TooLarge, fmt.Sprintf("%s sends more than %d bytes: nothing of it is used", u.Host, most))
}

// steady reads a body and notes that it goes on.
type steady struct {
	r           io.Reader
	quiet, slow *time.Timer // the first ends a silence, the second what comes too slowly
	begun       time.Time
	came, left  int64
	got         *atomic.Int64
}

// overflow is the error of a body that passed its bound.
type overflow struct{}

func (*overflow) Error() string { return "too much" }

func (s *steady) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.got.Add(int64(n))
	s.came += int64(n)
	if s.left -= int64(n); s.left <= 0 {
		return n, &overflow{}
	}
	if n > 0 {
		s.quiet.Reset(fetchSilence)
		s.slow.Reset(time.Until(s.begun.Add(fetchWhole + time.Duration(s.came/fetchRate)*time.Second)))
	}
	return n, err
}

// local is an error on this side: the disk is full.
type local struct{ err error }

func (l *local) Error() string { return l.err.Error() }
func (l *local) Unwrap() error { return l.err }

// index asks for a small document and gives it; nil when it is unchanged.
func (w *web) index(ctx context.Context, q feed.Request, most int64) ([]byte, answer, error) {
	var body bytes.Buffer
	a, err := w.get(ctx, q, most, func(r io.Reader) error {
		body.Reset()
		_, err := body.ReadFrom(r)
		return err
	})
	if err != nil || a.unchanged {
		return nil, a, err
	}
	doc, err := feed.OpenBytes(body.Bytes(), q.Name)
	if err != nil {
		return nil, a, err
	}
	defer doc.Close()
	b, err := wire.Bound(doc, feed.MaxIndex)
	if b == nil {
		b = []byte{}
	}
	return b, a, err
}

// download keeps a document in a file, which the caller removes, and checks its hash and its signature. Nothing is there after an error, and when
// the document is unchanged.
func (w *web) download(ctx context.Context, q feed.Request) (path string, a answer, err error) {
	file, err := os.CreateTemp(w.scratch, "feed-*")
	if err != nil {
		return "", a, fmt.Errorf("keep the document: %w", err)
	}
	defer func() {
		err = errors.Join(err, file.Close())
		if err != nil || a.unchanged {
			_ = os.Remove(file.Name()) // it may be gone
			path = ""
		}
	}()
	a, err = w.get(ctx, q, feed.MaxDownload, func(r io.Reader) error {
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return &local{err}
		}
		if err := file.Truncate(0); err != nil {
			return &local{err}
		}
		_, err := io.Copy(writing{file}, r)
		return err
	})
	if err == nil && !a.unchanged {
		if err = w.checkHash(ctx, q, file); err == nil {
			err = w.checkSignature(ctx, q, file)
		}
	}
	return file.Name(), a, err
}

// checkHash checks a document against the first of its hashes that is there. A provider has one kind or another; where there is
// none the line alone vouches.
func (w *web) checkHash(ctx context.Context, q feed.Request, document io.ReadSeeker) error {
	for _, at := range q.Hashes {
		h := q
		h.URL, h.Name, h.Hashes, h.Conditional = at, q.Name+", hash", nil, false
		sum, _, err := w.index(ctx, h, maxHashFile)
		if firmward.CodeOf(err) == firmward.NotFound {
			continue
		}
		if err == nil {
			_, err = document.Seek(0, io.SeekStart)
		}
		if err != nil {
			return err
		}
		return feed.CheckHash(document, sum)
	}
	return nil
}

// checkSignature checks that a document is signed, where it must be.
func (w *web) checkSignature(ctx context.Context, q feed.Request, document io.ReadSeeker) error {
	keys := w.pinned
	if keys.Empty() {
		keys = q.Keys
	}
	switch {
	case keys.Empty(), q.Archive: // the documents in an archive are signed, each for itself
		return nil
	case q.Signature == "":
		return firmward.Errorf(firmward.Invalid, q.Name+": it must be signed, and no signature is named")
	}
	s := q
	s.URL, s.Name, s.Hashes, s.Conditional = q.Signature, q.Name+", signature", nil, false
	sig, _, err := w.index(ctx, s, maxHashFile)
	if firmward.CodeOf(err) == firmward.NotFound {
		return firmward.Errorf(firmward.Invalid, q.Name+": it must be signed, and its signature is not there")
	}
	if err != nil {
		return err
	}
	by, err := keys.Check(document, sig, w.clock.Now())
	if err == nil {
		w.signed[by]++
	}
	return err
}

// writing marks what goes wrong here and not at the server.
type writing struct{ w io.Writer }

func (w writing) Write(p []byte) (int, error) {
	n, err := w.w.Write(p)
	if err != nil {
		err = &local{err}
	}
	return n, err
}
