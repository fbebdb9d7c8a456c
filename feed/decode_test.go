package feed_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/firmward/firmward/feed"
)

func TestOneValueIsBounded(t *testing.T) {
	doc := `{"items":["` + strings.Repeat("a", feed.MaxRecord+1<<20) + `"]}`
	d := feed.NewDecoder(t.Context(), feed.Input{Reader: strings.NewReader(doc), Document: "big.json"})
	err := d.Object(func(string) error {
		return d.Array(func(json.RawMessage, int64) error { return nil })
	})
	if p, ok := errors.AsType[*feed.PositionError](err); !ok || !strings.Contains(err.Error(), "more than 16777216 bytes") || p.Offset > 20 {
		t.Errorf("a giant record: %v", err)
	}
}

func TestClip(t *testing.T) {
	if got := feed.Clip(" a\n b\x00\xff "); got != "a b\x00" {
		t.Errorf("%q", got)
	}
	long := feed.Clip(strings.Repeat("wörter ", 200))
	if len(long) > 610 || !strings.HasSuffix(long, "wörter …") {
		t.Errorf("%d bytes, %q", len(long), long[len(long)-20:])
	}
}

func TestDayAndCVE(t *testing.T) {
	for _, s := range []string{"2026-03-13T16:38:24.564Z", "2026-03-14T03:00:00.6258976", "2018-01-10T22:29Z", "2026-03-13", "2026-08-22T12:55:00+0000"} {
		if day, err := feed.Day(s); err != nil || day.Year() < 2018 {
			t.Errorf("%q: %v", s, err)
		}
	}
	for _, s := range []string{"", "yesterday", "2026-13-01"} {
		if _, err := feed.Day(s); err == nil {
			t.Errorf("%q is a day", s)
		}
	}
	for s, want := range map[string]bool{"CVE-2021-36260": true, "CVE-1999-0001": true, "CVE-2021-1": false, "cve-2021-36260": false, "CVE-20x1-36260": false, "": false} {
		if feed.CVE(s) != want {
			t.Errorf("CVE(%q) is %v", s, !want)
		}
	}
}
