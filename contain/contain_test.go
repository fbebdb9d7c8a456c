package contain_test

import (
	"net/netip"
	"testing"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/contain"
)

var addr = netip.MustParseAddr("192.0.2.7")

func TestGuard(t *testing.T) {
	at := []netip.Addr{addr}
	for want, d := range map[string]firmward.Device{
		"":              {Class: firmward.ClassCamera, Zone: firmward.ZoneClinical, Addrs: at},
		"never-by-hand": {Class: firmward.ClassCamera, Addrs: at, NeverContain: true, Zone: firmward.ZoneHome},
		"never-class":   {Class: firmward.ClassInfusionPump, Addrs: at, Zone: firmward.ZoneHome},
		"never-core":    {Class: firmward.ClassSwitch, Addrs: at, Zone: firmward.ZoneHome},
		"never-unknown": {Class: firmward.ClassUnknown, Addrs: at, Zone: firmward.ZoneUnmarked},
		"no-address":    {Class: firmward.ClassCamera, Zone: firmward.ZoneHome},
	} {
		if code, why := contain.Guard(d); code != want || (code == "") != (why == "") {
			t.Errorf("%q (%s), want %q", code, why, want)
		}
	}
}

func TestCap(t *testing.T) {
	for _, tc := range []struct {
		recent, devices int
		stop            bool
	}{{2, 10, false}, {3, 10, true}, {3, 1000, false}, {49, 1000, false}, {50, 1000, true}} {
		if code, _ := contain.Cap(tc.recent, tc.devices); (code != "") != tc.stop {
			t.Errorf("%d of %d: %q", tc.recent, tc.devices, code)
		}
	}
}

func TestRulesEndWithDeny(t *testing.T) {
	rules := contain.Rules(firmward.Device{Addrs: []netip.Addr{addr}}, []netip.Addr{netip.MustParseAddr("192.0.2.2")}, []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")})
	if len(rules) != 6 || rules[4].Allow || rules[5].Allow || rules[4].Peer.Bits() != 0 || rules[5].Direction != "to" {
		t.Errorf("%+v", rules)
	}
}

func TestJudge(t *testing.T) {
	cut, kept := contain.Proof{Path: "a"}, contain.Proof{Path: "b", Open: true, Want: true}
	for want, proofs := range map[bool][][]contain.Proof{
		true:  {{cut, kept}},
		false: {nil, {cut}, {kept}, {{Path: "a", Open: true}, kept}, {cut, {Path: "b", Want: true}}},
	} {
		for _, p := range proofs {
			if holds, why := contain.Judge(p); holds != want || why == "" {
				t.Errorf("%+v: %v %s", p, holds, why)
			}
		}
	}
	if _, why := contain.Judge([]contain.Proof{cut, kept, cut}); why != "2 paths are cut, 1 stays open as wanted" {
		t.Error(why)
	}
}

func TestRelease(t *testing.T) {
	bad := []firmward.Finding{{AdvisoryID: "CVE-1", Verdict: firmward.Affected, Exploited: true}}
	if ok, _ := contain.Release(bad, ""); ok {
		t.Error("released while it is attacked, without a decision")
	}
	if ok, _ := contain.Release(bad, "moved to its own network"); !ok {
		t.Error("a decision was not heard")
	}
	if ok, _ := contain.Release(nil, ""); !ok {
		t.Error("not released by evidence")
	}
}
