package cpe_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/firmward/firmward/cpe"
)

func TestParse(t *testing.T) {
	for _, c := range []struct{ in, vendor, product, version, out string }{
		{`cpe:2.3:o:hikvision:ds-2cd2026g2-iu\/sl_firmware:-:*:*:*:*:*:*:*`, "hikvision", "ds-2cd2026g2-iu/sl_firmware", "-", ""},
		{`cpe:2.3:o:cisco:ios:12.4\(25e\)jao3a:*:*:*:*:*:*:*`, "cisco", "ios", "12.4(25e)jao3a", ""},
		{`cpe:2.3:o:DLink:DIR-645_Firmware:*:*:*:*:*:*:*:*`, "dlink", "dir-645_firmware", "*", `cpe:2.3:o:dlink:dir-645_firmware:*:*:*:*:*:*:*:*`},
		{`cpe:2.3:a:v:p\:q:1.*:*:*:*:*:*:*:*`, "v", "p:q", "1.*", ""},
		{`cpe:2.3:a:v:p\_q\.r\-s:1:*:*:*:*:*:*:*`, "v", "p_q.r-s", "1", `cpe:2.3:a:v:p_q.r-s:1:*:*:*:*:*:*:*`},
		{`cpe:2.3:a:v:p(q):\-:*:*:*:*:*:*:*`, "v", "p(q)", "-", `cpe:2.3:a:v:p\(q\):\-:*:*:*:*:*:*:*`},
	} {
		n, err := cpe.Parse(c.in)
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		want := c.out
		if want == "" {
			want = c.in
		}
		if n.Vendor.Text() != c.vendor || n.Product.Text() != c.product || n.Version.Text() != c.version || n.String() != want {
			t.Errorf("%s: got %q %q %q %s", c.in, n.Vendor.Text(), n.Product.Text(), n.Version.Text(), n)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, in := range []string{
		"", "cpe:/o:dlink:dir-645", "cpe:2.3:o:dlink", "cpe:2.3:o:a:b:c:*:*:*:*:*:*:*:*",
		"cpe:2.3:x:a:b:*:*:*:*:*:*:*:*", "cpe:2.3:o::b:*:*:*:*:*:*:*:*", "cpe:2.3:o:a:b*c:*:*:*:*:*:*:*:*",
		"cpe:2.3:o:a:b c:*:*:*:*:*:*:*:*", `cpe:2.3:o:a:b:*:*:*:*:*:*:*:*\`, "cpe:2.3:o:a:é:*:*:*:*:*:*:*:*",
	} {
		if n, err := cpe.Parse(in); err == nil {
			t.Errorf("%q was read as %s", in, n)
		}
	}
}

// NISTIR 7696 table 6-2, row by row.
func TestCompare(t *testing.T) {
	for _, c := range []struct {
		source, target cpe.Attr
		want           cpe.Relation
	}{
		{"*", "*", cpe.Equal},
		{"*", "-", cpe.Superset},
		{"*", "i", cpe.Superset},
		{"*", "m*", cpe.Undefined},
		{"-", "*", cpe.Subset},
		{"-", "-", cpe.Equal},
		{"-", "i", cpe.Disjoint},
		{"-", "m*", cpe.Undefined},
		{"i", "i", cpe.Equal},
		{"i", "k", cpe.Disjoint},
		{"i", "m*", cpe.Undefined},
		{"i", "-", cpe.Disjoint},
		{"i", "*", cpe.Subset},
		{"1.*", "1.2", cpe.Superset},
		{"1.*", "2.2", cpe.Disjoint},
		{"1.*", "*", cpe.Subset},
		{"1.*", "-", cpe.Disjoint},
		{"1.*", "1.?", cpe.Undefined},
		{"1.?", "1.2", cpe.Superset},
		{"1.?", "1.23", cpe.Disjoint},
		{"1.??", "1.2", cpe.Superset},
		{"?.2", "1.2", cpe.Superset},
		{"*.2", "1.1.2", cpe.Superset},
		{`1\*`, `1\*`, cpe.Equal},
		{`a\/*`, `a\/b`, cpe.Superset},
	} {
		if got := cpe.Compare(c.source, c.target); got != c.want {
			t.Errorf("%s against %s: %v, want %v", c.source, c.target, got, c.want)
		}
	}
}

func TestCompareNames(t *testing.T) {
	name := func(s string) cpe.Name {
		n, err := cpe.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, c := range []struct {
		a, b string
		want cpe.Relation
	}{
		{"cpe:2.3:o:v:p:*:*:*:*:*:*:*:*", "cpe:2.3:o:v:p:1:*:*:*:*:*:*:*", cpe.Superset},
		{"cpe:2.3:o:v:p:1:*:*:*:*:*:*:*", "cpe:2.3:o:v:p:*:*:*:*:*:*:*:*", cpe.Subset},
		{"cpe:2.3:o:v:p:1:*:*:*:*:*:*:*", "cpe:2.3:o:v:p:1:*:*:*:*:*:*:*", cpe.Equal},
		{"cpe:2.3:o:v:p:-:*:*:*:*:*:*:*", "cpe:2.3:o:v:p:1:*:*:*:*:*:*:*", cpe.Disjoint},
		{"cpe:2.3:o:v:p:*:u:*:*:*:*:*:*", "cpe:2.3:o:v:p:1:*:*:*:*:*:*:*", cpe.Undefined},
		{"cpe:2.3:h:v:p:*:*:*:*:*:*:*:*", "cpe:2.3:o:v:p:*:*:*:*:*:*:*:*", cpe.Disjoint},
	} {
		if got := cpe.CompareNames(name(c.a), name(c.b)); got != c.want {
			t.Errorf("%s against %s: %v, want %v", c.a, c.b, got, c.want)
		}
	}
	if got := cpe.CompareNames(cpe.Name{}, cpe.Name{Part: "o"}); got != cpe.Superset {
		t.Errorf("an empty name is ANY: got %v", got)
	}
}

func TestVendor(t *testing.T) {
	for in, want := range map[string]string{"d-link": "dlink", "dlink": "dlink", "ubnt": "ui", "hp": "hp", "hpe": "hpe", "carefusion": "carefusion"} {
		if got := cpe.Vendor(in); got != want {
			t.Errorf("Vendor(%q) = %q", in, got)
		}
	}
	if diff := cmp.Diff([]string{"ui", "ubiquiti", "ubnt"}, cpe.Spellings("ubnt")); diff != "" {
		t.Error(diff)
	}
	n := cpe.Name{Vendor: "d-link", Product: `a\/b`}
	if diff := cmp.Diff(cpe.Key{Vendor: "dlink", Product: "a/b"}, n.Key()); diff != "" {
		t.Error(diff)
	}
}

func TestLiteralRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[a-z0-9_.!/()&+:*?\\-]{1,20}`).Draw(t, "text")
		a := cpe.Literal(text)
		if a.Text() != text {
			t.Fatalf("%q became %q and back %q", text, a, a.Text())
		}
		n := cpe.Name{Part: "o", Vendor: "v", Product: a}
		back, err := cpe.Parse(n.String())
		if err != nil || back.Product != a {
			t.Fatalf("%s: %v, product %q", n, err, back.Product)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add(`cpe:2.3:o:hikvision:ds-2cd2026g2-iu\/sl_firmware:-:*:*:*:*:*:*:*`)
	f.Add(`cpe:2.3:a:v:p\:q:1.*:*:?:*:-:\-:\*:x`)
	f.Fuzz(func(t *testing.T, s string) {
		n, err := cpe.Parse(s)
		if err != nil {
			return
		}
		again, err := cpe.Parse(n.String())
		if err != nil || again != n {
			t.Errorf("%q: %v: %s is not %s", s, err, again, n)
		}
		if n.Product.Wild() {
			return
		}
		if r := cpe.Compare(n.Product, n.Product); r != cpe.Equal {
			t.Errorf("%q is %v to itself", n.Product, r)
		}
	})
}
