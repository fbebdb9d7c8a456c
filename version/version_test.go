package version_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/firmward/firmward/version"
)

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		scheme, a, b string
		want         version.Order
	}{
		{"dotted", "", "1.0", version.Incomparable},
		{"dotted", " ", "", version.Incomparable},
		{"dotted", " v1.0\x00", "V1.0", version.Equal},
		{"zyxel", `5.50\(ABOM.7\)C0`, "5.50(ABOM.7)C0", version.Equal},
		{"semver", "1.0.0-Beta", "1.0.0-alpha", version.Less},
		{"no such scheme", "1.2.3", "1.2.10", version.Less},
	} {
		if got, _ := version.Compare(c.scheme, c.a, c.b); got != c.want {
			t.Errorf("%s: %q is %v to %q, want %v", c.scheme, c.a, got, c.b, c.want)
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
	want := []string{"asus", "axis", "calver", "cisco-ios", "cisco-ios-xe", "cisco-ios-xr", "cisco-nx-os", "dahua", "date", "debian", "dlink", "dotted", "edgeos", "fortios", "generic", "hikvision", "junos", "junos-evolved", "moxa", "netgear", "pan-os", "qnap", "routeros", "semver", "shelly", "siemens", "sonicos", "synology", "tenda", "tp-link", "wago", "wled", "zigbee", "zyxel"}
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
		{"1.2.3", "", "generic"},
		{"1.2.3", "1.10", "dotted"},
		{"18.4R2", "18.4", "junos"},
		{"15.1X49-D75", "18.4R2-S3", "junos"},
		{"16.12.5b", "17.3.4", "cisco-ios-xe"},
		{"03.16.05.S", "3.16.7bS", "cisco-ios-xe"},
		{"12.4(25e)JAO3a", "Cisco IOS 12.4(24)T", "cisco-ios"},
		{"6.49rc1", "6.49", "routeros"},
		{"6.48.6 (long-term)", "RouterOS 6.49", "routeros"},
		{"10.1.6-h3", "10.1.6", "pan-os"},
		{"v7.2.4,build1396,230131 (GA.F)", "7.2.5", "fortios"},
		{"1.04B12", "1.11", "dlink"},
		{"V1.0.4.6_10.1.12", "1.0.4.28", "netgear"},
		{"3.0.0.4.386_45934", "3.0.0.4.386_51598", "asus"},
		{"7.1.1-42962 Update 6", "7.1.1-42962-6", "synology"},
		{"v2.0.9-hotfix.1", "v2.0.9", "edgeos"},
		{"V7.5 SP2 Update 18", "V7.5", "siemens"},
		{"20230913-112003/v1.14.0-gcb84623", "1.11.0", "shelly"},
		{"0x00201302", "0x00201303", "zigbee"},
		{"3.12 Build 21060910", "3.13 Build 21060911", "moxa"},
		{"2.400.0000.14.R.20170713", "2.800.0000000.29.R.210630", "dahua"},
		{"2024-05-17", "2024-06-01", "calver"},
		{"1:1.0-1", "1.0~rc1-1", "debian"},
		{"h5.1.0.2466", "h5.2.0.2851", "qnap"},
		{"18.4R2", "10.1.6-h3", "generic"}, // two vendors
	} {
		if got := version.Guess(c[0], c[1]); got != c[2] {
			t.Errorf("Guess(%q, %q) = %s, want %s", c[0], c[1], got, c[2])
		}
	}
}

// families holds the shapes of versions, a vendor's own ways to write them together.
func families() []*rapid.Generator[string] {
	return []*rapid.Generator[string]{
		rapid.StringMatching(`v?[0-9]{1,2}(\.[0-9]{1,3}){0,3}([ _.-]?(rc|beta|b|r|p|hotfix|build )?[0-9]{0,2})?`),
		rapid.StringMatching(`V[45]\.[0-3]( build 1[67]0[1-9]0[1-9])?`),
		rapid.StringMatching(`(20(19|20|21|22)0[1-9][12][0-9]|00[12]_(19|20|21|22)[0-4][0-9][AB]?)`),
		rapid.StringMatching(`V?4\.[0-3]\(AB(FA|CD)\.[0-3]\)C[0-2]|4\.[0-3] Patch [0-3]|4\.[0-3]`),
		rapid.StringMatching(`1[25]\.[1-3]\([0-9][a-c]?\)(E|JA|)[0-9][a-c]?`),
		rapid.StringMatching(`([0-2]:)?[0-9](\.[0-9a-c~+]{1,3}){0,2}(-[0-9~a]{1,2})?`),
		rapid.StringMatching(`1[5-6]\.[1-2](R[1-3](\.[1-9])?(-S[1-3])?|X4[8-9](-D[1-9]{1,2})?|F[5-6])?(-EVO)?`),
		rapid.StringMatching(`(03\.1[6-7]\.0?[4-5](\.|[a-b])?(S|E|SP|SG)?|3\.1[0-1]S\.[0-2]a?|1[67]\.0?[3-4](\.0?[1-4][a-c]?)?|15\.5\(3\)S[1-2])`),
		rapid.StringMatching(`12\.[2-4](SXI|T|\([1-3][a-b]?\)(SXI|T|SXF|)[1-3]?[a-b]?|\([1-2]\.0[1-2]\)T)?`),
		rapid.StringMatching(`(EdgeRouter\.ER-e(50|100)\.)?v[1-2]\.[0-1]\.[8-9]([-+](hotfix|rc|beta)\.[1-3])?(\.5[0-9]{6})?`),
		rapid.StringMatching(`[1-2]\.[1-2]( Build 2[0-1](0[1-9])(0[1-9]|1[0-2])(0[1-9])?)?`),
		rapid.StringMatching(`V?[7-8]\.[0-1]( ?SP[1-2])?([ _](Update|Upd|HF|P) ?[1-3])?[a-b]?`),
		rapid.StringMatching(`[1-2]\.[0-1]\.[0-1](-(alpha|beta|rc|[0-9])(\.[0-9a-b]{1,2})?)?(\+[a-b]{1,2})?`),
		rapid.StringMatching(`(20)?2[3-4][.-](0?[1-9]|1[0-2])([.-][0-2])?(b[1-2]|-dev|-rc[1-2])?`),
		rapid.StringMatching(`0x0000[0-9A-F]{4}|0000[0-9]{4}|[0-9]{1,5}`),
		rapid.StringMatching(`(DSM )?7\.[0-1](\.[0-1])?(-4[12]66[1-2]([ -](Update )?[1-2])?)?`),
		rapid.StringMatching(`[hc]?5\.[0-1]\.[0-1](\.2[4-5]66)?( beta[1-2])?( build 202[2-3]0[1-9]0[1-9])?`),
		rapid.StringMatching(`1[0-1]\.[0-1](\.[0-6])?(-[hb][1-6])?|4\.0 MR[2-3]( Patch [1-3])?|v7\.[0-2]\.[0-4],build1396`),
		rapid.StringMatching(`[39]\.0\.0\.[46]\.38[4-6][._]4[0-9]{4}|38[4-6]\.[1-2](_[1-2])?|1\.0\.[3-4]\.[1-9](_10\.[1-2]\.[1-2])?(NA|WW)?`),
		rapid.StringMatching(`(EU_)?[1-2]\.0[1-3](B0[1-3])?([_ ]?beta0?[1-2]?)?|10[1-2]b0[1-2]`),
		rapid.StringMatching(`V[AB][1-3][0-1][AB]?|V?[1-2]\.[0-1]|240[1-2]081_00000[1-3]|v[1-2]_17030[1-4]|1\.0[1-2](WW|\(NA\))?B0[1-2]`),
		rapid.StringMatching(`[1-2]\.[0-1]\.[0-1](a|b)?( up(d|date) [1-2])?|20[1-2]\.R\.21070[1-5]`),
		rapid.StringMatching(`2\.8[0-1]0\.000000[0-1]\.[5-6](\.R)?(\.2[0-1]070[1-5])?|3\.[0-1](_17030[1-6]| v00[1-2]a\.0)?`),
		rapid.SampledFrom([]string{"1.0.0.116_10.2.100", "abc", "-", "6.48.6 (long-term)", "20220209-092750/v1.11.8-g8c7bb8d", "build 210628"}),
	}
}

func anyVersion() *rapid.Generator[string] { return rapid.OneOf(families()...) }

// threeVersions are mostly of one family: else few of them meet closely enough to break a law.
func threeVersions(t *rapid.T) (a, b, c string) {
	g := rapid.SampledFrom(families()).Draw(t, "family")
	if rapid.IntRange(0, 4).Draw(t, "mixed") == 0 {
		g = rapid.OneOf(g, anyVersion())
	}
	return g.Draw(t, "a"), g.Draw(t, "b"), g.Draw(t, "c")
}

func TestOrderLaws(t *testing.T) {
	for _, name := range version.Schemes() {
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			a, b, c := threeVersions(t)
			if broken := brokenLaw(name, a, b, c); broken != "" {
				t.Fatal(broken)
			}
		}))
	}
}

// brokenLaw says which law of an order three versions break, or nothing. A chain of comparisons may end
// in what is incomparable: "5.36 Patch 2" equals that patch of every model, and the models among
// themselves are incomparable.
func brokenLaw(name, a, b, c string) string {
	ab, pab := version.Compare(name, a, b)
	ba, pba := version.Compare(name, b, a)
	if ab != ba.Reverse() || pab != pba {
		return fmt.Sprintf("%s: antisymmetry: %q and %q: %v %v, but back %v %v", name, a, b, ab, pab, ba, pba)
	}
	if aa, _ := version.Compare(name, a, a); aa != version.Equal && strings.Trim(a, " \t\r\n\x00\\") != "" {
		return fmt.Sprintf("%s: reflexivity: %q is %v to itself", name, a, aa)
	}
	bc, _ := version.Compare(name, b, c)
	ac, _ := version.Compare(name, a, c)
	up := func(o version.Order) bool { return o == version.Less || o == version.Equal }
	if up(ab) && up(bc) && (ac == version.Greater || ac == version.Equal && (ab == version.Less || bc == version.Less) || ac == version.Less && ab == bc && ab == version.Equal) {
		return fmt.Sprintf("%s: transitivity: %q %v %q %v %q, but %v", name, a, ab, b, bc, c, ac)
	}
	return ""
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

// FuzzCompare: the laws hold for any text, under every scheme.
func TestDiffers(t *testing.T) {
	var c version.Comparer
	for _, x := range []struct {
		scheme, a, b string
		want         bool
	}{
		{"cisco-ios", "12.4(25e)JAO3a", "12.4(25e)JAP1", true},
		{"cisco-ios", "12.4(25e)JAO3a", "12.4(25e)JAO3a", false},
		{"cisco-ios", "12.4(25e)JAO3a", "unreadable", false},
		{"zyxel", "V4.60(ABFA.1)C0", "V4.60(ABCD.1)C0", true},
		{"zyxel", "V5.36(ABUH.0)", "5.36", false}, // of any model, so of this one too
		{"hikvision", "V5.5.0 build 170725", "V5.5.0", false},
	} {
		if got := c.Version(x.a).Differs(x.scheme, c.Version(x.b)); got != x.want {
			t.Errorf("%s: %q, %q: %v", x.scheme, x.a, x.b, got)
		}
	}
}

func FuzzCompare(f *testing.F) {
	all := corpus(f)
	for i, p := range all {
		f.Add(p.a, p.b, all[(i+1)%len(all)].a)
	}
	schemes := append(version.Schemes(), "no such scheme")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		for _, name := range schemes {
			for _, v := range [][3]string{{a, b, c}, {b, c, a}, {c, a, b}} {
				if broken := brokenLaw(name, v[0], v[1], v[2]); broken != "" {
					t.Error(broken)
				}
			}
			version.SameTrack(name, a, b)
		}
		version.Guess(a, b)
	})
}
