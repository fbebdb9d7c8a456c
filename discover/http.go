package discover

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"syscall"

	"github.com/icholy/digest"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/wire"
)

// MaxAnswer bounds one HTTP answer of a probe, in bytes.
const MaxAnswer = 256 << 10

// Answer is what one HTTP exchange gave.
type Answer struct {
	Status  int
	Header  http.Header
	Body    []byte
	Outcome firmward.Outcome
	Note    string
}

// Exchange does one bounded HTTP request to the target. body nil means GET, else POST with the
// given content type. With a secret it answers digest challenges. It never follows a redirect.
func Exchange(ctx context.Context, t Target, port uint16, path, contentType string, body []byte) Answer {
	client := wire.HTTPClient(t.Network, 0) // ctx carries the time limit
	if t.Secret.Password != "" {
		client.Transport = &digest.Transport{Username: t.Secret.User, Password: t.Secret.Password, Transport: client.Transport}
	}
	method := http.MethodGet
	if body != nil {
		method = http.MethodPost
	}
	url := "http://" + netip.AddrPortFrom(t.Addr, port).String() + path
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return Answer{Outcome: firmward.NoAnswer, Note: err.Error()}
	}
	req.Header.Set("User-Agent", "firmward")
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := client.Do(req)
	if err != nil {
		return Answer{Outcome: OutcomeOf(err), Note: Note(err)}
	}
	defer res.Body.Close()
	a := Answer{Status: res.StatusCode, Header: res.Header, Outcome: firmward.Answered}
	a.Body, err = wire.Bound(res.Body, MaxAnswer)
	switch {
	case errors.Is(err, wire.ErrBound):
		a.Outcome, a.Note = firmward.Cut, "the answer was cut at 256 KiB"
	case err != nil && (ctx.Err() != nil || wire.Timeout(err)):
		a.Outcome, a.Note = firmward.Cut, "the answer came too slowly and was cut"
	case err != nil:
		a.Outcome, a.Note = firmward.Cut, "the answer broke off"
	}
	if loc := res.Header.Get("Location"); loc != "" && res.StatusCode/100 == 3 && !strings.HasPrefix(loc, "/") && !strings.Contains(loc, t.Addr.String()) {
		a.Note = "it redirects to another host; not followed"
	}
	return a
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
	case wire.Timeout(err) || errors.Is(err, context.DeadlineExceeded):
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
