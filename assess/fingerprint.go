package assess

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/cpe"
	"github.com/firmward/firmward/index"
)

// Essence is all of a device on which its verdicts rest: names with their versions and schemes, what its sentences say of it, and
// whether it is certain enough who it is. Devices of one essence get the same answers, so that one of them is judged for all.
type Essence struct {
	Vendor, Model, Firmware string `json:",omitempty"` // as the sentences write them
	CardVendor, CardModel   string `json:",omitempty"` // and where the device says nothing
	Names                   []Name
	Weak                    bool `json:",omitempty"` // no verdict goes beyond possible
}

// EssenceOf reduces a subject.
func EssenceOf(s Subject) Essence {
	if s.Names == nil {
		s.Names = Names(s.Model, s.Device)
	}
	if s.Names == nil {
		s.Names = []Name{} // Subject asks for derived ones with nil
	}
	return Essence{
		Vendor: s.Device.Vendor, Model: s.Device.Model, Firmware: s.Device.Firmware, CardVendor: s.Model.Vendor, CardModel: s.Model.Name,
		Names: s.Names, Weak: s.weak(),
	}
}

// Subject gives a subject of this essence: whoever judges it gets the answer for every device of the essence.
func (e Essence) Subject() Subject {
	s := Subject{
		Device: firmward.Device{Vendor: e.Vendor, Model: e.Model, Firmware: e.Firmware, Origin: firmward.OriginByHand},
		Model:  firmward.Model{Vendor: e.CardVendor, Name: e.CardModel},
		Names:  e.Names,
	}
	if e.Weak {
		s.Device.Origin = firmward.OriginSeen // without a claim: as weak as can be
	}
	return s
}

// Fingerprint is a sum over the essence, 32 characters of hex. It is kept with devices: a change of Essence changes all of them, and each
// device is judged once more.
func (e Essence) Fingerprint() string {
	b, err := json.Marshal(e)
	if err != nil {
		panic("assess: an essence of text and numbers: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// Fingerprint gives the fingerprint of a device.
func Fingerprint(s Subject) string { return EssenceOf(s).Fingerprint() }

// Products gives the products under which advisories for the essence are looked up, without repeats: an advisory that names none of
// them, and no pattern of vendors, says nothing of it. Vendors are those of the index.
func (e Essence) Products() []cpe.Key {
	var out []cpe.Key
	seen := map[cpe.Key]bool{}
	put := func(k cpe.Key) {
		k.Vendor = cpe.Vendor(k.Vendor)
		if !seen[k] {
			seen[k] = true
			out = append(out, k)
		}
	}
	for _, n := range e.Names {
		k := n.CPE.Key()
		put(k)
		b := bare(k)
		put(b)
		put(cpe.Key{Vendor: b.Vendor, Product: b.Product + firmwareSuffix})
		put(cpe.Key{Vendor: b.Vendor, Product: index.AnyOf}) // and its series
	}
	return out
}

// Sum is a digest of all that a finding says and that is the same for every device of a fingerprint, except for its EPSS: that
// moves every day in digits that mean nothing, see priority.Moved.
func Sum(f firmward.Finding) string {
	t := f.Threat
	t.EPSS, t.Trend = nil, nil
	b, err := json.Marshal([]any{f.Digest, f.Verdict, f.Reason, f.Published, f.Exploited, f.ExploitedAt, t})
	if err != nil {
		panic("assess: a finding of text and numbers: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}
