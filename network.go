package firmward

import (
	"net/netip"
	"time"
)

// Profile says how carefully a network is treated until a device's class is proven.
type Profile string

// The profiles. OT and medical are passive by default.
const (
	ProfileHome    Profile = "home"
	ProfileOffice  Profile = "office"
	ProfileOT      Profile = "ot"
	ProfileMedical Profile = "medical"
)

// Zone is the kind of place a device stands in. It decides what is allowed before the device's
// class is known.
type Zone string

// The zones. Unmarked is treated like the most careful one.
const (
	ZoneHome     Zone = "home"
	ZoneOffice   Zone = "office"
	ZonePlant    Zone = "plant"
	ZoneClinical Zone = "clinical"
	ZoneUnmarked Zone = "unmarked"
)

// ZoneOf gives the zone that a network's profile stands for.
func ZoneOf(p Profile) Zone {
	switch p {
	case ProfileHome:
		return ZoneHome
	case ProfileOffice:
		return ZoneOffice
	case ProfileOT:
		return ZonePlant
	case ProfileMedical:
		return ZoneClinical
	}
	return ZoneUnmarked
}

// Careful reports whether an unknown host of the zone may get no byte beyond ARP/NDP until a
// person allows the next step (design §8).
func (z Zone) Careful() bool { return z != ZoneHome && z != ZoneOffice }

// InUse reports whether patients or a process hang on devices of the zone while they run.
func (z Zone) InUse() bool { return z == ZoneClinical || z == ZonePlant }

// Safety is the class of a probe or the highest class that a person allowed for a network.
// The order is part of the meaning: a network that allows Polite allows Passive too.
type Safety int

// The safety classes, after the danger levels of common probes.
const (
	Passive      Safety = iota // nothing is sent to the device's IP stack: neighbour table, listening
	Polite                     // one single ordinary request
	Stateful                   // a session, or a stack known to be weak: once, serial, clean close
	NeverUnasked               // only when a person asks for this device
)

var safetyNames = [...]string{"passive", "polite", "stateful", "never-unasked"}

func (s Safety) String() string {
	if s < Passive || s > NeverUnasked {
		return "unknown"
	}
	return safetyNames[s]
}

// ParseSafety is the inverse of Safety.String.
func ParseSafety(s string) (Safety, error) {
	for i, name := range safetyNames {
		if s == name {
			return Safety(i), nil
		}
	}
	return 0, Errorf(Invalid, "unknown probe step "+s+": want passive, polite, stateful or never-unasked")
}

// Network is an address range that a person named. firmward sends nothing anywhere else.
type Network struct {
	Prefix  netip.Prefix
	Site    string
	Profile Profile
	Allowed Safety // how far probes may go; raised by a person for careful zones
	Owned   bool   // the range is public and the owner said it is theirs
	Lab     bool   // simulated devices: the one-per-model cap on waves does not apply
	NamedBy string
	NamedAt time.Time
	Allower string    // who raised Allowed, empty if nobody did
	Scanned time.Time // end of the last completed scan, zero if never
	Began   time.Time // when that one began
}

// Zone gives the zone of the network.
func (n Network) Zone() Zone { return ZoneOf(n.Profile) }

// Site is a place with its own clock.
type Site struct {
	Name     string
	TimeZone string // IANA name, for maintenance windows; UTC when empty
	Region   string // regulatory region, such as EU or US, for permissions of manufacturers; empty: nobody said
}

// RelationKind says how two devices depend on each other.
type RelationKind string

// The relation kinds (design §4, topology).
const (
	Behind        RelationKind = "behind"         // From is reached through To
	PoweredBy     RelationKind = "powered-by"     // From gets its power from To
	RedundantWith RelationKind = "redundant-with" // From and To must never be down together
	SameMedium    RelationKind = "same-medium"    // From and To share air time, a bus or a link
)

// Relation is one known edge between two devices.
type Relation struct {
	From, To string // device ids
	Kind     RelationKind
	Source   string // who or what said so
}
