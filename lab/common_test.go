package lab

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icholy/digest"
)

// house is a standard lab with clients in both sites.
type house struct {
	*Lab
	t      *testing.T
	client *http.Client
}

// bubble runs a test with a standard lab inside a synctest bubble and checks that nothing outlives Close.
func bubble(t *testing.T, f func(t *testing.T, h *house)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l, err := Standard(Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		f(t, newHouse(t, l))
	})
}

func newHouse(t *testing.T, l *Lab) *house {
	view := l.Attach("home")
	return &house{Lab: l, t: t, client: &http.Client{
		Transport:     &http.Transport{DialContext: view.DialContext, DisableKeepAlives: true},
		Timeout:       10 * time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (h *house) device(name string) *Device {
	h.t.Helper()
	d, ok := h.Device(name)
	if !ok {
		h.t.Fatalf("no device %s", name)
	}
	return d
}

func (h *house) fault(device, fault string) {
	h.t.Helper()
	if err := h.Fault(device, fault); err != nil {
		h.t.Fatal(err)
	}
}

// as returns a client that answers digest challenges.
func (h *house) as(user, password string) *http.Client {
	return &http.Client{
		Transport: &digest.Transport{Username: user, Password: password, Transport: h.client.Transport},
		Timeout:   h.client.Timeout,
	}
}

// get returns status and body of GET url.
func (h *house) get(c *http.Client, url string) (int, string, error) {
	res, err := c.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

// post sends a JSON value and decodes the answer.
func (h *house) post(c *http.Client, url string, v any) (int, map[string]any, error) {
	body, err := json.Marshal(v)
	if err != nil {
		h.t.Fatal(err)
	}
	res, err := c.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer := map[string]any{}
	b, err := io.ReadAll(res.Body)
	if err == nil && len(b) > 0 && b[0] == '{' {
		err = json.Unmarshal(b, &answer)
	}
	return res.StatusCode, answer, err
}

// pass lets house time go by; inside a bubble that takes no time.
func (h *house) pass(d time.Duration) {
	t := time.NewTimer(d)
	<-t.C
	synctest.Wait()
}

func lastFlash(d *Device) Flash {
	f := d.Facts().Flashes
	if len(f) == 0 {
		return Flash{}
	}
	return f[len(f)-1]
}

func contains(s, part string) bool { return strings.Contains(s, part) }

func lower(s string) string { return strings.ToLower(s) }
