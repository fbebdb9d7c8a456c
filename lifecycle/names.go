package lifecycle

import (
	"strings"

	"github.com/firmward/firmward"
)

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
		if sameVendor(r.Vendor, p[3]) && slug(strings.TrimSuffix(product, "_firmware")) == slug(strings.TrimSuffix(r.Product, "_firmware")) {
			return true
		}
	}
	return false
}

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
