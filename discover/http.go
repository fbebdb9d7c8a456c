package discover

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"

	"github.com/icholy/digest"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/wire"
)

// Answer is what one HTTP exchange gave.
type Answer struct {
	Status  int
	Header  http.Header
	Body    []byte
	Outcome firmward.Outcome
	Note    string
}

// tlsPort is the port on which TLS is spoken.
const tlsPort = 443

// Exchange does one HTTP request to the target, bounded by wire.MaxAnswer and ctx. body nil means GET,
// else POST with the given content type. Port 443 is spoken to by TLS. With a secret it answers digest challenges; over TLS
// it sends the password along, to nobody else than who shows the certificate for which it was entered. It never follows a
// redirect.
func Exchange(ctx context.Context, t Target, port uint16, path, contentType string, body []byte) Answer {
	return exchange(ctx, t, port, path, contentType, body, false)
}

// ExchangeInClear gets a path as Exchange does, but sends a secret along unasked and readable by anybody on the way
// (Basic, RFC 7617): for devices that know no other form and ask for none.
func ExchangeInClear(ctx context.Context, t Target, port uint16, path string) Answer {
	return exchange(ctx, t, port, path, "", nil, true)
}

func exchange(ctx context.Context, t Target, port uint16, path, contentType string, body []byte, inClear bool) Answer {
	ear := Listening(t.Network)
	secure, secret := port == tlsPort, t.Secret.Password != ""
	client, scheme := wire.HTTPClient(ear, 0), "http://" // ctx carries the time limit
	switch {
	case secure && secret:
		client, scheme = wire.HTTPSClient(ear, 0, t.Secret.GoesTo), "https://"
	case secure:
		client, scheme = wire.HTTPSClient(ear, 0, wire.Anyone), "https://"
	case secret && !inClear:
		client.Transport = &digest.Transport{Username: t.Secret.User, Password: t.Secret.Password, Transport: client.Transport}
	}
	method := http.MethodGet
	if body != nil {
		method = http.MethodPost
	}
	address := scheme + netip.AddrPortFrom(t.Addr, port).String() + path
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return Answer{Outcome: firmward.NoAnswer, Note: err.Error()}
	}
	req.Header.Set("User-Agent", "firmward")
	if secure && t.Secret.Password != "" {
		req.SetBasicAuth(t.Secret.User, t.Secret.Password)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if secret && inClear {
		req.SetBasicAuth(t.Secret.User, t.Secret.Password)
	}
	res, err := client.Do(req)
	if word, ok := errors.AsType[*firmward.Error](err); ok && secure {
		return Answer{Outcome: firmward.Closed, Note: word.Message}
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // the address may hold a password: some devices want theirs in the path
	}
	if err != nil {
		outcome, note := ear.Failed(err)
		return Answer{Outcome: outcome, Note: note}
	}
	defer ear.open.Wait() // a device has one connection at a time, and TLS says goodbye
	defer res.Body.Close()
	a := Answer{Status: res.StatusCode, Header: res.Header, Outcome: firmward.Answered}
	a.Body, err = io.ReadAll(res.Body)
	if err == nil && res.Header.Get("Content-Encoding") == "gzip" {
		a.Body, err = unpack(a.Body)
	}
	switch {
	case errors.Is(err, wire.ErrBound):
		a.Outcome, a.Note = firmward.Cut, fmt.Sprintf("its answer was cut at %d KiB", wire.MaxAnswer>>10)
	case err != nil:
		a.Outcome, a.Note = ear.Failed(err)
	}
	if res.StatusCode/100 == 3 && elsewhere(res.Header.Get("Location"), t.Addr) {
		a.Note = "it redirects to another host; not followed"
	}
	return a
}

// unpack gives the text of a page that came packed, as far as it can be read: small devices keep their pages
// packed and send them so to everybody. What it holds is bounded as if it had come plain.
func unpack(packed []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("unpack its page: %w", err)
	}
	return wire.Bound(z, wire.MaxAnswer)
}

// elsewhere reports whether a redirect leads away from addr, or nobody can tell where.
func elsewhere(location string, addr netip.Addr) bool {
	u, err := url.Parse(location)
	return err != nil || u.Host != "" && u.Hostname() != addr.String()
}

// Closed says why an answer that came is not what the probe asked for. A note about the answer itself stays,
// and a web server that is too busy has said nothing about what it is.
func (a Answer) Closed(why string) (firmward.Outcome, string) {
	switch {
	case a.Status == http.StatusServiceUnavailable || a.Status == http.StatusTooManyRequests:
		why = fmt.Sprintf("its web server is too busy (HTTP status %d)", a.Status)
	case a.Note != "":
		why += ": " + a.Note
	}
	return firmward.Closed, why
}

// Serves reports whether an observation shows its service at work: it answered, and not that it cannot (HTTP 5xx).
func Serves(o firmward.Observation) bool {
	status, _ := o.Get("http.status")
	return o.Outcome == firmward.Answered && !strings.HasPrefix(status, "5")
}

// OutcomeOf says how a failed exchange ended.
func OutcomeOf(err error) firmward.Outcome {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return firmward.Closed
	}
	return firmward.NoAnswer
}

// Note is a short text of a failed exchange for people.
func Note(err error) string {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the port is closed"
	case late(err):
		return "nothing came back in time"
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed without an answer"
	}
	return err.Error()
}

// Reading makes a reading, cut to MaxReading bytes of valid text.
func Reading(name, value string) firmward.Reading {
	if len(value) > firmward.MaxReading {
		value = value[:firmward.MaxReading]
	}
	return firmward.Reading{Name: name, Value: strings.ToValidUTF8(value, "")}
}

// PortOr gives the target's port, or the usual one.
func (t Target) PortOr(usual uint16) uint16 {
	if t.Port != 0 {
		return t.Port
	}
	return usual
}
