package lifecycle

import (
	"slices"
	"strings"

	"github.com/firmward/firmward"
)

// Vendors gives the names of the device's vendor by which records may name it: its own, that of its card, and those of the
// card's CPE names.
func Vendors(d firmward.Device, m firmward.Model) []string {
	out := []string{d.Vendor, m.Vendor}
	for _, name := range m.CPE {
		if p := strings.Split(name, ":"); len(p) > 4 {
			out = append(out, strings.ReplaceAll(p[3], `\`, ""))
		}
	}
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(v string) bool { return v == "" })
}

// names reports whether the record is about the device's product.
func names(r firmward.Lifecycle, d firmward.Device, m firmward.Model) bool {
	if r.Product == "" {
		return false
	}
	if sameVendor(r.Vendor, d.Vendor) && slug(r.Product) == slug(d.Model) {
		return true
	}
	if m.Name != "*" && m.Name != "" && sameVendor(r.Vendor, m.Vendor) && slug(r.Product) == slug(m.Name) {
		return true
	}
	for _, name := range m.CPE {
		p := strings.Split(name, ":")
		if len(p) < 5 {
			continue
		}
		product := strings.ReplaceAll(p[4], `\`, "")
		if sameVendor(r.Vendor, p[3]) && stem(product) == stem(r.Product) {
			return true
		}
	}
	return false
}

// stem is a product's name without what NVD hangs on it for firmware.
func stem(product string) string { return slug(strings.TrimSuffix(product, "_firmware")) }

func sameVendor(a, b string) bool { return a != "" && slug(a) == slug(b) }

// slug keeps letters and digits, so that "DNS-320L", "dns_320l" and "DNS 320L" are one.
func slug(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r > 0x7f:
			return r
		}
		return -1
	}, s)
}
