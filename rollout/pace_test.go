package rollout

import (
	"testing"
	"time"

	"github.com/firmward/firmward"
)

func TestLearned(t *testing.T) {
	card := firmward.Model{Settle: firmward.Fact{Value: "5"}}
	took := func(minutes ...int) (out []firmward.UpdateTime) {
		for _, n := range minutes {
			out = append(out, firmward.UpdateTime{Back: time.Duration(n) * time.Minute})
		}
		return out
	}
	for _, tt := range []struct {
		name string
		took []int
		want int
	}{
		{"nothing is known", nil, 5},
		{"four prove nothing", []int{12, 12, 12, 12}, 5},
		{"nine of ten", []int{6, 7, 8, 9, 10, 11, 12, 13, 14, 40}, 14},
		{"of five the slowest counts", []int{6, 9, 7, 6, 8}, 9},
		{"never shorter than the card", []int{1, 1, 1, 1, 1, 1}, 5},
		{"never over four times the card", []int{90, 90, 90, 90, 90}, 20},
	} {
		if got := Learned(card, took(tt.took...)); got != time.Duration(tt.want)*time.Minute {
			t.Errorf("%s: %s, want %d min", tt.name, got, tt.want)
		}
	}
}

func TestTook(t *testing.T) {
	at := time.Date(2026, 3, 2, 20, 0, 0, 0, time.UTC)
	d := firmward.Device{ID: "a", Model: "M", Hardware: "h"}
	now := firmward.Target{RolloutID: "ro", DeviceID: "a", Attempt: 1, State: firmward.TargetSucceeded, StartedAt: at, AcceptedAt: at.Add(time.Minute), BackAt: at.Add(6 * time.Minute)}
	before := now
	before.State, before.BackAt = firmward.TargetVerifying, time.Time{}
	if u, ok := Took(before, now, d); !ok || u.Sent != time.Minute || u.Back != 5*time.Minute || u.Model != "M" || !u.At.Equal(now.BackAt) {
		t.Errorf("%+v %t", u, ok)
	}
	doubt, again := before, now
	doubt.State, again.Attempt = firmward.TargetInDoubt, 2
	for name, pair := range map[string][2]firmward.Target{"not back yet": {before, before}, "told already": {now, now}, "in doubt": {doubt, now}, "second attempt": {before, again}} {
		if u, ok := Took(pair[0], pair[1], d); ok {
			t.Errorf("%s: %+v", name, u)
		}
	}
}
