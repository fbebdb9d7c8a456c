package cpe

import "sort"

// aliases maps a vendor name to the one that firmward keys by. Only names for one and the same
// vendor stand here; both spellings of each pair occur in the official CPE dictionary as of
// 2026-08-22 or in NVD records. Companies that were bought or split (hp and hpe, carefusion and bd)
// are no aliases: their products differ.
var aliases = map[string]string{
	"d-link":                     "dlink",   // NVD uses both, 386 and 121 CVEs
	"ubnt":                       "ui",      // Ubiquiti, renamed by NVD
	"ubiquiti":                   "ui",      // CPE dictionary
	"xiaomi":                     "mi",      // CPE dictionary has both
	"tplink":                     "tp-link", // CPE dictionary has both
	"schneider_electric":         "schneider-electric",
	"western_digital":            "westerndigital",
	"axis_communications_ab":     "axis",
	"hp_inc":                     "hp",
	"hewlett_packard_enterprise": "hpe",
	"dahuatech":                  "dahuasecurity",
	"dahua":                      "dahuasecurity",
	"allterco":                   "shelly", // Allterco Robotics makes Shelly; used by some CNA records
}

// Vendor resolves an alias; other names come back unchanged. The argument is plain lower-case text.
func Vendor(name string) string {
	if v, ok := aliases[name]; ok {
		return v
	}
	return name
}

// Spellings lists all names of a vendor, the key name first, then the aliases in order.
func Spellings(name string) []string {
	key := Vendor(name)
	var other []string
	for a, k := range aliases {
		if k == key {
			other = append(other, a)
		}
	}
	sort.Strings(other)
	return append([]string{key}, other...)
}
