package httpapi_test

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/httpapi"
)

// events reads a stream as "type id data".
type events struct {
	t    *testing.T
	scan *bufio.Scanner
}

func (e events) next() (kind, id, data string) {
	e.t.Helper()
	kind = "message"
	for e.scan.Scan() {
		line := e.scan.Text()
		if line == "" {
			return kind, id, data
		}
		switch name, value, _ := strings.Cut(line, ": "); name {
		case "event":
			kind = value
		case "id":
			id = value
		case "data":
			data = value
		}
	}
	e.t.Fatalf("the stream ended: %v", e.scan.Err())
	return "", "", ""
}

func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		who := firmward.Person{Name: "anna", Role: firmward.Admin}
		press := func(why string) {
			if err := h.control.StopAll(t.Context(), who, true, why); err != nil {
				t.Fatal(err)
			}
		}
		for _, why := range []string{"one", "two", "three"} {
			press(why)
		}
		c := &http.Client{Transport: httpapi.InProcess{Handler: h.api.Handler(), Person: who}}
		open := func(last string) (events, func()) {
			ctx, cancel := context.WithCancel(t.Context())
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/api/v1/events", nil)
			if err != nil {
				t.Fatal(err)
			}
			if last != "" {
				req.Header.Set("Last-Event-ID", last)
			}
			resp, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if ct := resp.Header.Get("Content-Type"); ct != "text/event-stream" {
				t.Fatalf("content type %q", ct)
			}
			return events{t, bufio.NewScanner(resp.Body)}, func() { resp.Body.Close(); cancel() }
		}
		want := func(e events, kind, id, text string) {
			t.Helper()
			k, i, d := e.next()
			if k != kind || i != id || !strings.Contains(d, text) {
				t.Fatalf("got %s %s %s, want %s %s with %q", k, i, d, kind, id, text)
			}
		}

		// Who comes back gets what was missed, then what happens, then heartbeats.
		e, closeE := open("1")
		want(e, "heartbeat", "", "at")
		want(e, "change", "2", "two")
		want(e, "change", "3", "three")
		began := time.Now()
		press("four")
		want(e, "change", "4", "four")
		if took := time.Since(began); took > time.Second {
			t.Errorf("an event took %v", took)
		}
		began = time.Now()
		want(e, "heartbeat", "", "at")
		if took := time.Since(began); took < 10*time.Second || took > 20*time.Second {
			t.Errorf("a heartbeat after %v", took)
		}
		closeE()

		// Who comes first sees only what happens from now on.
		e, closeE = open("")
		want(e, "heartbeat", "", "at")
		press("five")
		want(e, "change", "5", "five")
		closeE()
		synctest.Wait()
	})
}
