package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/httpapi"
)

// client reaches the API on one of three ways: the server at a URL, the server that holds the data
// directory (its socket), or a house that it opens in this process.
type client struct {
	a       *app
	http    *http.Client
	base    string
	local   *house // set when this process is the house
	changed bool   // something was asked to change in the local house
	after   []func()
}

func newClient(a *app) *client { return &client{a: a} }

// open picks the way once.
func (c *client) open(ctx context.Context) error {
	if c.http != nil {
		return nil
	}
	if c.a.Server != "" {
		if err := c.openServer(); err != nil {
			return err
		}
		return c.labOnly(ctx)
	}
	socket := filepath.Join(c.a.Data, fileSocket)
	var d net.Dialer
	if conn, err := d.DialContext(ctx, "unix", socket); err == nil {
		conn.Close()
		c.base = "http://localhost"
		c.http = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "unix", socket)
		}}}
		return c.labOnly(ctx)
	}
	return c.openLocal(ctx)
}

// labOnly refuses a server on real networks when the person meant simulated devices: the packets are the
// server's, and it does not see this command's --lab-map.
func (c *client) labOnly(ctx context.Context) error {
	if c.a.LabMap == "" {
		return nil
	}
	var v httpapi.Version
	err := c.get(ctx, "/version", nil, &v)
	if err == nil && !v.Lab {
		err = firmward.Errorf(firmward.Refused, "--lab-map is given, but the server that would do the work reaches real devices: "+
			"start that server with --lab-map, or choose another --data directory")
	}
	if err != nil {
		c.http = nil
	}
	return err
}

func (c *client) openServer() error {
	u, err := url.Parse(c.a.Server)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return usageError("--server wants a URL such as https://patch.example:8099")
	}
	if u.Scheme == "http" && c.a.Token != "" && !loopbackName(u.Hostname()) {
		return firmward.Errorf(firmward.Refused, "a token is not sent over an open line: use https")
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	if c.a.Fingerprint != "" {
		if t.TLSClientConfig, err = pinned(c.a.Fingerprint); err != nil {
			return err
		}
		if u.Scheme != "https" {
			return usageError("--fingerprint goes with an https:// server")
		}
	}
	c.base = strings.TrimSuffix(c.a.Server, "/")
	c.http = &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return nil
}

// pinned trusts exactly the certificate of a fingerprint, whoever signed it and whatever name it bears.
func pinned(text string) (*tls.Config, error) {
	want, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	if err != nil || len(want) != sha256.Size {
		return nil, usageError("--fingerprint wants the SHA-256 of the certificate: 64 hexadecimal digits")
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, InsecureSkipVerify: true, // VerifyConnection does it
		VerifyConnection: func(s tls.ConnectionState) error {
			if got := fingerprint(s.PeerCertificates[0]); got != hex.EncodeToString(want) {
				return firmward.Errorf(firmward.Refused, "the server shows another certificate, with the fingerprint "+got+": somebody else may answer there")
			}
			return nil
		},
	}, nil
}

// noAnswer says why a server could not be asked.
func noAnswer(err error) error {
	if e, ok := errors.AsType[*firmward.Error](err); ok {
		return e
	}
	message := "the server does not answer"
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		message = "nobody known here signed the server's certificate; if it is its own (serve --tls-self-signed), give the fingerprint that it printed with --fingerprint"
	}
	return &firmward.Error{Code: firmward.Unavailable, Message: message, Err: errors.Unwrap(err)}
}

func loopbackName(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func (c *client) openLocal(ctx context.Context) error {
	cfg := houseConfig{Dir: c.a.Data, DB: c.a.DB, Log: slog.New(slog.NewTextHandler(c.a.err, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	if c.a.LabMap != "" {
		network, err := labNetwork(c.a.LabMap)
		if err != nil {
			return err
		}
		cfg.Network, cfg.Lab = network, true
	}
	h, err := openHouse(ctx, cfg)
	if err != nil {
		return err
	}
	c.local, c.base = h, "http://localhost"
	c.http = &http.Client{Transport: httpapi.InProcess{Handler: h.API.Handler(), Person: localPerson()}}
	return nil
}

// localPerson is the user of this process.
func localPerson() firmward.Person { return personOf(os.Getuid()) }

// personOf is the local user of an id: whoever owns the data directory may do everything.
func personOf(uid int) firmward.Person {
	name := "uid-" + strconv.Itoa(uid)
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil && u.Username != "" {
		name = u.Username
	}
	return firmward.Person{Name: name, Role: firmward.Admin}
}

// close lets the local house finish what the command began and gives it back.
func (c *client) close(ctx context.Context) error {
	if c.local == nil {
		return nil
	}
	for _, f := range c.after {
		f()
	}
	var err error
	if c.changed && ctx.Err() == nil {
		err = c.settle(ctx)
	}
	return errors.Join(err, c.local.Close())
}

// settle brings findings and next steps of a local house up to date. A server does so by itself.
func (c *client) settle(ctx context.Context) error {
	if err := c.open(ctx); err != nil || c.local == nil {
		return err
	}
	return c.local.Control.Settle(ctx)
}

// scanning carries out the scans of a local house beside the caller; wait returns when none is left and the
// receipts are kept. A server does so by itself.
func (c *client) scanning(ctx context.Context) (wait func()) {
	if c.local == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.local.Control.RunScans(ctx)
	}()
	c.after = append(c.after, func() { cancel(); <-ended })
	return func() { <-ended }
}

// call is one request.
type call struct {
	method, path string
	query        url.Values
	in           any       // sent as JSON, or
	body         io.Reader // sent as it is, as
	bodyType     string
	header       http.Header
	out          any // filled from JSON; an io.Writer gets the bytes
}

func (c *client) get(ctx context.Context, path string, q url.Values, out any) error {
	return c.do(ctx, call{method: http.MethodGet, path: path, query: q, out: out})
}

func (c *client) post(ctx context.Context, path string, in, out any) error {
	return c.do(ctx, call{method: http.MethodPost, path: path, in: in, out: out})
}

func (c *client) do(ctx context.Context, r call) error {
	if err := c.open(ctx); err != nil {
		return err
	}
	if r.in != nil {
		b, err := json.Marshal(r.in)
		if err != nil {
			return fmt.Errorf("write request: %w", err)
		}
		r.body, r.bodyType = bytes.NewReader(b), "application/json"
	}
	to := c.base + "/api/v1" + r.path
	if len(r.query) > 0 {
		to += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, to, r.body)
	if err != nil {
		return fmt.Errorf("write request: %w", err)
	}
	maps.Copy(req.Header, r.header)
	if r.bodyType != "" {
		req.Header.Set("Content-Type", r.bodyType)
	}
	if c.a.Server != "" && c.a.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.a.Token)
	}
	if r.method != http.MethodGet {
		c.changed = true
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return noAnswer(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		if ctx.Err() != nil {
			return ctx.Err() // the refusal may only say that the request was given up
		}
		return problemOf(resp)
	}
	switch out := r.out.(type) {
	case nil:
		return nil
	case io.Writer:
		if _, err := io.Copy(out, resp.Body); err != nil {
			return &firmward.Error{Code: firmward.Unavailable, Message: "the answer broke off", Err: err}
		}
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(r.out); err != nil {
		return &firmward.Error{Code: firmward.Unavailable, Message: "the answer could not be read", Err: err}
	}
	return nil
}

// problemOf reads an error answer.
func problemOf(resp *http.Response) error {
	var p httpapi.Problem
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&p); err != nil || p.Code == "" {
		return firmward.Errorf(firmward.Unavailable, fmt.Sprintf("the server answers %d and does not look like firmward", resp.StatusCode))
	}
	if len(p.Errors) == 0 {
		return firmward.Errorf(p.Code, p.Detail)
	}
	fields := make([]string, len(p.Errors))
	for i, e := range p.Errors {
		_, field, _ := strings.Cut(e.Location, ".") // "query.sha256": where it was sent helps nobody
		fields[i] = strings.TrimPrefix(field+": "+e.Message, ": ")
	}
	return firmward.Errorf(p.Code, strings.Join(fields, "; "))
}

// pages calls f with every item of a listing until limit items were seen (0: all). more tells that there are others.
func pages[T any](ctx context.Context, c *client, path string, q url.Values, limit int, f func(T) error) (more bool, err error) {
	if q == nil {
		q = url.Values{}
	}
	for seen := 0; ; {
		size := 1000
		if limit > 0 {
			size = min(size, limit-seen)
		}
		q.Set("limit", strconv.Itoa(size))
		var p httpapi.Page[T]
		if err := c.get(ctx, path, q, &p); err != nil {
			return false, err
		}
		for _, item := range p.Items {
			if err := f(item); err != nil {
				return false, err
			}
		}
		seen += len(p.Items)
		if p.Next == "" || limit > 0 && seen >= limit {
			return p.Next != "", nil
		}
		q.Set("after", p.Next)
	}
}

// values makes a query of pairs; empty values are left out.
func values(pairs ...string) url.Values {
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Add(pairs[i], pairs[i+1])
		}
	}
	return q
}

// dayOrTime reads a day (its end, local time) or an RFC 3339 time.
func dayOrTime(s string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	t, err := time.ParseInLocation(time.DateOnly, s, time.Local)
	if err != nil {
		return t, usageError(s + " is no time: want a day such as 2027-03-31 or 2027-03-31T06:00:00Z")
	}
	return t.AddDate(0, 0, 1).Add(-time.Second), nil
}
