package firmward

import (
	"encoding/json"
	"time"
)

// Verdict is the answer of an assessment. There are four, and silence is none of them.
type Verdict string

// The verdicts, from certain to excluded.
const (
	Affected    Verdict = "affected"     // product and version match, source and version are precise
	Likely      Verdict = "likely"       // product matches, the version had to be compared by a guess
	Possible    Verdict = "possible"     // product matches, version unknown, unspecified or incomparable
	NotAffected Verdict = "not-affected" // the version lies outside every affected range
)

// Worse reports whether v is graver than o. No verdict is the least.
func (v Verdict) Worse(o Verdict) bool {
	rank := map[Verdict]int{NotAffected: 1, Possible: 2, Likely: 3, Affected: 4}
	return rank[v] > rank[o]
}

// Reason codes explain a verdict in one word for machines.
const (
	ReasonInRange        = "version-in-range"
	ReasonExact          = "version-exact"
	ReasonOutOfRange     = "version-out-of-range"
	ReasonNoVersion      = "device-version-unknown"
	ReasonUnspecified    = "source-gives-no-version" // CPE version "-"
	ReasonAllVersions    = "all-versions"
	ReasonIncomparable   = "versions-incomparable"
	ReasonWeakIdentity   = "identity-uncertain"
	ReasonOtherProduct   = "other-product"
	ReasonPlatformAbsent = "platform-not-present"
	ReasonStated         = "source-says-not-affected" // a VEX or CSAF status, or a fixed version
	ReasonInvestigated   = "under-investigation"
)

// Explanation is a node of the tree that tells how a verdict came about. It can be replayed
// against the same feed snapshot.
type Explanation struct {
	Text     string        // one sentence
	Result   string        // "true", "false", "unknown", or a verdict at the root
	Source   string        // feed or evidence that the sentence rests on
	Children []Explanation `json:",omitempty"`
}

// Finding is one advisory that concerns one device.
type Finding struct {
	DeviceID    string
	AdvisoryID  string
	Verdict     Verdict
	Reason      string
	Explanation Explanation
	Score       float64 // highest CVSS base, 0 when no source gives one
	Vector      string
	Exploited   bool
	ExploitedAt time.Time
	Likelihood  float64 // EPSS, 0 when unknown
	Threat      Threat  `json:",omitzero"`
	FixedIn     string  // nearest fixed version known, empty when none
	NoFix       bool    // a source says that there is none
	Published   time.Time
	Firmware    string      // the version that was judged
	Snapshot    int64       // feed generation with which it was last written; later ones say the same
	Records     []RecordRef `json:",omitempty"` // on which the verdict rests, the closest to the facts first
	Digest      string      `json:",omitempty"` // sum over the answer: equal for the same device and records
	OpenedAt    time.Time
	ClosedAt    time.Time // zero while open
	ClosedBy    string    // observation id, or "exception:…", never the device's own word
}

// RecordRef names one source's record as it was used.
type RecordRef struct {
	Source   string
	Document string    `json:",omitempty"`
	Dated    time.Time `json:",omitzero"` // the document's own date
	Modified time.Time `json:",omitzero"`
}

// Judged is the device as a verdict saw it: with the records, all that is needed to judge it again.
type Judged struct {
	Essence json.RawMessage // an assess.Essence
	By      string          // version of the program that judged
}

// Form is what a finding said for a time.
type Form struct {
	Finding
	Since  time.Time
	Until  time.Time `json:",omitzero"`  // zero while it is in force
	Judged *Judged   `json:",omitempty"` // nil when that was not recorded
}

// Open reports whether the finding needs an answer.
func (f Finding) Open() bool { return f.ClosedAt.IsZero() && f.Verdict != NotAffected }
