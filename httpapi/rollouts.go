package httpapi

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/policy"
	"github.com/firmward/firmward/store"
)

// Rollout is the header of a rollout.
type Rollout struct {
	ID        string                `json:"id"`
	Release   string                `json:"release"`
	Policy    RolloutPolicy         `json:"policy"`
	State     firmward.RolloutState `json:"state" enum:"planned,awaiting-approval,running,paused,halted,stopped,finished"`
	Why       string                `json:"why,omitempty"`
	Author    string                `json:"author"`
	Created   time.Time             `json:"created"`
	Approvals []Approval            `json:"approvals"`
	Void      string                `json:"void,omitempty" doc:"why earlier approvals no longer hold"`
	Emergency string                `json:"emergency,omitempty" doc:"why its soaks are shortened"`
	Allowed   []Allowance           `json:"allowed,omitempty" doc:"risks that its author took on"`
	Wave      int                   `json:"wave" doc:"the open one; 0 is the canary wave"`
	Waves     int                   `json:"waves"`
	WaveOpen  time.Time             `json:"waveOpen,omitzero"`
	Staging   string                `json:"staging,omitempty" enum:"passed,failed,not-staged,running"`
	Covered   []StagingCover        `json:"covered,omitempty" doc:"how many of its devices which staging verdict stands for"`
	Rehearsal bool                  `json:"rehearsal" doc:"a staging run on a spare"`
	WaveSizes []int                 `json:"waveSizes" doc:"devices of each wave as planned, the canaries first"`
	Unsure    bool                  `json:"unsure,omitempty" doc:"it paused because the open wave shows too little: a person may resume it with a reason"`
	Total     int                   `json:"total"`
	Started   int                   `json:"started"`
	Succeeded int                   `json:"succeeded"`
	Failed    int                   `json:"failed"`
	Silent    int                   `json:"silent" doc:"of the failed: those that do not answer any more"`
	Untried   int                   `json:"untried" doc:"could not be tried: nothing was installed"`
	InFlight  int                   `json:"inFlight"`
	StillOpen int                   `json:"stillOpen,omitempty" doc:"devices of the open wave that run the release and on which something is open that it was to close"`
	NextDue   time.Time             `json:"nextDue,omitzero"`
}

// Allowance is a risk of an update that whoever plans a rollout takes on.
type Allowance struct {
	Risk string `json:"risk" enum:"wipes-config,changes-variant"`
	Why  string `json:"why"`
}

// Approval is one person's consent to one wave.
type Approval struct {
	Actor string    `json:"actor"`
	Wave  int       `json:"wave"`
	At    time.Time `json:"at"`
	Note  string    `json:"note,omitempty"`
}

func rolloutOf(r firmward.Rollout) Rollout {
	return Rollout{
		ID: r.ID, Release: r.ReleaseID, Policy: rolloutPolicyOf(r.Policy, ""), State: r.State, Why: r.Why, Author: r.Author, Created: r.Created,
		Approvals: each(r.Approvals, func(v firmward.Approval) Approval { return Approval(v) }), Void: r.Void, Emergency: r.Emergency,
		Allowed: each(r.Allowed, func(v firmward.Allowance) Allowance { return Allowance(v) }), Wave: r.Wave, Waves: r.Waves, WaveOpen: r.WaveOpen,
		Staging: r.Staging, Covered: each(r.Covered, coverOf), Rehearsal: r.Rehearsal, WaveSizes: list(r.Sizes), Unsure: r.Unsure, Total: r.Total, Silent: r.Silent, Untried: r.Inconclusive, Started: r.Started, Succeeded: r.Succeeded, Failed: r.Failed,
		InFlight: r.InFlight, StillOpen: r.StillOpen, NextDue: r.NextDue,
	}
}

// Target is one device in one rollout.
type Target struct {
	Rollout   string               `json:"rollout"`
	DeviceID  string               `json:"deviceId"`
	Device    string               `json:"device" doc:"its name"`
	Wave      int                  `json:"wave"`
	State     firmward.TargetState `json:"state" enum:"pending,claimed,installing,settling,verifying,committing,falling-back,in-doubt,waiting-for-person,waiting-for-wake,succeeded,failed,rolled-back,skipped,refused"`
	Why       string               `json:"why,omitempty"`
	Code      string               `json:"code,omitempty" doc:"refusal or failure code"`
	From      string               `json:"from,omitempty"`
	Want      string               `json:"want"`
	Attempt   int                  `json:"attempt"`
	ByHand    bool                 `json:"byHand,omitempty" doc:"a person updates it, by a work order"`
	WaitsTo   time.Time            `json:"waitsTo,omitzero" doc:"until when a person or the device is waited for"`
	Baseline  []Service            `json:"baseline" doc:"how its services, and those directly behind it, answered before"`
	Unasked   int                  `json:"unasked,omitempty" doc:"devices behind it that nobody asked before the start, since there are so many"`
	Closed    []string             `json:"closed,omitempty" doc:"advisories that were open on it and that the update closed, assessed anew with the version that a look read"`
	StillOpen []string             `json:"stillOpen,omitempty" doc:"advisories that the release was to close and that are open with the version that a look read; its code is still-open then"`
	StartedAt time.Time            `json:"startedAt,omitzero"`
	Accepted  time.Time            `json:"acceptedAt,omitzero" doc:"when the device said accepted, which is not installed"`
	Deadline  time.Time            `json:"deadline,omitzero"`
	EndedAt   time.Time            `json:"endedAt,omitzero"`
	Restore   bool                 `json:"mayRestore,omitempty" doc:"its driver can bring the version before back, and a person must say so"`
	AskAgain  time.Time            `json:"askAgain,omitzero" doc:"when a device that waits because its battery or signal was too low is asked again, if its window is open then"`
}

// Service is how one service of a device answered, or one device that stands behind it.
type Service struct {
	Probe  string `json:"probe" doc:"or which device behind it, in words"`
	OK     bool   `json:"ok"`
	Note   string `json:"note,omitempty"`
	Behind string `json:"behind,omitempty" doc:"id of the device behind it"`
}

func serviceOf(s firmward.ServiceState) Service { return Service(s) }

func targetOf(t firmward.Target, device string) Target {
	var again time.Time
	if t.State == firmward.TargetPending && !t.LowSince.IsZero() {
		again = t.NextDue
	}
	return Target{
		Rollout: t.RolloutID, DeviceID: t.DeviceID, Device: device, Wave: t.Wave, State: t.State, Why: t.Why, Code: t.Code, From: t.From, Want: t.Want,
		Attempt: t.Attempt, ByHand: t.ByHand, WaitsTo: t.WaitsTo, Baseline: each(t.Baseline, serviceOf), Unasked: t.Unasked, Closed: t.Closed(), StillOpen: t.StillOpen, StartedAt: t.StartedAt, Accepted: t.AcceptedAt, Deadline: t.Deadline, EndedAt: t.EndedAt, Restore: t.MayRestore, AskAgain: again,
	}
}

// StopTargets takes targets out of a rollout: those of a wave, or some devices.
type StopTargets struct {
	Wave    *int     `json:"wave,omitempty" doc:"0 is the canary wave"`
	Devices []string `json:"devices,omitempty" doc:"references of devices"`
	Why     string   `json:"why"`
}

// RestoreTarget lets a device go back.
type RestoreTarget struct {
	Device string `json:"device" doc:"reference"`
	Why    string `json:"why"`
}

// StoppedTargets is what became of them, by device id.
type StoppedTargets struct {
	Skipped []string `json:"skipped" doc:"nothing was sent to them"`
	Flying  []string `json:"flying" doc:"are being changed: they are watched to their end"`
	Ended   []string `json:"ended" doc:"had ended before"`
}

// RolloutDetail is a rollout with the devices that take part and those that do not.
type RolloutDetail struct {
	Rollout  Rollout          `json:"rollout"`
	Release  Release          `json:"release"`
	Targets  []Target         `json:"targets" doc:"the first 1000 that take part; the others are at /rollouts/{id}/targets"`
	Refusals []Target         `json:"refusals" doc:"the first 1000 that do not, each with its reason"`
	Staging  []StagingVerdict `json:"staging"`
	More     bool             `json:"more" doc:"there are more targets than these"`
}

// NewRollout plans who gets a release.
type NewRollout struct {
	Release string `json:"release"`
	Policy  string `json:"policy,omitempty" doc:"that of the first device that fits when absent"`
	Select  string `json:"select,omitempty" doc:"CEL over one device, for instance site == \"north\"" example:"site == \"north\""`

	Allowed []Allowance `json:"allowed,omitempty" doc:"without it, what wipes a configuration or changes a variant is refused"`
}

func (n NewRollout) allowed() []firmward.Allowance {
	return each(n.Allowed, func(v Allowance) firmward.Allowance { return firmward.Allowance(v) })
}

func (n NewRollout) filter() (f firmward.Filter, err error) {
	if n.Select == "" {
		return f, nil
	}
	if f, err = policy.Selector(n.Select); err != nil {
		err = &firmward.Error{Code: firmward.Invalid, Message: "the selector is wrong", Err: err}
	}
	return f, err
}

// Consent approves the start or a wave.
type Consent struct {
	Wave int    `json:"wave,omitempty" minimum:"0" doc:"0: the start"`
	Note string `json:"note,omitempty"`
}

// RolloutID names a rollout.
type RolloutID struct {
	ID string `path:"id"`
}

func (a *API) rolloutRoutes() {
	serve(a, spec{method: http.MethodGet, path: "/rollouts", id: "list-rollouts", role: firmward.Viewer, tag: "Rollouts", summary: "List rollouts"},
		func(ctx context.Context, in *struct {
			PageInput
			Release string   `query:"release"`
			States  []string `query:"state,explode" enum:"planned,awaiting-approval,running,paused,halted,stopped,finished"`
		},
		) (Page[Rollout], error) {
			want := store.RolloutFilter{ReleaseID: in.Release}
			for _, s := range in.States {
				want.States = append(want.States, firmward.RolloutState(s))
			}
			l, next, err := a.Store.Rollouts(ctx, want, in.page())
			return pageOf(l, next, err, rolloutOf)
		})
	serve(a, spec{
		method: http.MethodPost, path: "/rollouts", id: "plan-rollout", role: firmward.Operator, tag: "Rollouts", summary: "Plan a rollout", status: http.StatusCreated,
		doc: "Nothing starts. The answer says who takes part, in which wave, and why others do not.",
	}, func(ctx context.Context, in *struct{ Body NewRollout }) (RolloutDetail, error) {
		filter, err := in.Body.filter()
		if err != nil {
			return RolloutDetail{}, err
		}
		p, err := a.Control.PlanRollout(ctx, person(ctx), in.Body.Release, in.Body.Policy, filter, in.Body.allowed()...)
		if err != nil {
			return RolloutDetail{}, err
		}
		return a.rolloutDetail(ctx, p.Rollout.ID)
	})
	serve(a, spec{method: http.MethodGet, path: "/rollouts/{id}", id: "get-rollout", role: firmward.Viewer, tag: "Rollouts", summary: "A rollout with targets, refusals and staging verdicts"},
		func(ctx context.Context, in *RolloutID) (RolloutDetail, error) { return a.rolloutDetail(ctx, in.ID) })
	serve(a, spec{method: http.MethodGet, path: "/rollouts/{id}/targets", id: "list-targets", role: firmward.Viewer, tag: "Rollouts", summary: "List the devices of a rollout"},
		func(ctx context.Context, in *struct {
			RolloutID
			PageInput
			State firmward.TargetState `query:"state"`
		},
		) (Page[Target], error) {
			l, next, err := a.Store.Targets(ctx, in.ID, store.TargetFilter{State: in.State}, in.page())
			names := a.names(ctx)
			return pageOf(l, next, err, func(t firmward.Target) Target { return targetOf(t, names(t.DeviceID).Name) })
		})
	for _, order := range []string{"start", "pause", "resume", "stop"} {
		serve(a, spec{
			method: http.MethodPost, path: "/rollouts/{id}/" + order, id: order + "-rollout", role: firmward.Operator, tag: "Rollouts",
			summary: strings.ToUpper(order[:1]) + order[1:] + " a rollout",
		}, func(ctx context.Context, in *struct {
			RolloutID
			Body *Reason
		},
		) (Rollout, error) {
			why := ""
			if in.Body != nil {
				why = in.Body.Why
			}
			r, err := a.Control.SteerRollout(ctx, person(ctx), in.ID, order, why)
			return rolloutOf(r), err
		})
	}
	serve(a, spec{
		method: http.MethodPost, path: "/rollouts/{id}/stop-targets", id: "stop-targets", role: firmward.Operator, tag: "Rollouts", summary: "Take a wave or some devices out of a rollout",
		doc: "Nothing is sent to them by it. What is being changed is watched to its end. The rollout goes on without them.",
	}, func(ctx context.Context, in *struct {
		RolloutID
		Body StopTargets
	},
	) (StoppedTargets, error) {
		b := in.Body
		s, err := a.Control.StopTargets(ctx, person(ctx), in.ID, control.Stopping{Wave: b.Wave, Devices: b.Devices, Why: b.Why})
		return StoppedTargets{Skipped: list(s.Skipped), Flying: list(s.Flying), Ended: list(s.Ended)}, err
	})
	serve(a, spec{
		method: http.MethodPost, path: "/rollouts/{id}/restore", id: "restore-target", role: firmward.Operator, tag: "Rollouts", summary: "Let a device go back to the version before",
		doc: "Where an update left it worse, its driver can bring the version before back, and its policy or its use ask for a person's word.",
	}, func(ctx context.Context, in *struct {
		RolloutID
		Body RestoreTarget
	},
	) (Target, error) {
		t, err := a.Control.RestoreTarget(ctx, person(ctx), in.ID, in.Body.Device, in.Body.Why)
		return targetOf(t, a.names(ctx)(t.DeviceID).Name), err
	})
	serve(a, spec{
		method: http.MethodPost, path: "/rollouts/{id}/hasten", id: "hasten-rollout", role: firmward.Operator, tag: "Rollouts", summary: "Shorten the soaks of a rollout",
		doc: "Only where the policy has an emergency path and something that is exploited is open on its devices, none of them in clinical or process use. Approvals must be given anew.",
	}, func(ctx context.Context, in *struct {
		RolloutID
		Body Reason
	},
	) (Rollout, error) {
		r, err := a.Control.HastenRollout(ctx, person(ctx), in.ID, in.Body.Why)
		return rolloutOf(r), err
	})
	serve(a, spec{
		method: http.MethodPost, path: "/rollouts/{id}/approve", id: "approve-rollout", role: firmward.Approver, tag: "Rollouts", summary: "Approve the start or a wave",
		doc: "The author of a rollout cannot approve it.",
	}, func(ctx context.Context, in *struct {
		RolloutID
		Body *Consent
	},
	) (Rollout, error) {
		var c Consent
		if in.Body != nil {
			c = *in.Body
		}
		r, err := a.Control.ApproveRollout(ctx, person(ctx), in.ID, c.Wave, c.Note)
		return rolloutOf(r), err
	})
}

func (a *API) rolloutDetail(ctx context.Context, id string) (RolloutDetail, error) {
	r, err := a.Store.Rollout(ctx, id)
	if err != nil {
		return RolloutDetail{}, err
	}
	rel, err := a.Store.Release(ctx, r.ReleaseID)
	if err != nil {
		return RolloutDetail{}, err
	}
	out := RolloutDetail{Rollout: rolloutOf(r), Release: releaseOf(rel), Targets: []Target{}}
	names := a.names(ctx)
	form := func(t firmward.Target) Target { return targetOf(t, names(t.DeviceID).Name) }
	all, next, err := a.Store.Targets(ctx, id, store.TargetFilter{}, store.Page{Limit: 1000})
	if err != nil {
		return out, err
	}
	for _, t := range all {
		if t.State != firmward.TargetRefused {
			out.Targets = append(out.Targets, form(t))
		}
	}
	refused, _, err := a.Store.Targets(ctx, id, store.TargetFilter{State: firmward.TargetRefused}, store.Page{Limit: 1000})
	if err != nil {
		return out, err
	}
	out.More, out.Refusals = next != "", each(refused, form)
	verdicts, err := a.Store.StagingsOf(ctx, rel.SHA256)
	out.Staging = each(verdicts, a.verdictOf)
	return out, err
}
