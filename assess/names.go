package assess

import (
	"slices"
	"strings"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/cpe"
	"github.com/firmward/firmward/version"
)

// Name is a CPE name that the device goes by. A derived name was made from vendor and model by rules
// of thumb; what rests on it is at most likely.
type Name struct {
	CPE     cpe.Name
	Derived bool
	Listed  bool   // the name is the inventory's own statement (Listed): each attribute counts as it stands
	Version string // what runs, as the device writes it; the revision of hardware; empty for unknown
	Scheme  string // by which the versions are written; empty where nobody knows it
}

// Listed gives a name as an inventory lists it, such as a scanner's or an SBOM's: version and update are its own, and what it
// leaves open is unknown. The scheme follows from the product.
func Listed(n cpe.Name) Name {
	out := Name{CPE: n, Listed: true}
	if !n.Version.Logical() {
		out.Version = n.Version.Text()
		if n.Part != "h" && !n.Update.Logical() && n.Update != "" {
			out.Version += " " + plain(n.Update)
		}
	}
	if n.Part != "h" {
		k := n.Key()
		out.Scheme = version.ForProduct(k.Vendor, k.Product)
	}
	return out
}

// plain gives an attribute as a device would write it.
func plain(a cpe.Attr) string { return strings.ReplaceAll(a.Text(), "_", " ") }

// Names maps a device to the CPE names under which sources may speak of it, with the device's
// version filled in. The model card's names come first. Derived names are added where the card has
// none of that part (firmware, hardware), so that a device without a card still matches; sources
// spell models in several ways, so several spellings come out. A card name that is no CPE name is
// left out: the catalogue checks its cards when it is read.
func Names(m firmward.Model, d firmward.Device) []Name {
	var out []Name
	has := map[cpe.Attr]bool{}
	for _, text := range m.CPE {
		n, err := cpe.Parse(text)
		if err != nil {
			continue
		}
		has[software(n.Part)] = true
		out = add(out, n, m, d, false)
	}
	vendor, model := d.Vendor, d.Model
	if vendor == "" {
		vendor = m.Vendor
	}
	if model == "" && m.Name != "*" {
		model = m.Name
	}
	for _, v := range vendors(vendor) {
		slugs := slugs(vendor, model)
		if !has["o"] {
			for _, s := range slugs {
				out = add(out, cpe.Name{Part: "o", Vendor: cpe.Literal(v), Product: cpe.Literal(s + "_firmware")}, m, d, true)
			}
			for _, p := range platforms(v, d.Firmware) {
				out = add(out, cpe.Name{Part: "o", Vendor: cpe.Literal(v), Product: cpe.Literal(p)}, m, d, true)
			}
		}
		if !has["h"] {
			for _, s := range slugs {
				out = add(out, cpe.Name{Part: "h", Vendor: cpe.Literal(v), Product: cpe.Literal(s)}, m, d, true)
			}
		}
	}
	if has["o"] && version.Tracks(m.Scheme) && slices.Contains(vendors(vendor), "axis") {
		for _, p := range platforms("axis", d.Firmware) {
			out = add(out, cpe.Name{Part: "o", Vendor: "axis", Product: cpe.Literal(p)}, m, d, false)
		}
	}
	return out
}

// software counts firmware that NVD files as an application ("a:bd:alaris_8015_pc_unit") as "o".
func software(part cpe.Attr) cpe.Attr {
	if part == "a" {
		return "o"
	}
	return part
}

func add(out []Name, n cpe.Name, m firmward.Model, d firmward.Device, derived bool) []Name {
	own, scheme := d.Firmware, m.Scheme
	switch k := n.Key(); {
	case n.Part == "h":
		own, scheme = d.Hardware, ""
	case scheme == "": // no card tells, the product may
		scheme = version.ForProduct(k.Vendor, k.Product)
	}
	n.Version = cpe.Literal(own)
	for _, o := range out {
		if o.CPE.Part == n.Part && o.CPE.Key() == n.Key() {
			return out
		}
	}
	return append(out, Name{CPE: n, Derived: derived, Version: own, Scheme: scheme})
}

// Products gives the index keys of the products that an advisory calls vulnerable, without repeats,
// in the order of the record. Criteria that are no CPE names are left out.
func Products(a firmward.Advisory) []cpe.Key {
	var out []cpe.Key
	seen := map[cpe.Key]bool{}
	var walk func([]firmward.Node)
	walk = func(nodes []firmward.Node) {
		for _, n := range nodes {
			for _, m := range n.Matches {
				if c, err := cpe.Parse(m.Criteria); err == nil && m.Vulnerable && !seen[c.Key()] {
					seen[c.Key()] = true
					out = append(out, c.Key())
				}
			}
			walk(n.Children)
		}
	}
	for _, c := range a.Configurations {
		walk(c.Nodes)
	}
	return out
}

// vendorWords maps what devices and people write to CPE vendors, where it is not the same word.
var vendorWords = map[string][]string{
	"hewlett-packard": {"hp"}, "hewlett packard": {"hp"}, "hp inc.": {"hp"}, "hp inc": {"hp"}, "hp": {"hp"},
	"dahua": {"dahuasecurity"}, "ubiquiti": {"ui"}, "ubiquiti networks": {"ui"}, "ubiquiti inc.": {"ui"},
	"becton dickinson": {"bd"}, "becton, dickinson and company": {"bd"}, "carefusion": {"carefusion", "bd"},
	"axis communications": {"axis"}, "axis communications ab": {"axis"}, "schneider electric": {"schneider-electric"},
	"rockwell automation": {"rockwellautomation"}, "western digital": {"westerndigital"}, "allterco robotics": {"shelly"},
	"signify": {"philips"}, "philips hue": {"philips"}, "wind river": {"windriver"}, "asustek": {"asus"},
	"hospira": {"hospira", "pfizer"}, "tp-link technologies": {"tp-link"}, "tapo": {"tp-link"}, "kasa": {"tp-link"}, "hangzhou hikvision": {"hikvision"},
}

// vendors gives the CPE vendor names of a vendor's plain name, aliases resolved.
func vendors(name string) []string {
	name = strings.ToLower(strings.TrimSpace(name))
	if name == "" {
		return nil
	}
	if v, ok := vendorWords[name]; ok {
		return v
	}
	return []string{cpe.Vendor(strings.ReplaceAll(name, " ", "_"))}
}

// platforms names the operating system that a vendor ships on most of its devices and under which
// its advisories are filed.
func platforms(vendor, firmware string) []string {
	switch vendor {
	case "axis":
		return append([]string{"axis_os"}, axisTrack(firmware)...)
	case "mikrotik":
		return []string{"routeros"}
	case "fortinet":
		return []string{"fortios"}
	case "qnap":
		return []string{"qts"}
	case "synology":
		return []string{"diskstation_manager"}
	case "openwrt":
		return []string{"openwrt"}
	}
	return nil
}

// axisTrack gives the product under which NVD files a long-term track of AXIS OS: axis_os_2020 is
// 9.80, axis_os_2022 is 10.12 (seen in CVE-2024-0066), the others follow the years of the tracks.
func axisTrack(firmware string) []string {
	for _, t := range [][2]string{{"6.50.", "2016"}, {"8.40.", "2018"}, {"9.80.", "2020"}, {"10.12.", "2022"}, {"11.11.", "2024"}} {
		if strings.HasPrefix(firmware, t[0]) {
			return []string{"axis_os_" + t[1]}
		}
	}
	return nil
}

// slugs spells a model the ways NVD does: ds-2cd2142fwd-i, dns-320l, archer_ax21, p1365_mk_ii. What
// stands in parentheses or behind a slash is tried with and without.
func slugs(vendor, model string) []string {
	model = strings.ToLower(strings.TrimSpace(model))
	if model == "" || len(model) > 120 {
		return nil
	}
	base := strings.TrimSpace(strings.TrimPrefix(model, strings.ToLower(strings.TrimSpace(vendor))+" "))
	var out []string
	for _, s := range []string{base, cutAt(base, "("), cutAt(base, "/"), cutAt(cutAt(base, "("), "/")} {
		s = strings.Join(strings.Fields(s), "_")
		for _, v := range []string{s, strings.ReplaceAll(s, "_", "-")} {
			if v != "" && !slices.Contains(out, v) {
				out = append(out, v)
			}
		}
	}
	return out
}

func cutAt(s, sep string) string {
	before, _, _ := strings.Cut(s, sep)
	return strings.TrimSpace(before)
}
