package staging_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/staging"
)

var (
	rel = firmward.Release{ID: "r", SHA256: "ab", Version: "2.0", Models: []string{"M1"}, Hardware: []string{"h1"}}
	now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

func class(has ...string) firmward.ConfigClass {
	if len(has) == 0 {
		return firmward.ConfigClass{Class: staging.Unknown}
	}
	return firmward.ConfigClass{Class: strings.Join(has, "+"), Has: has}
}

func member(name, hardware, version string, config firmward.ConfigClass, more ...string) staging.Member {
	d := firmward.Device{ID: name, Name: name, Model: "M1", Hardware: hardware, Firmware: version, Network: "n", Site: "here", Spare: slices.Contains(more, "spare")}
	if slices.Contains(more, "there") {
		d.Site = "there"
	}
	return staging.Member{Device: d, Config: config, Path: "push", Place: firmward.PlaceSpare}
}

// TestClusters: each cluster finds the nearest place, what it differs in is named, and who has none is told why.
func TestClusters(t *testing.T) {
	plain, mqtt := class("answers http"), class("answers http", "answers mqtt")
	in := []staging.Member{
		member("a", "h1", "1.0", plain), member("b", "h1", "1.0", plain), member("c", "h1", "1.1", plain),
		member("d", "h1", "1.0", mqtt), member("e", "h1", "1.0", class()), member("f", "h2", "1.0", plain),
		member("g", "h1", "1.0", plain, "spare"), // never a device of its own cluster
	}
	places := []staging.Member{
		member("z-far", "h1", "1.0", plain, "spare", "there"), member("z-near", "h1", "1.0", plain, "spare"),
		member("in-use", "h1", "1.0", plain), member("has-it", "h1", "2.0", mqtt, "spare"),
	}
	type row struct {
		of, by string
		apart  []string
	}
	var got []row
	for _, c := range staging.Clusters(rel, in, places) {
		var names []string
		for _, d := range c.Devices {
			names = append(names, d.Name)
		}
		r := row{of: strings.Join(names, " "), by: c.Why}
		if c.By != nil {
			r.by, r.apart = c.By.Device.Name, c.By.Differences
		}
		got = append(got, r)
	}
	want := []row{
		{"a b", "z-near", nil},
		{"d", "z-near", []string{"configuration: the tested one lacks: answers mqtt"}},
		{"e", "z-near", []string{"configuration: how the device is set up is not known: nothing of it was seen"}},
		{"c", "z-near", []string{"version: the tested one came from 1.0, this one runs 1.1"}},
		{"f", "no spare M1 is of hardware revision h2", nil},
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(row{})); d != "" {
		t.Error(d)
	}
	if reps := staging.Representatives(staging.Clusters(rel, in, places)); len(reps) != 1 || reps[0].Device.Name != "z-near" {
		t.Errorf("one place stands for four clusters and is rehearsed once: %+v", reps)
	}
	for why, list := range map[string][]staging.Member{
		"no spare M1 is at hand": {member("in-use", "h1", "1.0", plain)},
		"the spare has-it runs 2.0 already: bring it back to what the devices run": {member("has-it", "h1", "2.0", plain, "spare")},
	} {
		if c := staging.Clusters(rel, in[:1], list)[0]; c.By != nil || c.Why != why {
			t.Errorf("%+v, %q; want %q", c.By, c.Why, why)
		}
	}
}

// TestStand: the nearest verdict stands, a passed one until it expires, a failed one until the image was rehearsed anew.
func TestStand(t *testing.T) {
	plain, mqtt := class("answers http"), class("answers http", "answers mqtt")
	v := func(result string, config firmward.ConfigClass, days int) firmward.StagingVerdict {
		at := now.AddDate(0, 0, days)
		return firmward.StagingVerdict{ReleaseID: "r", SHA256: "ab", From: "1.0", Config: config, Result: result, Why: result, At: at, Expires: at.Add(staging.DefaultValid)}
	}
	old := v(staging.Passed, firmward.ConfigClass{}, -400)
	old.Expires = time.Time{}
	for name, tc := range map[string]struct {
		all    []firmward.StagingVerdict
		from   string
		config firmward.ConfigClass
		want   string
		apart  int
		why    string
	}{
		"none":                        {nil, "1.0", plain, staging.NotStaged, 0, "it was not rehearsed"},
		"exact":                       {[]firmward.StagingVerdict{v(staging.Passed, plain, -1)}, "1.0", plain, staging.Passed, 0, ""},
		"another version":             {[]firmward.StagingVerdict{v(staging.Passed, plain, -1)}, "1.1", plain, staging.Passed, 1, ""},
		"the exact one before":        {[]firmward.StagingVerdict{v(staging.Failed, mqtt, -1), v(staging.Passed, plain, -1)}, "1.0", plain, staging.Passed, 0, ""},
		"the worse of two":            {[]firmward.StagingVerdict{v(staging.Passed, mqtt, -1), v(staging.Failed, class("x"), -1)}, "1.0", class("y"), staging.Failed, 1, ""},
		"expired":                     {[]firmward.StagingVerdict{v(staging.Passed, plain, -30)}, "1.0", plain, staging.NotStaged, 0, "expired on 2026-03-01"},
		"the day before":              {[]firmward.StagingVerdict{v(staging.Passed, plain, -29)}, "1.0", plain, staging.Passed, 0, ""},
		"failure does not expire":     {[]firmward.StagingVerdict{v(staging.Failed, plain, -300)}, "1.0", plain, staging.Failed, 0, ""},
		"nobody":                      {[]firmward.StagingVerdict{{Result: staging.NotStaged, Why: "no spare"}}, "1.0", plain, staging.NotStaged, 0, "no spare"},
		"before verdicts had a class": {[]firmward.StagingVerdict{old}, "1.0", plain, staging.Passed, 0, ""},
	} {
		got := staging.Stand(tc.all, tc.from, tc.config, now)
		lacks := tc.apart > 0 && len(got.Differences) == 0 || tc.apart == 0 && len(got.Differences) > 0
		if got.Result != tc.want || lacks || !strings.Contains(got.Why, tc.why) {
			t.Errorf("%s: %s (%s) %q", name, got.Result, got.Why, got.Differences)
		}
	}
}

// TestClass: the class says what a device does, not which version of it or since when.
func TestClass(t *testing.T) {
	o := func(probe string, readings ...string) firmward.Observation {
		out := firmward.Observation{Probe: probe, Outcome: firmward.Answered}
		for i := 0; i < len(readings); i += 2 {
			out.Readings = append(out.Readings, firmward.Reading{Name: readings[i], Value: readings[i+1]})
		}
		return out
	}
	id := firmward.Identity{Claims: []firmward.Claim{{Field: firmward.FieldVariant, Value: "EU"}, {Field: firmward.FieldVariant, Value: "US"}, {Field: firmward.PartField("bootloader"), Value: "7"}}}
	a := staging.Class([]firmward.Observation{o("ports", "ports.open", "80,443"), o("http", "http.status", "200", "http.server", "x/1"), o("mdns", "mdns.name", "a"), {Probe: "ssh", Outcome: firmward.Closed}}, id)
	want := []string{"answers http", "http.status 200", "part bootloader", "port 443", "port 80", "variant EU"}
	if d := cmp.Diff(want, a.Has); d != "" {
		t.Error(d)
	}
	b := staging.Class([]firmward.Observation{o("http", "http.server", "x/2", "http.status", "200"), o("ports", "ports.open", "443,80")}, id)
	if a.Class != b.Class || a.Class == staging.Unknown {
		t.Errorf("%s, %s", a.Class, b.Class)
	}
	if c := staging.Class([]firmward.Observation{o("http", "http.status", "401"), o("ports", "ports.open", "443,80")}, id); c.Class == a.Class {
		t.Error("one that asks for a password has the class of one that does not")
	}
	if c := staging.Class([]firmward.Observation{{Probe: "http", Outcome: firmward.NoAnswer}}, id); c.Class != staging.Unknown {
		t.Errorf("nothing was seen: %+v", c)
	}
}

func TestVerdictAndSum(t *testing.T) {
	reh := firmward.Rehearsal{Path: "push", From: "1.0", Config: class("x"), Valid: 48 * time.Hour, Place: firmward.PlaceLab}
	spare := firmward.Device{ID: "s", Model: "M1", Hardware: "h1"}
	for state, want := range map[firmward.TargetState]string{firmward.TargetSucceeded: staging.Passed, firmward.TargetFailed: staging.Failed, firmward.TargetRolledBack: staging.Failed, firmward.TargetSkipped: staging.NotStaged, firmward.TargetRefused: staging.NotStaged} {
		v := staging.Verdict(rel, reh, spare, firmward.Target{State: state, Why: "why"}, nil, now)
		if v.Result != want || !staging.Covers(v, "ab", "push", "M1", "h1") || staging.Covers(v, "ab", "pull", "M1", "h1") || staging.Covers(v, "cd", "push", "M1", "h1") {
			t.Errorf("%s: %+v", state, v)
		}
		if !v.Expires.Equal(now.Add(48*time.Hour)) || v.Config.Class != "x" || v.Place != firmward.PlaceLab {
			t.Errorf("%+v", v)
		}
	}
	done := firmward.Target{State: firmward.TargetSucceeded}
	if v := staging.Verdict(rel, reh, spare, firmward.Target{State: firmward.TargetSucceeded, Code: "already-installed"}, nil, now); v.Result != staging.NotStaged {
		t.Errorf("a spare that ran it already proves nothing: %+v", v)
	}
	checks := []firmward.StagingCheck{{Verdict: firmward.CheckPassed}, {Verdict: firmward.CheckChanged, Why: "so"}, {Verdict: firmward.CheckFailed, Why: "it is deaf"}, {Verdict: firmward.CheckFailed, Why: "it is mute"}}
	if v := staging.Verdict(rel, reh, spare, done, checks, now); v.Result != staging.Failed || v.Why != "it is deaf; it is mute" {
		t.Errorf("%s: %s", v.Result, v.Why)
	}
	if v := staging.Verdict(rel, reh, spare, done, checks[:2], now); v.Result != staging.Passed {
		t.Errorf("a change alone does not fail: %+v", v)
	}
	done.Closes = []string{"CVE-1", "CVE-2"}
	if v := staging.Verdict(rel, reh, spare, done, checks[:1], now); v.Result != staging.Passed || len(v.Checks) != 2 || v.Checks[1].Verdict != firmward.CheckPassed || v.Checks[1].Why != "closed: CVE-1, CVE-2" {
		t.Errorf("what it closed: %+v", v)
	}
	done.StillOpen = done.Closes[1:]
	if v := staging.Verdict(rel, reh, spare, done, checks[:1], now); v.Result != staging.Passed || v.Checks[1].Verdict != firmward.CheckChanged || !strings.HasSuffix(v.Checks[1].Why, ": CVE-2") || !strings.Contains(v.Why, "1 found a change") {
		t.Errorf("what stays open: %+v", v)
	}
	for want, results := range map[string][][]string{staging.Passed: {{"passed", "passed"}}, staging.Failed: {{"passed", "failed", "not-staged"}}, staging.NotStaged: {nil, {"passed", "not-staged"}}} {
		for _, list := range results {
			var vs []firmward.StagingVerdict
			for _, r := range list {
				vs = append(vs, firmward.StagingVerdict{Result: r})
			}
			if got := staging.Sum(vs); got != want {
				t.Errorf("%v: %s, want %s", list, got, want)
			}
		}
	}
}

func TestNotMirrored(t *testing.T) {
	got := staging.NotMirrored(firmward.Rehearsal{Place: firmward.PlaceVM, NotCopied: "its driver cannot copy it"}, []string{"DHCP", "DNS (every name)"})
	if slices.Contains(got, "DHCP of the real place") || slices.Contains(got, "DNS of the real place") || !slices.Contains(got, "NTP of the real place") || !slices.Contains(got, "configuration of the real place: its driver cannot copy it") {
		t.Errorf("%q", got)
	}
	got = staging.NotMirrored(firmward.Rehearsal{Place: firmward.PlaceVM, Copied: "strip"}, nil)
	if text := strings.Join(got, "\n"); strings.Contains(text, "configuration of the real place") || !strings.Contains(text, "passwords and the network") {
		t.Errorf("%q", got)
	}
	if got := staging.NotMirrored(firmward.Rehearsal{Place: firmward.PlaceSpare}, nil); !strings.Contains(strings.Join(got, "\n"), "isolation") {
		t.Errorf("a spare in an ordinary network is not isolated: %q", got)
	}
}

func TestMayCopy(t *testing.T) {
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	here := []netip.Addr{netip.MustParseAddr("192.0.2.9")}
	open := firmward.Span{From: now.Add(-time.Hour), To: now.Add(time.Hour)}
	for word, d := range map[string]firmward.Device{
		"":           {Name: "strip", Addrs: here, Zone: firmward.ZoneHome},
		"no address": {Name: "lamp", Zone: firmward.ZoneHome},
		"retired":    {Name: "old", Addrs: here, Retired: true},
		"released":   {Name: "monitor", Addrs: here, Zone: firmward.ZoneClinical},
	} {
		why := staging.MayCopy(d, now)
		if (why == "") != (word == "") || !strings.Contains(why, word) {
			t.Errorf("%q: %q", word, why)
		}
	}
	if why := staging.MayCopy(firmward.Device{Name: "monitor", Addrs: here, Zone: firmward.ZoneClinical, Released: open}, now); why != "" {
		t.Errorf("released, and %s", why)
	}
}
