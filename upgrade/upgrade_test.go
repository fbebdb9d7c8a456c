package upgrade_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/upgrade"
)

// release reads "7.2 min=7.0 max=7.1 floor=7.0 variant=full over=minimal part=bootloader needs=bootloader/7.0 wipes down gone id=b".
func release(t testing.TB, text string) firmward.Release {
	t.Helper()
	words := strings.Fields(text)
	r := firmward.Release{ID: "rel-" + words[0], Models: []string{"M"}, Hardware: []string{"*"}, Version: words[0]}
	for _, w := range words[1:] {
		key, value, _ := strings.Cut(w, "=")
		switch key {
		case "min":
			r.MinFrom = value
		case "max":
			r.MaxFrom = value
		case "floor":
			r.Floor = value
		case "variant":
			r.Variant = value
		case "over":
			r.FromVariants = append(r.FromVariants, value)
		case "part":
			r.Part = value
			r.ID += value
		case "needs":
			p, v, _ := strings.Cut(value, "/")
			r.Needs = append(r.Needs, firmward.Need{Part: p, AtLeast: v})
		case "wipes":
			r.WipesConfig = true
		case "down":
			r.MayDowngrade = true
		case "gone":
			r.Withdrawn, r.WhyGone = time.Unix(1, 0), "it was bad"
		case "hardware":
			r.Hardware = []string{value}
		case "channel":
			r.Channel = value
		case "id":
			r.ID = value
		default:
			t.Fatalf("a release has no %q", key)
		}
	}
	return r
}

// hops writes a way with all that it costs.
func hops(p upgrade.Path) string {
	var out []string
	for _, h := range p {
		s := h.Name()
		if risks := h.Risks(); len(risks) > 0 {
			s += " (" + strings.Join(risks, ", ") + ")"
		}
		out = append(out, s)
	}
	return strings.Join(out, "; ")
}

func TestPlan(t *testing.T) {
	alaris := []string{"12.1.1", "12.3.1 min=12.1.1"}
	tasmota := []string{"8.1.0 variant=minimal over=full", "8.1.0 variant=full over=minimal min=8.1.0 id=b", "14.2.0 variant=full min=8.1.0", "14.3.0 variant=full min=8.1.0"}
	router := []string{"6.49.10", "7.12 min=6.49 needs=bootloader/6.49", "6.49.10 part=bootloader needs=firmware/6.49"}
	for _, tc := range []struct {
		name     string
		from     string // version, then variant=, and parts with their versions
		want     string
		variant  string
		scheme   string
		releases []string
		path     string
		code     string
		why      string
	}{
		{name: "straight", from: "1.0", want: "2.0", releases: []string{"2.0"}, path: "2.0"},
		{name: "there already", from: "2.0", want: "2.0", releases: []string{"2.0"}},
		{name: "pump through the middle", from: "9.33", want: "12.3.1", releases: alaris, path: "12.1.1; 12.3.1"},
		{name: "pump, the middle is missing", from: "9.33", want: "12.3.1", releases: alaris[1:], code: upgrade.MissingHop, why: "no release in the depot leads from 9.33 to 12.1.1; get 12.1.1"},
		{name: "pump, the middle itself begins later", from: "9.13", want: "12.3.1", releases: []string{"12.1.1 min=9.19", "12.3.1 min=12.1.1"}, code: upgrade.MissingHop, why: "no release in the depot leads from 9.13 to 9.19; get 9.19"},
		{name: "pump, the middle was withdrawn", from: "9.33", want: "12.3.1", releases: []string{"12.1.1 gone", "12.3.1 min=12.1.1"}, code: upgrade.MissingHop, why: "get 12.1.1; the one that is there, rel-12.1.1, was withdrawn: it was bad"},
		{name: "the goal was withdrawn", from: "1.0", want: "2.0", releases: []string{"2.0 gone"}, code: upgrade.Barred, why: "2.0 was withdrawn: it was bad"},
		{name: "no such release", from: "1.0", want: "2.0", releases: []string{"2.1"}, code: upgrade.NoRelease, why: "no release of 2.0 for M, hardware h, is in the depot; get 2.0"},
		{name: "another revision is no release", from: "1.0", want: "2.0", releases: []string{"2.0 hardware=h9"}, code: upgrade.NoRelease, why: "no release of 2.0"},

		{name: "newer steps before older ones", from: "6.0", want: "6.4", scheme: "dotted", releases: []string{"6.1", "6.2", "6.3", "6.4 min=6.1"}, path: "6.3; 6.4"},
		{name: "fewer steps before newer ones", from: "6.0", want: "6.4", releases: []string{"6.1", "6.2 min=6.1", "6.3 min=6.2", "6.4 min=6.1"}, path: "6.1; 6.4"},
		{name: "a firewall through four branches", from: "6.0.14", want: "7.4.3", scheme: "fortios", releases: []string{"6.2.13 max=6.0.99", "6.4.12 min=6.2 max=6.2.99", "7.0.13 min=6.4 max=6.4.99", "7.2.6 min=7.0 max=7.0.99", "7.4.3 min=7.2 max=7.2.99"}, path: "6.2.13; 6.4.12; 7.0.13; 7.2.6; 7.4.3"},
		{name: "a firewall, one branch is missing", from: "6.0.14", want: "7.4.3", scheme: "fortios", releases: []string{"6.2.13 max=6.0.99", "6.4.12 min=6.2 max=6.2.99", "7.2.6 min=7.0 max=7.0.99", "7.4.3 min=7.2 max=7.2.99"}, code: upgrade.MissingHop, why: "no release in the depot leads from 6.0.14 to 7.0; get 7.0 (7.0.99 or older)"},
		{name: "newer than it takes", from: "7.6", want: "7.7", releases: []string{"7.7 max=7.5"}, code: upgrade.TooNew, why: "7.7 goes over 7.5 or older only, and it runs 7.6"},

		{name: "a camera from track to track", from: "8.40.1", want: "11.11.94", scheme: "axis", releases: []string{"9.80.47 min=8.40", "10.12.240 min=9.80", "11.11.94 min=10.12", "10.9.4 min=9.80"}, path: "9.80.47; 10.12.240; 11.11.94"},
		{name: "a camera goes down with a factory default alone", from: "11.11.94", want: "10.12.240", scheme: "axis", releases: []string{"10.12.240 min=9.80 down wipes"}, path: "10.12.240 (wipes its configuration, goes down to an older version)"},
		{name: "a camera that was tied to its track", from: "12.0.1", want: "10.12.240", scheme: "axis", releases: []string{"11.11.94 floor=11.11.0", "10.12.240 down wipes"}, code: upgrade.BelowFloor, why: "it takes nothing below 11.11.0"},
		{name: "a release candidate is below its release", from: "7.12rc1", want: "7.13", scheme: "routeros", releases: []string{"7.12", "7.13 min=7.12"}, path: "7.12; 7.13"},
		{name: "no wipe where more steps do without", from: "1.0", want: "2.0", releases: []string{"2.0 wipes", "1.5", "2.0 min=1.5 id=z"}, path: "1.5; 2.0"},
		{name: "a wipe where nothing else leads there", from: "23.05", want: "25.12.3", releases: []string{"25.12.3 wipes"}, path: "25.12.3 (wipes its configuration)"},

		{name: "minimal in between, and the variant is back", from: "6.4.0 variant=full", want: "14.3.0", releases: tasmota, path: "8.1.0 (changes its variant from full to minimal); 8.1.0 (changes its variant from minimal to full); 14.3.0"},
		{name: "nobody knows the variant", from: "6.4.0", want: "14.3.0", releases: tasmota, code: upgrade.VariantUnknown, why: "14.3.0 is of variant full, and nobody knows which variant this device has"},
		{name: "never another variant unasked", from: "1.0 variant=eu", want: "2.0", releases: []string{"2.0 variant=us over=eu"}, code: upgrade.OtherVariant, why: "2.0 can be installed, but it would change the variant to us, and nothing leads back to eu"},
		{name: "another variant on request", from: "1.0 variant=eu", want: "2.0", variant: "us", releases: []string{"2.0 variant=us over=eu"}, path: "2.0 (changes its variant from eu to us)"},
		{name: "another variant that does not go over", from: "1.0 variant=eu", want: "2.0", releases: []string{"2.0 variant=us"}, code: upgrade.OtherVariant, why: "2.0 is of variant us, this device has eu"},
		{name: "a wanted variant that is not there", from: "1.0 variant=eu", want: "2.0", variant: "jp", releases: []string{"2.0 variant=us"}, code: upgrade.OtherVariant, why: "not as variant jp"},
		{name: "a release that does not tell variants apart", from: "1.0", want: "2.0", releases: []string{"2.0"}, path: "2.0"},

		{name: "bootloader between", from: "6.48 bootloader=6.40", want: "7.12", scheme: "routeros", releases: router, path: "6.49.10; bootloader 6.49.10; 7.12"},
		{name: "bootloader done", from: "6.49 bootloader=6.49", want: "7.12", scheme: "routeros", releases: router, path: "7.12"},
		{name: "bootloader unknown", from: "6.49", want: "7.12", scheme: "routeros", releases: router, code: upgrade.PartUnknown, why: "7.12 needs bootloader 6.49 or newer, and nobody knows the version of its bootloader"},
		{name: "bootloader missing", from: "6.49 bootloader=6.40", want: "7.12", scheme: "routeros", releases: router[:2], code: upgrade.MissingHop, why: "no release in the depot leads from bootloader 6.40 to bootloader 6.49; get bootloader 6.49"},

		{name: "no way back over a floor", from: "1.0", want: "2.0", releases: []string{"2.0 floor=2.0"}, path: "2.0 (no way back to 1.0)"},
		{name: "way back above a floor", from: "1.9", want: "2.0", releases: []string{"2.0 floor=1.5"}, path: "2.0"},
		{name: "a longer way that can be gone back", from: "1.0", want: "2.0", releases: []string{"2.0 floor=1.5", "1.6"}, path: "1.6; 2.0"},
		{name: "down where it says so", from: "2.0", want: "1.5", releases: []string{"1.5 down"}, path: "1.5 (goes down to an older version)"},
		{name: "never down unasked", from: "2.0", want: "1.5", releases: []string{"1.5"}, code: upgrade.NotBack, why: "1.5 is older than 2.0, and nobody says that it may go over it"},
		{name: "never below a floor that runs", from: "2.1", want: "1.5", releases: []string{"2.0 floor=1.8", "1.5 down"}, code: upgrade.BelowFloor, why: "it takes nothing below 1.8 any more, and 1.5 is"},
		{name: "never below a floor in two steps", from: "2.1", want: "1.5", releases: []string{"2.0 floor=1.8", "1.9 down", "1.5 down"}, code: upgrade.BelowFloor, why: "it takes nothing below 1.8"},
		{name: "a floor that was not reached", from: "1.9", want: "1.5", releases: []string{"2.0 floor=1.8", "1.5 down"}, path: "1.5 (goes down to an older version)"},

		{name: "unknown version", want: "2.0", releases: []string{"2.0"}, code: upgrade.NoVersion, why: "nobody knows what it runs"},
		{name: "what cannot be compared", from: "V4.60(ABFA.1)C0", want: "V4.62(ABCD.1)C0", scheme: "zyxel", releases: []string{"V4.62(ABCD.1)C0"}, code: upgrade.Incomparable, why: "cannot be compared"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			q := upgrade.Query{Want: tc.want, Variant: tc.variant, Scheme: tc.scheme, Model: "M", Hardware: "h", Outage: 5 * time.Minute, From: upgrade.State{Parts: map[string]string{}}}
			for i, w := range strings.Fields(tc.from) {
				switch key, value, _ := strings.Cut(w, "="); {
				case i == 0:
					q.From.Version = w
				case key == "variant":
					q.From.Variant = value
				default:
					q.From.Parts[key] = value
				}
			}
			for _, r := range tc.releases {
				q.Releases = append(q.Releases, release(t, r))
			}
			got, no := upgrade.Plan(q)
			switch {
			case tc.code == "" && no != nil:
				t.Fatalf("refused: %s: %s", no.Code, no.Why)
			case tc.code != "" && (no == nil || no.Code != tc.code || !strings.Contains(no.Why, tc.why)):
				t.Fatalf("got %q, refusal %+v", hops(got), no)
			}
			if hops(got) != tc.path {
				t.Errorf("got %q", hops(got))
			}
			for _, h := range got {
				if h.Why == "" || h.Outage != q.Outage {
					t.Errorf("%+v", h)
				}
			}
		})
	}
}

// TestBar: what may not be used for a reason of the caller is no step, and the refusal says the reason.
func TestBar(t *testing.T) {
	q := upgrade.Query{
		From: upgrade.State{Version: "1.0"}, Want: "3.0", Model: "M", Hardware: "h",
		Releases: []firmward.Release{release(t, "2.0 channel=early"), release(t, "3.0 min=2.0")},
		Bar: func(r firmward.Release) string {
			if r.Channel == "early" {
				return "is of channel early"
			}
			return ""
		},
	}
	if _, no := upgrade.Plan(q); no == nil || no.Missing != "2.0" || !strings.Contains(no.Why, "rel-2.0, is of channel early") {
		t.Errorf("%+v", no)
	}
	q.Bar = nil
	p, no := upgrade.Plan(q)
	if no != nil || p.String() != "2.0, then 3.0" || p[0].Why != "3.0 goes over 2.0 or newer only" || p[1].Why != "it is what shall run" {
		t.Errorf("%v %+v", p, no)
	}
}

func TestDirect(t *testing.T) {
	q := upgrade.Query{From: upgrade.State{Version: "1.0"}, Model: "M", Hardware: "h"}
	for text, want := range map[string]string{"2.0": "", "2.0 min=1.5": "2.0 goes over 1.5 or newer only", "0.9": "older than 1.0", "2.0 hardware=x": "does not fit"} {
		if ok, why := upgrade.Direct(q, release(t, text)); ok != (want == "") || !strings.Contains(why, want) {
			t.Errorf("%s: %v %q", text, ok, why)
		}
	}
}

// TestMany: hundreds of releases that all lead to each other are searched at once.
func TestMany(t *testing.T) {
	q := upgrade.Query{From: upgrade.State{Version: "1.0"}, Want: "1.400", Model: "M", Hardware: "h", Scheme: "dotted"}
	for i := 1; i <= 400; i++ {
		r := release(t, fmt.Sprintf("1.%d id=rel-%03d", i, i))
		if i > 10 {
			r.MinFrom = fmt.Sprintf("1.%d", i-10)
		}
		q.Releases = append(q.Releases, r)
	}
	p, no := upgrade.Plan(q)
	if no != nil || len(p) != 40 || p[0].To != "1.10" {
		t.Errorf("%s %+v", p, no)
	}
}

// TestTooMany: more combinations than are looked at end with a sentence, not with a way that may not be the cheapest.
func TestTooMany(t *testing.T) {
	q := upgrade.Query{From: upgrade.State{Version: "1.0", Parts: map[string]string{}}, Want: "3.0", Model: "M", Hardware: "h"}
	var last strings.Builder
	last.WriteString("3.0 min=9.0")
	for i := range 8 {
		name := fmt.Sprintf("p%d", i)
		q.From.Parts[name] = "0"
		last.WriteString(" needs=" + name + "/1")
		for v := 1; v < 6; v++ {
			q.Releases = append(q.Releases, release(t, fmt.Sprintf("%d part=%s", v, name)))
		}
	}
	q.Releases = append(q.Releases, release(t, last.String()))
	if p, no := upgrade.Plan(q); no == nil || no.Code != upgrade.TooMany {
		t.Errorf("%v %+v", p, no)
	}
}

// BenchmarkPlan asks for the way through 400 releases of which each goes over the ten before it, and for the usual way of one step.
func BenchmarkPlan(b *testing.B) {
	q := upgrade.Query{From: upgrade.State{Version: "1.0"}, Want: "1.400", Model: "M", Hardware: "h", Scheme: "dotted"}
	for i := 1; i <= 400; i++ {
		r := release(b, fmt.Sprintf("1.%d id=rel-%03d", i, i))
		if i > 10 {
			r.MinFrom = fmt.Sprintf("1.%d", i-10)
		}
		q.Releases = append(q.Releases, r)
	}
	b.Run("400-releases", func(b *testing.B) {
		for b.Loop() {
			upgrade.Plan(q)
		}
	})
	one := q
	one.Want, one.Releases = "1.1", q.Releases[:1]
	b.Run("one-step", func(b *testing.B) {
		for b.Loop() {
			upgrade.Plan(one)
		}
	})
}
