package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/priority"
	"github.com/firmward/firmward/remedy"
	"github.com/firmward/firmward/store"
)

// NextStep is the one next step of a device.
type NextStep struct {
	DeviceID       string           `json:"deviceId"`
	Device         string           `json:"device" doc:"its name"`
	Site           string           `json:"site,omitempty"`
	Bucket         string           `json:"bucket" enum:"act-now,plan,watch,accept"`
	Now            Phase            `json:"now"`
	Then           *Phase           `json:"then,omitempty"`
	Finally        *Phase           `json:"finally,omitempty"`
	Urgency        string           `json:"urgency,omitempty" enum:"fix now,this week,at next check,watch"`
	Why            []string         `json:"why" doc:"strongest first"`
	Flags          []string         `json:"flags" doc:"what stands beside the risk and is not in it"`
	TakenOver      bool             `json:"takenOver" doc:"exploited and reachable from the internet: assume that somebody is in"`
	Blocker        string           `json:"blocker,omitempty" doc:"what keeps it from happening"`
	BlockerCode    string           `json:"blockerCode,omitempty"`
	Risk           int              `json:"risk" doc:"0 to 100"`
	RiskAfter      int              `json:"riskAfter" doc:"expected once it is done"`
	Counterfactual string           `json:"counterfactual,omitempty"`
	Otherwise      []Counterfactual `json:"otherwise" doc:"what each act that is open would make of the risk, the best first"`
	Clocks         []DueClock       `json:"clocks" doc:"one of each rule in force, the strictest first"`
	Factors        *RiskFactors     `json:"factors,omitempty" doc:"all that the risk was made of"`
	Knowledge      string           `json:"knowledge" doc:"how deep the knowledge behind it is"`
	Ref            string           `json:"ref,omitempty" doc:"rollout, work order or containment that carries it"`
	Fix            *Mending         `json:"fix,omitempty" doc:"what would mend it; steps with the same fix are one piece of work"`
	Support        Support          `json:"support"`
	DecidedAt      time.Time        `json:"decidedAt"`
}

// Mending is a version that would mend a device, with what it is worth there.
type Mending struct {
	Model   string `json:"model"`
	Version string `json:"version"`
	Release string `json:"release,omitempty" doc:"id when its file is in the depot"`
	Closes  int    `json:"closes" doc:"findings that it mends"`
	Minutes int    `json:"minutes" doc:"maintenance time of the device"`
}

// Support says how long somebody still mends the device.
type Support struct {
	State    string    `json:"state" enum:"supported,ending,ended,unknown"`
	End      time.Time `json:"end,omitzero" doc:"absent when unknown"`
	Forecast string    `json:"forecast" enum:"now,12-months,18-months,later,unknown"`
	Source   string    `json:"source,omitempty"`
}

// Phase is one part of the answer "now, then, finally".
type Phase struct {
	Kind   firmward.StepKind `json:"kind" enum:"patch,ask,contain,replace,retire,accept,wait,look"`
	Action string            `json:"action"`
	By     time.Time         `json:"by,omitzero" doc:"absent when no clock runs"`
	Rule   string            `json:"rule,omitempty" doc:"which clock"`
}

func phaseOf(p *firmward.Phase) *Phase {
	if p == nil {
		return nil
	}
	return &Phase{p.Kind, p.Action, p.By, p.Rule}
}

// nextStepOf shows at most so many findings among the factors.
func nextStepOf(s firmward.NextStep, d firmward.Device, most int) NextStep {
	return NextStep{
		Fix: (*Mending)(s.Fix), Support: Support(s.Support), DeviceID: s.DeviceID, Device: d.Name, Site: d.Site, Bucket: s.Bucket(), Now: *phaseOf(&s.Now), Then: phaseOf(s.Then), Finally: phaseOf(s.Finally),
		Why: list(s.Why), Blocker: s.Blocker, BlockerCode: s.BlockerCode, Risk: s.Risk, RiskAfter: s.RiskAfter, Counterfactual: s.Counterfactual,
		Knowledge: s.Knowledge, Ref: s.Ref, DecidedAt: s.DecidedAt,
		Urgency: string(s.Urgency), Flags: list(s.Flags), TakenOver: s.TakenOver, Factors: riskFactorsOf(s.Factors, most),
		Otherwise: each(s.Otherwise, func(c firmward.Counterfactual) Counterfactual { return Counterfactual(c) }),
		Clocks:    each(s.Clocks, func(c firmward.Clock) DueClock { return DueClock(c) }),
	}
}

// NextSteps is a page of next steps with the sums over all devices.
type NextSteps struct {
	Items     []NextStep  `json:"items"`
	Next      string      `json:"next,omitempty"`
	Counts    []StepCount `json:"counts" doc:"over all devices, whatever the filter"`
	Devices   int         `json:"devices" doc:"devices that are not retired"`
	Knowledge string      `json:"knowledge" doc:"how deep the feeds are: without findings is not without risk"`
	StopAll   bool        `json:"stopAll" doc:"the red button is pressed: nothing starts"`
}

// StepCount is the number of devices with one kind of step in one bucket.
type StepCount struct {
	Kind   firmward.StepKind `json:"kind"`
	Bucket string            `json:"bucket"`
	N      int               `json:"n"`
}

func (a *API) nextRoutes() {
	serve(a, spec{
		method: http.MethodGet, path: "/next", id: "list-next-steps", role: firmward.Viewer, tag: "Next steps", summary: "The one next step of every device",
		doc: "The order of work: the earliest day of a deadline first, then the highest risk; what waits comes last. " + priority.Formula + ".",
	}, func(ctx context.Context, in *struct {
		PageInput
		Kind   firmward.StepKind `query:"kind" enum:"patch,ask,contain,replace,retire,accept,wait,look"`
		Bucket string            `query:"bucket" enum:"act-now,plan,watch,accept"`
		Site   string            `query:"site"`
	},
	) (NextSteps, error) {
		l, next, err := a.Store.NextSteps(ctx, store.StepFilter{Kind: in.Kind, Bucket: in.Bucket, Site: in.Site}, in.page())
		if err != nil {
			return NextSteps{}, err
		}
		device := a.names(ctx)
		out := NextSteps{Next: next, Items: each(l, func(s firmward.NextStep) NextStep { return nextStepOf(s, device(s.DeviceID), inList) })}
		counts, err := a.Store.CountSteps(ctx)
		if err != nil {
			return out, err
		}
		out.Counts = each(counts, func(c store.StepCount) StepCount { return StepCount(c) })
		devices, err := a.Store.CountDevices(ctx)
		if err != nil {
			return out, err
		}
		for _, c := range devices {
			out.Devices += c.N
		}
		feeds, err := a.Control.FeedStatuses(ctx)
		if err != nil {
			return out, err
		}
		out.Knowledge = remedy.Depth(feeds)
		stop, err := a.Store.StopAll(ctx)
		out.StopAll = stop.On
		return out, err
	})
}
