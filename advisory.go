package firmward

import "time"

// Advisory is what one source says about one vulnerability.
type Advisory struct {
	ID             string // CVE id, or the source's own id when there is none
	Source         string // feed name: "starter", "nvd", …
	Title          string
	Published      time.Time
	Modified       time.Time
	Rejected       bool
	Scores         []Score
	Configurations []Configuration // any of them makes a product affected (OR)
	Statements     []Statement     `json:",omitempty"`
	Fixes          []Fix
	NoFix          bool     // the source says that no fix exists or is planned
	Weakness       []string // CWE ids
	References     []string
	SSVC           *SSVC `json:",omitempty"` // what an authority decided; nil where none did
	Origin         Origins
}

// Statement is a source's own word on one product that is not "affected": a VEX status (CISA, Minimum Requirements for
// VEX, 2023) or a CSAF 2.0 product status or remediation.
type Statement struct {
	Status        StatementStatus
	Match         CPEMatch // the product and the versions of which it speaks; Vulnerable means nothing here
	Platform      string   `json:",omitempty"` // CPE name of the hardware on which, empty for any
	Justification string   `json:",omitempty"` // VEX label: component_not_present, vulnerable_code_not_in_execute_path, …
	Text          string   `json:",omitempty"` // the source's words, shortened
}

// StatementStatus says what a statement claims.
type StatementStatus string

// The statuses.
const (
	StatedNotAffected StatementStatus = "not-affected"        // was never affected
	StatedFixed       StatementStatus = "fixed"               // holds the repair
	StatedUnknown     StatementStatus = "under-investigation" // not known yet
	StatedNoFix       StatementStatus = "no-fix"              // affected, and no fix exists or is planned
)

// SSVC holds the decision points that an authority set for a vulnerability (CERT/CC SSVC 2; CISA Vulnrichment), in lower
// case. Empty where it set none.
type SSVC struct {
	Exploitation    string // none, poc, active
	Automatable     string // no, yes
	TechnicalImpact string // partial, total
	Source          string // who decided: "CISA-ADP"
	Dated           time.Time
}

// Origins says where a record came from and when.
type Origins struct {
	Feed     string    // feed name
	Document string    // file name or URL, no path
	Dated    time.Time // the document's own date
	Imported time.Time
}

// Score is one CVSS score.
type Score struct {
	Version  string // "2.0", "3.0", "3.1", "4.0"
	Vector   string
	Base     float64 // 0.0 … 10.0, as the source gives it
	Computed float64 `json:",omitempty"` // worked out from the vector, where that gives another number
	Source   string
}

// Fix names a version that repairs the vulnerability for a CPE product.
type Fix struct {
	Vendor, Product string // CPE names, unescaped
	Version         string
}

// Configuration is one applicability statement in NVD shape: nodes joined by Operator.
type Configuration struct {
	Operator string // "AND" or "OR"; empty means OR
	Negate   bool
	Nodes    []Node
}

// Node joins CPE matches by Operator.
type Node struct {
	Operator string // "AND" or "OR"
	Negate   bool
	Matches  []CPEMatch
	Children []Node `json:",omitempty"` // NVD 1.1 nesting
}

// CPEMatch is one CPE name with an optional version range.
type CPEMatch struct {
	Vulnerable            bool
	Criteria              string // CPE 2.3 formatted string
	VersionStartIncluding string
	VersionStartExcluding string
	VersionEndIncluding   string
	VersionEndExcluding   string
	Words                 string `json:",omitempty"` // the product as the source writes it where it gives no CPE name; Criteria is made from it, of any part
}

// Exploited is a KEV entry: somebody was seen using the vulnerability.
type Exploited struct {
	Advisory   string // CVE id
	Added      time.Time
	Due        time.Time
	Action     string
	Ransomware bool
	Origin     Origins
}

// Likelihood is an EPSS score.
type Likelihood struct {
	Advisory   string  // CVE id
	Score      float64 // probability of exploitation in the next 30 days, 0 … 1
	Percentile float64 // 0 … 1
	Model      string  // model version of the source
	Dated      time.Time
}

// Lifecycle is what a source says about the support of a product.
type Lifecycle struct {
	Vendor       string
	Product      string // model as the catalogue writes it, or CPE product
	Branch       string // firmware branch, empty for the whole product
	EndOfSale    time.Time
	EndOfSupport time.Time // zero when unknown: a normal value, not an error
	Ended        bool      // the source says that support is over, whether or not it gives the day
	Latest       string    `json:",omitempty"` // newest version of the branch, when the source says it
	Status       string    // announced, reported (by somebody else than its maker), inferred, regulatory, by-hand
	Note         string
	Origin       Origins
}

// FeedStatus tells how deep and how fresh the knowledge of one feed is.
type FeedStatus struct {
	Name      string
	Kind      string // advisories, exploited, likelihood, lifecycle, starter
	Records   int    // records now held
	Refused   int    // broken records of the last import, quarantined and counted
	Aside     int    `json:",omitempty"` // sound records of the last import that say nothing of devices, counted and not kept
	Dated     time.Time
	Imported  time.Time
	Document  string
	Stale     bool      // older than the feed's staleness limit
	StaleAt   time.Time `json:"-"` // since when, or from when on unless something newer comes; zero: never
	LastError string    // the last failed import; the last good data stays in use
	FailedAt  time.Time
	Trouble   string     `json:"-"` // why what is in use is not to be trusted to be the newest, in words; never beside "fresh"
	Fetch     *FeedFetch `json:"-"` // how it is fetched; nil: documents are imported by hand
}
