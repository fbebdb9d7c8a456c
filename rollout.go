package firmward

import (
	"slices"
	"time"
)

// RolloutPolicy holds the limits of a rollout. It is data: package policy reads it from a file,
// package rollout obeys it.
type RolloutPolicy struct {
	Name             string
	Waves            []Wave        // after the canaries
	CanarySoak       time.Duration // how long a canary must stay healthy
	WaveSoak         time.Duration // the same for every later wave
	MaxInFlight      int           // devices being changed at one time
	CanaryInFlight   int           // the same while canaries run
	PerModelInFlight int           // cap per model outside the lab, over all rollouts, and of each wave; 0: none of its own
	PerSite          int           // cap per site over all rollouts; 0: none
	PerDomain        int           // cap per transport domain over all rollouts (package topology); 0: none
	Ramp             Ramp          // a cap that grows with successes
	FailureBudget    int           // percent of started targets that may fail before the rollout halts
	FailureFloor     int           // up to so many failures never halt by percentage; a canary failure always halts
	Confidence       int           // percent: how sure the gate must be that the failure ratio is over or under the budget; 0: it takes the ratio as it is
	FailureCount     *int          // more failures than this halt, whatever the ratio; nil: no such budget
	SilenceCount     *int          // more silent devices than this halt; they are failures too; nil: no budget of their own
	Inconclusive     *int          // more devices that could not be tried than this pause; nil: no limit
	SoakMin          int           // healthy devices of a wave that must have been looked at after the soak; all of a smaller wave
	Approvals        int           // persons other than the author who must approve before the start
	ApproveWaves     bool          // every wave after the canary needs its own approval
	ApprovalValid    time.Duration // an approval that was not used within this time must be given anew; 0: it stays
	Deadline         time.Duration // from the command until silence is failure
	CommitWithin     time.Duration // dead-man time given to devices that support it
	Window           Window        // either this one
	Windows          []WindowRule  // or these; the device may be changed while one of them is open
	Freezes          []Freeze      // nothing starts while one of them holds
	RequireOwner     bool
	Channels         []string      // release channels that it takes; empty: any
	EmergencySoak    time.Duration // upper bound of both soaks when something exploited is hastened; 0: never hastened
	RequireStaged    bool          // refuse targets whose release was not staged (else: shown, the canary carries the risk)
	StagingValid     time.Duration // how long a staging verdict stands; 0: package staging's default
	HoldCore         bool          // core network gear is held back for good, unless one of HoldBacks says for how long
	LateJoin         bool          `json:",omitempty"` // devices that became known after the plan enter the last wave
	HoldBacks        []HoldBack    `json:",omitempty"` // the first whose Select matches a device counts
	WorkOrders       time.Duration `json:",omitempty"` // how long a person has for a device that no driver may or can update; 0: such devices take no part
	AskRestore       bool          `json:",omitempty"` // a device that the update left worse goes back by command on a person's word only
	WakeWithin       time.Duration `json:",omitempty"` // how long a device is waited for that does not answer before the start; 0: it is skipped
	MinBattery       int           `json:",omitempty"` // percent: no image to a device on its battery with less; 0: no limit
	MinSignal        int           `json:",omitempty"` // dBm: no image to a device whose radio hears less; 0: no limit
	LowFor           time.Duration `json:",omitempty"` // how long a device below one of them is asked again before it is passed over
}

// HoldBack lets releases mature before some devices get them.
type HoldBack struct {
	Select    Filter         // which devices
	Source    string         // the selector as it was written; empty: every device
	Wait      time.Duration  // after the vendor published the release
	Exploited *time.Duration // in place of Wait while something that the release closes is being exploited; nil: Wait all the same
	Release   bool           // and only while the device's owner has released it
}

// Takes reports whether the policy takes releases of a channel.
func (p RolloutPolicy) Takes(channel string) bool {
	return len(p.Channels) == 0 || slices.Contains(p.Channels, channel)
}

// RolloutState is the state of a whole rollout.
type RolloutState string

// The rollout states. Finished, Halted and Stopped start nothing any more; Halted can be resumed
// by a person who says why.
const (
	RolloutPlanned  RolloutState = "planned"
	RolloutAwaiting RolloutState = "awaiting-approval"
	RolloutRunning  RolloutState = "running"
	RolloutPaused   RolloutState = "paused"
	RolloutHalted   RolloutState = "halted"
	RolloutStopped  RolloutState = "stopped"
	RolloutFinished RolloutState = "finished"
)

// Rollout is the header of a rollout. Counters are kept in the transaction that changes a target.
type Rollout struct {
	ID           string
	ReleaseID    string
	Policy       RolloutPolicy
	State        RolloutState
	Why          string // why it is in this state
	Author       string
	Created      time.Time
	Approvals    []Approval
	Where        Filter      `json:",omitzero"` // which devices it was planned for, beside those of its policy
	Void         string      // why earlier approvals no longer hold, until they were given anew
	Emergency    string      // why its soaks are shortened; empty: they are not
	Allowed      []Allowance `json:",omitempty"` // risks that its author took on
	Wave         int         // wave that is open; 0 is the canary wave
	Waves        int         // number of waves including the canary wave
	WaveOpen     time.Time
	SoakFrom     time.Time      // when the last target of the open wave ended; zero before
	Staging      string         // verdict: passed, failed, not-staged, running
	Covered      []StagingCover `json:",omitempty"` // how many of its devices which verdict stood for when staging ended, or when it was planned
	Rehearsal    bool           // a staging run on a spare, not production
	Unsure       bool           // it paused because the open wave showed too little; a person may say that it suffices
	Withdrawn    string         `json:",omitempty"` // why its release was taken back: it can only be stopped
	Waived       int            // waves before this one may be left although they showed too little: a person said so
	Sizes        []int          // targets of each wave as planned
	Total        int
	Started      int
	Succeeded    int
	Failed       int
	InFlight     int
	Silent       int       // of Failed: those that did not answer any more
	Inconclusive int       // could not be tried: nothing was installed, nothing is known
	StillOpen    int       `json:",omitzero"` // of Succeeded in the open wave: those on which something is open that the release was to close
	Streak       int       // successes since the last failure
	NextDue      time.Time // when the loop must look again; zero: on an event only
	Version      int64     // optimistic lock
}

// Approval is one person's consent to one wave (0: the start).
type Approval struct {
	Actor string
	Wave  int
	At    time.Time
	Note  string
}

// Allowance is a risk of an update that the author of a rollout took on, and why.
type Allowance struct {
	Risk string // RiskWipesConfig, RiskChangesVariant
	Why  string
}

// The risks that stop an update unless they were taken on.
const (
	RiskWipesConfig    = "wipes-config"
	RiskChangesVariant = "changes-variant"
)

// TargetState is the state of one device in a rollout.
type TargetState string

// The target states. Succeeded, Failed, RolledBack, Skipped and Refused are final.
const (
	TargetPending    TargetState = "pending"
	TargetClaimed    TargetState = "claimed"    // picked; preflight is asked for
	TargetInstalling TargetState = "installing" // the image is on its way
	TargetSettling   TargetState = "settling"   // accepted; waiting for the device to come back
	TargetVerifying  TargetState = "verifying"  // probes look
	TargetCommitting TargetState = "committing" // healthy; the dead-man switch is being released
	TargetFalling    TargetState = "falling-back"
	TargetInDoubt    TargetState = "in-doubt"           // a crash lost the outcome of a command
	TargetAsked      TargetState = "waiting-for-person" // a work order is open; nobody is at work on it
	TargetAsleep     TargetState = "waiting-for-wake"   // it did not answer before the start; its turn comes when it is seen
	TargetSucceeded  TargetState = "succeeded"
	TargetFailed     TargetState = "failed"
	TargetRolledBack TargetState = "rolled-back"
	TargetSkipped    TargetState = "skipped" // not started when the rollout ended
	TargetRefused    TargetState = "refused" // never planned: Why says the reason
)

// Final reports whether the state never changes again.
func (s TargetState) Final() bool {
	switch s {
	case TargetSucceeded, TargetFailed, TargetRolledBack, TargetSkipped, TargetRefused:
		return true
	}
	return false
}

// InFlight reports whether the device is being changed.
func (s TargetState) InFlight() bool {
	switch s {
	case TargetClaimed, TargetInstalling, TargetSettling, TargetVerifying, TargetCommitting, TargetFalling, TargetInDoubt:
		return true
	}
	return false
}

// CodeNotDone is the code of work that somebody said was done and is not, or that nobody did in time.
const CodeNotDone = "not-done"

// Waits reports whether a person or the device itself is waited for: it holds nothing, and its wave is not over.
func (s TargetState) Waits() bool { return s == TargetAsked || s == TargetAsleep }

// Target is one device in one rollout. Of a large one there are many rows, so what is zero is not written.
type Target struct {
	RolloutID  string
	DeviceID   string
	Wave       int `json:",omitzero"`
	State      TargetState
	Why        string         `json:",omitzero"` // last reason, for people
	Code       string         `json:",omitzero"` // refusal or failure code, for machines
	From       string         `json:",omitzero"` // firmware version before
	Want       string         `json:",omitzero"` // firmware version wanted
	Model      string         `json:",omitzero"`
	Command    string         `json:",omitzero"` // id of the last command
	Answered   bool           `json:",omitzero"` // the outcome of Command has arrived; a second one changes nothing
	Attempt    int            `json:",omitzero"` // installations sent so far; of one by hand: how often a person has begun
	Seq        int            `json:",omitzero"` // commands issued so far; part of command ids
	Before     bool           `json:",omitzero"` // of one by hand: somebody looked at it before the work
	Baseline   []ServiceState `json:",omitzero"` // how its services, and those directly behind it, answered before
	Unasked    int            `json:",omitzero"` // devices behind it that nobody asked before the start, since there are so many
	Closes     []string       `json:",omitzero"` // advisories that were open on it before the start and that the release is to close
	StillOpen  []string       `json:",omitzero"` // of these: what is open with the version that the last look read
	StartedAt  time.Time      `json:",omitzero"`
	AcceptedAt time.Time      `json:",omitzero"` // when the device said "accepted", which is not "installed"
	BackAt     time.Time      `json:",omitzero"` // when a look first saw the wanted version run
	SawNew     bool           `json:",omitzero"` // the wanted version was seen running at least once
	SoakedAt   time.Time      `json:",omitzero"` // when the device was looked at again after its soak
	Deadline   time.Time      `json:",omitzero"` // when silence becomes failure
	ByHand     bool           `json:",omitzero"` // a person updates it, by a work order
	WaitsTo    time.Time      `json:",omitzero"` // until when a person or the device is waited for
	StartBy    time.Time      `json:",omitzero"` // the image must be on its way by then, or window or freeze come before the end; zero: no such time
	NextDue    time.Time      `json:",omitzero"` // when the loop must look again; of one that waits: not to be asked before
	MayRestore bool           `json:",omitzero"` // failed, its driver can bring the version before back, and a person must say so
	LowSince   time.Time      `json:",omitzero"` // when its battery or signal was found too low first; zero: it was not
	EndedAt    time.Time      `json:",omitzero"`
}

// Closed gives what the update closed, by assessing the device anew with the version that a look read; nothing while it has not succeeded.
func (t Target) Closed() []string {
	if t.State != TargetSucceeded {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(t.Closes), func(id string) bool { return slices.Contains(t.StillOpen, id) })
}

// UpdateTime is how long one update took.
type UpdateTime struct {
	Model     string
	Hardware  string
	RolloutID string
	DeviceID  string
	Sent      time.Duration // from its start until the device had the image and accepted it
	Back      time.Duration // from then until a look saw it run the new version
	At        time.Time     // of that look
}

// ServiceState is how one service of a device answered, or one device that stands behind it.
type ServiceState struct {
	Probe  string // of a device behind it: what people call it
	OK     bool
	Note   string
	Behind string `json:",omitempty"` // id of the device behind it; empty: a service of its own
}
