package identify_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/identify"
)

var (
	t0 = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	a1 = netip.MustParseAddr("10.40.0.11")
	a2 = netip.MustParseAddr("10.40.0.112")
)

func claim(f firmward.Field, v, source string, confidence int, at time.Time) firmward.Claim {
	return firmward.Claim{Field: f, Value: v, Source: source, Rule: source + "-rule", Addr: a1, At: at, Confidence: confidence}
}

func key(f firmward.Field, v string) identify.Key {
	k := identify.Key{Field: f, Value: v}
	if f == firmward.FieldSerial {
		k.Vendor = "axis"
	}
	return k
}

func TestAssign(t *testing.T) {
	serial, other := key(firmward.FieldSerial, "S1"), key(firmward.FieldSerial, "S2")
	mac, mac2 := key(firmward.FieldMAC, "00:11:22:33:44:55"), key(firmward.FieldMAC, "00:11:22:33:44:66")
	uuid, hostKey := key(firmward.FieldUUID, "uuid:1"), key(firmward.FieldHostKey, "SHA256:k")
	there, here := []netip.Addr{a2}, []netip.Addr{a1}
	foreign := identify.Key{Field: firmward.FieldSerial, Vendor: "hp", Value: "S1"}
	for _, tc := range []struct {
		name  string
		keys  []identify.Key
		known []identify.Candidate
		want  string
		merge []string
	}{
		{"nobody", []identify.Key{serial}, nil, "", nil},
		{"two addresses, one serial", []identify.Key{serial, mac2}, []identify.Candidate{{ID: "d", Keys: []identify.Key{serial, mac}, Addrs: []netip.Addr{a2}}}, "d", nil},
		{"address changed hands", []identify.Key{other}, []identify.Candidate{{ID: "d", Keys: []identify.Key{serial}, Addrs: []netip.Addr{a1}}}, "", nil},
		{"same address, nothing against it", nil, []identify.Candidate{{ID: "d", Keys: []identify.Key{serial}, Addrs: []netip.Addr{a1}}}, "d", nil},
		{"same address, another MAC", []identify.Key{mac2}, []identify.Candidate{{ID: "d", Keys: []identify.Key{mac}, Addrs: []netip.Addr{a1}}}, "", nil},
		{"same MAC, other serial", []identify.Key{other, mac}, []identify.Candidate{{ID: "d", Keys: []identify.Key{serial, mac}}}, "", nil},
		{"same MAC, other address", []identify.Key{mac}, []identify.Candidate{{ID: "d", Keys: []identify.Key{mac}, Addrs: []netip.Addr{a2}}}, "d", nil},
		{"same serial of another vendor", []identify.Key{serial}, []identify.Candidate{{ID: "d", Keys: []identify.Key{foreign}}}, "", nil},
		{"two devices proven one", []identify.Key{serial, mac}, []identify.Candidate{{ID: "weak", Keys: []identify.Key{mac}}, {ID: "strong", Keys: []identify.Key{serial}}}, "strong", []string{"weak"}},
		{"a third serial at the same address", []identify.Key{mac}, []identify.Candidate{
			{ID: "d", Keys: []identify.Key{serial, mac}}, {ID: "other", Keys: []identify.Key{other}, Addrs: []netip.Addr{a1}},
		}, "d", nil},
		{"a second interface is no second device", []identify.Key{serial}, []identify.Candidate{
			{ID: "d", Keys: []identify.Key{serial, mac}, Addrs: []netip.Addr{a2}}, {ID: "neighbour", Keys: []identify.Key{mac2}, Addrs: []netip.Addr{a1}},
		}, "d", []string{"neighbour"}},
		{"a cloned serial belongs to who is here", []identify.Key{serial}, []identify.Candidate{
			{ID: "there", Keys: []identify.Key{serial}, Addrs: []netip.Addr{a2}, Apart: []string{"here"}},
			{ID: "here", Keys: []identify.Key{serial}, Addrs: []netip.Addr{a1}, Apart: []string{"there"}},
		}, "here", nil},
		{"a host key at a new address", []identify.Key{hostKey}, []identify.Candidate{{ID: "d", Keys: []identify.Key{hostKey}, Addrs: there}}, "d", nil},
		{"a host key in two places at once", []identify.Key{hostKey}, []identify.Candidate{{ID: "d", Keys: []identify.Key{hostKey}, Addrs: there, Away: true}}, "", nil},
		{"a factory's host key, known at both", []identify.Key{hostKey}, []identify.Candidate{
			{ID: "there", Keys: []identify.Key{hostKey}, Addrs: there}, {ID: "here", Keys: []identify.Key{hostKey}, Addrs: here},
		}, "here", nil},
		{"a factory's host key at a third address", []identify.Key{hostKey}, []identify.Candidate{
			{ID: "b", Keys: []identify.Key{hostKey}, Addrs: there}, {ID: "c", Keys: []identify.Key{hostKey}, Addrs: there},
		}, "", nil},
		{"a UUID against another serial", []identify.Key{other, uuid}, []identify.Candidate{{ID: "d", Keys: []identify.Key{serial, uuid}, Addrs: there}}, "", nil},
		{"a UUID against the MAC that is here", []identify.Key{uuid}, []identify.Candidate{
			{ID: "there", Keys: []identify.Key{uuid, mac}, Addrs: there}, {ID: "here", Keys: []identify.Key{mac2}, Addrs: here},
		}, "here", nil},
		{"a UUID joins what is nothing but an address", []identify.Key{uuid}, []identify.Candidate{
			{ID: "moved", Keys: []identify.Key{uuid, mac}, Addrs: there}, {ID: "stub", Addrs: here},
		}, "moved", []string{"stub"}},
		{"an address with another host key changed hands", []identify.Key{hostKey}, []identify.Candidate{
			{ID: "moved", Keys: []identify.Key{hostKey}, Addrs: there}, {ID: "before", Keys: []identify.Key{key(firmward.FieldHostKey, "SHA256:other")}, Addrs: here},
		}, "moved", nil},
		{"a serial before its vendor was known", []identify.Key{serial}, []identify.Candidate{
			{ID: "d", Keys: []identify.Key{{Field: firmward.FieldSerial, Value: "S1"}}, Addrs: []netip.Addr{a1}},
		}, "d", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := identify.Assign(a1, tc.keys, tc.known)
			if got.Device != tc.want || got.Why == "" || !cmp.Equal(got.Merge, tc.merge, cmpopts.EquateEmpty()) {
				t.Errorf("%+v, want %q merging %v", got, tc.want, tc.merge)
			}
		})
	}
}

func TestKeys(t *testing.T) {
	got := identify.Keys([]firmward.Claim{
		claim(firmward.FieldMAC, "02:11:22:33:44:55", "neighbor", 90, t0), // random
		claim(firmward.FieldMAC, "00:11:22:33:44:55", "neighbor", 90, t0),
		claim(firmward.FieldUUID, "uuid:00000000-0000-0000-0000-000000000000", "upnp", 60, t0), claim(firmward.FieldSerial, "12345678", "upnp", 60, t0),
		claim(firmward.FieldSerial, "S1", "axis", 90, t0), claim(firmward.FieldVendor, "Axis", "axis", 90, t0),
	})
	want := []identify.Key{{Field: firmward.FieldSerial, Vendor: "axis", Value: "S1"}, {Field: firmward.FieldMAC, Value: "00:11:22:33:44:55"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestMerge(t *testing.T) {
	hour := t0.Add(time.Hour)
	for _, tc := range []struct {
		name     string
		claims   []firmward.Claim
		want     string
		disputed string // part of Why, empty: no contradiction
	}{
		{"the newest of one rule", []firmward.Claim{claim(firmward.FieldFirmware, "1", "axis", 90, t0), claim(firmward.FieldFirmware, "2", "axis", 90, hour)}, "2", ""},
		{"trusted more", []firmward.Claim{claim(firmward.FieldFirmware, "1", "snmp", 90, t0), claim(firmward.FieldFirmware, "2", "ipp", 60, hour)}, "1", "trusted more (90 against 60)"},
		{"a person against a probe", []firmward.Claim{identify.ByHand(firmward.FieldFirmware, "9", "anna"), claim(firmward.FieldFirmware, "2", "axis", 95, hour)}, "9", "person:anna"},
		{"two sources agree", []firmward.Claim{claim(firmward.FieldFirmware, "1", "a", 80, t0), claim(firmward.FieldFirmware, "1", "b", 80, t0), claim(firmward.FieldFirmware, "2", "c", 80, hour)}, "1", "2 sources agree"},
		{"looked later", []firmward.Claim{claim(firmward.FieldFirmware, "1", "a", 80, t0), claim(firmward.FieldFirmware, "2", "b", 80, hour)}, "2", "b looked later"},
		{"too weak to dispute", []firmward.Claim{claim(firmward.FieldFirmware, "1", "a", 80, t0), claim(firmward.FieldFirmware, "2", "b", 49, hour)}, "1", ""},
		{"a longer form", []firmward.Claim{claim(firmward.FieldFirmware, "AXIS P3265-LV", "a", 80, t0), claim(firmward.FieldFirmware, "P3265-LV", "b", 80, t0)}, "AXIS P3265-LV", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			id := identify.Merge(tc.claims)
			c, _ := id.Best(firmward.FieldFirmware)
			if c.Value != tc.want {
				t.Errorf("best %q, want %q", c.Value, tc.want)
			}
			switch {
			case tc.disputed == "" && len(id.Contradictions) > 0, tc.disputed != "" && (len(id.Contradictions) != 1 || !strings.Contains(id.Contradictions[0].Why, tc.disputed)):
				t.Errorf("contradictions %+v, want %q", id.Contradictions, tc.disputed)
			}
		})
	}
}

// TestMergeAnyOrder shows that the order of claims does not matter.
func TestMergeAnyOrder(t *testing.T) {
	one := rapid.Custom(func(t *rapid.T) firmward.Claim {
		c := claim(rapid.SampledFrom([]firmward.Field{firmward.FieldFirmware, firmward.FieldMAC, firmward.FieldSoftware}).Draw(t, "field"),
			rapid.SampledFrom([]string{"1", "2", "a b", "A B"}).Draw(t, "value"), rapid.SampledFrom([]string{"p", "q", "r"}).Draw(t, "source"),
			rapid.IntRange(40, 100).Draw(t, "confidence"), t0.Add(time.Duration(rapid.IntRange(0, 2).Draw(t, "at"))*time.Hour))
		c.Addr = rapid.SampledFrom([]netip.Addr{a1, a2}).Draw(t, "addr")
		return c
	})
	rapid.Check(t, func(t *rapid.T) {
		claims := rapid.SliceOfN(one, 0, 8).Draw(t, "claims")
		mixed := rapid.Permutation(claims).Draw(t, "mixed")
		a, b := identify.Merge(claims), identify.Merge(mixed)
		if d := cmp.Diff(a, b, cmp.Comparer(func(x, y netip.Addr) bool { return x == y })); d != "" {
			t.Fatalf("the order of claims matters: %s", d)
		}
	})
}

func TestCompileRefuses(t *testing.T) {
	good := firmward.Fingerprint{
		ID: "x", When: map[string]string{"http.title": `^AXIS (?P<model>\S+)$`}, Claim: map[firmward.Field]string{firmward.FieldModel: "${model}"}, Confidence: 80,
		Examples: []firmward.Example{{Readings: map[string]string{"http.title": "AXIS M1"}, Claims: map[firmward.Field]string{firmward.FieldModel: "M1"}}},
	}
	if _, err := identify.Compile([]firmward.Fingerprint{good}); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*firmward.Fingerprint){
		"is empty":      func(p *firmward.Fingerprint) { p.ID = "" },
		"needs when":    func(p *firmward.Fingerprint) { p.Confidence = 101 },
		"pattern of":    func(p *firmward.Fingerprint) { p.When = map[string]string{"http.title": "("} },
		"of unless":     func(p *firmward.Fingerprint) { p.Unless = map[string]string{"http.title": "("} },
		"gives map[]":   func(p *firmward.Fingerprint) { p.Unless = map[string]string{"http.title": "M1"} },
		"has no exampl": func(p *firmward.Fingerprint) { p.Examples = nil },
		"example 1":     func(p *firmward.Fingerprint) { p.Claim = map[firmward.Field]string{firmward.FieldModel: "other"} },
	} {
		p := good
		change(&p)
		if _, err := identify.Compile([]firmward.Fingerprint{p}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
	if _, err := identify.Compile([]firmward.Fingerprint{good, good}); err == nil {
		t.Error("an id was taken twice")
	}
}

// FuzzClaims compiles any pattern and template and reads any value: bounded claims or an error.
func FuzzClaims(f *testing.F) {
	f.Add(`^AXIS (?P<model>\S+)`, "${model} ${nothing}", "AXIS P3265-LV")
	f.Add(`(?P<a>.*)`, "${a", "x")
	f.Add(`.`, "${http.title}", "\xff\xfe")
	f.Fuzz(func(t *testing.T, pattern, template, value string) {
		p := firmward.Fingerprint{
			ID: "x", When: map[string]string{"http.title": pattern}, Claim: map[firmward.Field]string{firmward.FieldModel: template, firmward.FieldMAC: template}, Confidence: 80,
			Examples: []firmward.Example{{}},
		}
		rules, err := identify.Compile([]firmward.Fingerprint{p})
		if err != nil {
			return
		}
		for _, c := range rules.Claims(firmward.Observation{Outcome: firmward.Answered, Readings: []firmward.Reading{{Name: "http.title", Value: value}}}) {
			if c.Value == "" || len(c.Raw) > 512 || c.Rule != "x" || len(c.Value) > len(template)*(len(value)+1)+len(value) {
				t.Errorf("%+v", c)
			}
		}
	})
}
