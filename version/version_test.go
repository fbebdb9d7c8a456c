package version_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/firmward/firmward/version"
)

// pairs holds real-style firmware versions with the order the vendor means. The ones on which
// generic comparators fail come first.
var pairs = []struct {
	scheme, a, b string
	want         version.Order
}{
	{"tp-link", "v5.4.5", "V5.4.41", version.Less},
	{"hikvision", "v5.4.5", "V5.4.41", version.Less},
	{"routeros", "6.49rc1", "6.49", version.Less},
	{"routeros", "6.49beta11", "6.49rc1", version.Less},
	{"routeros", "6.48.6 (long-term)", "6.48.6", version.Equal},
	{"routeros", "6.42", "6.42.1", version.Less},
	{"routeros", "7.1.5", "6.49.7", version.Greater},
	{"routeros", "6.43rc4", "6.42.12", version.Greater},
	{"junos", "3.12.45-R2", "3.12.45-R10", version.Less},
	{"junos", "18.4R2-S3", "18.4R2", version.Greater},
	{"dotted", "2.4.4-p3", "2.4.4-p12", version.Less},
	{"cisco-ios", "12.4(25e)JAO3a", "12.4(25e)JAO20s", version.Less},
	{"cisco-ios", "15.2(7)E10", "15.2(7)E2", version.Greater},
	{"cisco-ios", "12.4(25e)JAO3a", "12.4(25e)JAP1", version.Incomparable},
	{"dlink", "v2.06b1_beta", "2.06b1", version.Less},
	{"dlink", "1.04b12", "1.04b03", version.Greater},
	{"dlink", "1.11", "1.04B12", version.Greater},
	{"dlink", "2.00b07", "2.00", version.Greater},
	{"dotted", "1.0.0", "1.0.0-hotfix1", version.Less},
	{"dotted", "fw_2.80.0", "2.80.0", version.Equal},
	{"dotted", "5.5", "5.5.0", version.Equal},
	{"dotted", "1.10.0", "1.9.9", version.Greater},
	{"wled", "0.15.0-b5", "0.15.0", version.Less},
	{"wled", "0.15.0-b7", "0.15.0-rc1", version.Less},
	{"wled", "0.14.4", "0.15.0-b1", version.Less},
	{"wled", "0.15.0", "16.0.0", version.Less},
	{"dotted", "1.0.0-rc.2", "1.0.0", version.Less},
	{"dotted", "1.0.0+build.5", "1.0.0", version.Equal},
	{"netgear", "1.0.0.116", "1.0.0.116_10.2.100", version.Equal},
	{"netgear", "V1.0.4.6_10.1.12", "1.0.4.28_10.1.12", version.Less},
	{"hikvision", "5.5.0_build_170725", "5.5.52", version.Less},
	{"hikvision", "V5.5.0 build 170725", "V5.5.0 build 190101", version.Less},
	{"hikvision", "V5.5.0 build 170725", "V5.5.0", version.Incomparable},
	{"hikvision", "V5.4.5 build 170123", "V5.5.0 build 161201", version.Incomparable},
	{"hikvision", "V5.5.800 build 210401", "build 210628", version.Less},
	{"dahua", "2.800.0000000.29.R, Build Date: 2021-03-30", "2.800.0000000.29.R, Build Date: 2021-06-01", version.Less},
	{"dahua", "V2.820.0000000.5.R.210705", "V2.820.0000000.5.R.210101", version.Greater},
	{"tp-link", "1.1.3 Build 20221125 rel.67551(4A50)", "1.1.4 Build 20230219", version.Less},
	{"zyxel", "V4.60(ABFA.1)C0", "V4.60(ABFA.2)C0", version.Less},
	{"zyxel", "V4.60(ABFA.1)C0", "V4.60(ABCD.1)C0", version.Incomparable},
	{"zyxel", "V5.36(ABUH.1)", "5.36 Patch 2", version.Less},
	{"zyxel", "V5.21(ABUH.1)", "5.30", version.Less},
	{"zyxel", "V5.36(ABUH.0)", "5.36", version.Incomparable},
	{"axis", "10.12.199", "11.6.94", version.Less},
	{"axis", "6.50.2.3", "8.20.1", version.Less},
	{"fortios", "v7.2.4,build1396,230131 (GA.F)", "7.2.5", version.Less},
	{"shelly", "20220209-092750/v1.11.8-g8c7bb8d", "1.14.0", version.Less},
	{"shelly", "1.0.0-beta4", "1.0.0", version.Less},
	{"date", "20200612", "20220301", version.Less},
	{"date", "20200612", "002_2208A", version.Less},
	{"date", "002_2208A", "002_2310B", version.Less},
	{"date", "20220222", "002_2208A", version.Incomparable},
	{"asus", "3.0.0.4.386_45934", "3.0.0.4.386_51598", version.Less},
	{"qnap", "4.5.4.1741 build 20210726", "4.5.4.1800 Build 20210923", version.Less},
	{"synology", "6.2.3-25426-3", "6.2.4-25556", version.Less},
	{"siemens", "V7.3.1", "V7.3.1 Update 2", version.Less},
	{"debian", "1:1.0-1", "2.0-1", version.Greater},
	{"debian", "1.0~rc1-1", "1.0-1", version.Less},
	{"debian", "1.0-1+deb12u2", "1.0-1+deb12u10", version.Less},
	{"debian", "1.0", "1.0-0", version.Equal},
	{"debian", "1.0a-1", "1.0-1", version.Greater},
	{"debian", "1.0+x", "1.0a", version.Greater},
	{"generic", "1.2.3", "1.2.10", version.Less},
	{"generic", "unknown", "1.2", version.Incomparable},
	{"dotted", "", "1.0", version.Incomparable},
	{"no such scheme", "1.2.3", "1.2.10", version.Less},
}

func TestCompare(t *testing.T) {
	for _, p := range pairs {
		if got, _ := version.Compare(p.scheme, p.a, p.b); got != p.want {
			t.Errorf("%s: %q is %v to %q, want %v", p.scheme, p.a, got, p.b, p.want)
		}
		if got, _ := version.Compare(p.scheme, p.b, p.a); got != p.want.Reverse() {
			t.Errorf("%s: %q is %v to %q, want %v", p.scheme, p.b, got, p.a, p.want.Reverse())
		}
	}
}

func TestPrecision(t *testing.T) {
	for _, c := range []struct {
		scheme, a, b string
		want         version.Precision
	}{
		{"dotted", "1.2", "1.3", version.Exact},
		{"dotted", "1.2-rc1", "1.2", version.Exact},
		{"dotted", "1.2xyz", "1.2abc", version.Rough},
		{"generic", "1.2", "1.3", version.Natural},
		{"generic", "1.2q", "1.2r", version.Rough},
		{"date", "20200612", "002_2208A", version.Rough},
		{"date", "20200612", "20210101", version.Exact},
		{"debian", "1.0a", "1.0b", version.Exact},
		{"generic", "abc", "abc", version.Exact},
		{"generic", "20200612", "002_2208a", version.Rough},
		{"generic", "20200612", "1.2", version.Rough},
		{"generic", "20200612", "20210612", version.Natural},
	} {
		if _, got := version.Compare(c.scheme, c.a, c.b); got != c.want {
			t.Errorf("%s: %q, %q: precision %v, want %v", c.scheme, c.a, c.b, got, c.want)
		}
	}
}

func TestTracks(t *testing.T) {
	for _, c := range []struct {
		scheme, a, b string
		want         bool
	}{
		{"axis", "10.12.206", "10.12.236", true},
		{"axis", "10.12.206", "11.11.5", false},
		{"axis", "9.80.3", "9.80.69", true},
		{"fortios", "7.0.1", "7.2.5", false},
		{"fortios", "v7.2.1,build1254", "7.2.5", true},
		{"routeros", "6.42", "7.1", false},
		{"dotted", "1.0", "9.0", true},
		{"dotted", "none", "9.0", false},
	} {
		if got := version.SameTrack(c.scheme, c.a, c.b); got != c.want {
			t.Errorf("%s: SameTrack(%q, %q) = %v", c.scheme, c.a, c.b, got)
		}
	}
	if !version.Tracks("axis") || version.Tracks("dotted") || version.Track("fortios", "7.2.1") != "7.2" || version.Track("axis", "?") != "" {
		t.Error("tracks of axis, dotted, fortios are wrong")
	}
}

func TestRegistry(t *testing.T) {
	want := []string{"asus", "axis", "cisco-ios", "dahua", "date", "debian", "dlink", "dotted", "fortios", "generic", "hikvision", "junos", "netgear", "qnap", "routeros", "shelly", "siemens", "synology", "tp-link", "wled", "zyxel"}
	if diff := cmp.Diff(want, version.Schemes()); diff != "" {
		t.Error(diff)
	}
	for _, n := range want {
		if !version.Known(n) || version.About(n) == "" {
			t.Errorf("%s has no description", n)
		}
	}
	if version.Known("semver2") || version.About("semver2") != "" {
		t.Error("an unknown scheme is known")
	}
}

func TestGuess(t *testing.T) {
	for _, c := range [][3]string{
		{"V5.5.0 build 170725", "V5.4.0 build 160530", "hikvision"},
		{"20200612", "20220101", "date"},
		{"1.2.3", "v1.2.4-rc1", "dotted"},
		{"V4.60(ABFA.1)C0", "V4.70(ABFA.0)C0", "zyxel"},
		{"1.2.3", "whatever", "generic"},
	} {
		if got := version.Guess(c[0], c[1]); got != c[2] {
			t.Errorf("Guess(%q, %q) = %s, want %s", c[0], c[1], got, c[2])
		}
	}
}

func anyVersion() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringMatching(`v?[0-9]{1,2}(\.[0-9]{1,3}){0,3}([ _.-]?(rc|beta|b|r|p|hotfix|build )?[0-9]{0,2})?`),
		rapid.StringMatching(`V[45]\.[0-3]( build 1[67]0[1-9]0[1-9])?`),
		rapid.StringMatching(`(20(19|20|21|22)0[1-9][12][0-9]|00[12]_(19|20|21|22)[0-4][0-9][AB]?)`),
		rapid.StringMatching(`V?4\.[0-3]\(AB(FA|CD)\.[0-3]\)C[0-2]|4\.[0-3] Patch [0-3]|4\.[0-3]`),
		rapid.StringMatching(`1[25]\.[1-3]\([0-9][a-c]?\)(E|JA|)[0-9][a-c]?`),
		rapid.StringMatching(`([0-2]:)?[0-9](\.[0-9a-c~+]{1,3}){0,2}(-[0-9~a]{1,2})?`),
		rapid.SampledFrom([]string{"1.0.0.116_10.2.100", "abc", "-", "6.48.6 (long-term)", "20220209-092750/v1.11.8-g8c7bb8d", "build 210628"}),
	)
}

func TestOrderLaws(t *testing.T) {
	for _, name := range version.Schemes() {
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			a, b, c := anyVersion().Draw(t, "a"), anyVersion().Draw(t, "b"), anyVersion().Draw(t, "c")
			ab, pab := version.Compare(name, a, b)
			ba, pba := version.Compare(name, b, a)
			if ab != ba.Reverse() || pab != pba {
				t.Fatalf("antisymmetry: %v %v, %v %v", ab, pab, ba, pba)
			}
			if aa, _ := version.Compare(name, a, a); aa != version.Equal && a != "" {
				t.Fatalf("reflexivity: %v", aa)
			}
			bc, _ := version.Compare(name, b, c)
			ac, _ := version.Compare(name, a, c)
			up := func(o version.Order) bool { return o == version.Less || o == version.Equal }
			if up(ab) && up(bc) {
				if ac == version.Greater || ac == version.Equal && (ab == version.Less || bc == version.Less) {
					t.Fatalf("transitivity: %q %v %q %v %q, but %v", a, ab, b, bc, c, ac)
				}
			}
		}))
	}
}

// TestComparer: what remembers answers as what does not.
func TestComparer(t *testing.T) {
	var c version.Comparer
	rapid.Check(t, func(t *rapid.T) {
		name, a, b := rapid.SampledFrom(version.Schemes()).Draw(t, "scheme"), anyVersion().Draw(t, "a"), anyVersion().Draw(t, "b")
		o, p := version.Compare(name, a, b)
		if oc, pc := c.Compare(name, a, b); oc != o || pc != p {
			t.Fatalf("%s: %q, %q: %v %v, but %v %v", name, a, b, o, p, oc, pc)
		}
		if g, gc := version.Guess(a, b), c.Guess(a, b); g != gc {
			t.Fatalf("%q, %q: %s, but %s", a, b, g, gc)
		}
	})
}

func FuzzCompare(f *testing.F) {
	for _, p := range pairs {
		f.Add(p.scheme, p.a, p.b)
	}
	f.Fuzz(func(t *testing.T, scheme, a, b string) {
		ab, p := version.Compare(scheme, a, b)
		ba, q := version.Compare(scheme, b, a)
		if ab != ba.Reverse() || p != q {
			t.Errorf("%s: %q %v/%v %q, back %v/%v", scheme, a, ab, p, b, ba, q)
		}
		version.SameTrack(scheme, a, b)
		version.Guess(a, b)
	})
}
