package notice_test

import (
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/notice"
)

var now = time.Date(2026, 3, 2, 7, 0, 0, 0, time.UTC) // a Monday

func house() notice.House {
	fix := &firmward.Mending{Model: "C1", Version: "2.0"}
	return notice.House{
		Buckets: map[string]int{"act-now": 2, "plan": 1, "watch": 30},
		Steps: []firmward.NextStep{
			{DeviceID: "plan", Now: firmward.Phase{Action: "replace it"}, Risk: 40},
			{DeviceID: "cam-2", Now: firmward.Phase{Action: "update from 1.0 to 2.0"}, Risk: 80, Fix: fix},
			{DeviceID: "cam-1", Now: firmward.Phase{Action: "update from 1.1 to 2.0"}, Risk: 75, Fix: fix},
		},
		Events: []firmward.Event{
			{Kind: "device", Subject: "a", Text: "hue: changed by itself, nobody here ordered it: firmware 1 → 2"},
			{Kind: "device", Subject: "a", Text: "hue: changed by itself, nobody here ordered it: firmware 2 → 3"},
			{Kind: "device", Subject: "b", Text: "a new device at 192.0.2.7"},
		},
		Name: func(id string) string { return id },
	}
}

func text(n firmward.Notice) string {
	return n.Title + "\n" + strings.Join(n.Lines, "\n") + "\n" + n.Action
}

// TestDigest: what is told counts things, each once, and ends with one action; names only where they may leave the house.
func TestDigest(t *testing.T) {
	n := notice.Digest(house(), firmward.Recipient{}, now)
	said := text(n)
	for _, want := range []string{"2 to do now", "2 devices need something now", "1 device can be planned for", "1 device changed its firmware by itself", "1 device is new", "first step on the list"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is missing in\n%s", want, said)
		}
	}
	for _, secret := range []string{"cam-", "C1", "2.0", "192.0.2"} {
		if strings.Contains(said, secret) {
			t.Errorf("%q leaves the house:\n%s", secret, said)
		}
	}
	said = text(notice.Digest(house(), firmward.Recipient{Details: true}, now))
	if !strings.Contains(said, "• cam-1 and 1 more: bring C1 to 2.0\n• plan: replace it") {
		t.Errorf("one piece of work is one line, the riskiest first:\n%s", said)
	}
}

// TestDigestOrder: the one action is that of what waits longest for a person; nothing to do is told too.
func TestDigestOrder(t *testing.T) {
	for _, tc := range []struct {
		change func(*notice.House)
		title  string
	}{
		{func(h *notice.House) { h.Rollouts = []firmward.Rollout{{}} }, "a decision is waited for"},
		{func(*notice.House) {}, "2 to do now"},
		{func(h *notice.House) { h.Buckets, h.Overdue = nil, 1 }, "work is overdue"},
		{func(h *notice.House) { h.Buckets = map[string]int{"plan": 3} }, "nothing urgent"},
		{func(h *notice.House) { *h = notice.House{} }, "all is well"},
	} {
		h := house()
		tc.change(&h)
		if n := notice.Digest(h, firmward.Recipient{}, now); !strings.Contains(n.Title, tc.title) || n.Action == "" || n.Urgent {
			t.Errorf("%q, %q; want %q", n.Title, n.Action, tc.title)
		}
	}
}

func TestAlarm(t *testing.T) {
	matters := []notice.Matter{{notice.Halted, "Acme 2.0", "a canary failed"}, {notice.Attacked, "nas-1", "contain it"}, {notice.Undone, "cam-7", "not confirmed"}}
	n := notice.Alarm(matters, firmward.Recipient{}, now)
	if !n.Urgent || !strings.Contains(n.Title, "exposed and exploited") || len(n.Lines) != 3 || strings.Contains(text(n), "nas-1") {
		t.Errorf("%s", text(n))
	}
	many := make([]notice.Matter, 40)
	for i := range many {
		many[i] = matters[0]
	}
	n = notice.Alarm(many, firmward.Recipient{Details: true}, now)
	if len(n.Lines) != 14 || n.Lines[0] != "40 rollouts stopped themselves" || n.Lines[13] != "… and 28 more" {
		t.Errorf("%d lines:\n%s", len(n.Lines), text(n))
	}
}

// TestNextDigest: at the local hour, also where the clocks change.
func TestNextDigest(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at := func(s string) time.Time {
		v, err := time.ParseInLocation("2006-01-02 15:04", s, berlin)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, tc := range []struct {
		digest string
		hour   int
		after  string
		want   string
	}{
		{firmward.DigestDaily, 8, "2026-03-02 07:59", "2026-03-02 08:00"},
		{firmward.DigestDaily, 8, "2026-03-02 08:00", "2026-03-03 08:00"},
		{firmward.DigestWeekly, 8, "2026-03-02 08:00", "2026-03-09 08:00"},
		{firmward.DigestWeekly, 8, "2026-03-08 23:00", "2026-03-09 08:00"},
		{firmward.DigestDaily, 8, "2026-03-28 09:00", "2026-03-29 08:00"}, // the clocks go forward in that night
		{firmward.DigestDaily, 2, "2026-03-28 09:00", "2026-03-29 03:00"}, // there is no two o'clock
		{firmward.DigestDaily, 8, "2026-10-24 09:00", "2026-10-25 08:00"},
	} {
		if got := notice.NextDigest(firmward.Recipient{Digest: tc.digest, Hour: tc.hour}, at(tc.after)); !got.Equal(at(tc.want)) {
			t.Errorf("%s at %d after %s: %s, want %s", tc.digest, tc.hour, tc.after, got, tc.want)
		}
	}
	if got := notice.NextDigest(firmward.Recipient{Digest: firmward.DigestOff}, now); !got.IsZero() {
		t.Errorf("no digest at %s", got)
	}
}

func TestBackoff(t *testing.T) {
	last := time.Duration(0)
	for n := range 40 {
		b := notice.Backoff(n)
		if b < last || b < time.Minute || b > 6*time.Hour {
			t.Errorf("after %d failures %s", n, b)
		}
		last = b
	}
}
