package driver

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/textproto"
	"net/url"
	"time"

	"github.com/icholy/digest"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/wire"
)

// ErrNotBegun is in errors of an installation that the device did not begin: nothing of the image was on
// its way yet, or the device said that it is at something else. It may be tried again later.
var ErrNotBegun = errors.New("the installation was not begun")

// NotBegun says so of an error and keeps its code and words.
func NotBegun(err error) error { return notBegun{err} }

type notBegun struct{ error }

func (e notBegun) Is(target error) bool { return target == ErrNotBegun }
func (e notBegun) Unwrap() error        { return e.error }

// exchangeLimit ends an exchange that moves no image, challenge and answer together.
const exchangeLimit = 10 * time.Second

// answerLimit is the time for an answer from its first byte to its last. A device may take minutes to
// write an image, but not to say so.
const answerLimit = 10 * time.Second

// tlsPort is the one port on which drivers speak TLS. There the password goes along with each request, but to nobody
// else than who shows the certificate for which it was entered (wire.Secret.GoesTo); elsewhere it answers digest challenges.
const tlsPort = 443

// Post sends one HTTP POST to the device's port and returns the answer's body. It follows no redirect and ends by itself,
// however long or slow the answer. An error has code Unauthorized when the device wants another password, Refused when
// another certificate stands before it, else Unavailable and says what came back.
func Post(ctx context.Context, c wire.Conn, port uint16, path, contentType string, body []byte) ([]byte, error) {
	return send(ctx, c, http.MethodPost, port, path, contentType, body)
}

// Put sends one HTTP PUT as Post does.
func Put(ctx context.Context, c wire.Conn, port uint16, path, contentType string, body []byte) ([]byte, error) {
	return send(ctx, c, http.MethodPut, port, path, contentType, body)
}

func send(ctx context.Context, c wire.Conn, method string, port uint16, path, contentType string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, exchangeLimit)
	defer cancel()
	req, err := request(ctx, c, method, port, path, contentType)
	if err != nil {
		return nil, err
	}
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	req.Body, _ = req.GetBody()
	req.ContentLength = int64(len(body))
	return exchange(c, port, req)
}

// Get asks for a path as Post does.
func Get(ctx context.Context, c wire.Conn, port uint16, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, exchangeLimit)
	defer cancel()
	req, err := request(ctx, c, http.MethodGet, port, path, "")
	if err != nil {
		return nil, err
	}
	return exchange(c, port, req)
}

// GetInClear asks for a path as Get does, but sends the password along unasked and readable by anybody on the way
// (Basic, RFC 7617). It is for devices that know no other form and ask for none; a driver that uses it says so.
func GetInClear(ctx context.Context, c wire.Conn, port uint16, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, exchangeLimit)
	defer cancel()
	req, err := request(ctx, c, http.MethodGet, port, path, "")
	if err != nil {
		return nil, err
	}
	if c.Secret.Password != "" {
		req.SetBasicAuth(c.Secret.User, c.Secret.Password)
	}
	c.Secret = wire.Secret{}
	return exchange(c, port, req)
}

func exchange(c wire.Conn, port uint16, req *http.Request) ([]byte, error) {
	client := client(c, port)
	switch {
	case c.Secret.Password == "":
	case port == tlsPort:
		req.SetBasicAuth(c.Secret.User, c.Secret.Password)
	default:
		client.Transport = &digest.Transport{Username: c.Secret.User, Password: c.Secret.Password, Transport: client.Transport}
	}
	return answer(client.Do(req))
}

// client asks a port of the device; the request's context carries the time limit.
func client(c wire.Conn, port uint16) *http.Client {
	if port == tlsPort {
		return wire.HTTPSClient(c.Network, 0, c.Secret.GoesTo)
	}
	return wire.HTTPClient(c.Network, 0)
}

// Form is a request body with an image in the middle, or one that is an image alone.
type Form struct {
	Method      string // POST if empty
	ContentType string
	Head, Tail  []byte
	Open        func() (io.ReadCloser, error)
	Size        int64 // of the image: small web servers want to know the length of a request
}

// Upload sends a form to a path that always wants the password. An empty request asks for a digest challenge
// first, so that the image is sent once. An error from before the image was on its way wraps ErrNotBegun.
// ctx limits the time for sending and for the device's work; the answer itself is bounded as for Post.
func Upload(ctx context.Context, c wire.Conn, port uint16, path string, f Form) ([]byte, error) {
	if f.Size <= 0 {
		return nil, NotBegun(firmward.Errorf(firmward.Invalid, "the size of the image is not known"))
	}
	f.Method = cmp.Or(f.Method, http.MethodPost)
	img := &lazy{open: f.Open}
	b, err := upload(ctx, c, port, path, f, img)
	if err != nil && img.untouched() {
		err = NotBegun(err)
	}
	return b, err
}

func upload(ctx context.Context, c wire.Conn, port uint16, path string, f Form, img *lazy) ([]byte, error) {
	client := client(c, port)
	credentials, err := authorize(ctx, c, client, port, path, f)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := request(hurry(ctx, cancel), c, f.Method, port, path, f.ContentType)
	if err != nil {
		return nil, err
	}
	if credentials != "" {
		req.Header.Set("Authorization", credentials)
	}
	req.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(f.Head), img, bytes.NewReader(f.Tail)), img}
	req.ContentLength = int64(len(f.Head)) + f.Size + int64(len(f.Tail))
	b, err := answer(client.Do(req))
	if err != nil && context.Cause(ctx) == errSlow {
		err = firmward.Errorf(firmward.Unavailable, "the device's answer came too slowly and was cut")
	}
	return b, err
}

// authorize asks for a challenge with an empty request and gives the header that answers it, "" for a
// device without a password. Over TLS nothing needs to be asked.
func authorize(ctx context.Context, c wire.Conn, client *http.Client, port uint16, path string, f Form) (string, error) {
	if c.Secret.Password == "" {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, exchangeLimit)
	defer cancel()
	req, err := request(ctx, c, f.Method, port, path, f.ContentType)
	if err != nil {
		return "", err
	}
	if port == tlsPort {
		req.SetBasicAuth(c.Secret.User, c.Secret.Password)
		return req.Header.Get("Authorization"), nil
	}
	res, err := client.Do(req)
	if err != nil {
		return "", unanswered(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusUnauthorized {
		return "", status(res)
	}
	return credentials(res.Header, f.Method, req.URL.RequestURI(), c.Secret)
}

// credentials answers a challenge.
func credentials(header http.Header, method, uri string, secret wire.Secret) (string, error) {
	challenge, err := digest.FindChallenge(header)
	if err != nil {
		return "", &firmward.Error{Code: firmward.Unauthorized, Message: "the device asks for its password in a way that firmward cannot answer", Err: err}
	}
	cred, err := digest.Digest(challenge, digest.Options{
		Method: method, URI: uri, Username: secret.User, Password: secret.Password, Count: 1,
	})
	if err != nil {
		return "", &firmward.Error{Code: firmward.Unauthorized, Message: "the device's challenge cannot be answered", Err: err}
	}
	return cred.String(), nil
}

func request(ctx context.Context, c wire.Conn, method string, port uint16, path, contentType string) (*http.Request, error) {
	scheme := "http://"
	if port == tlsPort {
		scheme = "https://"
	}
	url := scheme + netip.AddrPortFrom(c.Addr, port).String() + path
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return nil, fmt.Errorf("build request: %w", err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	req.Header.Set("User-Agent", "firmward")
	return req, nil
}

// answer reads what came back, in words when it is not a good answer.
func answer(res *http.Response, err error) ([]byte, error) {
	if err != nil {
		return nil, unanswered(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusAccepted {
		return nil, status(res)
	}
	b, err := io.ReadAll(res.Body)
	switch {
	case errors.Is(err, wire.ErrBound):
		return nil, &firmward.Error{Code: firmward.Unavailable, Message: fmt.Sprintf("the device's answer is longer than %d KiB and was cut", wire.MaxAnswer>>10), Err: err}
	case err != nil && late(err):
		return nil, &firmward.Error{Code: firmward.Unavailable, Message: "the device's answer came too slowly and was cut", Err: err}
	case err != nil:
		return nil, &firmward.Error{Code: firmward.Unavailable, Message: "the device's answer broke off", Err: err}
	}
	return b, nil
}

func unanswered(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // the address may hold a password: some devices want theirs in the path
	}
	message := "the device does not answer"
	switch {
	case errors.Is(err, wire.ErrUndialled):
		if word, ok := errors.AsType[*firmward.Error](err); ok { // of the guard, or about the certificate
			return NotBegun(word)
		}
		return NotBegun(&firmward.Error{Code: firmward.Unavailable, Message: message, Err: err})
	case late(err):
		message = "no whole answer came from the device in time"
	}
	return &firmward.Error{Code: firmward.Unavailable, Message: message, Err: err}
}

func late(err error) bool { return wire.Timeout(err) || errors.Is(err, context.DeadlineExceeded) }

// status puts an HTTP status that is no success into words. What is asked back for a password, or turned
// away at the door, was not begun.
func status(res *http.Response) error {
	said := fmt.Sprintf(" (HTTP status %d)", res.StatusCode)
	switch {
	case res.StatusCode == http.StatusUnauthorized:
		return NotBegun(firmward.Errorf(firmward.Unauthorized, "the device wants another password (firmward credentials set)"))
	case res.StatusCode == http.StatusServiceUnavailable || res.StatusCode == http.StatusTooManyRequests:
		return NotBegun(firmward.Errorf(firmward.Unavailable, "the device is too busy"+said))
	case res.StatusCode/100 == 3:
		return firmward.Errorf(firmward.Unavailable, "the device redirects to another place, which is not followed"+said)
	}
	body, _ := io.ReadAll(io.LimitReader(res.Body, maxSaid)) // what came before it broke off says enough
	words := &Said{Status: res.StatusCode, Body: body}
	if res.StatusCode == http.StatusForbidden { // some say so of more than a password
		return NotBegun(&firmward.Error{Code: firmward.Unauthorized, Message: "the device wants another password (firmward credentials set)", Err: words})
	}
	return &firmward.Error{Code: firmward.Unavailable, Message: "the device answered with an error", Err: words}
}

// Said is in errors about an answer whose HTTP status is no success: what the device said with it. A driver
// that knows the device's words tells from them whether an image is refused for good.
type Said struct {
	Status int
	Body   []byte // its first 8 KiB
}

// maxSaid bounds what is read of an answer with an error.
const maxSaid = 8 << 10

func (s *Said) Error() string { return fmt.Sprintf("HTTP status %d", s.Status) }

var errSlow = errors.New("the answer came too slowly")

// hurry gives an answer that has begun answerLimit to end. An interim answer is no beginning.
func hurry(ctx context.Context, cancel context.CancelCauseFunc) context.Context {
	end := time.AfterFunc(time.Hour, func() { cancel(errSlow) })
	end.Stop()
	context.AfterFunc(ctx, func() { end.Stop() })
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotFirstResponseByte: func() { end.Reset(answerLimit) },
		Got1xxResponse: func(int, textproto.MIMEHeader) error {
			end.Stop()
			return nil
		},
	})
}
