package policy

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/firmward/firmward"
)

func TestReach(t *testing.T) {
	for text, want := range map[string]reach{
		`true`:                                 {some: true},
		`false`:                                {miss: true},
		`zone == "home"`:                       {some: true, miss: true},
		`zone == "home" && zone == "clinical"`: {miss: true},
		`zone == "home" || zone != "home"`:     {some: true},
		`site.startsWith("a") && site.startsWith("b")`:              {miss: true},
		`site.startsWith("a") && site == "berlin"`:                  {miss: true},
		`site.startsWith("a") && !site.startsWith("ab")`:            {some: true, miss: true},
		`criticality >= 3 && !(criticality >= 2)`:                   {miss: true},
		`criticality >= 3 && criticality in [1, 2]`:                 {miss: true},
		`criticality >= 2 && !(criticality in [2, 4, 5])`:           {some: true, miss: true},
		`criticality >= 6`:                                          {miss: true},
		`!site.startsWith("home") || site == "home"`:                {some: true, miss: true},
		`criticality >= 3 || !(criticality >= 4)`:                   {some: true},
		`exposed && !exposed`:                                       {miss: true},
		`exposed || !exposed`:                                       {some: true},
		`(zone == "home" || zone == "office") && !(zone == "home")`: {some: true, miss: true},
	} {
		f, err := Selector(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := reachOf(f); got != want {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
	}
}

// TestReachOfDrawn: what reachOf says no device does, no device does.
func TestReachOfDrawn(t *testing.T) {
	words := []string{"", "a", "ab", "b", "home"}
	leaf := rapid.Custom(func(t *rapid.T) firmward.Filter {
		f := firmward.Filter{Op: firmward.FilterIn, Field: rapid.SampledFrom([]string{"site", "zone", "criticality", "exposed"}).Draw(t, "field")}
		switch f.Field {
		case "criticality":
			f.Values = rapid.SliceOfN(rapid.SampledFrom([]string{"0", "2", "5"}), 1, 2).Draw(t, "values")
			if rapid.Bool().Draw(t, "at least") {
				f.Op, f.Values = firmward.FilterAtLeast, f.Values[:1]
			}
		case "exposed":
			f.Values = []string{"true"}
		default:
			f.Values = rapid.SliceOfN(rapid.SampledFrom(words), 1, 2).Draw(t, "values")
			if rapid.Bool().Draw(t, "starts with") {
				f.Op, f.Values = firmward.FilterStartsWith, f.Values[:1]
			}
		}
		return f
	})
	tree := func(t *rapid.T, depth int) firmward.Filter {
		var grow func(int) firmward.Filter
		grow = func(depth int) firmward.Filter {
			switch op := rapid.SampledFrom([]firmward.FilterOp{"", firmward.FilterAnd, firmward.FilterOr, firmward.FilterNot}).Draw(t, "op"); {
			case depth == 0 || op == "":
				return leaf.Draw(t, "leaf")
			case op == firmward.FilterNot:
				return firmward.Filter{Op: op, Args: []firmward.Filter{grow(depth - 1)}}
			default:
				return firmward.Filter{Op: op, Args: []firmward.Filter{grow(depth - 1), grow(depth - 1)}}
			}
		}
		return grow(depth)
	}
	rapid.Check(t, func(t *rapid.T) {
		f := tree(t, 3)
		r := reachOf(f)
		for range 50 {
			d := firmward.Device{
				Site: rapid.SampledFrom([]string{"", "a", "abc", "ba", "home", "x"}).Draw(t, "site"), Zone: firmward.Zone(rapid.SampledFrom([]string{"", "ab", "b", "homes", "x"}).Draw(t, "zone")),
				Criticality: rapid.IntRange(0, 5).Draw(t, "criticality"), Exposed: rapid.Bool().Draw(t, "exposed"),
			}
			if match := f.Match(d); match && !r.some || !match && !r.miss {
				t.Fatalf("%+v: %+v, and %+v matches: %v", f, r, d, match)
			}
		}
	})
}

func TestReachOfFile(t *testing.T) {
	rest := ", waves: [100], canary-soak: 1h, max-in-flight: 1, deadline: 30m}\n"
	for name, tt := range map[string]struct{ list, want string }{
		"nothing":                         {`{name: a, select: 'zone == "home" && zone == "plant"'` + rest + "  - {name: b" + rest, `policy "a" selects nothing: no device could match zone == "home" && zone == "plant"; mend its select or take the policy out`},
		"everything first":                {`{name: a` + rest + `  - {name: b, select: 'zone == "home"'` + rest, `policy "b" is never used: "a" before it takes every device; put that one last or give it a select`},
		"everything, said in other words": {`{name: a, select: 'zone == "home" || zone != "home"'` + rest, `policy "a" selects everything: zone == "home" || zone != "home" is true for every device; leave select out`},
		"everything last":                 {`{name: a, select: 'zone == "home"'` + rest + "  - {name: b" + rest, ""},
	} {
		_, err := Parse([]byte("rollout-policies:\n  - "+tt.list), "p.yaml")
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
}

func TestHoldBackOfFile(t *testing.T) {
	const file = "rollout-policies:\n  - {name: a, waves: [100], canary-soak: 1h, max-in-flight: 1, deadline: 30m, hold-back: ["
	for list, want := range map[string]string{
		`{select: 'class == "router"', wait: 14d, exploited: 2d, release: true}, {wait: 3d}`: "",
		`{release: true}`:           "",
		`{}`:                        "hold-back 1 holds nothing: say how long (wait: 14d), or that a person must release the device (release: true)",
		`{wait: 2d, exploited: 2d}`: "hold-back 1: exploited 48h0m0s is not shorter than wait 48h0m0s: lower it or leave it out",
		`{wait: 2d}, {select: exposed, wait: 3d}`: "hold-back 1 is for every device, so those after it are never used: put it last or give it a select",
		`{select: colour, wait: 3d}`:              `line 2: selector "colour"`,
		`{wait: 3 weeks}`:                         `"3 weeks" is no duration`,
		`{wait: 3d, colour: red}`:                 `unknown key "colour"`,
	} {
		f, err := Parse([]byte(file+list+"]}\n"), "p.yaml")
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", list, err)
		case want == "" && len(f.Rollout[0].HoldBacks) == 0:
			t.Errorf("%s: nothing is held back", list)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %s", list, err, want)
		}
	}
}
