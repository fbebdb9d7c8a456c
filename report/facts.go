package report

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

// Facts of an evidence file, each under its name. They are lists of what may go out: a field that the house learns later
// is not in a file until it is written here.
type (
	deviceFact struct {
		ID           string          `json:"id"`
		Name         string          `json:"name"`
		Site         string          `json:"site,omitempty"`
		Network      string          `json:"network,omitempty"`
		Zone         firmward.Zone   `json:"zone,omitempty"`
		Class        firmward.Class  `json:"class,omitempty"`
		Vendor       string          `json:"vendor,omitempty"`
		Model        string          `json:"model,omitempty"`
		Hardware     string          `json:"hardware,omitempty"`
		Serial       string          `json:"serial,omitempty"`
		Firmware     string          `json:"firmware,omitempty"`
		Addresses    []netip.Addr    `json:"addresses,omitempty"`
		MACs         []string        `json:"macs,omitempty"`
		Origin       firmward.Origin `json:"origin,omitempty"`
		Owner        string          `json:"owner,omitempty"`
		Function     string          `json:"function,omitempty"`
		Criticality  int             `json:"criticality,omitempty"`
		Exposed      bool            `json:"exposed"`
		NeverContain bool            `json:"neverContain"`
		Retired      bool            `json:"retired"`
		FirstSeen    time.Time       `json:"firstSeen,omitzero"`
		LastSeen     time.Time       `json:"lastSeen,omitzero"`
	}
	claimFact struct {
		Device      string         `json:"device"`
		Field       firmward.Field `json:"field"`
		Value       string         `json:"value"`
		Source      string         `json:"source"`
		Rule        string         `json:"rule,omitempty"`
		Raw         string         `json:"raw,omitempty"`
		Observation string         `json:"observation,omitempty"`
		Address     netip.Addr     `json:"address,omitzero"`
		At          time.Time      `json:"at,omitzero"`
		Confidence  int            `json:"confidence"`
		Beaten      bool           `json:"beaten,omitempty"` // another claim of this field won
		Why         string         `json:"why,omitempty"`    // the other one won
	}
	observationFact struct {
		Device   string           `json:"device"`
		ID       string           `json:"id"`
		Probe    string           `json:"probe"`
		Address  netip.Addr       `json:"address,omitzero"`
		Port     uint16           `json:"port,omitempty"`
		At       time.Time        `json:"at"`
		Outcome  firmward.Outcome `json:"outcome"`
		Note     string           `json:"note,omitempty"`
		Readings [][2]string      `json:"readings,omitempty"` // name and value
	}
	explanation struct {
		Text     string        `json:"text"`
		Result   string        `json:"result,omitempty"`
		Source   string        `json:"source,omitempty"`
		Children []explanation `json:"children,omitempty"`
	}
	findingFact struct {
		Device     string           `json:"device"`
		Advisory   string           `json:"advisory"`
		Verdict    firmward.Verdict `json:"verdict"`
		Reason     string           `json:"reason"`
		Why        explanation      `json:"why"`
		Score      float64          `json:"score,omitempty"`
		Exploited  bool             `json:"exploited"`
		Likelihood float64          `json:"likelihood,omitempty"`
		FixedIn    string           `json:"fixedIn,omitempty"`
		NoFix      bool             `json:"noFix,omitempty"`
		Published  time.Time        `json:"published,omitzero"`
		Firmware   string           `json:"firmware,omitempty"`
		Snapshot   int64            `json:"snapshot"`
		OpenedAt   time.Time        `json:"openedAt"`
		ClosedAt   time.Time        `json:"closedAt,omitzero"`
		ClosedBy   string           `json:"closedBy,omitempty"`
	}
	stepFact struct {
		Device    string            `json:"device"`
		Kind      firmward.StepKind `json:"kind"`
		Action    string            `json:"action"`
		By        time.Time         `json:"by,omitzero"`
		Rule      string            `json:"rule,omitempty"`
		Why       []string          `json:"why,omitempty"`
		Blocker   string            `json:"blocker,omitempty"`
		Risk      int               `json:"risk"`
		RiskAfter int               `json:"riskAfter"`
		Knowledge string            `json:"knowledge"`
		DecidedAt time.Time         `json:"decidedAt"`
	}
	exceptionFact struct {
		ID       string                 `json:"id"`
		Kind     firmward.ExceptionKind `json:"kind"`
		DeviceID string                 `json:"device,omitempty"`
		Advisory string                 `json:"advisory,omitempty"`
		Reason   string                 `json:"reason"`
		Ground   firmward.Ground        `json:"ground,omitempty"`
		Author   string                 `json:"author"`
		Second   bool                   `json:"second,omitempty"`
		Approver string                 `json:"approver,omitempty"`
		Created  time.Time              `json:"created"`
		Expires  time.Time              `json:"expires"`
		Premise  *premiseFact           `json:"premise,omitempty"`
		FellAt   time.Time              `json:"fellAt,omitzero"`
		FellWhy  string                 `json:"fellWhy,omitempty"`
	}
	premiseFact struct {
		Exploited []string         `json:"exploited,omitempty"`
		Exposed   bool             `json:"exposed,omitempty"`
		Verdict   firmward.Verdict `json:"verdict,omitempty"`
		Reason    string           `json:"reason,omitempty"`
		Firmware  string           `json:"firmware,omitempty"`
		Control   string           `json:"control,omitempty"`
	}
	serviceFact struct {
		Probe  string `json:"probe"`
		OK     bool   `json:"ok"`
		Note   string `json:"note,omitempty"`
		Behind string `json:"behind,omitempty"`
	}
	approvalFact struct {
		Actor string    `json:"actor"`
		Wave  int       `json:"wave"`
		At    time.Time `json:"at"`
		Note  string    `json:"note,omitempty"`
	}
	rolloutFact struct {
		ID        string                `json:"id"`
		Release   string                `json:"release"`
		Policy    string                `json:"policy"`
		State     firmward.RolloutState `json:"state"`
		Why       string                `json:"why,omitempty"`
		Author    string                `json:"author"`
		Created   time.Time             `json:"created"`
		Asked     int                   `json:"approvalsAsked"`
		Approvals []approvalFact        `json:"approvals,omitempty"`
		Staging   string                `json:"staging,omitempty"`
		Rehearsal bool                  `json:"rehearsal"`
		Total     int                   `json:"total"`
		Started   int                   `json:"started"`
		Succeeded int                   `json:"succeeded"`
		Failed    int                   `json:"failed"`
	}
	targetFact struct {
		Rollout    string               `json:"rollout"`
		Device     string               `json:"device"`
		Wave       int                  `json:"wave"`
		State      firmward.TargetState `json:"state"`
		Why        string               `json:"why,omitempty"`
		Code       string               `json:"code,omitempty"`
		From       string               `json:"from,omitempty"`
		Want       string               `json:"want"`
		SawNew     bool                 `json:"sawNew"`
		Baseline   []serviceFact        `json:"baseline,omitempty"`
		Closed     []string             `json:"closed,omitempty"`
		StillOpen  []string             `json:"stillOpen,omitempty"`
		StartedAt  time.Time            `json:"startedAt,omitzero"`
		AcceptedAt time.Time            `json:"acceptedAt,omitzero"`
		SoakedAt   time.Time            `json:"soakedAt,omitzero"`
		EndedAt    time.Time            `json:"endedAt,omitzero"`
	}
	releaseFact struct {
		ID        string    `json:"id"`
		Vendor    string    `json:"vendor"`
		Models    []string  `json:"models"`
		Hardware  []string  `json:"hardware"`
		Version   string    `json:"version"`
		SHA256    string    `json:"sha256"`
		Size      int64     `json:"size"`
		Origin    string    `json:"origin,omitempty"`
		Signed    string    `json:"signed"`
		Fixes     []string  `json:"fixes,omitempty"`
		Withdrawn time.Time `json:"withdrawn,omitzero"`
		WhyGone   string    `json:"whyGone,omitempty"`
		By        string    `json:"by"`
		At        time.Time `json:"at"`
	}
	stagingFact struct {
		ReleaseID   string         `json:"release"`
		SHA256      string         `json:"sha256"`
		Path        string         `json:"path"`
		Model       string         `json:"model"`
		Hardware    string         `json:"hardware"`
		Config      string         `json:"config,omitempty"`
		From        string         `json:"from,omitempty"`
		Result      string         `json:"result"`
		Why         string         `json:"why,omitempty"`
		SpareID     string         `json:"spare,omitempty"`
		Place       firmward.Place `json:"place,omitempty"`
		At          time.Time      `json:"at"`
		Expires     time.Time      `json:"expires,omitzero"`
		Checks      []checkFact    `json:"checks,omitempty"`
		NotMirrored []string       `json:"notMirrored,omitempty"`
		Reached     []string       `json:"reached,omitempty"`
	}
	checkFact struct {
		Name    string `json:"name"`
		Before  string `json:"before,omitempty"`
		After   string `json:"after,omitempty"`
		Verdict string `json:"verdict"`
		Why     string `json:"why"`
	}
	workFact struct {
		ID         string             `json:"id"`
		Device     string             `json:"device"`
		Kind       string             `json:"kind"`
		Title      string             `json:"title"`
		Assignee   string             `json:"assignee,omitempty"`
		From       string             `json:"from,omitempty"`
		Want       string             `json:"want,omitempty"`
		State      firmward.WorkState `json:"state"`
		Why        string             `json:"why,omitempty"`
		Due        time.Time          `json:"due,omitzero"`
		Created    time.Time          `json:"created"`
		ReportedBy string             `json:"reportedBy,omitempty"`
		ReportedAt time.Time          `json:"reportedAt,omitzero"`
		ClosedAt   time.Time          `json:"closedAt,omitzero"`
		Evidence   string             `json:"evidence,omitempty"`
	}
	containmentFact struct {
		ID        string                `json:"id"`
		Device    string                `json:"device"`
		State     firmward.ContainState `json:"state"`
		Why       string                `json:"why,omitempty"`
		Code      string                `json:"code,omitempty"`
		Enforcer  string                `json:"enforcer,omitempty"`
		Rules     []string              `json:"rules,omitempty"`
		Proof     []serviceFact         `json:"proof,omitempty"`
		By        string                `json:"by"`
		Created   time.Time             `json:"created"`
		ReleaseBy string                `json:"releaseBy,omitempty"`
		ReleaseOn string                `json:"releaseOn,omitempty"`
		EndedAt   time.Time             `json:"endedAt,omitzero"`
	}
	// feedFact says what was known of the world, and how old that is.
	feedFact struct {
		Name     string    `json:"name"`
		Kind     string    `json:"kind"`
		Records  int       `json:"records"`
		Refused  int       `json:"refused,omitempty"`
		Dated    time.Time `json:"dated,omitzero"`
		Imported time.Time `json:"imported,omitzero"`
		Document string    `json:"document,omitempty"`
	}
	// sentFact sums up what was sent to an address for one purpose. The record keeps the newest 500 writes of an address.
	sentFact struct {
		Device  string     `json:"device"`
		Address netip.Addr `json:"address"`
		Purpose string     `json:"purpose"`
		Network string     `json:"network"`
		Port    uint16     `json:"port"`
		Writes  int        `json:"writes"`
		Bytes   int        `json:"bytes"`
		First   time.Time  `json:"first"`
		Last    time.Time  `json:"last"`
	}
)

func deviceOf(d firmward.Device) deviceFact {
	return deviceFact{
		d.ID, d.Name, d.Site, d.Network, d.Zone, d.Class, d.Vendor, d.Model, d.Hardware, d.Serial, d.Firmware, d.Addrs, d.MACs, d.Origin,
		d.Owner, d.Function, d.Criticality, d.Exposed, d.NeverContain, d.Retired, d.FirstSeen, d.LastSeen,
	}
}

func feedOf(f firmward.FeedStatus) feedFact {
	return feedFact{f.Name, f.Kind, f.Records, f.Refused, f.Dated, f.Imported, f.Document}
}

func claimOf(device string, c firmward.Claim) claimFact {
	return claimFact{
		Device: device, Field: c.Field, Value: c.Value, Source: c.Source, Rule: c.Rule, Raw: c.Raw, Observation: c.Observation,
		Address: c.Addr, At: c.At, Confidence: c.Confidence,
	}
}

// observationOf tells its readings only where they are asked for.
func observationOf(device string, o firmward.Observation, readings bool) observationFact {
	f := observationFact{Device: device, ID: o.ID, Probe: o.Probe, Address: o.Addr, Port: o.Port, At: o.At, Outcome: o.Outcome, Note: o.Note}
	if readings {
		f.Readings = each(o.Readings, func(r firmward.Reading) [2]string { return [2]string{r.Name, r.Value} })
	}
	return f
}

func explanationOf(e firmward.Explanation) explanation {
	return explanation{e.Text, e.Result, e.Source, each(e.Children, explanationOf)}
}

func findingOf(f firmward.Finding) findingFact {
	return findingFact{
		f.DeviceID, f.AdvisoryID, f.Verdict, f.Reason, explanationOf(f.Explanation), f.Score, f.Exploited, f.Likelihood, f.FixedIn, f.NoFix,
		f.Published, f.Firmware, f.Snapshot, f.OpenedAt, f.ClosedAt, f.ClosedBy,
	}
}

func stepOf(s firmward.NextStep) stepFact {
	return stepFact{s.DeviceID, s.Now.Kind, s.Now.Action, s.Now.By, s.Now.Rule, s.Why, s.Blocker, s.Risk, s.RiskAfter, s.Knowledge, s.DecidedAt}
}

func exceptionOf(e firmward.Exception) exceptionFact {
	return exceptionFact{
		e.ID, e.Kind, e.DeviceID, e.Advisory, e.Reason, e.Ground, e.Author, e.Second, e.Approver, e.Created, e.Expires, (*premiseFact)(e.Premise), e.FellAt, e.FellWhy,
	}
}

func serviceOf(s firmward.ServiceState) serviceFact { return serviceFact(s) }

func rolloutOf(r firmward.Rollout) rolloutFact {
	return rolloutFact{
		r.ID, r.ReleaseID, r.Policy.Name, r.State, r.Why, r.Author, r.Created, r.Policy.Approvals,
		each(r.Approvals, func(a firmward.Approval) approvalFact { return approvalFact(a) }), r.Staging, r.Rehearsal, r.Total, r.Started, r.Succeeded, r.Failed,
	}
}

func targetOf(t firmward.Target) targetFact {
	return targetFact{
		t.RolloutID, t.DeviceID, t.Wave, t.State, t.Why, t.Code, t.From, t.Want, t.SawNew, each(t.Baseline, serviceOf), t.Closed(), t.StillOpen, t.StartedAt, t.AcceptedAt, t.SoakedAt, t.EndedAt,
	}
}

func releaseOf(r firmward.Release) releaseFact {
	return releaseFact{r.ID, r.Vendor, r.Models, r.Hardware, r.Version, r.SHA256, r.Size, r.Origin, r.Signed, r.Fixes, r.Withdrawn, r.WhyGone, r.By, r.At}
}

func workOf(w firmward.WorkOrder) workFact {
	return workFact{
		w.ID, w.DeviceID, w.Kind, w.Title, w.Assignee, w.From, w.Want, w.State, w.Why, w.Due, w.Created, w.ReportedBy, w.ReportedAt, w.ClosedAt, w.Evidence,
	}
}

func containmentOf(c firmward.Containment) containmentFact {
	return containmentFact{
		c.ID, c.DeviceID, c.State, c.Why, c.Code, c.Enforcer, each(c.Rules, ruleText), each(c.Proof, serviceOf), c.By, c.Created, c.ReleaseBy, c.ReleaseOn, c.EndedAt,
	}
}

// ruleText writes a rule as people read it: "allow from 192.0.2.7 to 192.0.2.1/32 udp 53".
func ruleText(r firmward.AccessRule) string {
	verb := "deny"
	if r.Allow {
		verb = "allow"
	}
	port := "any port"
	if r.Port != 0 {
		port = "port " + strconv.Itoa(int(r.Port))
	}
	return verb + " " + r.Direction + " " + r.Device.String() + ", peer " + r.Peer.String() + ", " + cmp.Or(r.Proto, "any") + " " + port
}

// sentOf sums up writes by purpose and port, in that order.
func sentOf(device string, writes []store.Transmission) []sentFact {
	type kind struct {
		purpose, network string
		port             uint16
	}
	sums := map[kind]*sentFact{}
	for _, w := range writes {
		k := kind{w.Purpose, w.Network, w.Port}
		s := sums[k]
		if s == nil {
			s = &sentFact{Device: device, Address: w.Addr, Purpose: w.Purpose, Network: w.Network, Port: w.Port, First: w.At, Last: w.At}
			sums[k] = s
		}
		s.Writes++
		s.Bytes += w.Total
		if w.At.Before(s.First) {
			s.First = w.At
		}
		if w.At.After(s.Last) {
			s.Last = w.At
		}
	}
	out := make([]sentFact, 0, len(sums))
	for _, s := range sums {
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b sentFact) int {
		return cmp.Or(cmp.Compare(a.Purpose, b.Purpose), cmp.Compare(a.Network, b.Network), cmp.Compare(a.Port, b.Port))
	})
	return out
}

func each[F, T any](from []F, form func(F) T) []T {
	out := make([]T, 0, len(from))
	for _, v := range from {
		out = append(out, form(v))
	}
	return out
}

func stagingOf(v firmward.StagingVerdict) stagingFact {
	return stagingFact{
		v.ReleaseID, v.SHA256, v.Path, v.Model, v.Hardware, v.Config.Class, v.From, v.Result, v.Why, v.SpareID, v.Place, v.At, v.Expires,
		each(v.Checks, func(c firmward.StagingCheck) checkFact { return checkFact(c) }), v.NotMirrored, v.Reached,
	}
}
