package lifecycle_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/lifecycle"
)

func day(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return t
}

var now = day("2026-11-22")

func rec(product, branch, end, status, doc string) firmward.Lifecycle {
	r := firmward.Lifecycle{Vendor: "D-Link", Product: product, Branch: branch, Status: status, Origin: firmward.Origins{Document: doc}}
	if end == "" {
		r.Ended = true
	} else {
		r.EndOfSupport = day(end)
	}
	return r
}

func TestStatus(t *testing.T) {
	nas := firmward.Device{Vendor: "D-Link", Model: "DNS-320L", Firmware: "1.11"}
	card := firmward.Model{Vendor: "D-Link", Name: "DNS-320L", CPE: []string{`cpe:2.3:o:dlink:dns-320l_firmware:*:*:*:*:*:*:*:*`}}
	carded := card
	carded.SupportEnd = firmward.Fact{Value: "2027-06-01", Source: "vendor page", Date: "2026-01-02"}
	axis := firmward.Device{Vendor: "AXIS", Model: "P3265-LV", Firmware: "10.12.206"}
	axisCard := firmward.Model{Scheme: "axis"}
	axisRec := func(branch, end string) firmward.Lifecycle {
		return firmward.Lifecycle{Vendor: "Axis", Product: "p3265_lv", Branch: branch, EndOfSupport: day(end), Status: "announced"}
	}
	for _, c := range []struct {
		name     string
		d        firmward.Device
		m        firmward.Model
		records  []firmward.Lifecycle
		state    lifecycle.State
		end      string
		forecast lifecycle.Forecast
		disagree int
	}{
		{"nothing is known", nas, card, nil, lifecycle.Unknown, "", lifecycle.ForecastUnknown, 0},
		{"another product", nas, card, []firmward.Lifecycle{rec("DNS-345", "", "2020-01-01", "announced", "a")}, lifecycle.Unknown, "", lifecycle.ForecastUnknown, 0},
		{"no date is no record", nas, card, []firmward.Lifecycle{{Vendor: "D-Link", Product: "DNS-320L"}}, lifecycle.Unknown, "", lifecycle.ForecastUnknown, 0},
		{"ended", nas, card, []firmward.Lifecycle{rec("dns_320l", "", "2020-01-01", "announced", "a")}, lifecycle.Ended, "2020-01-01", lifecycle.ForecastNow, 0},
		{"ended, day unknown", nas, card, []firmward.Lifecycle{rec("dns-320l", "", "", "announced", "a")}, lifecycle.Ended, "", lifecycle.ForecastNow, 0},
		{"by the CPE name", firmward.Device{}, card, []firmward.Lifecycle{{Vendor: "dlink", Product: "dns-320l_firmware", EndOfSupport: day("2020-01-01")}}, lifecycle.Ended, "2020-01-01", lifecycle.ForecastNow, 0},
		{"the card", nas, carded, nil, lifecycle.Ending, "2027-06-01", lifecycle.Forecast12, 0},
		{"18 months", nas, card, []firmward.Lifecycle{rec("DNS-320L", "", "2028-01-01", "announced", "a")}, lifecycle.Ending, "2028-01-01", lifecycle.Forecast18, 0},
		{"later", nas, card, []firmward.Lifecycle{rec("DNS-320L", "", "2030-01-01", "announced", "a")}, lifecycle.Supported, "2030-01-01", lifecycle.ForecastLater, 0},
		{"announced before inferred", nas, card, []firmward.Lifecycle{rec("DNS-320L", "", "2020-01-01", "inferred", "a"), rec("DNS-320L", "", "2030-01-01", "announced", "b")}, lifecycle.Supported, "2030-01-01", lifecycle.ForecastLater, 1},
		{"by hand before all", nas, card, []firmward.Lifecycle{rec("DNS-320L", "", "2020-01-01", "announced", "a"), rec("DNS-320L", "", "2030-01-01", "by-hand", "b")}, lifecycle.Supported, "2030-01-01", lifecycle.ForecastLater, 1},
		{"own branch", axis, axisCard, []firmward.Lifecycle{axisRec("9.80", "2025-01-01"), axisRec("10.12", "2027-12-31")}, lifecycle.Ending, "2027-12-31", lifecycle.Forecast18, 0},
		{"branch before product", axis, axisCard, []firmward.Lifecycle{axisRec("", "2032-01-01"), axisRec("10", "2026-12-31")}, lifecycle.Ending, "2026-12-31", lifecycle.Forecast12, 0},
		{"an ended product is ended on every branch", axis, axisCard, []firmward.Lifecycle{axisRec("", "2022-01-01"), axisRec("10", "2027-12-31")}, lifecycle.Ended, "2022-01-01", lifecycle.ForecastNow, 0},
		{"10.1 is not 10.12", axis, axisCard, []firmward.Lifecycle{axisRec("10.1", "2020-01-01")}, lifecycle.Unknown, "", lifecycle.ForecastUnknown, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := lifecycle.Status(c.d, c.m, c.records, now)
			var end time.Time
			if c.end != "" {
				end = day(c.end)
			}
			if got.State != c.state || !got.End.Equal(end) || got.Forecast != c.forecast || len(got.Disagree) != c.disagree {
				t.Errorf("got %+v", got)
			}
			if got.State != lifecycle.Unknown && got.Source == "" || got.State == lifecycle.Unknown && got.Note == "" {
				t.Errorf("an answer needs a source, no answer needs a step: %+v", got)
			}
		})
	}
}

func TestStatusNamesItsSource(t *testing.T) {
	m := firmward.Model{Vendor: "V", Name: "M", SupportEnd: firmward.Fact{Value: "2027-06-01", Source: "vendor page", Date: "2026-01-02"}}
	if got := lifecycle.Status(firmward.Device{Vendor: "V", Model: "M"}, m, nil, now).Source; !strings.Contains(got, "vendor page of 2026-01-02") {
		t.Errorf("source %q", got)
	}
}

// The order in which the store gives records must not matter.
func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := rapid.SliceOf(rapid.Custom(func(t *rapid.T) firmward.Lifecycle {
			return rec("DNS-320L",
				rapid.SampledFrom([]string{"", "1", "1.11"}).Draw(t, "branch"),
				rapid.SampledFrom([]string{"", "2020-01-01", "2027-01-01", "2030-01-01"}).Draw(t, "end"),
				rapid.SampledFrom([]string{"announced", "inferred", "by-hand"}).Draw(t, "status"),
				rapid.SampledFrom([]string{"a", "b"}).Draw(t, "doc"))
		})).Draw(t, "records")
		d := firmward.Device{Vendor: "d-link", Model: "dns-320l", Firmware: "1.11"}
		a := lifecycle.Status(d, firmward.Model{}, records, now)
		b := lifecycle.Status(d, firmward.Model{}, rapid.Permutation(records).Draw(t, "mixed"), now)
		a.Disagree, b.Disagree = nil, nil
		if diff := cmp.Diff(a, b); diff != "" {
			t.Fatal(diff)
		}
	})
}

// Branches as sources write them, and versions as devices report them.
func TestBranches(t *testing.T) {
	for _, c := range []struct {
		scheme, version, branch string
		on                      bool
	}{
		{"routeros", "6.49.7 (stable)", "6.49", true},
		{"routeros", "6.49 (stable)", "6.49", true},
		{"routeros", "RouterOS v7.16.2", "7.16", true},
		{"routeros", "7.24rc3", "7.24", true},
		{"routeros", "7.24beta2", "7.24", true},
		{"routeros", "7.24", "7.24", true},
		{"routeros", "7.24.1", "7.2", false},
		{"routeros", "7.2.4", "7.24", false},
		{"routeros", "7.2", "7.24", false},
		{"routeros", "7.16.2", "7", true},
		{"routeros", "RB750 7.16.2", "7.16", true},
		{"fortios", "v7.2.5,build1517", "7.2", true},
		{"fortios", "v7.2.5,build1517,230606 (GA.F)", "7.2", true},
		{"fortios", "v7.2,build1157", "7.2", true},
		{"fortios", "FortiGate-60F v7.0.12,build0523,230606 (GA.M)", "7.0", true},
		{"fortios", "v7.2.5,build1517", "7.0", false},
		{"fortios", "4.0 MR3 Patch 10", "4.3", true},
		{"pan-os", "10.2.4-h2", "10.2", true},
		{"pan-os", "10.1.6-h3", "10.2", false},
		{"pan-os", "9.0.9-xfr", "9.0-xfr", false},
		{"pan-os", "9.0-xfr.h1", "9.0-xfr", true},
		{"pan-os", "11.0.6", "11", true},
		{"cisco-ios-xe", "17.12.4", "17.12", true},
		{"cisco-ios-xe", "17.09.04a", "17.9", true},
		{"cisco-ios-xe", "17.9.4a", "17.9", true},
		{"cisco-ios-xe", "16.12.5b", "16.12", true},
		{"cisco-ios-xe", "Cisco IOS XE Software, Version 17.06.05", "17.6", true},
		{"cisco-ios-xe", "17.12.4", "17.1", false},
		{"cisco-ios-xe", "17.01.01", "17.10", false},
		{"cisco-ios", "12.2SE", "12.2", false},
		{"dotted", "OpenWrt 22.03.5 r20134", "22.03", true},
		{"dotted", "22.03.5", "22.03", true},
		{"dotted", "23.05.0-rc4", "23.05", true},
		{"dotted", "SNAPSHOT", "23.05", false},
		{"dotted", "22.03.5", "23.05", false},
		{"", "OPNsense 24.1.10_8-amd64", "24.1", true},
		{"", "24.1.10", "24.7", false},
		{"", "9.12.1P4", "9.12.1", true},
		{"", "NetApp Release 9.13.1RC1: Tue May 02", "9.13.1", true},
		{"", "9.12.1P4", "9.1", false},
		{"", "4.3.24 LTSB", "4.3", true},
		{"", "12.5", "12", true},
		{"", "Debian GNU/Linux 12 (bookworm)", "12", true},
		{"", "12.5", "1", false},
		{"", "Ubuntu 22.04.3 LTS", "22.04", true},
		{"", "3.18.4", "3.18", true},
		{"", "3.18.4", "3.1", false},
		{"", "13.2-RELEASE-p4", "13.2", true},
		{"", "13.2-RELEASE-p4", "13", true},
		{"", "7.0.3 build-21930508", "7.0", true},
		{"", "7.2b", "7.2", false},
		{"", "4.4W.2", "4.4", false},
		{"", "4.4W.2", "4.4w", true},
		{"", "lmde7", "lmde7", true},
		{"", "lmde7", "lmde", false},
		{"", "Model 7 Version 2.1", "7", false},
		{"", "Model 7 Version 2.1", "2.1", true},
		{"", "10.0.19045", "10-22h2-e", false},
		{"", "", "7", false},
		{"", "-", "7", false},
		{"", "v", "7", false},
	} {
		d := firmward.Device{Vendor: "V", Model: "M", Firmware: c.version}
		r := firmward.Lifecycle{Vendor: "V", Product: "M", Branch: c.branch, EndOfSupport: day("2020-01-01"), Status: "reported"}
		if got := lifecycle.Status(d, firmward.Model{Scheme: c.scheme}, []firmward.Lifecycle{r}, now); (got.State == lifecycle.Ended) != c.on {
			t.Errorf("%s %q on %q: %+v", c.scheme, c.version, c.branch, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) { // whatever a device says: a version is on itself, and not on one more digit
		v := rapid.StringMatching(`v?[0-9]{1,3}(\.[0-9]{1,3}){0,3}`).Draw(t, "version")
		is := func(branch string) bool {
			r := firmward.Lifecycle{Vendor: "V", Product: "M", Branch: branch, Ended: true}
			return lifecycle.Status(firmward.Device{Vendor: "V", Model: "M", Firmware: v}, firmward.Model{}, []firmward.Lifecycle{r}, now).State == lifecycle.Ended
		}
		if !is(v) || is(v+"1") || is(v+".1") {
			t.Fatalf("%q: itself %v, one digit more %v, one part more %v", v, is(v), is(v+"1"), is(v+".1"))
		}
		is(rapid.String().Draw(t, "any"))
	})
}

// What somebody reports counts after what the maker announced for the branch, and a branch that ended names the nearest
// that did not.
func TestReported(t *testing.T) {
	router := firmward.Device{Vendor: "MikroTik", Model: "RB750Gr3", Firmware: "7.19.4"}
	card := firmward.Model{Vendor: "MikroTik", Name: "*", Scheme: "routeros", CPE: []string{"cpe:2.3:o:mikrotik:routeros:*:*:*:*:*:*:*:*"}}
	said := func(branch, end, status, latest string) firmward.Lifecycle {
		r := firmward.Lifecycle{Vendor: "mikrotik", Product: "routeros", Branch: branch, Status: status, Latest: latest, Ended: end == "ended"}
		if end != "" && end != "ended" {
			r.EndOfSupport = day(end)
		}
		return r
	}
	all := []firmward.Lifecycle{
		said("7.24", "", "reported", "7.24"), said("7.23", "2026-08-17", "reported", "7.23.3"), said("7.21", "", "reported", "7.21.5"),
		said("7.20", "2026-01-12", "reported", "7.20.8"), said("7.19", "2025-09-30", "reported", "7.19.6"), said("7.2", "2022-06-06", "reported", ""), said("6.48", "ended", "reported", ""),
		{Vendor: "mikrotik", Product: "other", Branch: "7.20", Status: "reported"},
	}
	for what, c := range map[string]struct {
		firmware string
		more     []firmward.Lifecycle
		want     string // state, branch, newer, its latest
	}{
		"ended":                   {"7.19.4", nil, "ended 7.19 → 7.21 7.21.5"},
		"ended, day unknown":      {"6.48.7", nil, "ended 6.48 → 7.21 7.21.5"},
		"above the long-term one": {"7.23.1", nil, "ended 7.23 → 7.24 7.24"},
		"no end is announced":     {"7.24", nil, "unknown  →  "},
		"announced counts before": {"7.19.4", []firmward.Lifecycle{said("7.19", "2030-01-01", "announced", "")}, "supported 7.19 →  "},
		"by hand counts before":   {"7.19.4", []firmward.Lifecycle{said("7.19", "2030-01-01", "by-hand", "")}, "supported 7.19 →  "},
		"inferred counts after":   {"7.19.4", []firmward.Lifecycle{said("7.19", "2030-01-01", "inferred", "")}, "ended 7.19 → 7.21 7.21.5"},
		"no end hides no end":     {"7.21.5", []firmward.Lifecycle{said("7.21", "2020-01-01", "inferred", "")}, "ended 7.21 → 7.24 7.24"},
		"the whole product ended": {"7.19.4", []firmward.Lifecycle{said("", "2020-01-01", "announced", "")}, "ended  →  "},
		"ending":                  {"7.22.1", []firmward.Lifecycle{said("7.22", "2027-01-01", "reported", "")}, "ending 7.22 → 7.24 7.24"},
		"the others end sooner":   {"7.22.1", []firmward.Lifecycle{said("7.22", "2027-01-01", "reported", ""), said("7.24", "2026-12-01", "announced", "")}, "ending 7.22 →  "},
		"supported":               {"7.22.1", []firmward.Lifecycle{said("7.22", "2031-01-01", "reported", "")}, "supported 7.22 →  "},
	} {
		router.Firmware = c.firmware
		s := lifecycle.Status(router, card, append(slices.Clone(all), c.more...), now)
		if got := string(s.State) + " " + s.Branch + " → " + s.Newer + " " + s.Latest; got != c.want {
			t.Errorf("%s: %s", what, got)
		}
	}
}

func TestVendors(t *testing.T) {
	m := firmward.Model{Vendor: "D-Link", CPE: []string{"cpe:2.3:o:dlink:dns-320l_firmware:*:*:*:*:*:*:*:*", "cpe:2.3:h:dlink:dns-320l:-:*:*:*:*:*:*:*", "x"}}
	if diff := cmp.Diff([]string{"D-Link", "d-link", "dlink"}, lifecycle.Vendors(firmward.Device{Vendor: "d-link"}, m)); diff != "" {
		t.Error(diff)
	}
}
