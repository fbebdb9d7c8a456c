package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/control/controltest"
	"github.com/firmward/firmward/httpapi"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/wire"
)

// house is the API over a database in memory and a network that reaches nobody.
type house struct {
	store   *store.Store
	control *control.Control
	api     *httpapi.API
	log     *bytes.Buffer
	tokens  map[firmward.Role]string
}

func newHouse(tb testing.TB) *house {
	tb.Helper()
	return houseOn(tb, "memory:")
}

// houseOn is a house whose database is at a URL, see store.Options.
func houseOn(tb testing.TB, url string) *house {
	tb.Helper()
	must := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	h := &house{log: &bytes.Buffer{}, tokens: map[firmward.Role]string{}}
	log := slog.New(slog.NewTextHandler(h.log, nil))
	var err error
	h.store, err = store.Open(tb.Context(), store.Options{URL: url})
	must(err)
	tb.Cleanup(func() { h.store.Close() })
	nobody, err := wire.ReadPortMap(strings.NewReader("[]"))
	must(err)
	h.control = controltest.Open(tb, func(cfg *control.Config) {
		cfg.Store, cfg.Network, cfg.Log, cfg.Lab = h.store, nobody, log, true
	})
	h.api = httpapi.New(httpapi.Deps{Control: h.control, Store: h.store, Log: log, Version: "test", Origin: h.control.Signer.Origin(), TempDir: tb.TempDir(), Hosts: []string{"patch.example"}})
	for _, role := range []firmward.Role{firmward.Viewer, firmward.Operator, firmward.Approver, firmward.Admin} {
		h.tokens[role], _, err = h.control.AddToken(tb.Context(), firmward.Person{Name: "test"}, string(role)+"-person", role, time.Time{})
		must(err)
	}
	return h
}

// person is a client with a token over real HTTP.
type person struct {
	tb    testing.TB
	base  string
	token string
	c     *http.Client
}

func (h *house) serve(tb testing.TB, role firmward.Role) person {
	tb.Helper()
	s := httptest.NewServer(h.api.Handler())
	tb.Cleanup(s.Close)
	return person{tb: tb, base: s.URL, token: h.tokens[role], c: s.Client()}
}

// as is the same client with another token.
func (p person) as(token string) person {
	p.token = token
	return p
}

func (p person) request(method, path string, body any, edit ...func(*http.Request)) *http.Response {
	p.tb.Helper()
	var r io.Reader
	kind := ""
	switch b := body.(type) {
	case nil:
	case string:
		r, kind = strings.NewReader(b), "application/octet-stream"
	default:
		j, err := json.Marshal(b)
		if err != nil {
			p.tb.Fatal(err)
		}
		r, kind = bytes.NewReader(j), "application/json"
	}
	req, err := http.NewRequestWithContext(p.tb.Context(), method, p.base+path, r)
	if err != nil {
		p.tb.Fatal(err)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if p.token != "" {
		req.Header.Set("Authorization", "Bearer "+p.token)
	}
	for _, f := range edit {
		f(req)
	}
	resp, err := p.c.Do(req)
	if err != nil {
		p.tb.Fatal(err)
	}
	p.tb.Cleanup(func() { resp.Body.Close() })
	return resp
}

// do expects a status and reads the answer.
func (p person) do(method, path string, body any, status int, out any) {
	p.tb.Helper()
	resp := p.request(method, "/api/v1"+path, body)
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		p.tb.Fatal(err)
	}
	if resp.StatusCode != status {
		p.tb.Fatalf("%s %s: got %d %s, want %d", method, path, resp.StatusCode, b, status)
	}
	if out != nil {
		if err := json.Unmarshal(b, out); err != nil {
			p.tb.Fatalf("%s %s: %v in %s", method, path, err, b)
		}
	}
}

// problem expects an error with a code.
func (p person) problem(method, path string, body any, code firmward.Code) httpapi.Problem {
	p.tb.Helper()
	resp := p.request(method, "/api/v1"+path, body)
	var got httpapi.Problem
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		p.tb.Fatalf("%s %s: status %d: %v", method, path, resp.StatusCode, err)
	}
	if got.Code != code || got.Status != resp.StatusCode || resp.Header.Get("Content-Type") != "application/problem+json" {
		p.tb.Fatalf("%s %s: got %d %s %+v, want code %s", method, path, resp.StatusCode, resp.Header.Get("Content-Type"), got, code)
	}
	return got
}

// fill puts devices into the store, without the loop.
func (h *house) fill(tb testing.TB, n int) {
	tb.Helper()
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for at := 0; at < n; at += 5000 {
		if err := h.store.Tx(tb.Context(), func(tx *store.Tx) error { return fillSome(tb.Context(), tx, at, min(n, at+5000), now) }); err != nil {
			tb.Fatal(err)
		}
	}
}

func fillSome(ctx context.Context, tx *store.Tx, from, to int, now time.Time) error {
	for i := from; i < to; i++ {
		d := deviceNo(i)
		d.FirstSeen = now
		if err := tx.PutDevice(ctx, d, store.Change{Actor: "test", Source: "test", At: now}); err != nil {
			return err
		}
	}
	return nil
}
