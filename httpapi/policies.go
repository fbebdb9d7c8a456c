package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/calendar"
	"github.com/firmward/firmward/policy"
	"github.com/firmward/firmward/staging"
)

// RolloutPolicy holds the limits of a rollout.
type RolloutPolicy struct {
	Name             string `json:"name"`
	Select           string `json:"select,omitempty" doc:"CEL over one device; absent: every device"`
	Waves            []Wave `json:"waves" doc:"after the canaries; the last takes every device that is left"`
	CanarySoak       string `json:"canarySoak,omitempty"`
	WaveSoak         string `json:"waveSoak,omitempty"`
	MaxInFlight      int    `json:"maxInFlight"`
	CanaryInFlight   int    `json:"canaryInFlight"`
	PerModelInFlight int    `json:"perModelInFlight"`
	FailureBudget    int    `json:"failureBudgetPercent" doc:"of started targets"`
	FailureFloor     int    `json:"failureFloor"`
	Confidence       int    `json:"confidence,omitempty" doc:"percent: how sure the gate must be about the failure ratio; absent: it takes the ratio as it is"`
	FailureCount     *int   `json:"failureBudgetCount,omitempty" doc:"more failures than this halt"`
	SilenceCount     *int   `json:"silenceBudgetCount,omitempty" doc:"more silent devices than this halt"`
	Inconclusive     *int   `json:"inconclusiveLimit,omitempty" doc:"more devices that could not be tried than this pause"`
	SoakMin          int    `json:"soakMinDevices,omitempty" doc:"healthy devices of a wave that must have been looked at after the soak"`
	PerSite          int    `json:"perSite,omitempty" doc:"devices of a site at one time, over all rollouts; absent: no cap"`
	PerDomain        int    `json:"perDomain,omitempty" doc:"devices of a transport domain at one time, over all rollouts; absent: no cap"`
	Ramp             *Ramp  `json:"ramp,omitempty" doc:"a cap that grows with successes"`
	Approvals        int    `json:"approvals" doc:"persons other than the author"`
	ApproveWaves     bool   `json:"approveWaves"`
	ApprovalValid    string `json:"approvalValid" doc:"an approval that was not used within this time must be given anew"`
	Deadline         string `json:"deadline,omitempty" doc:"from the command until silence is failure"`
	CommitWithin     string `json:"commitWithin,omitempty" doc:"dead-man time"`
	Window           string `json:"window" doc:"when devices may be changed, in words; in the site's time zone unless it says another"`
	RequireOwner     bool   `json:"requireOwner"`
	RequireStaged    bool   `json:"requireStaged"`
	StagingValid     string `json:"stagingValid" doc:"how long a staging verdict stands"`
	HoldCore         bool   `json:"holdCore" doc:"core network gear is held back"`
	LateJoin         bool   `json:"lateJoiners,omitempty" doc:"devices that became known after a plan enter its last wave"`
	HoldBacks        []Hold `json:"holdBack,omitempty" doc:"how long releases mature before some devices get them; the first that matches a device counts"`

	Channels      []string `json:"channels" doc:"release channels that it takes; empty: any"`
	EmergencySoak string   `json:"emergencySoak,omitempty" doc:"upper bound of both soaks when a rollout is hastened; absent: never"`

	WorkOrders string `json:"workOrders,omitempty" doc:"how long a person has for a device that no driver may or can update; absent: such devices take no part"`
	WakeWithin string `json:"wakeWithin,omitempty" doc:"how long a device is waited for that does not answer before the start; absent: it is skipped"`
	Restore    string `json:"restore" enum:"auto,ask" doc:"whether a device that the update left worse goes back by its driver by itself, or on a person's word"`

	MinBattery int    `json:"minBattery,omitempty" doc:"percent: no image to a device on its battery with less; absent: no limit"`
	MinSignal  int    `json:"minSignal,omitempty" doc:"dBm: no image to a device whose radio hears less; absent: no limit"`
	LowFor     string `json:"lowFor,omitempty" doc:"how long a device below one of them is asked again before it is passed over"`

	Windows  []WindowRule   `json:"windows,omitempty"`
	Freezes  []PolicyFreeze `json:"freezes,omitempty"`
	Openings []Opening      `json:"openings,omitempty" doc:"the next ones; of a check only"`
}

// Hold lets releases mature before some devices get them.
type Hold struct {
	Select    string `json:"select,omitempty" doc:"CEL over one device; absent: every device"`
	Wait      string `json:"wait,omitempty" doc:"after the vendor published the release"`
	Exploited string `json:"exploited,omitempty" doc:"in its place while something that the release closes is being exploited"`
	Release   bool   `json:"release,omitempty" doc:"and only while the device's owner has released it"`
}

func holdOf(h firmward.HoldBack) Hold {
	out := Hold{Select: h.Source, Release: h.Release}
	if h.Wait > 0 {
		out.Wait = span(h.Wait)
	}
	if h.Exploited != nil {
		out.Exploited = span(*h.Exploited)
	}
	return out
}

// WindowRule is a maintenance window that opens on the days of a rule.
type WindowRule struct {
	RRule    string `json:"rrule" doc:"RFC 5545"`
	From     string `json:"from,omitempty" doc:"the day from which it counts"`
	Start    string `json:"start" doc:"by the wall clock"`
	Duration string `json:"duration" doc:"time that passes"`
	Zone     string `json:"zone,omitempty" doc:"absent: that of the site"`
}

// PolicyFreeze is a time in which nothing starts.
type PolicyFreeze struct {
	Name   string    `json:"name"`
	From   string    `json:"from"`
	To     string    `json:"to" doc:"a day is within it"`
	Yearly bool      `json:"yearly"`
	Why    string    `json:"why,omitempty"`
	Begins time.Time `json:"begins,omitzero" doc:"of the time that holds or comes next, in the first zone of a check"`
	Ends   time.Time `json:"ends,omitzero"`
}

// Opening is one time in which a window is open.
type Opening struct {
	Zone string    `json:"zone" doc:"in which a site was assumed to lie"`
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// Wave says whom a wave takes of those that no earlier wave took: one of its fields is set.
type Wave struct {
	Percent int    `json:"percent,omitempty" doc:"until this share of all devices after the canaries is taken"`
	Count   int    `json:"count,omitempty" doc:"so many"`
	Select  string `json:"select,omitempty" doc:"all that match: CEL over one device"`
}

// Ramp is a cap that grows with successes and falls back to its start after a failure.
type Ramp struct {
	Start       int `json:"start"`
	DoubleEvery int `json:"doubleEvery" doc:"successes since the last failure"`
	Max         int `json:"max"`
}

func waveOf(w firmward.Wave) Wave { return Wave{w.Percent, w.Count, w.Source} }

func rampOf(r firmward.Ramp) *Ramp {
	if r == (firmward.Ramp{}) {
		return nil
	}
	return &Ramp{r.Start, r.DoubleEvery, r.Max}
}

func rolloutPolicyOf(p firmward.RolloutPolicy, source string) RolloutPolicy {
	return RolloutPolicy{
		Name: p.Name, Select: source, Waves: each(p.Waves, waveOf), CanarySoak: span(p.CanarySoak), WaveSoak: span(p.WaveSoak), MaxInFlight: p.MaxInFlight,
		CanaryInFlight: p.CanaryInFlight, PerModelInFlight: p.PerModelInFlight, FailureBudget: p.FailureBudget, FailureFloor: p.FailureFloor,
		Approvals: p.Approvals, ApproveWaves: p.ApproveWaves, ApprovalValid: span(p.ApprovalValid), Deadline: span(p.Deadline), CommitWithin: span(p.CommitWithin), Window: p.Hours(),
		RequireOwner: p.RequireOwner, RequireStaged: p.RequireStaged, StagingValid: span(staging.Valid(p)), HoldCore: p.HoldCore, LateJoin: p.LateJoin, HoldBacks: each(p.HoldBacks, holdOf),
		Channels: list(p.Channels), EmergencySoak: span(p.EmergencySoak), Confidence: p.Confidence, FailureCount: p.FailureCount, SilenceCount: p.SilenceCount,
		Inconclusive: p.Inconclusive, SoakMin: p.SoakMin, PerSite: p.PerSite, PerDomain: p.PerDomain, Ramp: rampOf(p.Ramp),
		WorkOrders: span(p.WorkOrders), WakeWithin: span(p.WakeWithin), Restore: map[bool]string{false: "auto", true: "ask"}[p.AskRestore],
		MinBattery: p.MinBattery, MinSignal: p.MinSignal, LowFor: span(p.LowFor),
		Windows: each(p.Windows, func(w firmward.WindowRule) WindowRule {
			return WindowRule{w.RRule, w.From, fmt.Sprintf("%02d:%02d", w.Start/60, w.Start%60), w.Duration.String(), w.Zone}
		}),
		Freezes: each(p.Freezes, func(f firmward.Freeze) PolicyFreeze {
			return PolicyFreeze{Name: f.Name, From: f.From, To: f.To, Yearly: f.Yearly, Why: f.Why}
		}),
	}
}

// RiskPolicy sets the clocks of prioritisation.
type RiskPolicy struct {
	Name             string `json:"name"`
	ExploitedExposed string `json:"exploitedAndExposed"`
	Exploited        string `json:"exploited"`
	Critical         string `json:"critical"`
	High             string `json:"high"`
	Other            string `json:"other"`
	ContainWithin    string `json:"containWithin"`
	ReplaceWithin    string `json:"replaceWithin"`
	LookEvery        string `json:"lookEvery"`

	Version  string                       `json:"version,omitempty"`
	Digest   string                       `json:"digest" doc:"of all values: printed with each score"`
	Select   string                       `json:"select,omitempty" doc:"CEL over one device; absent: every device"`
	Regimes  []firmward.Regime            `json:"regimes" enum:"policy,ssvc,cisa-bod-26-04"`
	SSVC     SSVCTimes                    `json:"ssvc"`
	Segments map[string]firmward.Exposure `json:"segments,omitempty" doc:"exposure of the devices of a network"`
	Weights  RiskWeights                  `json:"weights"`
}

// SSVCTimes is the time that an SSVC outcome leaves; absent: no clock runs.
type SSVCTimes struct {
	Immediate  string `json:"immediate,omitempty"`
	OutOfCycle string `json:"outOfCycle,omitempty"`
	Scheduled  string `json:"scheduled,omitempty"`
}

// RiskWeights are the numbers of the risk formula, 0 to 1.
type RiskWeights struct {
	Reach     map[firmward.Exposure]float64 `json:"reach"`
	Certainty map[firmward.Verdict]float64  `json:"certainty"`
	Prior     float64                       `json:"prior"`
	Unknown   float64                       `json:"unknownDevice"`
	Safety    float64                       `json:"safety"`
	Mission   float64                       `json:"mission"`
	Data      float64                       `json:"data"`
	Lateral   float64                       `json:"lateral"`
}

func riskPolicyOf(p policy.Risk) RiskPolicy {
	return RiskPolicy{
		Name: p.Name, ExploitedExposed: p.ExploitedExposed.String(), Exploited: p.Exploited.String(), Critical: p.Critical.String(), High: p.High.String(), Other: p.Other.String(),
		ContainWithin: p.ContainWithin.String(), ReplaceWithin: p.ReplaceWithin.String(), LookEvery: p.LookEvery.String(),
		Version: p.Version, Digest: p.Digest, Select: p.Source, Regimes: list(p.Regimes),
		SSVC: SSVCTimes{span(p.SSVC.Immediate), span(p.SSVC.OutOfCycle), span(p.SSVC.Scheduled)}, Segments: p.Segments, Weights: RiskWeights(p.Weights),
	}
}

// Policies is a checked policy file.
type Policies struct {
	Rollout []RolloutPolicy `json:"rollout" doc:"tried from top to bottom"`
	Risk    []RiskPolicy    `json:"risk"`
}

// PoliciesOf is a checked policy file in the form of the API.
func PoliciesOf(f policy.File) Policies {
	return Policies{
		each(f.Rollout, func(p policy.Rollout) RolloutPolicy { return rolloutPolicyOf(p.RolloutPolicy, p.Source) }), each(f.Risk, riskPolicyOf),
	}
}

// shownOpenings is how many openings a check shows: enough to see what a rule means.
const shownOpenings = 3

// CheckedPolicies is a checked policy file with what its windows and freezes mean: the next openings from a time on, for a
// site in each of the zones. A policy that is always open has none.
func CheckedPolicies(f policy.File, at time.Time, zones []*time.Location) (Policies, error) {
	out := PoliciesOf(f)
	for i, p := range f.Rollout {
		cal, err := calendar.New(p.RolloutPolicy)
		if err != nil {
			return out, err
		}
		for _, zone := range zones {
			for _, o := range cal.Openings(at.In(zone), shownOpenings) {
				out.Rollout[i].Openings = append(out.Rollout[i].Openings, Opening{zone.String(), o.From, o.To})
			}
		}
		for j, freeze := range p.Freezes {
			if from, to, ok := calendar.Span(freeze, at.In(zones[0])); ok {
				out.Rollout[i].Freezes[j].Begins, out.Rollout[i].Freezes[j].Ends = from, to
			}
		}
	}
	return out, nil
}

func (a *API) policyRoutes() {
	serve(a, spec{method: http.MethodGet, path: "/policies", id: "list-policies", role: firmward.Viewer, tag: "Policies", summary: "The policies in force"},
		func(context.Context, *struct{}) (Policies, error) { return PoliciesOf(a.Control.Policies), nil })
	serve(a, spec{
		method: http.MethodPost, path: "/policies/check", id: "check-policies", role: firmward.Viewer, tag: "Policies", summary: "Check a policy file",
		doc: "The body is the file as YAML. Nothing changes; an error names the line. The answer shows when each window opens next.",
	}, func(_ context.Context, in *struct {
		Name    string `query:"name" default:"policies.yaml" doc:"file name shown in errors"`
		Zone    string `query:"zone" default:"UTC" doc:"time zone in which a site is assumed to lie"`
		RawBody []byte `contentType:"application/yaml"`
	},
	) (Policies, error) {
		zone, err := time.LoadLocation(in.Zone)
		if err != nil || in.Zone == "Local" {
			return Policies{}, firmward.Errorf(firmward.Invalid, in.Zone+" is no time zone: want an IANA name such as Europe/Berlin")
		}
		f, err := a.policyFile(in.RawBody, in.Name)
		if err != nil {
			return Policies{}, err
		}
		return CheckedPolicies(f, a.Control.Clock.Now(), []*time.Location{zone})
	})
	preview := func(ctx context.Context, f policy.File, since string) (PolicyPreview, error) {
		back, err := policy.ParseDuration(since)
		if err != nil {
			return PolicyPreview{}, &firmward.Error{Code: firmward.Invalid, Message: "since", Err: err}
		}
		p, err := a.Control.PreviewPolicies(ctx, f, a.Control.Clock.Now().Add(-back))
		return policyPreviewOf(p), err
	}
	serve(a, spec{
		method: http.MethodGet, path: "/policies/preview", id: "preview-policies", role: firmward.Viewer, tag: "Policies", summary: "What the policies in force mean for the inventory",
		doc: "How many devices fall under each rollout policy, and which of them fell under another one some time ago.",
	}, func(ctx context.Context, in *struct {
		Since string `query:"since" default:"24h" doc:"how far back changes are told, such as 36h or 7d"`
	},
	) (PolicyPreview, error) {
		return preview(ctx, a.Control.Policies, in.Since)
	})
	serve(a, spec{
		method: http.MethodPost, path: "/policies/preview", id: "preview-policy-file", role: firmward.Viewer, tag: "Policies", summary: "What a policy file would mean for the inventory",
		doc: "The body is the file as YAML. Nothing changes.",
	}, func(ctx context.Context, in *struct {
		Name    string `query:"name" default:"policies.yaml" doc:"file name shown in errors"`
		Since   string `query:"since" default:"24h" doc:"how far back changes are told, such as 36h or 7d"`
		RawBody []byte `contentType:"application/yaml"`
	},
	) (PolicyPreview, error) {
		f, err := a.policyFile(in.RawBody, in.Name)
		if err != nil {
			return PolicyPreview{}, err
		}
		return preview(ctx, f, in.Since)
	})
}

// policyFile reads a policy file that somebody sends.
func (a *API) policyFile(b []byte, name string) (policy.File, error) {
	f, err := policy.ParseAt(b, fileName(name), a.Control.Clock.Now())
	if firmward.CodeOf(err) == firmward.Internal {
		err = &firmward.Error{Code: firmward.Invalid, Message: "the policy file is wrong", Err: err}
	}
	return f, err
}
