package httpapi_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/audit"
	"github.com/firmward/firmward/httpapi"
	"github.com/firmward/firmward/store"
)

var update = flag.Bool("update", false, "write golden files anew")

func TestOpenAPI(t *testing.T) {
	got, err := newHouse(t).api.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("openapi.yaml", got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("the API differs from openapi.yaml; if that is meant: go test ./httpapi -update\n%s", diff)
	}
}

func deviceNo(i int) firmward.Device {
	return firmward.Device{
		ID: fmt.Sprintf("dev-%06d", i), Name: fmt.Sprintf("device %d", i), Site: "home", Zone: firmward.ZoneHome, Class: firmward.ClassPlug,
		Vendor: "Shelly", Model: "SNPL-00112EU", Hardware: "gen2", Serial: fmt.Sprintf("s%06d", i), Firmware: "1.0.3", Origin: firmward.OriginImported,
		Addrs: []netip.Addr{netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})},
	}
}

func TestPaging(t *testing.T) {
	h := newHouse(t)
	h.fill(t, 25)
	p := h.serve(t, firmward.Viewer)
	var ids []string
	for after := ""; ; {
		var page httpapi.Page[httpapi.Device]
		p.do(http.MethodGet, "/devices?limit=10&site=home&after="+url.QueryEscape(after), nil, 200, &page)
		for _, d := range page.Items {
			ids = append(ids, d.ID)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if len(ids) != 25 || ids[0] != "dev-000000" || ids[24] != "dev-000024" {
		t.Errorf("got %v", ids)
	}
	p.problem(http.MethodGet, "/devices?after=nonsense", nil, firmward.Invalid)
	p.problem(http.MethodGet, "/devices?limit=1001", nil, firmward.Invalid)
	p.problem(http.MethodGet, "/devices?colour=red", nil, firmward.Invalid)
	p.problem(http.MethodGet, "/devices?spare=perhaps", nil, firmward.Invalid)
	var none httpapi.Page[httpapi.Device]
	p.do(http.MethodGet, "/devices?site=nowhere", nil, 200, &none)
	if none.Items == nil || none.Next != "" {
		t.Errorf("an empty page is %+v, want an empty list", none)
	}
}

func TestProblems(t *testing.T) {
	h := newHouse(t)
	p := h.serve(t, firmward.Admin)
	net := func(prefix string) httpapi.NewNetwork {
		return httpapi.NewNetwork{Prefix: prefix, Site: "home", Profile: "home"}
	}
	p.do(http.MethodPost, "/networks", net("192.0.2.0/24"), 403, nil)
	p.do(http.MethodPost, "/networks", net("192.168.7.0/24"), 201, nil)
	p.problem(http.MethodPost, "/networks", net("192.168.7.0/24"), firmward.Conflict)
	p.problem(http.MethodPost, "/networks", net("8.8.8.0/24"), firmward.Refused)
	p.problem(http.MethodPost, "/networks", net("10.0.0.0/8"), firmward.Refused)
	p.problem(http.MethodPost, "/networks", net("home"), firmward.Invalid)
	p.problem(http.MethodPost, "/networks/192.168.8.0%2F24/allow", httpapi.AllowStep{Step: "polite"}, firmward.NotFound)
	p.do(http.MethodPost, "/networks/192.168.7.0%2F24/allow", httpapi.AllowStep{Step: "polite"}, 200, nil)
	p.problem(http.MethodPost, "/scans", httpapi.NewScan{Network: "192.168.9.0/24"}, firmward.Refused)
	p.problem(http.MethodGet, "/scans/none", nil, firmward.NotFound)
	p.problem(http.MethodGet, "/devices/nobody", nil, firmward.NotFound)
	p.problem(http.MethodPost, "/exceptions", httpapi.NewException{Advisory: "CVE-2020-1", Reason: "x", Expires: time.Now().AddDate(2, 0, 0)}, firmward.Refused)
	p.problem(http.MethodPost, "/feeds/import?name=half.json", `{"vulnerabilities": [`, firmward.Invalid)
	p.problem(http.MethodPost, "/releases?name=x.bin&model=M&hardware=*&version=1&origin=o", "image", firmward.Invalid)
	p.problem(http.MethodPost, "/rollouts", httpapi.NewRollout{Release: "none", Select: "colour == 1"}, firmward.Invalid)
	p.problem(http.MethodPost, "/policies/check", "rollout-policies:\n  - name: x\n    colour: red\n", firmward.Invalid)
	p.problem(http.MethodGet, "/backup", nil, firmward.Invalid)
	p.problem(http.MethodPost, "/devices", map[string]any{"name": "x", "site": "home", "colour": "red"}, firmward.Invalid)
	bad := p.problem(http.MethodPut, "/credentials", map[string]any{"family": 1, "site": "home", "password": []string{"hunter2"}}, firmward.Invalid)
	if fmt.Sprintf("%+v", bad.Errors) == "" || strings.Contains(fmt.Sprintf("%+v", *bad.Errors[0]), "hunter2") {
		t.Errorf("the answer repeats the password: %+v", bad)
	}
	p.problem(http.MethodGet, "/nothing", nil, firmward.NotFound)
	if got := p.problem(http.MethodPut, "/devices", nil, firmward.Invalid); got.Status != 405 || !strings.Contains(got.Detail, "GET, HEAD, POST") {
		t.Errorf("got %+v", got)
	}
}

// TestInternal: the cause goes to the log and not to the client.
func TestInternal(t *testing.T) {
	h := newHouse(t)
	p := h.serve(t, firmward.Admin)
	h.store.Close()
	resp := p.request(http.MethodGet, "/api/v1/devices", nil)
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode < 500 || strings.Contains(string(b), "sql") {
		t.Errorf("got %d %s", resp.StatusCode, b)
	}
	if resp := p.as("").request(http.MethodGet, "/healthz", nil); resp.StatusCode != 503 {
		t.Errorf("healthz without a database: %d", resp.StatusCode)
	}
}

func TestDeviceByHand(t *testing.T) {
	h := newHouse(t)
	p := h.serve(t, firmward.Operator)
	box := httpapi.DeviceFacts{Name: new("box"), Site: new("home")}
	if got := p.problem(http.MethodPost, "/devices", box, firmward.NotFound); !strings.Contains(got.Detail, "none is known yet") {
		t.Errorf("got %s", got.Detail)
	}
	p.as(h.tokens[firmward.Admin]).do(http.MethodPost, "/sites", httpapi.Site{Name: "home"}, 201, nil)
	var d httpapi.Device
	p.do(http.MethodPost, "/devices", httpapi.DeviceFacts{
		Name: new("box"), Site: new("home"), Vendor: new("D-Link"), Model: new("DNS-320L"), Firmware: new("1.11"), Owner: new("Anna"),
	}, 201, &d)
	p.do(http.MethodPatch, "/devices/box", httpapi.DeviceFacts{Criticality: new(2)}, 200, &d)
	if d.Criticality != 2 || d.Owner != "Anna" || d.Origin != firmward.OriginByHand {
		t.Errorf("got %+v", d)
	}
	if err := h.control.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	var detail httpapi.DeviceDetail
	p.do(http.MethodGet, "/devices/box", nil, 200, &detail)
	if detail.NextStep == nil || detail.NextStep.Knowledge == "" || len(detail.Claims) == 0 || detail.Claims[0].Source != "person:operator-person" {
		t.Errorf("got %+v", detail)
	}
	var next httpapi.NextSteps
	p.do(http.MethodGet, "/next", nil, 200, &next)
	if len(next.Items) != 1 || next.Devices != 1 || next.Items[0].Device != "box" {
		t.Errorf("got %+v", next)
	}
	var history httpapi.Page[httpapi.FieldChange]
	p.do(http.MethodGet, "/devices/box/history?limit=3", nil, 200, &history)
	if len(history.Items) != 3 || history.Next == "" {
		t.Errorf("got %+v", history)
	}
	var done httpapi.Imported
	p.do(http.MethodPost, "/devices/import?name=inv.csv", "name,site,class\nb1,home,plug\nbox,home,nas\n", 200, &done)
	if done != (httpapi.Imported{Added: 1, Changed: 1}) {
		t.Errorf("got %+v", done)
	}
	bad := p.problem(http.MethodPost, "/devices/import?name=inv.csv", "name,site,criticality\nb2,home,much\n", firmward.Invalid)
	if !strings.Contains(bad.Detail, "inv.csv: line 2") {
		t.Errorf("got %s", bad.Detail)
	}
}

func TestSites(t *testing.T) {
	p := newHouse(t).serve(t, firmward.Admin)
	var n httpapi.Network
	p.do(http.MethodPost, "/networks", httpapi.NewNetwork{Prefix: "192.168.7.0/24", Site: "home", Profile: "home"}, 201, &n)
	if !n.NewSite {
		t.Error("the network does not say that its site is new")
	}
	var more httpapi.Network
	p.do(http.MethodPost, "/networks", httpapi.NewNetwork{Prefix: "192.168.8.0/24", Site: "home", Profile: "home", TimeZone: "Europe/Berlin"}, 201, &more)
	if more.NewSite {
		t.Error("a known site is called new")
	}
	p.do(http.MethodPost, "/sites", httpapi.Site{Name: "holiday house"}, 201, nil)
	p.problem(http.MethodPost, "/sites", httpapi.Site{Name: "Holiday House"}, firmward.Conflict)
	p.problem(http.MethodPost, "/sites", httpapi.Site{Name: "a/b"}, firmward.Invalid)
	p.problem(http.MethodPost, "/sites", httpapi.Site{Name: "x", TimeZone: "Local"}, firmward.Invalid)
	p.problem(http.MethodPatch, "/sites/nowhere", httpapi.SiteClock{TimeZone: "UTC"}, firmward.NotFound)
	p.do(http.MethodPatch, "/sites/holiday%20house", httpapi.SiteClock{TimeZone: "Europe/Paris"}, 200, nil)
	var sites httpapi.Page[httpapi.Site]
	p.do(http.MethodGet, "/sites", nil, 200, &sites)
	want := []httpapi.Site{{Name: "holiday house", TimeZone: "Europe/Paris"}, {Name: "home", TimeZone: "Europe/Berlin"}}
	if diff := cmp.Diff(want, sites.Items); diff != "" {
		t.Error(diff)
	}
	p.problem(http.MethodDelete, "/sites/home", nil, firmward.Conflict)
	p.do(http.MethodDelete, "/networks/192.168.7.0%2F24", nil, 204, nil)
	p.do(http.MethodDelete, "/networks/192.168.8.0%2F24", nil, 204, nil)
	p.problem(http.MethodDelete, "/networks/192.168.8.0%2F24", nil, firmward.NotFound)
	p.do(http.MethodDelete, "/sites/home", nil, 204, nil)
}

func TestTransmissions(t *testing.T) {
	h := newHouse(t)
	d := deviceNo(1)
	d.Addrs = []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")}
	err := h.store.Tx(t.Context(), func(tx *store.Tx) error {
		var batch []store.Transmission
		for _, a := range d.Addrs {
			for i := range 3 {
				batch = append(batch, store.Transmission{Device: d.ID, Addr: a, At: time.Now(), Network: "tcp", Port: 80, Purpose: "http", Bytes: []byte{'G', byte(i)}, Total: 2})
			}
		}
		if err := tx.PutDevice(t.Context(), d, store.Change{Actor: "test", At: time.Now()}); err != nil {
			return err
		}
		return tx.AddTransmissions(t.Context(), batch)
	})
	if err != nil {
		t.Fatal(err)
	}
	p := h.serve(t, firmward.Viewer)
	for _, limit := range []int{1, 2, 3, 4, 100} {
		var got []string
		for after := ""; ; {
			var page httpapi.Page[httpapi.Transmission]
			p.do(http.MethodGet, fmt.Sprintf("/devices/%s/transmissions?limit=%d&after=%s", d.ID, limit, url.QueryEscape(after)), nil, 200, &page)
			for _, s := range page.Items {
				got = append(got, s.Address+" "+s.Text)
			}
			if after = page.Next; after == "" {
				break
			}
		}
		want := []string{`10.0.0.1 G\x02`, `10.0.0.1 G\x01`, `10.0.0.1 G\x00`, `10.0.0.2 G\x02`, `10.0.0.2 G\x01`, `10.0.0.2 G\x00`}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("limit %d: %s", limit, diff)
		}
	}
	p.problem(http.MethodGet, "/devices/"+d.ID+"/transmissions?after=10.0.0.9+x", nil, firmward.Invalid)
}

func TestAuditBundle(t *testing.T) {
	h := newHouse(t)
	p := h.serve(t, firmward.Admin)
	p.do(http.MethodPost, "/stop-all", httpapi.Reason{Why: "test"}, 200, nil)
	resp := p.request(http.MethodGet, "/api/v1/audit/bundle", nil)
	report, err := audit.Verify(resp.Body, audit.Options{Key: h.control.Signer.Public()})
	if err != nil || !report.OK {
		t.Fatalf("got %+v, %v", report, err)
	}
	var leaves httpapi.Page[httpapi.Leaf]
	p.do(http.MethodGet, "/audit/leaves?action=stop-all", nil, 200, &leaves)
	if len(leaves.Items) != 1 || leaves.Items[0].Actor != "admin-person" {
		t.Errorf("got %+v", leaves)
	}
	var points httpapi.Checkpoints
	p.do(http.MethodGet, "/audit/checkpoints", nil, 200, &points)
	if len(points.Items) == 0 {
		t.Fatal("no checkpoint")
	}
	if _, err := audit.ParseCheckpoint([]byte(points.Items[0].Note), points.Key); err != nil {
		t.Error(err)
	}
}

func TestBackup(t *testing.T) {
	h := newHouse(t)
	h.fill(t, 3)
	p := h.serve(t, firmward.Admin)
	const pass = "correct horse für alle"
	resp := p.request(http.MethodGet, "/api/v1/backup", nil, func(r *http.Request) { r.Header.Set(httpapi.PassphraseHeader, url.QueryEscape(pass)) })
	if resp.StatusCode != 200 {
		t.Fatalf("status %d", resp.StatusCode)
	}
	plain, err := store.Decrypt(resp.Body, pass)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), store.Options{URL: "memory:"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Load(t.Context(), plain); err != nil {
		t.Fatal(err)
	}
	if d, err := s.Device(t.Context(), "dev-000002"); err != nil || d.Name != "device 2" {
		t.Errorf("got %+v, %v", d, err)
	}
}

func TestPages(t *testing.T) {
	h := newHouse(t)
	h.fill(t, 2)
	if err := h.store.Tx(t.Context(), func(tx *store.Tx) error {
		return errors.Join(tx.PutRecipient(t.Context(), firmward.Recipient{Name: "ops", Failures: 2}), tx.CountStray(t.Context(), "late", 3, time.Now()))
	}); err != nil {
		t.Fatal(err)
	}
	p := h.serve(t, firmward.Viewer)
	for path, want := range map[string]string{
		"/metrics?":  "firmward_notices_failing 1",
		"/metrics?1": `firmward_outcomes_ignored{why="late"} 3`,
		"/":          "All", "/docs": "/api/v1/next", "/style.css": "body", "/openapi.yaml": "openapi: 3.1", "/healthz": `"status":"ok"`,
		"/metrics": `firmward_devices{class="plug",site="home"} 2`,
	} {
		resp := p.request(http.MethodGet, path, nil)
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if want == "All" {
			want = "all operations"
		}
		if resp.StatusCode != 200 || !bytes.Contains(b, []byte(want)) {
			t.Errorf("%s: %d without %q", path, resp.StatusCode, want)
		}
		if csp := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") {
			t.Errorf("%s: policy %q", path, csp)
		}
	}
	if resp := p.as("").request(http.MethodGet, "/metrics", nil); resp.StatusCode != 401 {
		t.Errorf("metrics without a token: %d", resp.StatusCode)
	}
}

// TestApp: where the app was built, it stands in the place of the start page, with a policy of its own.
func TestApp(t *testing.T) {
	h := newHouse(t)
	h.api = httpapi.New(httpapi.Deps{Control: h.control, Store: h.store, App: fstest.MapFS{
		"index.html": {Data: []byte("<!doctype html>the app")}, "icon.svg": {Data: []byte("<svg/>")}, "assets/app-1a2b.js": {Data: []byte("run()")},
	}})
	p := h.serve(t, firmward.Viewer).as("")
	for _, tc := range []struct{ path, contentType, body, cache string }{
		{"/", "text/html; charset=utf-8", "the app", "no-store"},
		{"/devices", "text/html; charset=utf-8", "the app", "no-store"},
		{"/devices/10.40.0.11", "text/html; charset=utf-8", "the app", "no-store"},
		{"/rollouts/ro-1", "text/html; charset=utf-8", "the app", "no-store"},
		{"/feeds", "text/html; charset=utf-8", "the app", "no-store"},
		{"/notices", "text/html; charset=utf-8", "the app", "no-store"},
		{"/assets/app-1a2b.js", "text/javascript; charset=utf-8", "run()", "public, max-age=31536000, immutable"},
		{"/icon.svg", "image/svg+xml", "<svg", "no-cache"},
		{"/assets/gone.js", "", "", ""},
		{"/assets/%2e%2e/index.html", "", "", ""},
		{"/assets/..%2findex.html", "", "", ""},
		{"/assets/", "", "", ""},
		{"/index.html", "", "", ""},
	} {
		resp := p.request(http.MethodGet, tc.path, nil)
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if tc.body == "" {
			if resp.StatusCode == 200 {
				t.Errorf("%s: is there", tc.path)
			}
			continue
		}
		if resp.StatusCode != 200 || !bytes.Contains(b, []byte(tc.body)) || resp.Header.Get("Content-Type") != tc.contentType || resp.Header.Get("Cache-Control") != tc.cache {
			t.Errorf("%s: %d %q, %v", tc.path, resp.StatusCode, b, resp.Header)
		}
		csp := resp.Header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "script-src 'self';") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "http") {
			t.Errorf("%s: policy %q", tc.path, csp)
		}
	}
	if resp := p.request(http.MethodGet, "/api/v1/devices", nil); resp.StatusCode != 401 {
		t.Errorf("the API beside the app answers %d without a token", resp.StatusCode)
	}
}

// TestStopWhileBusy: the places for large transfers are all taken; the red button works all the same.
func TestStopWhileBusy(t *testing.T) {
	h := newHouse(t)
	p := h.serve(t, firmward.Admin)
	// The body goes out when the server asks for it, and it asks once the request has its place.
	c := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Hour}}
	for range 8 {
		r, w := io.Pipe()
		t.Cleanup(func() { w.Close() })
		began := make(chan struct{})
		go func() {
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, p.base+"/api/v1/feeds/import?name=slow.json", r)
			req.Header.Set("Authorization", "Bearer "+p.token)
			req.Header.Set("Content-Type", "application/octet-stream")
			req.Header.Set("Expect", "100-continue")
			if resp, err := c.Do(req); err == nil {
				resp.Body.Close()
			}
		}()
		go func() {
			_, _ = w.Write([]byte("{")) // taken when it is read
			close(began)
		}()
		<-began
	}
	for p.request(http.MethodPost, "/api/v1/devices/import", "name\n").StatusCode != 503 {
		if t.Context().Err() != nil {
			t.Fatal("the places were never all taken")
		}
	}
	var s httpapi.StopAll
	p.do(http.MethodPost, "/stop-all", nil, 200, &s)
	if !s.On {
		t.Errorf("got %+v", s)
	}
}
