package wire

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
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
		return b[:limit], &firmward.Error{Code: firmward.TooLarge, Message: "answer cut", Err: ErrBound}
	}
	return b, err
}

// DialLimit ends a dial that gets no answer. net/http lets a dial run on after its request has
// ended, so the request's own limit does not reach it.
const DialLimit = 5 * time.Second

// HTTPClient returns a client that dials through n only, keeps no connection, follows no redirect and
// gives up after timeout (the whole exchange, so that a dripping device is cut); 0 leaves the limit to
// the request's context.
func HTTPClient(n Network, timeout time.Duration) *http.Client {
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, DialLimit)
		defer cancel()
		return n.DialContext(ctx, network, address)
	}
	return &http.Client{
		Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 64 << 10},
		Timeout:   timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
}

// Timeout reports whether err says that nothing came back in time.
func Timeout(err error) bool {
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}

// authorization is a header whose value would let somebody guess the password offline, also where it
// is only the answer to a digest challenge.
var authorization = regexp.MustCompile(`(?i)(\bauthorization:[ \t]*\w*)[^\r\n]*`)

// mask takes secrets out of what is recorded.
func mask(b []byte, secrets []string) []byte {
	out := bytes.Clone(b)
	if bytes.Contains(b, []byte("uthorization")) || bytes.Contains(b, []byte("UTHORIZATION")) { // images are long
		out = authorization.ReplaceAll(b, []byte("$1 ***"))
	}
	for _, s := range secrets {
		if s != "" {
			out = bytes.ReplaceAll(out, []byte(s), bytes.Repeat([]byte("*"), len(s)))
		}
	}
	return out
}
