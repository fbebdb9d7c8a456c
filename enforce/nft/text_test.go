package nft

import (
	"flag"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/contain"
	"github.com/firmward/firmward/enforce"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (run with -update after looking): -want +got\n%s", name, d)
	}
}

func TestText(t *testing.T) {
	d := firmward.Device{Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.30"), netip.MustParseAddr("2001:db8::30")}, MACs: []string{"02:00:00:00:00:01"}}
	self := []netip.Addr{netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("2001:db8::2")}
	update := firmward.AccessRule{Device: d.Addrs[0], Direction: "from", Peer: netip.MustParsePrefix("198.51.100.0/24"), Proto: "tcp", Port: 443, Allow: true, Why: "\"; flush ruleset; #"}
	p, err := parse(append([]firmward.AccessRule{update}, contain.Rules(d, self, nil)...))
	if err != nil {
		t.Fatal(err)
	}
	apply := applyText(p, 0x2a, 2*time.Minute)
	golden(t, "testdata/apply.nft", apply)
	golden(t, "testdata/confirm.nft", confirmText(p, 0x2a))
	if strings.Contains(apply, "ruleset") || strings.Contains(apply, "02:00") {
		t.Error("words of people or devices reach the kernel")
	}
}

func TestParseRefuses(t *testing.T) {
	ok := firmward.AccessRule{Device: netip.MustParseAddr("192.0.2.30"), Direction: "from", Peer: netip.MustParsePrefix("0.0.0.0/0"), Proto: "any"}
	for name, change := range map[string]func(*firmward.AccessRule){
		"multicast":             func(r *firmward.AccessRule) { r.Device = netip.MustParseAddr("224.0.0.1") },
		"no device":             func(r *firmward.AccessRule) { r.Device = netip.Addr{} },
		"no peer":               func(r *firmward.AccessRule) { r.Peer = netip.Prefix{} },
		"no direction":          func(r *firmward.AccessRule) { r.Direction = "" },
		"deny one peer":         func(r *firmward.AccessRule) { r.Peer = netip.MustParsePrefix("192.0.2.0/24") },
		"deny one port":         func(r *firmward.AccessRule) { r.Proto, r.Port = "tcp", 80 },
		"deny another family":   func(r *firmward.AccessRule) { r.Peer = netip.MustParsePrefix("::/0") },
		"port of no protocol":   func(r *firmward.AccessRule) { r.Allow, r.Port = true, 80 },
		"a protocol's bad name": func(r *firmward.AccessRule) { r.Allow, r.Proto = true, "tcp } ; flush ruleset" },
	} {
		r := ok
		change(&r)
		if _, err := parse([]firmward.AccessRule{r}); firmward.CodeOf(err) != firmward.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := parse([]firmward.AccessRule{ok}); err != nil {
		t.Error(err)
	}
}

// TestDisjoint: the boxes hold what the rules allow, no more, and never overlap.
func TestDisjoint(t *testing.T) {
	addr := func(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}) }
	rapid.Check(t, func(t *rapid.T) {
		rules := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) firmward.AccessRule {
			peer, err := addr(rapid.IntRange(0, 15).Draw(t, "peer")).Prefix(rapid.IntRange(28, 32).Draw(t, "bits"))
			if err != nil {
				t.Fatal(err)
			}
			r := firmward.AccessRule{Device: addr(200), Direction: "from", Peer: peer, Proto: rapid.SampledFrom([]string{"any", "tcp", "udp", "icmp"}).Draw(t, "proto"), Allow: true}
			if r.Proto == "tcp" || r.Proto == "udp" {
				r.Port = rapid.SampledFrom([]uint16{0, 1, 80, 65535}).Draw(t, "port")
			}
			return r
		}), 0, 6).Draw(t, "rules")
		p, err := parse(rules)
		if err != nil {
			t.Fatal(err)
		}
		for n := range 16 {
			for _, proto := range [...]int{0, 1, 6, 17, 47, 255} {
				for _, port := range [...]int{0, 1, 79, 80, 81, 65534, 65535} {
					want, got := false, 0
					for _, r := range rules {
						number := map[string]int{"any": proto, "tcp": 6, "udp": 17, "icmp": 1}[r.Proto]
						want = want || r.Peer.Contains(addr(n)) && number == proto && (r.Port == 0 || int(r.Port) == port)
					}
					for _, f := range p.from {
						if !addr(n).Less(f.peer[0]) && !f.peer[1].Less(addr(n)) && !apart(f.proto, [2]int{proto, proto}) && !apart(f.port, [2]int{port, port}) {
							got++
						}
					}
					if got > 1 || want != (got == 1) {
						t.Fatalf("%s %d %d lies in %d boxes, allowed is %t: %v", addr(n), proto, port, got, want, p.from)
					}
				}
			}
		}
	})
}

func TestExplain(t *testing.T) {
	w := &Wall{Namespace: "r"}
	for said, want := range map[string]firmward.Code{
		"Operation not permitted (you must be root)\nnetlink: Error":               firmward.NotSupported,
		"Cannot open network namespace \"r\": No such file or directory":           firmward.NotSupported,
		"Error: Could not process rule: No such file or directory\ndelete element": firmward.NotFound,
		"Error: Could not process rule: Operation not supported":                   firmward.NotSupported,
		"Error: syntax error, unexpected junk\n" + strings.Repeat("x", 1<<16):      firmward.Unavailable,
		"": firmward.Unavailable,
	} {
		err := w.explain([]byte(said), os.ErrClosed)
		if firmward.CodeOf(err) != want || len(err.Error()) > 600 || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.40q: %v", said, err)
		}
	}
}

func TestCounters(t *testing.T) {
	d, err := counters([]byte(`{"nftables": [{"metainfo": {}}, {"counter": {"name": "cut_from", "packets": 7}}, {"counter": {"name": "cut_to", "packets": 9}}]}`))
	if err != nil || d != (enforce.Dropped{From: 7, To: 9}) {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err := counters([]byte(`x`)); err == nil {
		t.Error("no error")
	}
}

func TestLimited(t *testing.T) {
	l := limited{max: 3}
	for _, s := range []string{"ab", "cd", "e"} {
		if n, err := l.Write([]byte(s)); n != len(s) || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
	if l.String() != "abc" || !l.cut {
		t.Errorf("%q", l.String())
	}
}

func TestWithoutProgram(t *testing.T) {
	if _, err := find("fwtest-no-such-program", "nothing"); firmward.CodeOf(err) != firmward.NotSupported || !strings.Contains(err.Error(), "apt install nothing") {
		t.Errorf("%v", err)
	}
}
