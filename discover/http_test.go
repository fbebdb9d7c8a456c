package discover

import (
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/firmward/firmward"
)

func TestElsewhere(t *testing.T) {
	addr, six := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	for location, want := range map[string]bool{
		"": false, "/login": false, "login.html": false, "?x": false,
		"http://192.0.2.1/": false, "https://192.0.2.1:8443/": false,
		"http://192.0.2.2/": true, "//evil.example/": true, "http://evil.example/?192.0.2.1": true,
		"http://192.0.2.1.evil.example/": true, "http://192.0.2.1@evil.example/": true, "http://[2001:db8::1]/": true, "http://%zz/": true,
	} {
		if got := elsewhere(location, addr); got != want {
			t.Errorf("from %s to %q: elsewhere %v", addr, location, got)
		}
	}
	if elsewhere("http://[2001:db8::1]:8080/", six) {
		t.Error("its own IPv6 address is elsewhere")
	}
}

func TestClosedKeepsTheReason(t *testing.T) {
	for _, tc := range []struct {
		answer Answer
		want   string
	}{
		{Answer{Status: 200}, "it is no camera"},
		{Answer{Status: 302, Note: "it redirects to another host; not followed"}, "it is no camera: it redirects to another host; not followed"},
		{Answer{Status: 503}, "its web server is too busy (HTTP status 503)"},
		{Answer{Status: 429}, "its web server is too busy (HTTP status 429)"},
	} {
		if o, note := tc.answer.Closed("it is no camera"); o != firmward.Closed || note != tc.want {
			t.Errorf("%+v: %s %q, want %q", tc.answer, o, note, tc.want)
		}
	}
}

// FuzzReading makes a reading of any bytes: valid text within its bound, and text that fits is not changed.
func FuzzReading(f *testing.F) {
	f.Add("AXIS P3265-LV", uint16(0))
	f.Add("\xff\xfe\x00ü", uint16(firmward.MaxReading-1))
	f.Fuzz(func(t *testing.T, s string, before uint16) {
		s = strings.Repeat(".", int(before)) + s
		r := Reading("x", s)
		if len(r.Value) > firmward.MaxReading || !utf8.ValidString(r.Value) {
			t.Errorf("%d bytes, valid %v", len(r.Value), utf8.ValidString(r.Value))
		}
		if utf8.ValidString(s) && len(s) <= firmward.MaxReading && r.Value != s {
			t.Errorf("%q became %q", s, r.Value)
		}
	})
}

func TestServes(t *testing.T) {
	at := func(outcome firmward.Outcome, status string) firmward.Observation {
		return firmward.Observation{Outcome: outcome, Readings: []firmward.Reading{{Name: "http.status", Value: status}}}
	}
	for want, all := range map[bool][]firmward.Observation{
		true:  {at(firmward.Answered, "200"), at(firmward.Answered, "401"), {Outcome: firmward.Answered}},
		false: {at(firmward.Answered, "503"), at(firmward.Cut, "200"), {Outcome: firmward.NoAnswer}},
	} {
		for _, o := range all {
			if Serves(o) != want {
				t.Errorf("%+v serves: %t", o, !want)
			}
		}
	}
}
