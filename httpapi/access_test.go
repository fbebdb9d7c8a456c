package httpapi_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/httpapi"
)

// roleOf pins who may do what. A new operation fails TestRoles until it stands here.
var roleOf = map[string]firmward.Role{
	"list-networks": "viewer", "add-network": "admin", "allow-network": "admin", "remove-network": "admin",
	"list-sites": "viewer", "add-site": "admin", "set-site": "admin", "remove-site": "admin",
	"list-freezes": "viewer", "add-freeze": "operator", "lift-freeze": "approver",
	"start-scan": "operator", "get-scan": "viewer", "preview-scan": "viewer",
	"list-devices": "viewer", "add-device": "operator", "set-device": "operator", "import-devices": "operator", "get-device": "viewer",
	"merge-devices": "operator", "split-device": "operator", "link-devices": "operator", "unlink-devices": "operator",
	"list-staging": "viewer", "get-staging": "viewer", "plan-staging": "viewer", "run-staging": "operator",
	"get-auto-updates": "operator", "set-auto-updates": "operator",
	"get-device-history": "viewer", "get-device-then": "viewer", "get-device-transmissions": "viewer",
	"set-credential": "admin", "list-feeds": "viewer", "import-feed": "admin", "fetch-feed": "admin", "set-feed": "admin", "list-advisories": "viewer", "get-advisory": "viewer",
	"list-findings": "viewer", "explain-finding": "viewer", "list-exposure": "viewer", "list-exceptions": "viewer", "accept-risk": "approver", "approve-exception": "approver", "list-next-steps": "viewer",
	"list-releases": "viewer", "get-upgrade-path": "viewer", "get-saved-config": "admin", "import-release": "admin", "withdraw-release": "admin", "add-regression": "admin", "add-permission": "admin", "list-policies": "viewer", "check-policies": "viewer", "preview-policies": "viewer", "preview-policy-file": "viewer",
	"list-rollouts": "viewer", "plan-rollout": "operator", "forecast-rollout": "operator", "get-rollout": "viewer", "list-targets": "viewer", "start-rollout": "operator",
	"pause-rollout": "operator", "resume-rollout": "operator", "stop-rollout": "operator", "stop-targets": "operator", "restore-target": "operator", "hasten-rollout": "operator", "approve-rollout": "approver",
	"get-stop-all": "viewer", "stop-all": "operator", "end-stop-all": "operator",
	"list-workorders": "viewer", "begin-workorder": "operator", "report-workorder": "operator", "assign-workorder": "operator",
	"list-containments": "viewer", "contain-device": "operator", "release-device": "operator",
	"list-leaves": "viewer", "list-checkpoints": "viewer", "get-bundle": "viewer",
	"write-evidence": "viewer", "get-check": "viewer", "list-packs": "viewer", "get-clauses": "viewer",
	"list-recipients": "viewer", "add-recipient": "admin", "remove-recipient": "admin", "try-recipient": "admin", "preview-notice": "viewer",
	"list-tokens": "admin", "add-token": "admin", "remove-token": "admin", "get-backup": "admin", "stream-events": "viewer", "get-version": "viewer",
}

type operation struct {
	ID       string                `json:"operationId"`
	Role     firmward.Role         `json:"x-role"`
	Security []map[string][]string `json:"security"`
}

// operations reads the API's own description.
func operations(t *testing.T, p person) map[string]map[string]operation {
	t.Helper()
	var doc struct {
		Paths map[string]map[string]operation `json:"paths"`
	}
	resp := p.request(http.MethodGet, "/openapi.json", nil)
	if err := json.NewDecoder(resp.Body).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	return doc.Paths
}

func TestRoles(t *testing.T) {
	h := newHouse(t)
	p := h.serve(t, firmward.Admin)
	seen := map[string]bool{}
	for path, methods := range operations(t, p) {
		for method, op := range methods {
			seen[op.ID] = true
			want, known := roleOf[op.ID]
			if !known || op.Role != want || len(op.Security) == 0 {
				t.Errorf("%s %s (%s) says role %q, want %q: name it in roleOf", method, path, op.ID, op.Role, want)
				continue
			}
			url := strings.NewReplacer("{prefix}", "192.0.2.0%2F24", "{ref}", "nobody", "{id}", "none", "{cve}", "CVE-2000-0001", "{name}", "nobody").Replace(path)
			for _, role := range []firmward.Role{"", firmward.Viewer, firmward.Operator, firmward.Approver, firmward.Admin} {
				resp := p.as(h.tokens[role]).request(strings.ToUpper(method), url, nil)
				var got httpapi.Problem
				if resp.StatusCode >= 400 {
					if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
						t.Errorf("%s %s as %q: status %d without a problem: %v", method, url, role, resp.StatusCode, err)
					}
				}
				resp.Body.Close()
				wantCode := firmward.Code("")
				switch {
				case role == "":
					wantCode = firmward.Unauthorized
				case !role.Includes(want):
					wantCode = firmward.Forbidden
				}
				locked := got.Code == firmward.Unauthorized || got.Code == firmward.Forbidden
				if wantCode != "" && got.Code != wantCode || wantCode == "" && locked {
					t.Errorf("%s %s as %q: code %q (status %d), want %q", method, url, role, got.Code, resp.StatusCode, wantCode)
				}
			}
		}
	}
	for id := range roleOf {
		if !seen[id] {
			t.Errorf("roleOf names %s, which is no operation", id)
		}
	}
}

func TestTokens(t *testing.T) {
	h := newHouse(t)
	p := h.serve(t, firmward.Admin)
	for name, token := range map[string]string{"wrong": "fw_wrong", "no token of ours": "other", "empty": " "} {
		if got := p.as(token).problem(http.MethodGet, "/version", nil, firmward.Unauthorized); strings.Contains(got.Detail, "wrong") {
			t.Errorf("%s: the answer repeats the token: %s", name, got.Detail)
		}
	}
	var made httpapi.TokenMade
	p.do(http.MethodPost, "/tokens", httpapi.NewToken{Name: "anna", Role: firmward.Viewer, Expires: time.Now().Add(time.Hour)}, 201, &made)
	anna := p.as(made.Secret)
	var v httpapi.Version
	anna.do(http.MethodGet, "/version", nil, 200, &v)
	if v.Person != "anna" || v.Role != firmward.Viewer {
		t.Errorf("got %+v", v)
	}
	var all httpapi.Page[map[string]any]
	p.do(http.MethodGet, "/tokens", nil, 200, &all)
	for _, token := range all.Items {
		if token["hash"] != nil || token["secret"] != nil {
			t.Errorf("the list shows %v", token)
		}
	}
	p.do(http.MethodDelete, "/tokens/"+made.Token.ID, nil, 204, nil)
	anna.problem(http.MethodGet, "/version", nil, firmward.Unauthorized)
	p.problem(http.MethodPost, "/tokens", httpapi.NewToken{Name: "firmward", Role: firmward.Admin}, firmward.Invalid)
	p.problem(http.MethodPost, "/tokens", httpapi.NewToken{Name: "late", Role: firmward.Admin, Expires: time.Now().Add(-time.Hour)}, firmward.Invalid)
}

func TestHostAndOrigin(t *testing.T) {
	h := newHouse(t)
	p := h.serve(t, firmward.Admin)
	own := strings.TrimPrefix(p.base, "http://")
	for _, c := range []struct {
		host, origin string
		ok           bool
	}{
		{own, "", true},
		{"localhost:1", "", true},
		{"[::1]:8099", "", true},
		{"127.0.0.9", "", true},
		{"patch.example", "", true},
		{"PATCH.example:8099", "", true},
		{"evil.example", "", false},
		{"127.0.0.1.evil.example", "", false},
		{"192.0.2.1", "", false},
		{"", "", false},
		{own, "http://" + own, true},
		{own, "http://evil.example", false},
		{own, "http://localhost:1", false},
		{own, "null", false},
		{"patch.example", "https://patch.example", true},
	} {
		resp := p.request(http.MethodGet, "/api/v1/version", nil, func(r *http.Request) {
			r.Host = c.host
			if c.host == "" {
				r.Host = "x"
			}
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
		})
		if ok := resp.StatusCode == 200; ok != c.ok {
			t.Errorf("Host %q, Origin %q: status %d, want ok %v", c.host, c.origin, resp.StatusCode, c.ok)
		}
	}
	for _, path := range []string{"/", "/docs", "/healthz", "/metrics", "/openapi.json"} {
		if resp := p.request(http.MethodGet, path, nil, func(r *http.Request) { r.Host = "evil.example" }); resp.StatusCode != 403 {
			t.Errorf("%s under another name: status %d", path, resp.StatusCode)
		}
	}
}

// TestLocalPerson lets the same process in without a token; a token it gives counts all the same.
func TestLocalPerson(t *testing.T) {
	h := newHouse(t)
	c := &http.Client{Transport: httpapi.InProcess{Handler: h.api.Handler(), Person: firmward.Person{Name: "root", Role: firmward.Admin}}}
	p := person{tb: t, base: "http://localhost", c: c}
	var v httpapi.Version
	p.do(http.MethodGet, "/version", nil, 200, &v)
	if v.Person != "root" {
		t.Errorf("got %+v", v)
	}
	p.as(h.tokens[firmward.Viewer]).problem(http.MethodGet, "/tokens", nil, firmward.Forbidden)
	p.as("fw_wrong").problem(http.MethodGet, "/version", nil, firmward.Unauthorized)
}
