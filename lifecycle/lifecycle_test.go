package lifecycle_test

import (
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
