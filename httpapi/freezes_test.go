package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/httpapi"
)

func TestFreezes(t *testing.T) {
	h := newHouse(t)
	p := h.serve(t, firmward.Admin)
	p.do(http.MethodPost, "/sites", httpapi.Site{Name: "holiday house", TimeZone: "Europe/Berlin"}, 201, nil)
	operator, approver := p.as(h.tokens[firmward.Operator]), p.as(h.tokens[firmward.Approver])
	given := httpapi.NewFreeze{From: "2099-12-20", To: "2100-01-06T06:00", Why: "away"}
	var f httpapi.Freeze
	operator.do(http.MethodPost, "/sites/holiday%20house/freezes", given, 201, &f)
	if f.Name != "2099-12-20" || f.By != "operator-person" || f.State != "ahead" || f.Begins.Format("-07 15") != "+01 00" || f.Ends.Format("02 15") != "06 06" {
		t.Errorf("got %+v", f)
	}
	operator.problem(http.MethodPost, "/sites/holiday%20house/freezes", given, firmward.Conflict)
	operator.problem(http.MethodPost, "/sites/nowhere/freezes", given, firmward.NotFound)
	for want, change := range map[string]func(f *httpapi.NewFreeze){
		"say why":        func(f *httpapi.NewFreeze) { f.Why = " " },
		"swap them":      func(f *httpapi.NewFreeze) { f.To = "2099-01-01" },
		"was over at":    func(f *httpapi.NewFreeze) { f.From, f.To = "2020-01-01", "2020-01-02" },
		"no name for a ": func(f *httpapi.NewFreeze) { f.Name = "a/b" },
	} {
		bad := given
		change(&bad)
		if got := operator.problem(http.MethodPost, "/sites/holiday%20house/freezes", bad, firmward.Invalid); !strings.Contains(got.Detail, want) {
			t.Errorf("got %s, want %s", got.Detail, want)
		}
	}
	p.problem(http.MethodDelete, "/sites/holiday%20house", nil, firmward.Conflict)
	p.do(http.MethodPatch, "/sites/holiday%20house", httpapi.SiteFacts{TimeZone: new("Europe/Athens")}, 200, nil)
	var all httpapi.Page[httpapi.Freeze]
	operator.do(http.MethodGet, "/freezes?site=holiday%20house", nil, 200, &all)
	if len(all.Items) != 1 || all.Items[0].Begins.Format("-07") != "+02" {
		t.Errorf("on another clock: %+v", all)
	}
	operator.problem(http.MethodDelete, "/sites/holiday%20house/freezes/2099-12-20", nil, firmward.Forbidden)
	approver.problem(http.MethodDelete, "/sites/holiday%20house/freezes/fair", nil, firmward.NotFound)
	approver.do(http.MethodDelete, "/sites/holiday%20house/freezes/2099-12-20", nil, 204, nil)
	operator.do(http.MethodGet, "/freezes", nil, 200, &all)
	if len(all.Items) != 0 {
		t.Errorf("after it was lifted: %+v", all)
	}
	p.do(http.MethodDelete, "/sites/holiday%20house", nil, 204, nil)
}

func TestPolicyOpenings(t *testing.T) {
	p := newHouse(t).serve(t, firmward.Viewer)
	const file = "rollout-policies:\n  - name: a\n    waves: [100]\n    canary-soak: 1h\n    max-in-flight: 1\n    deadline: 30m\n    windows:\n      - {rrule: \"FREQ=DAILY\", start: \"22:00\", duration: 4h}\n"
	var got httpapi.Policies
	p.do(http.MethodPost, "/policies/check?zone=Asia%2FTokyo", file, 200, &got)
	if r := got.Rollout; len(r) != 1 || len(r[0].Openings) != 3 || r[0].Openings[1].From.Format("15:04 -07") != "22:00 +09" || len(r[0].Windows) != 1 || r[0].Windows[0].Start != "22:00" {
		t.Errorf("got %+v", got)
	}
	var seen httpapi.PolicyPreview
	p.do(http.MethodGet, "/policies/preview", nil, 200, &seen)
	if len(seen.Ruled) == 0 || seen.Ruled[len(seen.Ruled)-1].Policy != "default" || seen.Changed == nil {
		t.Errorf("of the policies in force: %+v", seen)
	}
	const held = "    hold-back:\n      - {select: exposed, wait: 14d, exploited: 2d, release: true}\n"
	p.do(http.MethodPost, "/policies/check", file+held, 200, &got)
	if h := got.Rollout[0].HoldBacks; len(h) != 1 || h[0] != (httpapi.Hold{Select: "exposed", Wait: "336h0m0s", Exploited: "48h0m0s", Release: true}) {
		t.Errorf("got %+v", h)
	}
	p.do(http.MethodPost, "/policies/preview?since=7d", file, 200, &seen)
	if len(seen.Ruled) != 1 || seen.Ruled[0].Policy != "a" {
		t.Errorf("of a file: %+v", seen)
	}
	p.problem(http.MethodPost, "/policies/preview?since=yesterday", file, firmward.Invalid)
	p.problem(http.MethodPost, "/policies/preview", file+"    colour: red\n", firmward.Invalid)
	p.problem(http.MethodPost, "/policies/check?zone=Mars", file, firmward.Invalid)
	p.problem(http.MethodPost, "/policies/check", file+"    freezes:\n      - {name: f, from: 2020-01-01, to: 2020-01-02}\n", firmward.Invalid)
}
