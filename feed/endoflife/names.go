package endoflife

import (
	"fmt"
	"strings"

	"github.com/firmward/firmward/cpe"
	"github.com/firmward/firmward/feed"
)

// subject is what a product is for firmward.
type subject struct {
	names         []named
	models        bool // a release is a model of the vendor, not a branch
	soldUntilEoas bool // eoas is when its sale ends
}

// named is a product as CPE names it. Where releases are models only the vendor counts.
type named struct{ vendor, product string }

// known are products that network devices run or are and of which endoflife.date has no CPE name, or that of an
// application. The names are those of the official CPE dictionary as of 2026-08-22.
var known = map[string]subject{
	"big-ip":       {names: []named{{"f5", "big-ip"}, {"f5", "big-ip_local_traffic_manager"}}}, // its modules bear its version; every one has this module's base
	"cisco-ios-xe": {names: []named{{"cisco", "ios_xe"}}},                                      // no CPE name there
	"netapp-ontap": {names: []named{{"netapp", "ontap"}, {"netapp", "clustered_data_ontap"}}},  // no CPE name there; before 9.9 it bore the longer name
	"openwrt":      {names: []named{{"openwrt", "openwrt"}}},                                   // only a package URL there
	"opnsense":     {names: []named{{"opnsense", "opnsense"}}},                                 // an application there and in the dictionary: it is the whole firewall
	"panos":        {names: []named{{"paloaltonetworks", "pan-os"}}},                           // no CPE name there
	"sns-firmware": {names: []named{{"stormshield", "stormshield_network_security"}, {"stormshield", "network_security"}}},
	"sns-hardware": {names: []named{{vendor: "stormshield"}}, models: true, soldUntilEoas: true}, // eoas is labelled as the end of sales there
}

// subject decides whether and under which names a product is of use. The errors are identifiers that cannot be read; they
// matter where no other identifier tells what the product is.
func (p product) subject() (*subject, []error) {
	if s, ok := known[p.name]; ok {
		return &s, nil
	}
	s, read := subject{models: p.category == "device"}, 0
	var broken []error
	for _, id := range p.cpes {
		n, err := begun(id)
		switch {
		case err != nil:
			broken = append(broken, err)
			continue
		case n.Part != "a" && n.Part != "o" && n.Part != "h":
			broken = append(broken, fmt.Errorf("%q says neither application nor operating system nor hardware", feed.Clip(id)))
			continue
		case (n.Part == "o" || n.Part == "h") && plain(n.Vendor) && plain(n.Product):
			s.names = append(s.names, named{n.Vendor.Text(), n.Product.Text()})
		}
		read++
	}
	switch {
	case len(s.names) > 0:
		if s.models {
			for i := range s.names {
				s.names[i].product = ""
			}
		}
		s.names = feed.Unique(s.names)
		return &s, broken
	case read > 0:
		return nil, nil
	}
	return nil, broken
}

// begun reads a CPE name of either binding that may end after any attribute: "cpe:2.3:o:mikrotik:routeros".
func begun(id string) (cpe.Name, error) {
	n, err := cpe.Read(id)
	for more := 0; err != nil && more < 9 && strings.HasPrefix(strings.ToLower(id), "cpe:2.3:"); more++ {
		id += ":*"
		if longer, again := cpe.Read(id); again == nil {
			return longer, nil
		}
	}
	return n, err
}

func plain(a cpe.Attr) bool { return !a.Logical() && !a.Wild() }
