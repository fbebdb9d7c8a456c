// Package rollout decides how a release reaches devices, and nothing else: values in, values out.
//
// The shape follows etcd's raft. Advance sees one rollout header, one target and one event, changes
// both values, and returns commands. The caller saves the changed values in one transaction together
// with the commands, and only then carries the commands out; their outcomes come back as events. So:
//
//   - Nothing is sent that is not saved before, and a command is carried out at most once: after a
//     crash a command without an outcome comes back as Lost and is resolved by looking at the device.
//     A device to which nothing was sent yet, or of which a look proved that nothing was left behind,
//     goes back to pending: Pick alone decides who starts, so window, claims and caps hold every time.
//   - Each command is answered once. Late and repeated answers change nothing.
//   - Nothing starts outside its window, in a freeze, or so late that the device would not be back before they come; the
//     same is asked once more just before the image is sent. Being hastened lifts no freeze.
//   - No image is sent to a device whose battery or radio is below the limits of the policy. It is asked again, less and less often, until
//     it has enough or is passed over.
//   - "Accepted" is not "installed". A target succeeds only after our own look saw the same device
//     run the wanted version with its services answering as before, and those directly behind it too.
//   - Silence has a deadline and then is failure. Inconclusive pauses; it never promotes.
//   - What no driver may or can update a person does, in the same waves and by the same rules: a work order opens when its wave does, "I begin"
//     is asked like any start, and a look, never a word, says that it is done (person.go).
//   - A device that is worse than before goes back by itself, by its driver, or, where the policy or its use ask for that, on a person's word: going
//     back is a change too. Its own dead-man timer waits for nobody.
//   - A failed canary halts. Later, failures are counted over started targets, as they are or with a confidence bound (bound.go), and
//     absolutely; silent devices also apart.
//   - What a wave shows too little of pauses; only a person's reason lets it pass. So does what the release should have closed and did not.
//   - A withdrawn release halts every rollout that carries it, for good. Many devices of a family that fall together while nobody
//     changes them are one event of their vendor, and halt every rollout of the family (vendor.go).
//
// Plan decides who takes part and in which wave, with reasons for everyone who does not. Pick decides
// who starts now. Gate decides when the next wave opens.
//
// The simulator (package sim) checks after every step of every simulation, and for each of these knows a bug that breaks it:
//
//   - Every device is planned or refused, once; model and hardware revision match; each model, revision and delivery path has one canary.
//   - One update at a time per device; never two of a redundancy group, never a device with one that it carries.
//   - Nothing starts outside its window, before its wave, without its approvals of what it is now, or while the red button is pressed.
//   - In flight is never over a cap: of the rollout, of its canaries, of its ramp, of a site, of a transport domain.
//   - An image is not sent again before somebody has looked what became of the one before, nor to a device that stands half way.
//   - No image is sent to a device that is below a limit for battery or signal, and one found there is not asked again at once.
//   - A withdrawn image is not sent, nor one to a family that fell in one event before a person has said that it goes on.
//   - A wave is left only by a running rollout, when all its targets have ended, soaked, and show what the policy wants to see.
//   - A device is not verified while one directly behind it, which answered before, does not, unless that one was changed itself since.
//   - A target says what its release closed and what is still open, and no wave with something still open is left without a person's word.
//   - A rollout over a budget does not go on. Silence becomes failure.
//   - No machine touches what a person updates; nobody is asked for it before its wave, nor for what was withdrawn; no word stands for a look.
//   - Nobody is waited for longer than the policy says. Who comes late joins with a canary of its kind alone, and voids approvals.
//   - Header and targets are what the log of all that was told to the engine gives when it is told once more.
//   - The header counts what its targets say. Every target ends with a reason, and every rollout ends or waits for a person.
package rollout

import (
	"time"

	"github.com/firmward/firmward"
)

// Kind names what happened.
type Kind string

// The event kinds.
const (
	Tick             Kind = "tick"              // time passed
	Start            Kind = "start"             // Pick chose the target and its claim is written
	PreflightOK      Kind = "preflight-ok"      // Seen holds the state before
	PreflightRefused Kind = "preflight-refused" // driver or guard: never send this here
	PreflightFailed  Kind = "preflight-failed"  // the device could not be asked
	Accepted         Kind = "accepted"          // the device said yes
	InstallRefused   Kind = "install-refused"   // the device said no; nothing was written
	NotSent          Kind = "not-sent"          // the installation was not begun, for the reason in Why
	InstallUnknown   Kind = "install-unknown"   // the exchange broke off: it may have been taken
	Looked           Kind = "looked"            // Seen holds what our probes and the driver saw
	Committed        Kind = "committed"
	CommitFailed     Kind = "commit-failed"
	Reverted         Kind = "reverted"
	RevertFailed     Kind = "revert-failed"
	Lost             Kind = "lost"     // a crash lost the outcome of Command
	SoakDue          Kind = "soak-due" // look again at a device that had succeeded
	Abandon          Kind = "abandon"  // the rollout was stopped, or this target alone, for what Why says; one not yet touched ends
	Restore          Kind = "restore"  // a person says that a failed target goes back, see Why; its claim is written
	Ask              Kind = "ask"      // Pick chose a target that a person updates: open its work order
	Reported         Kind = "reported" // somebody says that the work was done, see Why
	Woke             Kind = "woke"     // a device was seen that had not answered
)

// Seen is what a look at the device found.
type Seen struct {
	Reachable   bool
	SameDevice  bool   // its strong keys are those that we know
	Version     string // empty: could not be read
	Busy        bool
	Uncommitted bool
	FallsBackIn time.Duration
	Services    []firmward.ServiceState // its own, and of those directly behind it: before the start as far as they could be asked, later those that answered then
	Closes      []string                // before the start: advisories that are open on it and that the release is to close
	StillOpen   []string                // later: of those, what is open with Version
	Unasked     int                     // before the start: devices behind it that nobody asked, since there are so many
	Vitals      firmward.Vitals         // of PreflightOK
	Note        string
	Evidence    string // observation that carried the version
}

// Event is one thing that happened to one target.
type Event struct {
	Kind    Kind
	Command string // command id that it answers, empty for Tick, Start, SoakDue, Abandon
	Code    string // refusal code
	Why     string // of Start: what is to be kept about it, as Held.Hurried
	Seen    Seen
	StartBy time.Time // of Start: when the image must be on its way, see Pick
}

// Verb is what a command asks for.
type Verb string

// The verbs. Install is the only one that must never be carried out twice.
const (
	DoPreflight Verb = "preflight"
	DoInstall   Verb = "install"
	DoLook      Verb = "look"
	DoCommit    Verb = "commit"
	DoRevert    Verb = "revert"
	DoAsk       Verb = "ask" // open the work order of a target; it has no outcome
)

// Command is one thing to do to one device. ID is unique and never reused.
type Command struct {
	ID        string
	Verb      Verb
	RolloutID string
	DeviceID  string
}

// Abilities are the facts about driver and model that the engine needs.
type Abilities struct {
	Scheme    string        // version scheme
	Settle    time.Duration // usual time until the device answers again
	Exchange  time.Duration // the longest that one look may take: its answer is waited for
	DeadMan   bool          // an uncommitted version falls back by itself
	CanRevert bool          // the driver can go back
	Careful   bool          // in clinical or process use: it goes back by command on a person's word only
	ByHand    time.Duration // how long a person may be at work on it
}

// Input is what Advance sees. Rollout and Target are changed in place.
type Input struct {
	Now       time.Time
	Rollout   *firmward.Rollout
	Target    *firmward.Target
	Abilities Abilities
	Event     Event
}

// tooLate reports whether an image that is sent now would not be done before the window closes or a freeze begins.
func (in *Input) tooLate() bool { return TooLate(*in.Target, in.Now) }

// TooLate reports whether it is too late to send a target its image: the shell asks once more just before it does, and
// answers NotSent with the code RefuseWindow.
func TooLate(t firmward.Target, now time.Time) bool {
	return !t.StartBy.IsZero() && now.After(t.StartBy)
}

// StopAll is the code of a NotSent event when the red button kept the image back.
const StopAll = "stop-all"

// heldBack are the codes of NotSent after which the target waits for its turn again.
var heldBack = map[string]bool{StopAll: true, RefuseWindow: true, RefuseFreeze: true}

// maxAttempts bounds how often one target is tried: a second try happens only when a look proved
// that the first one left no trace.
const maxAttempts = 2

// Advance applies one event. It appends the commands that follow to out and returns it.
// Events that do not fit the target's state (late answers, duplicates) change nothing.
func Advance(in *Input, out []Command) []Command {
	t := in.Target
	if in.Event.Kind == Restore {
		return in.restore(out)
	}
	if t.State.Final() && t.State != firmward.TargetSucceeded {
		return out
	}
	if t.ByHand { // no machine touches it
		in.Abilities.DeadMan, in.Abilities.CanRevert, in.Event.Seen.Uncommitted = false, false, false
	}
	switch in.Event.Kind {
	case Tick, Start, SoakDue, Abandon, Ask, Reported, Woke:
	default:
		if t.Answered || in.Event.Command != t.Command || t.Command == "" {
			return out
		}
		t.Answered = true
	}
	switch {
	case in.Event.Kind == Lost:
		return in.lost(out)
	case in.Event.Kind == Abandon:
		in.abandon()
		return out
	}
	switch t.State {
	case firmward.TargetPending:
		switch in.Event.Kind {
		case Start:
			return in.start(out)
		case Ask:
			return in.ask(out)
		}
	case firmward.TargetAsked:
		return in.asked(out)
	case firmward.TargetAsleep:
		in.asleep()
	case firmward.TargetClaimed:
		return in.claimed(out)
	case firmward.TargetInstalling:
		return in.installing(out)
	case firmward.TargetSettling, firmward.TargetVerifying, firmward.TargetInDoubt:
		return in.watching(out)
	case firmward.TargetCommitting:
		return in.committing(out)
	case firmward.TargetFalling:
		return in.falling(out)
	case firmward.TargetSucceeded:
		return in.soaking(out)
	}
	return out
}

// asking is why a target is claimed.
const asking = "asking the device before anything is sent"

func (in *Input) start(out []Command) []Command {
	t, r := in.Target, in.Rollout
	t.StartedAt, t.Code, t.StartBy = in.Now, "", in.Event.StartBy
	if !t.ByHand { // there the work may be done without a word, whatever becomes of this start
		t.Closes, t.StillOpen = nil, nil
	}
	t.Deadline = in.Now.Add(r.Policy.Deadline)
	r.Started++
	r.InFlight++
	t.State, t.Why = firmward.TargetClaimed, asking
	if in.Event.Why != "" {
		t.Why = asking + "; " + in.Event.Why
	}
	return in.send(DoPreflight, out)
}

func (in *Input) claimed(out []Command) []Command {
	t, r := in.Target, in.Rollout
	switch in.Event.Kind {
	case PreflightOK:
		seen := in.Event.Seen
		t.Baseline, t.Unasked = seen.Services, seen.Unasked
		if t.ByHand {
			t.Closes = seen.Closes
		}
		planned := t.From
		code, why := Below(&r.Policy, seen.Vitals)
		if seen.Version != "" {
			t.From = seen.Version
		}
		if in.reached(seen.Version) {
			in.end(firmward.TargetSucceeded, "already-installed", "the device runs "+seen.Version+" already; nothing was sent")
			return out
		}
		switch {
		case seen.Busy:
			in.untried(firmward.TargetSkipped, "busy", "an update that this rollout did not start is under way in it; nothing was sent")
			return out
		case in.drifted(planned): // others approved an update from another version
			in.unstart(firmward.TargetPending, "", "it ran "+known(planned)+" when this was planned, now "+t.From)
			void(r, t.DeviceID+": "+t.Why)
			return out
		case code != "":
			in.low(code, why)
			return out
		case r.State != firmward.RolloutRunning:
			in.unstart(firmward.TargetPending, "", "the rollout is "+string(r.State))
			return out
		case in.tooLate():
			in.unstart(firmward.TargetPending, RefuseWindow, "the answer before the start came too late for what is left of its window; its turn comes again")
			return out
		case !in.Now.Before(t.Deadline):
			in.unstart(firmward.TargetPending, "", "the answer before the start came too late; its turn comes again")
			return out
		}
		t.Closes = seen.Closes
		t.Attempt++
		t.LowSince = time.Time{}
		if t.ByHand {
			in.begun()
			return out
		}
		t.State, t.Why = firmward.TargetInstalling, "the image is on its way"
		t.Deadline = in.Now.Add(r.Policy.Deadline)
		return in.send(DoInstall, out)
	case PreflightRefused:
		in.untried(firmward.TargetRefused, in.Event.Code, in.Event.Why)
	case PreflightFailed:
		in.unreached("not reachable before the start; nothing was sent: " + in.Event.Why)
	case Tick:
		if !in.Now.Before(t.NextDue) && !in.Now.Before(t.Deadline) {
			in.unreached("did not answer before the start; nothing was sent")
		}
	}
	return out
}

func (in *Input) installing(out []Command) []Command {
	t := in.Target
	if t.ByHand {
		return in.atWork(out)
	}
	switch in.Event.Kind {
	case Accepted, InstallUnknown:
		t.State, t.Why = firmward.TargetSettling, "the device accepted; that is not yet installed"
		if in.Event.Kind == InstallUnknown {
			t.Why = "the exchange broke off (" + in.Event.Why + "); looking whether it was taken"
		}
		t.AcceptedAt = in.Now
		t.Deadline = in.Now.Add(in.patience())
		t.NextDue = in.Now.Add(in.Abilities.Settle)
	case NotSent:
		t.Attempt--
		if in.Rollout.State != firmward.RolloutRunning || heldBack[in.Event.Code] {
			in.unstart(firmward.TargetPending, in.Event.Code, "nothing was installed: "+in.Event.Why)
		} else {
			in.untried(firmward.TargetSkipped, "not-sent", "nothing was installed: "+in.Event.Why)
		}
	case Tick: // the command should have ended by itself long ago
		if !in.Now.Before(t.NextDue) {
			return in.lost(out)
		}
	case InstallRefused:
		in.end(firmward.TargetFailed, "device-refused", "the device refused the image: "+in.Event.Why)
	}
	return out
}

// watching is settling, verifying and in doubt: we look until we know, or until the deadline.
func (in *Input) watching(out []Command) []Command {
	t := in.Target
	switch in.Event.Kind {
	case Tick:
		if in.Now.Before(t.NextDue) {
			return out
		}
		if in.unlooked() {
			in.end(firmward.TargetFailed, "silent", "its deadline has passed and nobody could look")
			return out
		}
		if t.State == firmward.TargetSettling {
			t.State, t.Why = firmward.TargetVerifying, "looking at version and services"
		}
		return in.send(DoLook, out)
	case Looked:
		return in.judge(out)
	case Woke:
		return in.woke(out)
	}
	return out
}
