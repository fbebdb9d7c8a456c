package httpapi

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/assess"
	"github.com/firmward/firmward/control"
)

// Explained is why an advisory concerns a device, or why it does not.
type Explained struct {
	DeviceID   string          `json:"deviceId"`
	Device     string          `json:"device" doc:"its name"`
	Advisory   string          `json:"advisory"`
	Outcome    control.Outcome `json:"outcome" enum:"finding,evaluated-now,other-product,rejected,unknown,none-then"`
	Text       string          `json:"text,omitempty" doc:"why there is no finding"`
	At         time.Time       `json:"at,omitzero" doc:"the time that was asked for; absent: now"`
	Finding    *Finding        `json:"finding,omitempty" doc:"with its explanation"`
	Records    []RecordRef     `json:"records" doc:"on which the verdict rests, the closest to the facts first"`
	Digest     string          `json:"digest,omitempty" doc:"sum over the answer: equal for the same device and records"`
	Since      time.Time       `json:"since,omitzero" doc:"since when the finding says this"`
	Until      time.Time       `json:"until,omitzero" doc:"absent while it is in force"`
	Replay     *Replay         `json:"replay,omitempty" doc:"only for an earlier time"`
	NextStep   *NextStep       `json:"nextStep,omitempty" doc:"of the device, only for now"`
	Exceptions []Exception     `json:"exceptions" doc:"that cover it now"`
}

// RecordRef names one source's record as it was used.
type RecordRef struct {
	Source   string    `json:"source"`
	Document string    `json:"document,omitempty"`
	Dated    time.Time `json:"dated,omitzero" doc:"the document's own date"`
	Modified time.Time `json:"modified,omitzero"`
}

// Replay says whether the same evidence gives the same answer today.
type Replay struct {
	Result  assess.ReplayResult `json:"result" enum:"same,differs,not-possible"`
	Text    string              `json:"text"`
	Verdict firmward.Verdict    `json:"verdict,omitempty" doc:"what comes out today, where that differs"`
	Digest  string              `json:"digest,omitempty"`
}

func explainedOf(x control.Explained, at, now time.Time) Explained {
	out := Explained{
		DeviceID: x.Device.ID, Device: x.Device.Name, Advisory: x.Advisory, Outcome: x.Outcome, Text: x.Text, At: at,
		Records: []RecordRef{}, Exceptions: each(x.Excused, exceptionOf(now)),
	}
	if f := x.Form; f != nil {
		finding := findingOf(f.Finding, x.Device.Name, true)
		out.Finding, out.Digest, out.Since, out.Until = &finding, f.Digest, f.Since, f.Until
		out.Records = each(f.Records, func(r firmward.RecordRef) RecordRef { return RecordRef(r) })
	}
	if r := x.Replay; r != nil {
		out.Replay = &Replay{Result: r.Result, Text: r.Text}
		if r.Finding != nil {
			out.Replay.Verdict, out.Replay.Digest = r.Finding.Verdict, r.Finding.Digest
		}
	}
	if x.Step != nil {
		step := nextStepOf(*x.Step, x.Device, len(x.Step.Factors.Findings))
		out.NextStep = &step
	}
	return out
}

func (a *API) explainRoutes() {
	serve(a, spec{
		method: http.MethodGet, path: "/devices/{ref}/findings/{cve}/explain", id: "explain-finding", role: firmward.Viewer, tag: "Findings",
		summary: "Why an advisory concerns a device, or why not",
		doc: "Without a finding the advisory is judged for this question, so that there is always an answer. With a time: what was so then, and whether the same " +
			"device and records give the same answer today.",
	}, func(ctx context.Context, in *struct {
		Ref
		CVE string    `path:"cve" doc:"id of the advisory"`
		At  time.Time `query:"at" doc:"RFC 3339; now unless given"`
	},
	) (Explained, error) {
		x, err := a.Control.Explain(ctx, in.Ref.Ref, advisoryID(in.CVE), in.At)
		return explainedOf(x, in.At, a.Control.Clock.Now()), err
	})
}

// advisoryID lets people write CVE ids in lower case.
func advisoryID(s string) string {
	if len(s) > 4 && strings.EqualFold(s[:4], "CVE-") {
		return strings.ToUpper(s)
	}
	return s
}
