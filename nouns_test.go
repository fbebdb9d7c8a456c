package firmward_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/firmward/firmward"
)

func TestCodeOf(t *testing.T) {
	inner := firmward.Errorf(firmward.Conflict, "stale")
	outer := &firmward.Error{Code: firmward.Refused, Message: "no", Err: fmt.Errorf("wrapped: %w", inner)}
	for err, want := range map[error]firmward.Code{inner: firmward.Conflict, outer: firmward.Refused, fmt.Errorf("x: %w", inner): firmward.Conflict, errors.New("plain"): firmward.Internal, nil: ""} {
		if got := firmward.CodeOf(err); got != want {
			t.Errorf("%v: %s, want %s", err, got, want)
		}
	}
	if got := outer.Error(); got != "no: wrapped: stale" || !errors.Is(outer, inner) {
		t.Error(got)
	}
}

func TestReleaseFits(t *testing.T) {
	r := firmward.Release{Models: []string{"M1"}, Hardware: []string{"7A2"}}
	open := firmward.Release{Models: []string{"M1"}, Hardware: []string{"*"}}
	if !r.FitsModel("M1") || r.FitsModel("M1-E") || r.FitsModel("") {
		t.Error("models must match exactly")
	}
	if !r.FitsHardware("7A2") || r.FitsHardware("7A") || r.FitsHardware("") || !open.FitsHardware("") || (firmward.Release{Hardware: []string{""}}).FitsHardware("") {
		t.Error("an unknown revision fits only *")
	}
}

func TestFilterMatch(t *testing.T) {
	d := firmward.Device{Site: "home", Zone: firmward.ZoneHome, Class: firmward.ClassCamera, Criticality: 3, Exposed: true}
	in := func(field string, v ...string) firmward.Filter {
		return firmward.Filter{Op: firmward.FilterIn, Field: field, Values: v}
	}
	for i, tc := range []struct {
		f    firmward.Filter
		want bool
	}{
		{firmward.Filter{}, true},
		{in("class", "plug", "camera"), true},
		{in("exposed", "true"), true},
		{in("spare", "true"), false},
		{in("no-such-field", "x"), false},
		{firmward.Filter{Op: firmward.FilterNot, Args: []firmward.Filter{in("zone", "home")}}, false},
		{firmward.Filter{Op: firmward.FilterAnd, Args: []firmward.Filter{in("zone", "home"), in("class", "plug")}}, false},
		{firmward.Filter{Op: firmward.FilterOr, Args: []firmward.Filter{in("zone", "home"), in("class", "plug")}}, true},
		{firmward.Filter{Op: firmward.FilterOr}, false},
		{firmward.Filter{Op: firmward.FilterStartsWith, Field: "site", Values: []string{"ho"}}, true},
		{firmward.Filter{Op: firmward.FilterAtLeast, Field: "criticality", Values: []string{"3"}}, true},
		{firmward.Filter{Op: firmward.FilterAtLeast, Field: "criticality", Values: []string{"4"}}, false},
	} {
		if got := tc.f.Match(d); got != tc.want {
			t.Errorf("filter %d: %v", i, got)
		}
	}
}

// TestStoredWaves: a rollout that was stored when waves were bare percentages is read as it was meant, and one of today comes back.
func TestStoredWaves(t *testing.T) {
	var old firmward.RolloutPolicy
	if err := json.Unmarshal([]byte(`{"Name":"p","Waves":[10, 50,100]}`), &old); err != nil || fmt.Sprint(old.Waves) != "[10% 50% 100%]" {
		t.Errorf("%v, %v", old.Waves, err)
	}
	all := []firmward.Wave{{Count: 5}, {Percent: 20}, {Source: `site == "lab"`, Select: firmward.Filter{Op: firmward.FilterIn, Field: "site", Values: []string{"lab"}}}}
	b, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	var back []firmward.Wave
	if err := json.Unmarshal(b, &back); err != nil || !reflect.DeepEqual(all, back) || fmt.Sprint(back) != `[count 5 20% select site == "lab"]` {
		t.Errorf("%v, %v", back, err)
	}
	if err := json.Unmarshal([]byte(`["ten"]`), &back); err == nil {
		t.Error("a word was read as a wave")
	}
}
