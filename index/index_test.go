package index

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/firmward/firmward/cpe"
)

type pair struct {
	Key cpe.Key
	Ref uint32
}

func seq(pairs []pair) func(func(cpe.Key, uint32) bool) {
	return func(yield func(cpe.Key, uint32) bool) {
		for _, p := range pairs {
			if !yield(p.Key, p.Ref) {
				return
			}
		}
	}
}

func build(t interface{ Fatal(...any) }, pairs []pair) []byte {
	b, err := Build(seq(pairs))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var some = []pair{
	{cpe.Key{Vendor: "dlink", Product: "dns-320l_firmware"}, 70000},
	{cpe.Key{Vendor: "axis", Product: "axis_os"}, 3},
	{cpe.Key{Vendor: "dlink", Product: "dns-320l_firmware"}, 0},
	{cpe.Key{Vendor: "dlink", Product: "dns-320l_firmware"}, 70000},
	{cpe.Key{Vendor: "hikvision", Product: "ds-2cd2026g2-iu/sl_firmware"}, 4294967295},
}

func TestLookup(t *testing.T) {
	x, err := Open(build(t, some))
	if err != nil {
		t.Fatal(err)
	}
	if x.Len() != 3 {
		t.Errorf("%d products, want 3", x.Len())
	}
	for _, c := range []struct {
		vendor, product string
		want            []uint32
	}{
		{"dlink", "dns-320l_firmware", []uint32{0, 70000}},
		{"d-link", "dns-320l_firmware", []uint32{0, 70000}},
		{"axis", "axis_os", []uint32{3}},
		{"hikvision", "ds-2cd2026g2-iu/sl_firmware", []uint32{4294967295}},
		{"axis", "axis", nil},
		{"", "", nil},
		{"zyxel", "nsa", nil},
	} {
		got, err := x.Lookup(c.vendor, c.product)
		if err != nil || !cmp.Equal(got, c.want) {
			t.Errorf("%s %s: %v, %v, want %v", c.vendor, c.product, got, err, c.want)
		}
	}
	var keys []string
	for k, err := range x.All() {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k.Vendor+" "+k.Product)
	}
	if diff := cmp.Diff([]string{"axis axis_os", "dlink dns-320l_firmware", "hikvision ds-2cd2026g2-iu/sl_firmware"}, keys); diff != "" {
		t.Error(diff)
	}
}

func TestEmpty(t *testing.T) {
	x, err := Open(build(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	if refs, err := x.Lookup("a", "b"); refs != nil || err != nil {
		t.Errorf("an empty index gave %v, %v", refs, err)
	}
}

func TestCorrupt(t *testing.T) {
	good := build(t, some)
	for n := range good {
		if _, err := Open(good[:n]); !errors.Is(err, ErrCorrupt) {
			t.Errorf("cut at %d: %v", n, err)
		}
		bad := bytes.Clone(good)
		bad[n] ^= 0x40
		if _, err := Open(bad); !errors.Is(err, ErrCorrupt) {
			t.Errorf("byte %d flipped: %v", n, err)
		}
	}
}

func TestSameBytesInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pairs := rapid.SliceOf(rapid.Custom(func(t *rapid.T) pair {
			return pair{cpe.Key{Vendor: rapid.StringMatching(`[a-c]{0,2}`).Draw(t, "v"), Product: rapid.StringMatching(`[x-z]{0,2}`).Draw(t, "p")}, rapid.Uint32().Draw(t, "r")}
		})).Draw(t, "pairs")
		mixed := rapid.Permutation(pairs).Draw(t, "mixed")
		a, b := build(t, pairs), build(t, mixed)
		if !bytes.Equal(a, b) {
			t.Fatal("another order gave other bytes")
		}
		x, err := Open(a)
		if err != nil {
			t.Fatal(err)
		}
		want := map[cpe.Key]map[uint32]bool{}
		for _, p := range pairs {
			if want[p.Key] == nil {
				want[p.Key] = map[uint32]bool{}
			}
			want[p.Key][p.Ref] = true
		}
		for k, refs := range want {
			got, err := x.Lookup(k.Vendor, k.Product)
			if err != nil || len(got) != len(refs) {
				t.Fatalf("%v: %v, %v, want %v", k, got, err, refs)
			}
			for _, r := range got {
				if !refs[r] {
					t.Fatalf("%v: %d was never put in", k, r)
				}
			}
		}
	})
}

func FuzzOpen(f *testing.F) {
	f.Add(build(f, some))
	f.Add(build(f, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= header+4 { // past the checksum, to reach the checks behind it
			b = bytes.Clone(b)
			copy(b, magic)
			binary.LittleEndian.PutUint32(b[len(magic):], checksum(b))
		}
		x, err := Open(b)
		if err != nil {
			return
		}
		_, _ = x.Lookup("dlink", "dns-320l_firmware")
		n := 0
		for k := range x.All() {
			_, _ = x.Lookup(k.Vendor, k.Product)
			if n++; n > 1000 {
				break
			}
		}
	})
}

func BenchmarkLookup(b *testing.B) {
	pairs := make([]pair, 100_000)
	for i := range pairs {
		pairs[i] = pair{cpe.Key{Vendor: fmt.Sprint("v", i%1000), Product: fmt.Sprint("p", i)}, uint32(i)}
	}
	block := build(b, pairs)
	x, err := Open(block)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(len(block))/float64(len(pairs)), "B/key")
	for b.Loop() {
		if _, err := x.Lookup("v42", "p42"); err != nil {
			b.Fatal(err)
		}
	}
}
