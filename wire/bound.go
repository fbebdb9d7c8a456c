package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/firmward/firmward"
)

// ErrBound is wrapped by errors of answers that passed a bound.
var ErrBound = errors.New("the answer passed its bound")

// Bound reads at most limit bytes and fails with ErrBound when there is more. What was read is
// returned with the error, so that a probe can keep it as evidence.
func Bound(r io.Reader, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(b)) > limit {
		return b[:limit], passed()
	}
	return b, err
}

// MaxAnswer bounds the body of one HTTP answer of a device, in bytes.
const MaxAnswer = 256 << 10

// HTTPClient returns a client that dials through n only, keeps no connection, follows no redirect and
// gives up after timeout (the whole exchange, so that a dripping device is cut); 0 leaves the limit to
// the request's context. Reading more than MaxAnswer bytes of a body fails with ErrBound, also for a
// RoundTripper put around this one that drains what it does not want.
func HTTPClient(n Network, timeout time.Duration) *http.Client {
	return client(&http.Transport{DialContext: dial(n)}, timeout)
}

func client(t *http.Transport, timeout time.Duration) *http.Client {
	t.DisableKeepAlives, t.DisableCompression, t.MaxResponseHeaderBytes = true, true, 64<<10
	return &http.Client{
		Transport: bounding{t},
		Timeout:   timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
}

// dial connects through n for as long as the request lasts for which it is done.
func dial(n Network) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := n.DialContext(asked(ctx), network, address)
		if err != nil {
			err = undialled{err}
		}
		return c, err
	}
}

// asked is the context of the request for which a dial is done.
func asked(ctx context.Context) context.Context {
	if req, ok := ctx.Value(request{}).(context.Context); ok {
		return req
	}
	return ctx
}

// ErrUndialled is in errors of an HTTPClient whose connection was not made: no byte of the request was sent.
var ErrUndialled = errors.New("no connection was made")

// undialled says so of an error and keeps its words.
type undialled struct{ error }

func (e undialled) Is(target error) bool { return target == ErrUndialled }
func (e undialled) Unwrap() error        { return e.error }
func (e undialled) Timeout() bool        { return Timeout(e.error) }

// request is the key under which a request's own context goes with it to the dial: net/http lets a dial
// run on after its request has ended.
type request struct{}

// bounding is a RoundTripper whose dials end with their request and whose answers end at MaxAnswer.
type bounding struct{ next http.RoundTripper }

func (t bounding) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	res, err := t.next.RoundTrip(req.WithContext(context.WithValue(ctx, request{}, ctx)))
	if err == nil {
		res.Body = &boundedBody{ReadCloser: res.Body, left: MaxAnswer}
	}
	return res, err
}

type boundedBody struct {
	io.ReadCloser
	left int
}

// Read gives what is left of the bound, then fails if there is more.
func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left == 0 && len(p) > 0 {
		var more [1]byte
		n, err := b.ReadCloser.Read(more[:])
		if n > 0 {
			err = passed()
		}
		return 0, err
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

func passed() error {
	return &firmward.Error{Code: firmward.TooLarge, Message: "answer cut", Err: ErrBound}
}

// Timeout reports whether err says that nothing came back in time.
func Timeout(err error) bool {
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}

// authorization is a header whose value would let somebody guess the password offline, also where it
// is only the answer to a digest challenge.
var authorization = regexp.MustCompile(`(?i)(authorization:[ \t]*(?:digest|basic|bearer)?)[^\r\n]*`)

// keep is what the record holds of a write: its first RecordMax bytes without secrets. A secret that
// begins before that end is masked whole.
func keep(b []byte, secrets []string) []byte {
	longest := 1
	for _, s := range secrets {
		longest = max(longest, len(s))
	}
	window := b[:min(len(b), RecordMax+longest)]
	out := mask(window, secrets)
	if len(window) < len(b) {
		out = out[:max(0, len(out)-longest+1)] // a secret may begin here and end beyond
	}
	return out[:min(len(out), RecordMax)]
}

// written adds to secrets how they look in a form and in JSON.
func written(secrets []string) []string {
	all := slices.Clone(secrets)
	for _, s := range secrets {
		if form := url.QueryEscape(s); form != s {
			all = append(all, form)
		}
		if b, err := json.Marshal(s); err == nil && string(b[1:len(b)-1]) != s {
			all = append(all, string(b[1:len(b)-1]))
		}
	}
	return all
}

// mask takes secrets out of what is recorded.
func mask(b []byte, secrets []string) []byte {
	out := bytes.Clone(b)
	if bytes.Contains(bytes.ToLower(b), []byte("authorization")) { // images are long, and this is quicker than the pattern
		out = authorization.ReplaceAll(b, []byte("$1 ***"))
	}
	for _, s := range secrets {
		if s != "" {
			out = bytes.ReplaceAll(out, []byte(s), bytes.Repeat([]byte("*"), len(s)))
		}
	}
	return out
}
