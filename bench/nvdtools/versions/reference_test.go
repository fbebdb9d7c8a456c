package main

import (
	"cmp"
	"math/rand/v2"
	"strings"
	"testing"

	deb "github.com/knqyf263/go-deb-version"
	"golang.org/x/mod/semver"

	"github.com/firmward/firmward/version"
)

// TestDebian: firmward orders as an independent reading of Debian's policy does.
func TestDebian(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	compared := 0
	for range 200_000 {
		a, b := random(r, "0012ab~+.-:", 1+r.IntN(9)), random(r, "0012ab~+.-:", 1+r.IntN(9))
		x, errA := deb.NewVersion(a)
		y, errB := deb.NewVersion(b)
		got, _ := version.Compare("debian", a, b)
		if errA != nil || errB != nil || got == version.Incomparable {
			continue
		}
		compared++
		if want := version.Order(cmp.Compare(x.Compare(y), 0)); got != want {
			t.Fatalf("%q is %v to %q, want %v", a, got, b, want)
		}
	}
	if compared < 1000 {
		t.Error("compared", compared)
	}
}

// TestSemver: firmward orders as golang.org/x/mod/semver does, wherever both read.
func TestSemver(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	compared := 0
	for range 200_000 {
		a, b := randomSemver(r), randomSemver(r)
		if a == b {
			continue // the same text is the same version, whatever it is
		}
		got, _ := version.Compare("semver", a, b)
		if valid := semver.IsValid(a) && semver.IsValid(b); valid != (got != version.Incomparable) {
			t.Fatalf("%q, %q: valid %v, but %v", a, b, valid, got)
		} else if !valid {
			continue
		}
		compared++
		if want := version.Order(semver.Compare(a, b)); got != want {
			t.Fatalf("%q is %v to %q, want %v", a, got, b, want)
		}
	}
	if compared < 1000 {
		t.Error("compared", compared)
	}
}

func random(r *rand.Rand, signs string, n int) string {
	var b strings.Builder
	for range n {
		b.WriteByte(signs[r.IntN(len(signs))])
	}
	return b.String()
}

func randomSemver(r *rand.Rand) string {
	v := "v1." + random(r, "01", 1) + "." + random(r, "012", 1)
	if r.IntN(3) > 0 {
		v += "-" + random(r, "0112abB.-", 1+r.IntN(6))
	}
	if r.IntN(4) == 0 {
		v += "+" + random(r, "0aB.-", 1+r.IntN(3))
	}
	return v
}
