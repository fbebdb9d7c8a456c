package driver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"time"

	"github.com/icholy/digest"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/wire"
)

const maxAnswer = 256 << 10

// Body makes the body of a request; it may be called again when a password challenge comes between.
type Body func() (io.ReadCloser, error)

// Bytes is a Body of fixed bytes.
func Bytes(b []byte) Body {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
}

// Framed is a Body of head, an image and tail. The image is opened when its first byte is asked for:
// clients make bodies that they never read or close.
func Framed(head []byte, open func() (io.ReadCloser, error), tail []byte) Body {
	return func() (io.ReadCloser, error) {
		img := &lazy{open: open}
		return struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(head), img, bytes.NewReader(tail)), img}, nil
	}
}

type lazy struct {
	open func() (io.ReadCloser, error)
	r    io.ReadCloser
}

func (l *lazy) Read(b []byte) (int, error) {
	if l.r == nil {
		r, err := l.open()
		if err != nil {
			return 0, fmt.Errorf("open the image: %w", err)
		}
		l.r = r
	}
	return l.r.Read(b)
}

func (l *lazy) Close() error {
	if l.r == nil {
		return nil
	}
	return l.r.Close()
}

// Post sends one bounded HTTP POST to the device's port and returns the answer's body. It answers
// digest challenges. A device that wants another password gives an error with code Unauthorized.
func Post(ctx context.Context, c wire.Conn, port uint16, path, contentType string, body []byte) ([]byte, error) {
	return post(ctx, c, port, path, contentType, Bytes(body), false)
}

// Upload is Post for a long body: the challenge is asked for by an empty request first, so that the
// body is sent once. Only for paths that always want the password.
func Upload(ctx context.Context, c wire.Conn, port uint16, path, contentType string, body Body) ([]byte, error) {
	return post(ctx, c, port, path, contentType, body, true)
}

func post(ctx context.Context, c wire.Conn, port uint16, path, contentType string, body Body, long bool) ([]byte, error) {
	client := wire.HTTPClient(c.Network, 0) // ctx carries the time limit
	if c.Secret.Password != "" {
		client.Transport = &digest.Transport{Username: c.Secret.User, Password: c.Secret.Password, Probe: long, Transport: client.Transport}
	}
	url := "http://" + netip.AddrPortFrom(c.Addr, port).String() + path
	first, err := body()
	if err != nil {
		return nil, fmt.Errorf("open request body: %w", err)
	}
	defer first.Close()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, first)
	if err != nil {
		return nil, fmt.Errorf("build request: %w", err)
	}
	req.GetBody = body
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("User-Agent", "firmward")
	res, err := client.Do(req)
	if err != nil {
		return nil, &firmward.Error{Code: firmward.Unavailable, Message: "the device does not answer", Err: err}
	}
	defer res.Body.Close()
	b, err := wire.Bound(res.Body, maxAnswer)
	switch {
	case res.StatusCode == http.StatusUnauthorized:
		return nil, firmward.Errorf(firmward.Unauthorized, "the device wants another password (firmward credentials set)")
	case res.StatusCode != http.StatusOK:
		return nil, firmward.Errorf(firmward.Unavailable, fmt.Sprintf("the device answered with HTTP status %d", res.StatusCode))
	case err != nil:
		return nil, &firmward.Error{Code: firmward.Unavailable, Message: "the device's answer broke off", Err: err}
	}
	return b, nil
}

// Sent reports whether err says that a request may have reached the device although no answer came:
// whoever sent an image must then look instead of sending again.
func Sent(err error) bool {
	return err != nil && firmward.CodeOf(err) == firmward.Unavailable && !errors.Is(err, ErrNotSent)
}

// ErrNotSent is wrapped by errors of exchanges that broke off before the image was on its way.
var ErrNotSent = errors.New("nothing was sent")

// SettleOr gives the driver's settle time, or the fallback when it names none.
func (i Info) SettleOr(fallback time.Duration) time.Duration {
	if i.Settle > 0 {
		return i.Settle
	}
	return fallback
}
