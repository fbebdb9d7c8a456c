package remedy_test

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/lifecycle"
	"github.com/firmward/firmward/remedy"
)

var (
	now    = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	before = now.AddDate(0, 0, -10)
	later  = now.AddDate(0, 0, 30)
)

const day = 24 * time.Hour

// healthy is a known camera without findings, looked at an hour ago.
func healthy() remedy.Facts {
	return remedy.Facts{
		Device: firmward.Device{ID: "d", Name: "cam-1", Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.9")}, Model: "M1", Hardware: "h1", Firmware: "1.0", Network: "n", Owner: "anna", FirstSeen: before, Zone: firmward.ZoneOffice},
		Model:  firmward.Model{Name: "M1"}, HasDriver: true, Looked: now.Add(-time.Hour), Support: lifecycle.Support{State: lifecycle.Supported},
		Refusal: func(firmward.Release) (string, string) { return "", "" },
		Policy: firmward.RiskPolicy{
			ExploitedExposed: 2 * day, Exploited: 14 * day, Critical: 14 * day, High: 30 * day, Other: 90 * day,
			ContainWithin: day, ReplaceWithin: 365 * day, LookEvery: 7 * day,
		},
	}
}

func finding(change func(*firmward.Finding)) firmward.Finding {
	f := firmward.Finding{DeviceID: "d", AdvisoryID: "CVE-2026-0001", Verdict: firmward.Affected, Score: 9.8, OpenedAt: before, FixedIn: "2.0"}
	if change != nil {
		change(&f)
	}
	return f
}

func release(version string) firmward.Release {
	return firmward.Release{ID: "rel-" + version, Models: []string{"M1"}, Hardware: []string{"*"}, Version: version}
}

// from lets a release go over a version or newer only.
func from(r firmward.Release, least string) firmward.Release {
	r.MinFrom = least
	return r
}

func hopeless(f *firmward.Finding) {
	f.Exploited, f.ExploitedAt, f.NoFix, f.FixedIn = true, before, true, ""
}

func TestChoose(t *testing.T) {
	for _, tc := range []struct {
		name    string
		change  func(*remedy.Facts)
		kind    firmward.StepKind
		action  string // part of it
		blocker string // its code
		rule    string
	}{
		{name: "missing from the last scan", change: func(f *remedy.Facts) {
			f.Network, f.Device.LastSeen = &firmward.Network{Scanned: now}, now.Add(-remedy.Missed)
		}, kind: firmward.StepAsk, action: "silent since", rule: "policy"},
		{name: "seen by the last scan", change: func(f *remedy.Facts) {
			f.Network, f.Device.LastSeen = &firmward.Network{Scanned: now}, now.Add(-remedy.Missed+time.Minute)
		}, kind: firmward.StepWait, action: "nothing to do", rule: "policy"},
		{"nothing", func(*remedy.Facts) {}, firmward.StepWait, "nothing to do", "", "policy"},
		{"stale look", func(f *remedy.Facts) { f.Looked = now.Add(-8 * day) }, firmward.StepLook, "look again", "", "policy"},
		{"retired", func(f *remedy.Facts) {
			f.Device.Retired = true
			f.Findings = []firmward.Finding{finding(nil)}
		}, firmward.StepRetire, "retired", "", "retired"},
		{"in flight", func(f *remedy.Facts) {
			f.Target = &firmward.Target{RolloutID: "ro", State: firmward.TargetSettling, Want: "2.0", Why: "on its way", Deadline: later}
		}, firmward.StepPatch, "update to 2.0 is under way: on its way", "", "deadline"},
		{"reported work", func(f *remedy.Facts) {
			f.Work = []firmward.WorkOrder{{ID: "w", State: firmward.WorkReported}}
		}, firmward.StepLook, "reported work", "", "work-order"},
		{"after silence", func(f *remedy.Facts) {
			f.Target = &firmward.Target{State: firmward.TargetFailed, Code: "silent", Why: "silent since the update", EndedAt: now}
		}, firmward.StepAsk, "go and see: silent", "", "failed-update"},
		{"silent device is back", func(f *remedy.Facts) {
			f.Target = &firmward.Target{State: firmward.TargetFailed, Code: "silent", EndedAt: before}
		}, firmward.StepWait, "nothing", "", "policy"},
		{"dead service is not forgotten by a look", func(f *remedy.Facts) {
			f.Device.Firmware = "2.0"
			f.Target = &firmward.Target{State: firmward.TargetFailed, Code: "service-dead", Why: "rtsp is dead", Want: "2.0", EndedAt: before}
		}, firmward.StepAsk, "go and see: rtsp is dead", "", "failed-update"},
		{"dead service answers again", func(f *remedy.Facts) {
			f.Device.Firmware, f.Healthy = "2.0", now
			f.Target = &firmward.Target{State: firmward.TargetFailed, Code: "service-dead", Want: "2.0", EndedAt: before}
		}, firmward.StepWait, "nothing", "", "policy"},
		{"dead service, old version again", func(f *remedy.Facts) {
			f.Target = &firmward.Target{State: firmward.TargetFailed, Code: "service-dead", Want: "2.0", EndedAt: before}
		}, firmward.StepWait, "nothing", "", "policy"},
		{"unknown, allowed", func(f *remedy.Facts) {
			f.Device.Model = ""
			f.Network = &firmward.Network{Allowed: firmward.Polite}
		}, firmward.StepLook, "find out", "", "policy"},
		{"unknown, not allowed", func(f *remedy.Facts) {
			f.Device.Model = ""
			f.Network = &firmward.Network{Profile: firmward.ProfileMedical, Prefix: netip.MustParsePrefix("10.40.0.0/24")}
		}, firmward.StepAsk, "allow polite probes for 10.40.0.0/24", "not-allowed", "policy"},
		{"attacked", func(f *remedy.Facts) { f.Findings = []firmward.Finding{finding(hopeless)} }, firmward.StepContain, "contain it", "", "contain-within"},
		{"attacked, contained", func(f *remedy.Facts) {
			f.Findings = []firmward.Finding{finding(hopeless)}
			f.Containment = &firmward.Containment{ID: "c", State: firmward.ContainContained, Created: before}
		}, firmward.StepReplace, "cut off meanwhile, proven 2026-02-20", "", "policy"},
		{"attacked, containment waits", func(f *remedy.Facts) {
			f.Findings = []firmward.Finding{finding(hopeless)}
			f.Containment = &firmward.Containment{ID: "c", State: firmward.ContainOpen, Why: "no enforcer", Code: "no-enforcer"}
		}, firmward.StepContain, "contain it", "no-enforcer", "contain-within"},
		{"attacked, guarded", func(f *remedy.Facts) {
			f.Findings = []firmward.Finding{finding(hopeless)}
			f.GuardCode, f.GuardWhy = "never-class", "an infusion pump"
		}, firmward.StepAsk, "agree with anna", "never-class", "contain-within"},
		{"patch, not planned", func(f *remedy.Facts) {
			f.Findings, f.Releases = []firmward.Finding{finding(nil)}, []firmward.Release{release("2.0")}
		}, firmward.StepPatch, "update from 1.0 to 2.0", "not-planned", "policy-critical"},
		{"patch, exploited", func(f *remedy.Facts) {
			f.Findings = []firmward.Finding{finding(func(x *firmward.Finding) { x.Exploited = true })}
			f.Releases = []firmward.Release{release("2.0")}
		}, firmward.StepPatch, "update", "not-planned", "policy-exploited"},
		{"patch, exploited and exposed", func(f *remedy.Facts) {
			f.Device.Exposed = true
			f.Findings = []firmward.Finding{finding(func(x *firmward.Finding) { x.Exploited = true })}
			f.Releases = []firmward.Release{release("2.0")}
		}, firmward.StepPatch, "update", "not-planned", "policy-exploited-exposed"},
		{"patch, the highest release", func(f *remedy.Facts) {
			f.Releases = []firmward.Release{release("2.0"), release("2.10"), release("2.9")}
		}, firmward.StepPatch, "update from 1.0 to 2.10", "not-planned", "newer-version"},
		{"patch, the highest of its channel", func(f *remedy.Facts) {
			lts := release("2.0")
			lts.Channel = "lts"
			f.Releases = []firmward.Release{lts, release("2.10")}
			f.Takes = func(channel string) bool { return channel == "lts" }
		}, firmward.StepPatch, "update from 1.0 to 2.0", "not-planned", "newer-version"},
		{"patch, waits its turn", func(f *remedy.Facts) {
			f.Releases = []firmward.Release{release("2.0")}
			f.Target = &firmward.Target{RolloutID: "ro", State: firmward.TargetPending, Want: "2.0", Why: "waits for wave 1"}
			f.Rollout = &firmward.Rollout{State: firmward.RolloutRunning}
		}, firmward.StepPatch, "update", "waits-its-turn", "newer-version"},
		{"patch, rollout paused", func(f *remedy.Facts) {
			f.Releases = []firmward.Release{release("2.0")}
			f.Target = &firmward.Target{RolloutID: "ro", State: firmward.TargetPending, Want: "2.0"}
			f.Rollout = &firmward.Rollout{State: firmward.RolloutPaused, Why: "auditors"}
		}, firmward.StepPatch, "update", "rollout-paused", "newer-version"},
		{"patch, refused", func(f *remedy.Facts) {
			f.Releases = []firmward.Release{release("2.0")}
			f.Refusal = func(firmward.Release) (string, string) { return "no-owner", "it has no owner" }
		}, firmward.StepPatch, "update", "no-owner", "newer-version"},
		{"patch, failed before", func(f *remedy.Facts) {
			f.Releases = []firmward.Release{release("2.0")}
			f.Target = &firmward.Target{RolloutID: "ro", State: firmward.TargetRolledBack, Want: "2.0", Why: "fell back"}
			f.Rollout = &firmward.Rollout{State: firmward.RolloutHalted}
		}, firmward.StepWait, "tried and failed", "failed-before", "newer-version"},
		{"patch, the first of two steps", func(f *remedy.Facts) {
			f.Releases = []firmward.Release{from(release("3.0"), "2.0"), release("2.0"), release("1.5")}
		}, firmward.StepPatch, "update from 1.0 to 2.0", "not-planned", "newer-version"},
		{"patch, the step between is missing", func(f *remedy.Facts) {
			f.Releases = []firmward.Release{from(release("3.0"), "2.0")}
		}, firmward.StepAsk, "get firmware 2.0 for M1 (releases import): no release in the depot leads from 1.0 to 2.0; get 2.0", "missing-hop", "newer-version"},
		{"patch, an older one where the newest is out of reach", func(f *remedy.Facts) {
			f.Releases = []firmward.Release{from(release("3.0"), "2.0"), release("1.5")}
		}, firmward.StepPatch, "update from 1.0 to 1.5", "not-planned", "newer-version"},
		{"patch, the step between is of another channel", func(f *remedy.Facts) {
			early := release("2.0")
			early.Channel = "early-access"
			f.Releases = []firmward.Release{from(release("3.0"), "2.0"), early}
			f.Takes = func(channel string) bool { return channel == "" }
		}, firmward.StepAsk, "rel-2.0, is of early-access, which its policy does not take", "missing-hop", "newer-version"},
		{"patch, of which variant nobody knows", func(f *remedy.Facts) {
			r := release("2.0")
			r.Variant = "eu"
			f.Releases = []firmward.Release{r}
		}, firmward.StepAsk, "find out which variant it is of (devices set cam-1 --variant VARIANT)", "variant-unknown", "newer-version"},
		{"another variant is none of its releases", func(f *remedy.Facts) {
			r := release("2.0")
			r.Variant, f.Runs.Variant = "eu", "us"
			f.Releases = []firmward.Release{r}
		}, firmward.StepWait, "nothing to do", "", "policy"},
		{"patch, its bootloader first", func(f *remedy.Facts) {
			r, loader := release("2.0"), release("7")
			r.Needs, loader.Part, loader.ID = []firmward.Need{{Part: "bootloader", AtLeast: "7"}}, "bootloader", "rel-loader"
			f.Runs.Parts = map[string]string{"bootloader": "6"}
			f.Releases = []firmward.Release{r, loader}
		}, firmward.StepAsk, "update its bootloader from 6 to 7 by hand, and say so (devices set cam-1 --part bootloader=7)", "by-hand", "newer-version"},
		{"vendor only, in two steps", func(f *remedy.Facts) {
			f.Model.MayPatch.Value = firmward.VendorMayPatch
			f.Findings, f.Releases = []firmward.Finding{finding(nil)}, []firmward.Release{from(release("3.0"), "2.0"), release("2.0")}
		}, firmward.StepAsk, "ask the vendor to update it to 3.0; the vendor alone may, in these steps: 2.0, then 3.0", "", "policy-critical"},
		{"vendor only, as far as a way leads", func(f *remedy.Facts) {
			f.Model.MayPatch.Value = firmward.VendorMayPatch
			f.Findings, f.Releases = []firmward.Finding{finding(nil)}, []firmward.Release{from(release("3.0"), "2.0"), release("1.5")}
		}, firmward.StepAsk, "update it to 1.5; the vendor alone may (no release in the depot leads from 1.0 to 2.0; get 2.0)", "", "policy-critical"},
		{"vendor only, the step between is missing", func(f *remedy.Facts) {
			f.Model.MayPatch.Value = firmward.VendorMayPatch
			f.Findings, f.Releases = []firmward.Finding{finding(nil)}, []firmward.Release{from(release("3.0"), "2.0")}
		}, firmward.StepAsk, "(no release in the depot leads from 1.0 to 2.0; get 2.0)", "", "policy-critical"},
		{"withdrawn", func(f *remedy.Facts) {
			r := release("2.0")
			r.Withdrawn, r.WhyGone = before, "bricks"
			f.Findings, f.Releases = []firmward.Finding{finding(nil)}, []firmward.Release{r}
		}, firmward.StepWait, "2.0 was withdrawn (bricks)", "release-withdrawn", "policy-critical"},
		{"vendor only", func(f *remedy.Facts) {
			f.Model.MayPatch.Value = firmward.VendorMayPatch
			f.Findings, f.Releases = []firmward.Finding{finding(nil)}, []firmward.Release{release("2.0")}
		}, firmward.StepAsk, "ask the vendor to update it to 2.0; the vendor alone may", "", "policy-critical"},
		{"by hand", func(f *remedy.Facts) {
			f.HasDriver = false
			f.Findings, f.Releases = []firmward.Finding{finding(nil)}, []firmward.Release{release("2.0")}
		}, firmward.StepAsk, "update it to 2.0 by hand (anna)", "", "policy-critical"},
		{"by hand, nobody owns it, work order waits", func(f *remedy.Facts) {
			f.HasDriver, f.Device.Owner = false, ""
			f.Findings = []firmward.Finding{finding(nil)}
			f.Work = []firmward.WorkOrder{{ID: "w", Kind: "update", State: firmward.WorkNotYet, Why: "still 1.0"}}
		}, firmward.StepAsk, "update it to 2.0 by hand", "not-done-yet", "policy-critical"},
		{"updates itself", func(f *remedy.Facts) {
			f.HasDriver, f.Auto, f.Model.Mechanism.Value = false, "on", string(firmward.ByVendorCloud)
			f.Findings = []firmward.Finding{finding(func(x *firmward.Finding) { x.OpenedAt = now.Add(-day) })}
		}, firmward.StepWait, "installs 2.0 by itself", "", "automatic-updates"},
		{"updates itself, but did not for too long", func(f *remedy.Facts) {
			f.HasDriver, f.Auto, f.Model.Mechanism.Value = false, "on", string(firmward.ByVendorCloud)
			f.Findings = []firmward.Finding{finding(func(x *firmward.Finding) { x.OpenedAt = now.Add(-40 * day) })}
		}, firmward.StepAsk, "update it to 2.0 by hand (anna)", "", "policy-critical"},
		{"would update itself", func(f *remedy.Facts) {
			f.HasDriver, f.Auto, f.Model.Mechanism.Value = false, "off", string(firmward.ByVendorCloud)
			f.Findings = []firmward.Finding{finding(nil)}
		}, firmward.StepAsk, "switch on its automatic updates, so that it gets 2.0 (devices auto-updates cam-1 on)", "", "policy-critical"},
		{"its gateway is silent", func(f *remedy.Facts) {
			f.Network, f.Device.LastSeen = &firmward.Network{Scanned: now}, before
			f.Gateways = []firmward.Device{{Name: "switch", LastSeen: now}, {Name: "router", LastSeen: before}}
		}, firmward.StepWait, "wait for router: it is reached through it", "gateway-silent", "policy"},
		{"seen early in a long scan", func(f *remedy.Facts) {
			f.Network = &firmward.Network{Scanned: now, Began: now.Add(-3 * day)}
			f.Device.LastSeen = now.Add(-2 * day)
		}, firmward.StepWait, "nothing", "", "policy"},
		{"not seen in a long scan", func(f *remedy.Facts) {
			f.Network = &firmward.Network{Scanned: now, Began: now.Add(-3 * day)}
			f.Device.LastSeen = now.Add(-4 * day)
		}, firmward.StepAsk, "go and see: silent since", "", "policy"},
		{"left out once by the bridge that tells of it", func(f *remedy.Facts) {
			f.Network, f.Device.LastSeen, f.Device.Addrs = &firmward.Network{Scanned: now}, now.Add(-day), nil
			f.Gateways = []firmward.Device{{Name: "bridge", LastSeen: now}}
		}, firmward.StepWait, "nothing", "", "policy"},
		{"silent, its gateway is not", func(f *remedy.Facts) {
			f.Network, f.Device.LastSeen = &firmward.Network{Scanned: now}, before
			f.Gateways = []firmward.Device{{Name: "switch", LastSeen: now}}
		}, firmward.StepAsk, "go and see: silent since", "", "policy"},
		{"unsupported", func(f *remedy.Facts) {
			f.Support = lifecycle.Support{State: lifecycle.Ended, End: before}
		}, firmward.StepReplace, "nobody mends it any more", "", "support-end"},
		{"its branch is unsupported, no other is known", func(f *remedy.Facts) {
			f.Support = lifecycle.Support{State: lifecycle.Ended, End: before, Branch: "1"}
		}, firmward.StepReplace, "nobody mends it any more", "", "support-end"},
		{"its branch is unsupported", func(f *remedy.Facts) { f.Support = overtaken }, firmward.StepAsk, "get firmware 3.4 or newer for M1 (releases import): nobody mends 1 any more", "no-release", "support-end"},
		{"its branch is unsupported, by hand", func(f *remedy.Facts) {
			f.Support, f.HasDriver = overtaken, false
		}, firmward.StepAsk, "update it to 3.4 by hand (anna): nobody mends 1 any more", "", "support-end"},
		{"its branch is unsupported, a fix lies above", func(f *remedy.Facts) {
			f.Support, f.HasDriver = overtaken, false
			f.Findings = []firmward.Finding{finding(func(x *firmward.Finding) { x.FixedIn = "4.0" })}
		}, firmward.StepAsk, "update it to 4.0 by hand", "", "policy-critical"},
		{"its branch is unsupported, a release is at hand", func(f *remedy.Facts) {
			f.Support, f.Releases = overtaken, []firmward.Release{release("3.5")}
		}, firmward.StepPatch, "update from 1.0 to 3.5", "not-planned", "newer-version"},
		{"its branch is unsupported, attacked, no fix known", func(f *remedy.Facts) {
			f.Support = overtaken
			f.Findings = []firmward.Finding{finding(func(x *firmward.Finding) { x.Exploited, x.FixedIn = true, "" })}
		}, firmward.StepAsk, "get firmware 3.4 or newer", "no-release", "policy-exploited"},
		{"its branch is unsupported, attacked, no fix exists", func(f *remedy.Facts) {
			f.Support = overtaken
			f.Findings = []firmward.Finding{finding(func(x *firmward.Finding) { x.Exploited, x.FixedIn, x.NoFix = true, "", true })}
		}, firmward.StepContain, "contain it", "", "contain-within"},
		{"unmended, known fix", func(f *remedy.Facts) { f.Findings = []firmward.Finding{finding(nil)} }, firmward.StepAsk, "get firmware 2.0 or newer for M1", "no-release", "policy-critical"},
		{"unmended, no fix known", func(f *remedy.Facts) {
			f.Findings = []firmward.Finding{finding(func(x *firmward.Finding) { x.FixedIn, x.Score = "", 7.5 })}
		}, firmward.StepAsk, "ask the vendor for a fix", "no-fix-known", "policy-high"},
		{"recalled, though a release is at hand", func(f *remedy.Facts) {
			f.Releases = []firmward.Release{release("2.0")}
			f.Findings = []firmward.Finding{finding(func(x *firmward.Finding) {
				x.AdvisoryID, x.Records = "Z-1234-2026", []firmward.RecordRef{{Source: "fda"}}
			})}
		}, firmward.StepAsk, "decide with anna what FDA recall Z-1234-2026 asks for", "", "fda-recall"},
		{"unmended, no fix exists", func(f *remedy.Facts) {
			f.Findings = []firmward.Finding{finding(func(x *firmward.Finding) { x.FixedIn, x.Score, x.NoFix = "", 7.5, true })}
		}, firmward.StepAsk, "limit who can reach it", "no-fix", "policy-high"},
		{"possible only", func(f *remedy.Facts) {
			f.Findings = []firmward.Finding{finding(func(x *firmward.Finding) { x.Verdict, x.Score = firmward.Possible, 5 })}
		}, firmward.StepAsk, "ask the vendor whether 1.0 is affected by CVE-2026-0001", "unspecified", "policy-other"},
		{"unread version", func(f *remedy.Facts) {
			f.Device.Firmware = ""
			f.Releases = []firmward.Release{release("2.0")}
			f.Findings = []firmward.Finding{finding(func(x *firmward.Finding) { x.Verdict = firmward.Possible })}
		}, firmward.StepLook, "read its firmware version", "", "policy"},
		{"unread version, not on a network", func(f *remedy.Facts) { f.Device.Firmware, f.Device.Network = "", "" }, firmward.StepAsk, "on the device and enter it", "", "policy"},
		{"accepted", func(f *remedy.Facts) {
			f.Findings = []firmward.Finding{finding(nil)}
			f.Exceptions = []firmward.Exception{{Kind: firmward.Accept, DeviceID: "d", Expires: later}}
		}, firmward.StepAccept, "until 2026-04-01", "", "exception"},
		{"acceptance is over", func(f *remedy.Facts) {
			f.Findings = []firmward.Finding{finding(nil)}
			f.Exceptions = []firmward.Exception{{Kind: firmward.Accept, DeviceID: "d", Expires: now}}
		}, firmward.StepAsk, "get firmware 2.0", "no-release", "policy-critical"},
		{"a waiver excuses no finding", func(f *remedy.Facts) {
			f.Findings = []firmward.Finding{finding(nil)}
			f.Exceptions = []firmward.Exception{{Kind: firmward.Waive, DeviceID: "d", Expires: later}}
		}, firmward.StepAsk, "get firmware 2.0", "no-release", "policy-critical"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := healthy()
			tc.change(&f)
			s := remedy.Choose(f, now)
			if s.Now.Kind != tc.kind || !strings.Contains(s.Now.Action, tc.action) || s.BlockerCode != tc.blocker || s.Now.Rule != tc.rule {
				t.Errorf("got %s %q, blocker %q, rule %q; want %s %q %q %q", s.Now.Kind, s.Now.Action, s.BlockerCode, s.Now.Rule, tc.kind, tc.action, tc.blocker, tc.rule)
			}
			sane(t, s)
		})
	}
}

func sane(t interface{ Fatalf(string, ...any) }, s firmward.NextStep) {
	switch {
	case s.Now.Kind == "" || strings.TrimSpace(s.Now.Action) == "":
		t.Fatalf("no step: %+v", s)
	case s.Risk < 0 || s.Risk > 100 || s.RiskAfter < 0 || s.RiskAfter > 100 || len(s.Why) > 3:
		t.Fatalf("risk %d → %d, %d reasons", s.Risk, s.RiskAfter, len(s.Why))
	case s.Now.Kind == firmward.StepPatch && s.RiskAfter > s.Risk:
		t.Fatalf("patching raises the risk: %d → %d", s.Risk, s.RiskAfter)
	case (s.Blocker == "") != (s.BlockerCode == ""):
		t.Fatalf("blocker %q has code %q", s.Blocker, s.BlockerCode)
	}
	for _, p := range []*firmward.Phase{s.Then, s.Finally} {
		if p != nil && (p.Kind == "" || p.Action == "") {
			t.Fatalf("empty phase: %+v", s)
		}
	}
}

// TestChooseAnything gives any facts: always one step, sane, and twice the same.
func TestChooseAnything(t *testing.T) {
	versions := rapid.SampledFrom([]string{"", "1.0", "1.1", "2.0", "2.0-beta", "V4.60(ABFA.1)C0", "x"})
	at := rapid.SampledFrom([]time.Time{{}, before, now, later})
	finds := rapid.Custom(func(t *rapid.T) firmward.Finding {
		return firmward.Finding{
			DeviceID: "d", AdvisoryID: rapid.SampledFrom([]string{"CVE-1", "CVE-2"}).Draw(t, "id"),
			Verdict:   rapid.SampledFrom([]firmward.Verdict{firmward.Affected, firmward.Likely, firmward.Possible, firmward.NotAffected}).Draw(t, "verdict"),
			Score:     rapid.Float64Range(0, 10).Draw(t, "score"),
			Exploited: rapid.Bool().Draw(t, "exploited"), Likelihood: rapid.Float64Range(0, 1).Draw(t, "likelihood"),
			FixedIn: versions.Draw(t, "fix"), NoFix: rapid.Bool().Draw(t, "no fix"), OpenedAt: at.Draw(t, "opened"), ClosedAt: rapid.SampledFrom([]time.Time{{}, {}, before}).Draw(t, "closed"),
		}
	})
	releases := rapid.Custom(func(t *rapid.T) firmward.Release {
		r := release(versions.Draw(t, "version"))
		r.Withdrawn = rapid.SampledFrom([]time.Time{{}, before}).Draw(t, "withdrawn")
		r.MinFrom, r.Variant = versions.Draw(t, "from"), rapid.SampledFrom([]string{"", "", "eu"}).Draw(t, "variant")
		return r
	})
	states := []firmward.TargetState{firmward.TargetPending, firmward.TargetSettling, firmward.TargetSucceeded, firmward.TargetFailed, firmward.TargetRolledBack, firmward.TargetSkipped}
	rapid.Check(t, func(t *rapid.T) {
		f := healthy()
		f.Device.Model = rapid.SampledFrom([]string{"", "M1"}).Draw(t, "model")
		f.Device.Firmware, f.Device.Owner = versions.Draw(t, "firmware"), rapid.SampledFrom([]string{"", "anna"}).Draw(t, "owner")
		f.Device.Network = rapid.SampledFrom([]string{"", "n"}).Draw(t, "network")
		f.Device.Exposed, f.Device.Retired = rapid.Bool().Draw(t, "exposed"), rapid.IntRange(0, 9).Draw(t, "retired") == 0
		f.Device.Criticality = rapid.IntRange(0, 5).Draw(t, "criticality")
		f.HasDriver = rapid.Bool().Draw(t, "driver")
		f.Auto = rapid.SampledFrom([]string{"", "on", "off"}).Draw(t, "auto")
		f.Model.Mechanism.Value = rapid.SampledFrom([]string{"", string(firmward.ByVendorCloud)}).Draw(t, "mechanism")
		f.Model.MayPatch.Value = rapid.SampledFrom([]string{"", firmward.OwnerMayPatch, firmward.VendorMayPatch}).Draw(t, "may patch")
		f.Support.State = rapid.SampledFrom([]lifecycle.State{lifecycle.Supported, lifecycle.Ending, lifecycle.Ended, lifecycle.Unknown}).Draw(t, "support")
		f.Support.End, f.Looked = at.Draw(t, "end"), at.Draw(t, "looked")
		f.Support.Branch, f.Support.Newer = rapid.SampledFrom([]string{"", "1"}).Draw(t, "branch"), rapid.SampledFrom([]string{"", "3"}).Draw(t, "newer")
		f.Findings, f.Releases = rapid.SliceOfN(finds, 0, 4).Draw(t, "findings"), rapid.SliceOfN(releases, 0, 3).Draw(t, "releases")
		if rapid.Bool().Draw(t, "has target") {
			f.Target = &firmward.Target{
				RolloutID: "ro", State: rapid.SampledFrom(states).Draw(t, "state"), Want: versions.Draw(t, "want"), Why: "why", EndedAt: at.Draw(t, "ended"),
				Code: rapid.SampledFrom([]string{"", "silent", "service-dead", "soak"}).Draw(t, "code"),
			}
			f.Rollout = &firmward.Rollout{State: rapid.SampledFrom([]firmward.RolloutState{firmward.RolloutRunning, firmward.RolloutHalted}).Draw(t, "rollout"), Why: "why"}
		}
		if rapid.Bool().Draw(t, "guarded") {
			f.GuardCode, f.GuardWhy = "never-class", "a pump"
		}
		s := remedy.Choose(f, now)
		sane(t, s)
		if again := remedy.Choose(f, now); !reflect.DeepEqual(s, again) {
			t.Fatalf("two answers to one question:\n%+v\n%+v", s, again)
		}
	})
}

func TestDepth(t *testing.T) {
	for want, feeds := range map[string][]firmward.FeedStatus{
		"no vulnerability knowledge":  nil,
		"starter set only":            {{Kind: "starter", Records: 6}},
		"facts are missing: nvd, kev": {{Name: "nvd", Kind: "advisories", Records: 9, Stale: true}, {Name: "kev", Kind: "exploited", Records: 5, Stale: true}},
		"9 advisories, newest dated":  {{Kind: "advisories", Records: 9, Dated: now}, {Kind: "exploited", Records: 5}},
		"no list of exploited ones":   {{Kind: "advisories", Records: 9, Dated: now}, {Kind: "exploited"}},
		"nobody knows of when":        {{Kind: "advisories", Records: 9}, {Kind: "starter", Records: 5, Dated: now}},
	} {
		if got := remedy.Depth(feeds); !strings.Contains(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// overtaken is the support of a device on a branch that ended, where a newer one goes on.
var overtaken = lifecycle.Support{State: lifecycle.Ended, End: before, Branch: "1", Newer: "3", Latest: "3.4"}

// What is left to do about the end of support after an update depends on whether the update leaves the branch.
func TestLastly(t *testing.T) {
	ending := overtaken
	ending.State, ending.End = lifecycle.Ending, later
	for _, c := range []struct {
		support lifecycle.Support
		release string
		want    string
	}{
		{overtaken, "1.9", "ask: bring it to branch 3: nobody mends 1 any more"},
		{overtaken, "3.0", ""},
		{overtaken, "4.1", ""},
		{ending, "1.9", "ask: bring it to branch 3: 1 is mended until " + later.Format(time.DateOnly)},
		{lifecycle.Support{State: lifecycle.Ended, End: before}, "4.1", "replace: replace it"},
		{lifecycle.Support{State: lifecycle.Supported, End: later}, "4.1", ""},
	} {
		f := healthy()
		f.Support, f.Releases = c.support, []firmward.Release{release(c.release)}
		s, got := remedy.Choose(f, now), ""
		if s.Finally != nil {
			got = string(s.Finally.Kind) + ": " + s.Finally.Action
		}
		if got != c.want {
			t.Errorf("%+v, then %s: %q", c.support, c.release, got)
		}
	}
	f := healthy()
	f.Support = overtaken
	if s := remedy.Choose(f, now); !strings.Contains(strings.Join(s.Why, "; "), "no support for branch 1 since "+before.Format(time.DateOnly)) {
		t.Errorf("%v", s.Why)
	}
}
