package privilege

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward"
)

func TestReadRequest(t *testing.T) {
	for line, want := range map[string]firmward.Code{
		`{"ready":{}}`:                        "",
		`{"sweep":{"prefix":"10.0.0.0/24"}}`:  "",
		`{"overhear":{"prefix":"fd00::/64"}}`: "",
		`{"confirm":{"token":"x"}}`:           "",
		`{"apply":{"want":[{"Device":"10.0.0.9","Direction":"from","Peer":"0.0.0.0/0","Proto":"any"}],"confirmBy":"2026-11-25T12:00:00Z"}}`: "",

		``:                                    firmward.Invalid,
		`{}`:                                  firmward.Invalid,
		`null`:                                firmward.Invalid,
		`[]`:                                  firmward.Invalid,
		`{"run":{"program":"/bin/sh"}}`:       firmward.Invalid,
		`{"ready":{"now":true}}`:              firmward.Invalid,
		`{"ready":{},"dropped":{}}`:           firmward.Invalid,
		`{"ready":{}} {"dropped":{}}`:         firmward.Invalid,
		`{"ready":{}}x`:                       firmward.Invalid,
		`{"sweep":{}}`:                        firmward.Invalid,
		`{"overhear":{"prefix":"0.0.0.0/0"}}`: firmward.Invalid,
		`{"overhear":{"prefix":"::/0"}}`:      firmward.Invalid,
		`{"apply":{"want":[{"Device":"x; flush ruleset"}]}}`: firmward.Invalid,
		`{"apply":{"table":"filter"}}`:                       firmward.Invalid,
	} {
		if _, err := readRequest([]byte(line)); firmward.CodeOf(err) != want {
			t.Errorf("%s: %v, want code %q", line, err, want)
		}
	}
}

func TestLinesAndFramesAreBounded(t *testing.T) {
	if _, err := readLine(bufio.NewReader(strings.NewReader(strings.Repeat("x", MaxLine+1)))); firmward.CodeOf(err) != firmward.TooLarge {
		t.Errorf("an endless line: %v", err)
	}
	if _, err := readLine(bufio.NewReader(strings.NewReader("{}"))); err == nil {
		t.Error("a line without an end was taken")
	}
	if _, err := readFrame(strings.NewReader("\xff\xff"+strings.Repeat("x", 65535)), make([]byte, maxFrame)); firmward.CodeOf(err) != firmward.TooLarge {
		t.Errorf("a frame of 65535 bytes: %v", err)
	}
}

// TestFresh: what is cut already counts once, and an hour later not at all.
func TestFresh(t *testing.T) {
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	now := time.Now()
	h := Helper{cut: []netip.Addr{a}, begun: map[netip.Addr]time.Time{a: now.Add(-2 * time.Hour)}}
	if got := h.fresh([]netip.Addr{a, b}, now); len(got) != 1 || got[0] != b || len(h.begun) != 0 {
		t.Errorf("new are %v, counted %v", got, h.begun)
	}
	h.cut = nil // it was released
	if got := h.fresh([]netip.Addr{a}, now); len(got) != 1 {
		t.Errorf("cut again two hours later: %v", got)
	}
}

// FuzzRequest reads any line: what is taken names one thing and means the same when it is written again.
func FuzzRequest(f *testing.F) {
	for _, r := range []request{
		{Ready: &nothing{}},
		{Sweep: &place{netip.MustParsePrefix("10.0.0.0/24")}},
		{Confirm: &change{"x"}},
		{Apply: &rules{Want: []firmward.AccessRule{{Device: netip.MustParseAddr("10.0.0.9"), Direction: "from", Peer: netip.MustParsePrefix("0.0.0.0/0")}}}},
	} {
		b, err := json.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := readRequest(b)
		if err != nil {
			return
		}
		once, err := json.Marshal(r)
		if err != nil {
			return // a time beyond year 9999
		}
		again, err := readRequest(once)
		if err != nil {
			t.Fatalf("%s: %v", once, err)
		}
		if twice, err := json.Marshal(again); err != nil || !bytes.Equal(once, twice) {
			t.Errorf("%s, then %s, %v", once, twice, err)
		}
	})
}
