package firmward

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Class is what a device is for, as far as it is proven.
type Class string

// The classes that rules speak of. Any other kebab-case word is allowed and has no special rule.
const (
	ClassUnknown      Class = "unknown"
	ClassCamera       Class = "camera"
	ClassPlug         Class = "plug"
	ClassPrinter      Class = "printer"
	ClassNAS          Class = "nas"
	ClassInfusionPump Class = "infusion-pump"
	ClassVentilator   Class = "ventilator"
	ClassMonitor      Class = "patient-monitor"
	ClassSafetyPLC    Class = "safety-plc"
	ClassPLC          Class = "plc"
	ClassRouter       Class = "router"
	ClassSwitch       Class = "switch"
	ClassFirewall     Class = "firewall"
	ClassAccessPoint  Class = "access-point"
	ClassController   Class = "network-controller"
	ClassServer       Class = "server"
)

// Classes lists the classes that rules speak of.
func Classes() []Class {
	return []Class{
		ClassUnknown, ClassCamera, ClassPlug, ClassPrinter, ClassNAS, ClassInfusionPump, ClassVentilator, ClassMonitor, ClassSafetyPLC, ClassPLC,
		ClassRouter, ClassSwitch, ClassFirewall, ClassAccessPoint, ClassController, ClassServer,
	}
}

// CoreNetwork reports whether the class carries other devices' traffic: held back by default.
func (c Class) CoreNetwork() bool {
	switch c {
	case ClassRouter, ClassSwitch, ClassFirewall, ClassAccessPoint, ClassController:
		return true
	}
	return false
}

// LifeSupport reports whether cutting the device off may harm a person: never contained.
func (c Class) LifeSupport() bool {
	switch c {
	case ClassInfusionPump, ClassVentilator, ClassMonitor, ClassSafetyPLC:
		return true
	}
	return false
}

// Origin says how a device came into the inventory.
type Origin string

// The origins.
const (
	OriginSeen     Origin = "seen"
	OriginByHand   Origin = "by-hand"
	OriginImported Origin = "imported"
)

// Device is one row of the inventory. Vendor to Firmware are the winning claims; the evidence
// behind them is in Identity.
type Device struct {
	ID       string
	Name     string // what people call it: by hand, else claimed, else model and end of serial
	Site     string
	Network  string // CIDR of the named network, empty when no network shows the device
	Zone     Zone
	Class    Class
	Family   string // catalogue family, empty when unknown
	Vendor   string
	Model    string
	Hardware string // hardware revision as the device says it
	Serial   string
	Firmware string
	Addrs    []netip.Addr // sorted; the first that answers is used
	MACs     []string     // upper case, colon separated, sorted

	Origin       Origin
	Owner        string // required before a policy may act
	Function     string // business, clinical or process function in the owner's words
	Criticality  int    // 1 (spare) … 5 (life or plant depends on it), 0 unknown
	Location     string
	Spare        bool // may be used for staging; never in production use
	Lab          bool // stands in a lab network
	NeverContain bool // set by hand
	Exposed      bool // reachable from the internet, as far as known
	Released     Span // clinical or process owner allows touching it in this time
	Retired      bool
	Updates      Updates `json:",omitempty"`

	FirstSeen time.Time
	LastSeen  time.Time // kept in a narrow table of its own
}

// Updates says what a rollout may do to a device; the zero value: what its policy says.
type Updates string

// The wishes of an owner for a device's updates.
const (
	UpdatesAuto  Updates = ""
	UpdatesAsk   Updates = "ask"   // each time only while its owner has released it
	UpdatesNever Updates = "never" // none, whatever policy holds
)

// ParseUpdates reads auto, ask or never.
func ParseUpdates(s string) (Updates, error) {
	switch s {
	case "auto":
		return UpdatesAuto, nil
	case string(UpdatesAsk), string(UpdatesNever):
		return Updates(s), nil
	}
	return "", Errorf(Invalid, "updates "+strconv.Quote(s)+": want auto, ask or never")
}

// Span is a half-open stretch of time. The zero Span contains nothing.
type Span struct {
	From, To time.Time
}

// Contains reports whether t lies in [From, To).
func (s Span) Contains(t time.Time) bool { return !t.Before(s.From) && t.Before(s.To) }

// Field names what a claim is about.
type Field string

// The fields of an identity. Key fields tie observations to one device.
const (
	FieldVendor   Field = "vendor"
	FieldModel    Field = "model"
	FieldHardware Field = "hardware-revision"
	FieldFirmware Field = "firmware"
	FieldClass    Field = "class"
	FieldFamily   Field = "family"
	FieldName     Field = "name"
	FieldLocation Field = "location"    // where it says that it stands; what people say is Device.Location
	FieldAuto     Field = "auto-update" // "on" or "off": does it install by itself what its maker offers
	FieldVariant  Field = "variant"     // which of a vendor's builds for the model it runs: region, feature set
	FieldSoftware Field = "software"    // a component seen from outside, "lighttpd 1.4.69"
	FieldSerial   Field = "serial"      // key, scoped by vendor
	FieldUUID     Field = "uuid"        // key: UPnP UDN, printer UUID
	FieldHostKey  Field = "host-key"    // key: SSH or TLS public key hash
	FieldMAC      Field = "mac"         // key, weaker: random and shared ones exist
)

// PartField is the field for the version of a part beside the firmware, such as "bootloader".
func PartField(part string) Field { return Field("part-" + part) }

// Part names the part whose version the field holds, empty when it holds something else.
func (f Field) Part() string {
	part, ok := strings.CutPrefix(string(f), "part-")
	if !ok {
		return ""
	}
	return part
}

// Key reports whether the field ties observations together.
func (f Field) Key() bool {
	switch f {
	case FieldSerial, FieldUUID, FieldHostKey, FieldMAC:
		return true
	}
	return false
}

// Claim is one statement about one field, with its evidence.
type Claim struct {
	Field       Field
	Value       string
	Source      string // probe name, "person:anna", "import:devices.csv"
	Rule        string // id of the fingerprint that read it, empty when a person said it
	Raw         string // what was seen, at most 512 bytes, secrets never
	Observation string // observation id, empty when a person said it
	Addr        netip.Addr
	At          time.Time
	Confidence  int // 0 … 100
}

// Contradiction is a field for which current evidence says two things.
type Contradiction struct {
	Field  Field
	Chosen Claim
	Others []Claim // differing values, best first
	Why    string  // why Chosen won
}

// Identity is all that is known of who a device is.
type Identity struct {
	Claims         []Claim // winners first per field, then the others, sorted
	Contradictions []Contradiction
}

// Best gives the winning claim of a field.
func (id Identity) Best(f Field) (Claim, bool) {
	for _, c := range id.Claims {
		if c.Field == f {
			return c, true
		}
	}
	return Claim{}, false
}

// Careful reports whether people or a process hang on the device while it is in use: exploitation hastens its containment, never its update, and it
// goes back on a person's word only.
func (d Device) Careful() bool {
	return d.Class.LifeSupport() || d.Zone.InUse()
}
