package firmward

import "slices"

import "time"

// Release is one firmware file with what is known of it. It is bound to its content hash.
type Release struct {
	ID        string // "rel-" + first 12 hex digits of SHA256
	Family    string // catalogue family
	Vendor    string
	Models    []string // exact model names; never empty
	Hardware  []string // exact hardware revisions; a single "*" says "any, as the vendor states"
	Version   string
	MinFrom   string // lowest version that may jump to this one, empty when any may
	Channel   string // stable, lts, early-access; empty unknown
	Published time.Time
	FileName  string
	NoFile    bool   `json:",omitempty"` // firmward does not have it: only people bring it, and ID is made of what it is
	SHA256    string // lower-case hex
	Size      int64  // bytes
	Origin    string // where the person got it: URL or words
	Signed    string // "yes", "no", "unknown": does the vendor sign it
	Fixes     []string
	Notes     string
	Withdrawn time.Time // zero while valid
	WhyGone   string
	By        string
	At        time.Time

	// How it is reached and what it costs: package upgrade says what each means on a way.
	MaxFrom      string   `json:",omitempty"` // highest version that may jump to this one, empty when any may
	Floor        string   `json:",omitempty"` // once it ran, the device takes nothing below this version any more
	Part         string   `json:",omitempty"` // what it replaces, such as "bootloader"; empty: the firmware
	Variant      string   `json:",omitempty"` // region, feature set, "minimal"; empty: the vendor has one only
	FromVariants []string `json:",omitempty"` // other variants over which it may go, changing them to its own
	WipesConfig  bool     `json:",omitempty"` // the device's configuration does not survive it
	MayDowngrade bool     `json:",omitempty"` // the vendor says that it may go over a newer version
	Needs        []Need   `json:",omitempty"` // what other parts must be before it

	// What became known of it, also after it was imported.
	Regressions []Regression `json:",omitempty"`
	Permissions []Permission `json:",omitempty"`
}

// Regression is a jump to a release that is known to break something.
type Regression struct {
	Model  string    `json:"model,omitempty"` // empty: every model of the release
	From   string    `json:"from"`            // version from which the jump is made
	Why    string    `json:"why"`
	Source string    `json:"source"` // who says so: URL or words
	By     string    `json:"by"`
	At     time.Time `json:"at"`
}

// Permission is a manufacturer's word that a release may go on devices that keep people alive.
type Permission struct {
	Model  string    `json:"model"`
	Region string    `json:"region"` // that of a site, or AnyRegion
	Source string    `json:"source"` // the document: URL or words
	By     string    `json:"by"`
	At     time.Time `json:"at"`
}

// AnyRegion is the region of a permission that holds everywhere, as the manufacturer states.
const AnyRegion = "*"

// MainPart is what the firmware itself is called among the parts of a device.
const MainPart = "firmware"

// Need is a part of a device that must be at a version or newer before a release may go on it.
type Need struct {
	Part    string // MainPart or another one
	AtLeast string
}

// FitsModel reports whether the release names the model exactly.
func (r Release) FitsModel(model string) bool {
	return slices.Contains(r.Models, model)
}

// FitsHardware reports whether the release names the hardware revision exactly or any.
// An unknown revision fits only "*".
func (r Release) FitsHardware(revision string) bool {
	for _, h := range r.Hardware {
		if h == "*" || (h == revision && revision != "") {
			return true
		}
	}
	return false
}

// Mechanism is how a device gets its updates: the four kinds, and not knowing.
type Mechanism string

// The update mechanisms.
const (
	ByVendorCloud   Mechanism = "vendor-app-or-cloud"
	ByManualFile    Mechanism = "manual-download"
	ByVendorService Mechanism = "vendor-manager-or-technician"
	ByNobody        Mechanism = "none"
	ByUnknown       Mechanism = "unknown"
)

// Rollback is what a device can do when a new version is bad.
type Rollback string

// The rollback classes. Unknown never enters wave 2.
const (
	RollbackUnknown Rollback = "unknown"
	RollbackNone    Rollback = "none"
	RollbackReflash Rollback = "reflash"
	RollbackSlot    Rollback = "slot"
	RollbackDeadMan Rollback = "dead-man"
)

// Who may patch a device.
const (
	OwnerMayPatch   = "owner"
	VendorMayPatch  = "vendor-only"
	UnknownMayPatch = "unknown"
)

// Fact is a value with its source and date. The zero value means: not known.
type Fact struct {
	Value  string
	Source string
	Date   string // YYYY-MM-DD on which the source was read
}

// Model is the model card: all that firmward must know of a model before it acts.
type Model struct {
	Family     string
	Vendor     string
	Name       string // model name as devices report it; "*" is the family's default card
	Class      Class
	Mechanism  Fact // a Mechanism
	MayPatch   Fact // owner, vendor-only, unknown
	Signed     Fact // yes, no, unknown
	AutoUpdate Fact // on, off, unknown: the vendor's default
	Rollback   Fact // a Rollback
	Outage     Fact // minutes
	SupportEnd Fact // YYYY-MM-DD; empty when unknown
	Recovery   Fact // how a dead device is brought back
	Settle     Fact // minutes from activation until the device answers again
	Driver     string
	Params     map[string]string
	Scheme     string   // version scheme, see package version
	CPE        []string // CPE 2.3 names with version "*", operating system part first, then hardware
	Update     Instruction
	VendorCall Instruction
	Services   []string // probes whose answer must be as before: "rtsp", "shelly-switch"
}

// Instruction is a text for a person: what to do, how long it takes, what not to do.
type Instruction struct {
	Title   string
	Steps   []string
	Minutes int
	Outage  string // what stops working meanwhile
	Never   string // what not to do
	IfBad   string // what to do when it goes wrong
	Source  string
	Date    string
}

// Fingerprint turns readings into claims. Every pattern of When must match its reading.
type Fingerprint struct {
	ID         string
	Family     string
	When       map[string]string // reading name → RE2 pattern; named groups can be used in Claim
	Unless     map[string]string // reading name → RE2 pattern: where one matches, the fingerprint says nothing
	Claim      map[Field]string  // "${group}" or "${reading.name}" are replaced
	Confidence int
	Examples   []Example
}

// Example must match its fingerprint and give exactly these claims.
type Example struct {
	Readings map[string]string
	Claims   map[Field]string
}

// Family is one file of the catalogue.
type Family struct {
	Name         string
	Vendor       string
	Fingerprints []Fingerprint
	Models       []Model
	Probes       []string // probes that make sense once the family is suspected
	Paths        []string // HTTP paths that may be fetched once the family is suspected
}
