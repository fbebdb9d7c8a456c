package remedy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/remedy"
)

func TestFalls(t *testing.T) {
	made := firmward.Premise{Verdict: firmward.Likely, Reason: firmward.ReasonInRange, Firmware: "1.0"}
	with := func(change func(*firmward.Premise)) firmward.Premise {
		p := made
		if change != nil {
			change(&p)
		}
		return p
	}
	exploited := func(p *firmward.Premise) { p.Exploited = []string{"CVE-1"} }
	exposed := func(p *firmward.Premise) { p.Exposed = true }
	worse := func(p *firmward.Premise) { p.Verdict, p.Reason = firmward.Affected, firmward.ReasonExact }
	updated := func(p *firmward.Premise) { p.Firmware = "2.0" }
	walled := func(p *firmward.Premise) { p.Control = "con-1" }
	for _, tc := range []struct {
		name   string
		kind   firmward.ExceptionKind
		ground firmward.Ground
		made   func(*firmward.Premise)
		now    func(*firmward.Premise)
		why    string // empty: it stands
	}{
		{name: "nothing changed", kind: firmward.Accept},
		{name: "exploited", kind: firmward.Accept, now: exploited, why: "CVE-1 is known to be exploited"},
		{name: "exploited, and that was known", kind: firmward.Accept, made: exploited, now: exploited},
		{name: "another one is exploited", kind: firmward.Accept, made: exploited, now: func(p *firmward.Premise) { p.Exploited = []string{"CVE-1", "CVE-2"} }, why: "CVE-2 is known"},
		{name: "exploited no more", kind: firmward.Accept, made: exploited},
		{name: "a waiver, exploited", kind: firmward.Waive, now: exploited, why: "exploited"},
		{name: "a false positive, exploited", kind: firmward.Suppress, ground: firmward.GroundComponent, now: exploited, why: "exploited"},
		{name: "exposed", kind: firmward.Defer, now: exposed, why: "reachable from the internet"},
		{name: "exposed, and that was known", kind: firmward.Defer, made: exposed, now: exposed},
		{name: "exposed no more", kind: firmward.Defer, made: exposed},
		{name: "a false positive, exposed", kind: firmward.Suppress, ground: firmward.GroundComponent, now: exposed},
		{name: "contained still", kind: firmward.Mitigate, made: walled, now: walled},
		{name: "no longer contained", kind: firmward.Mitigate, made: walled, why: "containment con-1 is no longer proven"},
		{name: "contained anew", kind: firmward.Mitigate, made: walled, now: func(p *firmward.Premise) { p.Control = "con-2" }, why: "con-1"},
		{name: "contained since", kind: firmward.Accept, now: walled},
		{name: "accepted while contained, no longer", kind: firmward.Accept, made: walled, why: "con-1"},
		{name: "a worse verdict", kind: firmward.Accept, now: worse, why: "the verdict was likely (version-in-range), now it is affected (version-exact)"},
		{name: "a better verdict", kind: firmward.Accept, now: func(p *firmward.Premise) { p.Verdict = firmward.Possible }},
		{name: "no verdict then", kind: firmward.Accept, made: func(p *firmward.Premise) { p.Verdict = "" }, now: worse},
		{name: "no verdict now", kind: firmward.Accept, now: func(p *firmward.Premise) { p.Verdict = "" }},
		{name: "a worse verdict on a false positive", kind: firmward.Suppress, ground: firmward.GroundComponent, now: worse, why: "verdict"},
		{name: "other firmware", kind: firmward.Accept, now: updated},
		{name: "other firmware, deferred", kind: firmward.Defer, now: updated},
		{name: "other firmware, mitigated", kind: firmward.Mitigate, made: walled, now: func(p *firmward.Premise) { walled(p); updated(p) }},
		{name: "other firmware, waived", kind: firmward.Waive, now: updated},
		{name: "other firmware, the part is not built in", kind: firmward.Suppress, ground: firmward.GroundComponent, now: updated},
		{name: "other firmware, other hardware needed", kind: firmward.Suppress, ground: firmward.GroundPlatform, now: updated},
		{name: "other firmware, another product", kind: firmward.Suppress, ground: firmward.GroundProduct, now: updated},
		{name: "other firmware, the version was not affected", kind: firmward.Suppress, ground: firmward.GroundVersion, now: updated, why: "it was decided for firmware 1.0, now it runs 2.0"},
		{name: "other firmware, the code did not run", kind: firmward.Suppress, ground: firmward.GroundCode, now: updated, why: "firmware"},
		{name: "other firmware, no ground", kind: firmward.Suppress, now: updated, why: "firmware"},
		{name: "firmware unknown now", kind: firmward.Suppress, now: func(p *firmward.Premise) { p.Firmware = "" }},
		{name: "firmware unknown then", kind: firmward.Suppress, made: func(p *firmward.Premise) { p.Firmware = "" }, now: updated},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := firmward.Exception{Kind: tc.kind, Ground: tc.ground, Premise: new(with(tc.made))}
			why, falls := remedy.Falls(e, with(tc.now))
			if falls != (tc.why != "") || !strings.Contains(why, tc.why) {
				t.Errorf("falls: %v, %q; want %q", falls, why, tc.why)
			}
		})
	}
	old := firmward.Exception{Kind: firmward.Accept}
	if why, falls := remedy.Falls(old, with(func(p *firmward.Premise) { exposed(p); worse(p); updated(p) })); falls {
		t.Errorf("one without a premise falls: %s", why)
	}
	if _, falls := remedy.Falls(old, with(exploited)); !falls {
		t.Error("one without a premise stands though it is exploited")
	}
}

func premises(t *rapid.T, name string) firmward.Premise {
	return firmward.Premise{
		Exploited: rapid.SliceOfDistinct(rapid.SampledFrom([]string{"CVE-1", "CVE-2", "CVE-3"}), rapid.ID[string]).Draw(t, name+" exploited"),
		Exposed:   rapid.Bool().Draw(t, name+" exposed"),
		Verdict:   rapid.SampledFrom([]firmward.Verdict{"", firmward.NotAffected, firmward.Possible, firmward.Likely, firmward.Affected}).Draw(t, name+" verdict"),
		Firmware:  rapid.SampledFrom([]string{"", "1.0", "2.0"}).Draw(t, name+" firmware"),
		Control:   rapid.SampledFrom([]string{"", "con-1", "con-2"}).Draw(t, name+" control"),
	}
}

// TestFallsProperties: what was so when it was made never ends an exception, a fallen one never falls again, a premise that falls has a
// reason, and nothing that gets worse lets a fallen one stand.
func TestFallsProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		was, now := premises(t, "was"), premises(t, "now")
		e := firmward.Exception{
			Kind:    rapid.SampledFrom([]firmward.ExceptionKind{firmward.Accept, firmward.Mitigate, firmward.Defer, firmward.Suppress, firmward.Waive}).Draw(t, "kind"),
			Ground:  rapid.SampledFrom([]firmward.Ground{"", firmward.GroundComponent, firmward.GroundVersion}).Draw(t, "ground"),
			Premise: &was,
		}
		if why, falls := remedy.Falls(e, was); falls {
			t.Fatalf("its own premise ends it: %s", why)
		}
		why, falls := remedy.Falls(e, now)
		if falls != (why != "") {
			t.Fatalf("falls: %v, %q", falls, why)
		}
		worse := now
		worse.Exploited, worse.Exposed, worse.Verdict = slices.Concat(now.Exploited, []string{"CVE-9"}), true, firmward.Affected
		if _, still := remedy.Falls(e, worse); !still {
			t.Fatal("something new is exploited, and it stands")
		}
		wide := remedy.Widen(was, now)
		if why, narrow := remedy.Falls(firmward.Exception{Kind: e.Kind, Ground: e.Ground, Premise: &wide}, now); narrow {
			t.Fatalf("one for both devices falls at one of them: %s", why)
		}
		e.FellAt = later
		if _, again := remedy.Falls(e, worse); again {
			t.Fatal("it falls twice")
		}
	})
}

func TestPremiseOf(t *testing.T) {
	f := healthy()
	f.Device.Exposed = true
	f.Findings = []firmward.Finding{
		finding(func(f *firmward.Finding) { f.AdvisoryID, f.Exploited, f.Reason = "CVE-2", true, firmward.ReasonExact }),
		finding(func(f *firmward.Finding) { f.AdvisoryID, f.Exploited = "CVE-1", true }),
		finding(func(f *firmward.Finding) { f.AdvisoryID, f.Exploited, f.ClosedAt = "CVE-3", true, now }),
	}
	f.Containment = &firmward.Containment{ID: "con-1", State: firmward.ContainContained}
	all := firmward.Premise{Exploited: []string{"CVE-1", "CVE-2"}, Exposed: true, Firmware: "1.0", Control: "con-1"}
	one := all
	one.Exploited, one.Verdict, one.Reason = []string{"CVE-2"}, firmward.Affected, firmward.ReasonExact
	for _, tc := range []struct {
		name string
		e    firmward.Exception
		want firmward.Premise
	}{
		{"a device", firmward.Exception{DeviceID: "d"}, all},
		{"an advisory on a device", firmward.Exception{DeviceID: "d", Advisory: "CVE-2"}, one},
		{"an advisory anywhere", firmward.Exception{Advisory: "CVE-2"}, one},
		{"an advisory that this device has not", firmward.Exception{Advisory: "CVE-9"}, firmward.Premise{Firmware: "1.0", Control: "con-1"}},
		{"a closed one", firmward.Exception{Advisory: "CVE-3"}, firmward.Premise{Firmware: "1.0", Control: "con-1"}},
	} {
		if diff := cmp.Diff(tc.want, remedy.PremiseOf(f, tc.e)); diff != "" {
			t.Errorf("%s: %s", tc.name, diff)
		}
	}
	rests := firmward.Exception{DeviceID: "d", Premise: &all}
	for _, tc := range []struct {
		state        firmward.ContainState
		code         string
		rests, fresh string
	}{
		{firmward.ContainContained, "", "con-1", "con-1"},
		{firmward.ContainOpen, firmward.ContainRestart, "con-1", ""}, // being proven anew
		{firmward.ContainApplied, "", "con-1", ""},
		{firmward.ContainOpen, "no-enforcer", "", ""},
		{firmward.ContainUndone, "not-proven", "", ""},
		{firmward.ContainReleased, "", "", ""},
	} {
		f.Containment.State, f.Containment.Code = tc.state, tc.code
		if got := remedy.PremiseOf(f, rests).Control; got != tc.rests {
			t.Errorf("%s %s: an exception that rests on it has %q", tc.state, tc.code, got)
		}
		if got := remedy.PremiseOf(f, firmward.Exception{DeviceID: "d"}).Control; got != tc.fresh {
			t.Errorf("%s %s: a new exception has %q", tc.state, tc.code, got)
		}
	}
}

// TestFallen: one step with the exceptions that stand, and the reasons of the others.
func TestFallen(t *testing.T) {
	f := healthy()
	f.Findings = []firmward.Finding{finding(func(f *firmward.Finding) { f.Exploited = true })}
	known := &firmward.Premise{Exploited: []string{"CVE-2026-0001"}, Firmware: "1.0"}
	f.Exceptions = []firmward.Exception{
		{ID: "1", DeviceID: "d", Expires: later, Premise: known},
		{ID: "2", DeviceID: "d", Expires: later, Premise: &firmward.Premise{}},
		{ID: "3", Advisory: "CVE-2026-0001", Expires: later},
		{ID: "4", Advisory: "CVE-2026-0009", Expires: later},
	}
	stand, fallen := remedy.Fallen(f, now)
	var got []string
	for _, e := range stand {
		got = append(got, e.ID)
	}
	for _, e := range fallen {
		got = append(got, e.ID+" "+e.FellWhy)
		if !e.FellAt.Equal(now) || e.State(now) != firmward.ExceptionFallen || e.Applies("d", "CVE-2026-0001", now) {
			t.Errorf("%+v", e)
		}
	}
	want := []string{"1", "4", "2 CVE-2026-0001 is known to be exploited", "3 cam-1: CVE-2026-0001 is known to be exploited"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !remedy.NeedsSecond(firmward.Accept, *known) || !remedy.NeedsSecond(firmward.Suppress, firmward.Premise{}) || remedy.NeedsSecond(firmward.Accept, firmward.Premise{Exposed: true}) {
		t.Error("who needs a second person")
	}
	waiting := firmward.Exception{DeviceID: "d", Expires: later, Second: true}
	if waiting.Applies("d", "x", now) {
		t.Error("one that waits for a second person covers something")
	}
	waiting.Approver = "ben"
	if !waiting.Applies("d", "x", now) || waiting.Applies("d", "x", later) {
		t.Error("an approved one covers until it expires")
	}
}
