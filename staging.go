package firmward

import "time"

// StagingVerdict binds a test result to exactly what was tested: image, delivery path, model, hardware revision and
// configuration class. For how long, and for which other devices it may speak too, package staging decides.
type StagingVerdict struct {
	ReleaseID string
	SHA256    string
	Path      string // delivery path: "push", "pull"
	Model     string
	Hardware  string
	Config    ConfigClass `json:",omitzero"`  // of the device that was used; the zero value where none was
	From      string      `json:",omitempty"` // version that it ran before
	Result    string      // passed, failed, not-staged
	Why       string
	SpareID   string // device that was used, empty when not-staged
	Place     Place  `json:",omitempty"` // what kind of place it was
	At        time.Time
	Expires   time.Time      `json:",omitzero"`  // when it no longer speaks; zero: it was made before verdicts expired
	Checks    []StagingCheck `json:",omitempty"` // what the test pack compared
	// NotMirrored names what of the real world was not there.
	NotMirrored []string `json:",omitempty"`
	// Reached names whom the device tried to reach and was kept from, where its place is isolated.
	Reached []string `json:",omitempty"`
	// Differences say in what the device that was used differs from the one for which this verdict is asked. They are not kept with it.
	Differences []string `json:",omitempty"`
}

// ConfigClass is what a device is set up to do, as far as it shows from outside.
type ConfigClass struct {
	Class string   `json:",omitempty"` // a hash of Has, or "unknown" when nothing was seen
	Has   []string `json:",omitempty"` // sorted
}

// Place is the kind of place in which a release is rehearsed.
type Place string

// The places.
const (
	PlaceSpare Place = "spare-device"
	PlaceLab   Place = "lab-device" // stands in a lab network
	PlaceVM    Place = "virtual-machine"
)

// StagingCover says for how many devices of a rollout one verdict stands.
type StagingCover struct {
	Verdict     string `json:",omitempty"` // its id, empty when there is none
	Result      string // passed, failed, not-staged, running
	Devices     int
	Model       string
	Hardware    string
	Version     string   // that the devices run
	Differences []string `json:",omitempty"` // of the tested device from these
	Why         string   // what the verdict says, or why there is none
}

// StagingCheck is one comparison of a device before and after its update.
type StagingCheck struct {
	Name    string // "services", "ports", "stream" …
	Before  string `json:",omitempty"`
	After   string `json:",omitempty"`
	Verdict string // one of the Check constants
	Why     string // a sentence
}

// The verdicts of a check.
const (
	CheckPassed   = "passed"
	CheckFailed   = "failed"
	CheckChanged  = "changed"   // a person should know; it does not fail the rehearsal
	CheckNotTried = "not-tried" // and Why says what kept it
)

// Rehearsal is one rehearsal of a release on one device, step by step. Its rollout of one target is the update itself.
type Rehearsal struct {
	RolloutID string
	ParentID  string // rollout that waits for it, empty when a person asked for it
	ReleaseID string
	DeviceID  string
	Place     Place
	Path      string
	From      string
	Config    ConfigClass
	Valid     time.Duration // how long its verdict stands
	Phase     RehearsalPhase
	Since     time.Time // of the phase
	Before    TestPack
	After     TestPack
	Checks    []StagingCheck // of what was rehearsed beside the update: going back, a power cut
	Tries     int            // how often the pack of this phase found nobody, or how often the device was told
	Said      string         `json:",omitempty"` // what went wrong when it was told to go back last
	Like      string         `json:",omitempty"` // device in use whose configuration its place may take over
	Copied    string         `json:",omitempty"` // name of the device whose configuration it has
	NotCopied string         `json:",omitempty"` // why it has none
}

// RehearsalPhase is where a rehearsal stands.
type RehearsalPhase string

// The phases, in their order.
const (
	RehearseMirror  RehearsalPhase = "mirror"  // it takes over the configuration of a device in use
	RehearseBefore  RehearsalPhase = "before"  // the test pack runs on the device as it is
	RehearseUpdate  RehearsalPhase = "update"  // the engine brings the release
	RehearseAfter   RehearsalPhase = "after"   // the test pack runs again
	RehearsePower   RehearsalPhase = "power"   // its power was cut
	RehearseBack    RehearsalPhase = "back"    // the device was told to go back
	RehearseFlash   RehearsalPhase = "flash"   // its power is cut while it writes the image once more
	RehearseForward RehearsalPhase = "forward" // the engine brings the release once more
	RehearseDone    RehearsalPhase = "done"
)

// TestPack is what the test pack found on a device at one time.
type TestPack struct {
	At       time.Time
	Probes   []ProbeResult
	Ports    []uint16          `json:",omitempty"` // open ones of those that were tried
	Knocked  bool              // ports were tried at all
	Factory  string            `json:",omitempty"` // with the maker's passwords: "accepted", "refused"; empty: not tried
	Settings map[string]string `json:",omitempty"` // file or line of its saved configuration → hash
	NotTried map[string]string `json:",omitempty"` // check → what kept it
}

// ProbeResult is what one probe saw, and how long that took.
type ProbeResult struct {
	Probe    string
	Port     uint16
	Outcome  Outcome
	Serves   bool
	Note     string
	Took     time.Duration
	Readings []Reading
}
