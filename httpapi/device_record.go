package httpapi

import (
	"cmp"
	"context"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

// DeviceDetail is all that is known of one device.
type DeviceDetail struct {
	Device         Device          `json:"device"`
	Claims         []Claim         `json:"claims" doc:"the evidence: the winner first per field"`
	Contradictions []Contradiction `json:"contradictions"`
	Model          Model           `json:"model" doc:"the model card"`
	Findings       []Finding       `json:"findings" doc:"open ones first"`
	NextStep       *NextStep       `json:"nextStep,omitempty" doc:"absent until the device was weighed"`
	WorkOrders     []WorkOrder     `json:"workOrders"`
	Containments   []Containment   `json:"containments"`
	Targets        []Target        `json:"targets" doc:"its part in rollouts"`
	Exceptions     []Exception     `json:"exceptions" doc:"ended ones too: see their state"`
	Relations      []Relation      `json:"relations"`
	Merges         []Merge         `json:"merges" doc:"devices that turned out to be this one; each can be split off again"`
}

// Claim is one statement about one field, with its evidence.
type Claim struct {
	Field       firmward.Field `json:"field"`
	Value       string         `json:"value"`
	Confidence  int            `json:"confidence" doc:"0 to 100"`
	Source      string         `json:"source"`
	Rule        string         `json:"rule,omitempty"`
	Raw         string         `json:"raw,omitempty" doc:"what was seen"`
	Observation string         `json:"observation,omitempty"`
	Address     string         `json:"address,omitempty"`
	At          time.Time      `json:"at,omitzero"`
}

func claimOf(c firmward.Claim) Claim {
	out := Claim{Field: c.Field, Value: c.Value, Confidence: c.Confidence, Source: c.Source, Rule: c.Rule, Raw: c.Raw, Observation: c.Observation, At: c.At}
	if c.Addr.IsValid() {
		out.Address = c.Addr.String()
	}
	return out
}

// Contradiction is a field for which evidence says two things.
type Contradiction struct {
	Field  firmward.Field `json:"field"`
	Chosen Claim          `json:"chosen"`
	Others []Claim        `json:"others"`
	Why    string         `json:"why"`
}

func contradictionOf(c firmward.Contradiction) Contradiction {
	return Contradiction{c.Field, claimOf(c.Chosen), each(c.Others, claimOf), c.Why}
}

// Fact is a value of a model card with its source. An empty value is not known.
type Fact struct {
	Value  string `json:"value,omitempty"`
	Source string `json:"source,omitempty"`
	Date   string `json:"date,omitempty" doc:"day on which the source was read"`
}

// Model is the model card.
type Model struct {
	Family     string         `json:"family,omitempty"`
	Vendor     string         `json:"vendor,omitempty"`
	Name       string         `json:"name,omitempty"`
	Class      firmward.Class `json:"class,omitempty"`
	Mechanism  Fact           `json:"mechanism"`
	MayPatch   Fact           `json:"mayPatch"`
	Signed     Fact           `json:"signed"`
	AutoUpdate Fact           `json:"autoUpdate"`
	Rollback   Fact           `json:"rollback"`
	Outage     Fact           `json:"outageMinutes"`
	SupportEnd Fact           `json:"supportEnd"`
	Recovery   Fact           `json:"recovery"`
	Settle     Fact           `json:"settleMinutes"`
	Driver     string         `json:"driver,omitempty"`
	CPE        []string       `json:"cpe"`
	Update     *Instruction   `json:"update,omitempty"`
}

func modelOf(m firmward.Model) Model {
	return Model{
		Family: m.Family, Vendor: m.Vendor, Name: m.Name, Class: m.Class, Mechanism: Fact(m.Mechanism), MayPatch: Fact(m.MayPatch),
		Signed: Fact(m.Signed), AutoUpdate: Fact(m.AutoUpdate), Rollback: Fact(m.Rollback), Outage: Fact(m.Outage), SupportEnd: Fact(m.SupportEnd),
		Recovery: Fact(m.Recovery), Settle: Fact(m.Settle), Driver: m.Driver, CPE: list(m.CPE), Update: instructionOf(m.Update),
	}
}

// Relation is one known edge between two devices.
type Relation struct {
	From     string                `json:"from" doc:"id of the device that depends"`
	FromName string                `json:"fromName"`
	To       string                `json:"to" doc:"id of the one that it depends on"`
	ToName   string                `json:"toName"`
	Kind     firmward.RelationKind `json:"kind"`
	Source   string                `json:"source" doc:"who or what said so: probe:hue, person:anna"`
}

func relationOf(e firmward.Relation, names func(string) firmward.Device) Relation {
	return Relation{e.From, names(e.From).Name, e.To, names(e.To).Name, e.Kind, e.Source}
}

// FieldChange is one changed field of a device.
type FieldChange struct {
	At     time.Time `json:"at"`
	Field  string    `json:"field"`
	Before string    `json:"before,omitempty" doc:"as JSON"`
	After  string    `json:"after" doc:"as JSON"`
	Actor  string    `json:"actor"`
	Source string    `json:"source"`
}

// Transmission is one write to a device: every byte that firmward sent, and why.
type Transmission struct {
	At      time.Time `json:"at"`
	Address string    `json:"address"`
	Network string    `json:"network" enum:"tcp,udp"`
	Port    uint16    `json:"port"`
	Purpose string    `json:"purpose" doc:"probe, driver or enforcer"`
	Text    string    `json:"text" doc:"the bytes; what is no text is escaped as in Go"`
	Total   int       `json:"total" doc:"bytes really sent"`
}

func transmissionOf(t store.Transmission) Transmission {
	return Transmission{At: t.At, Address: t.Addr.String(), Network: t.Network, Port: t.Port, Purpose: t.Purpose, Text: readable(t.Bytes), Total: t.Total}
}

// readable shows bytes: as they are when they are text, else escaped.
func readable(b []byte) string {
	if isText(b) {
		return string(b)
	}
	q := strconv.QuoteToASCII(string(b))
	return q[1 : len(q)-1]
}

// isText reports whether bytes can be shown as they are.
func isText(b []byte) bool {
	odd := func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' && r != '\r' && r != '\t' }
	return utf8.Valid(b) && !strings.ContainsFunc(string(b), odd)
}

func (a *API) deviceRecordRoutes() {
	serve(a, spec{method: http.MethodGet, path: "/devices/{ref}", id: "get-device", role: firmward.Viewer, tag: "Devices", summary: "All that is known of a device"},
		func(ctx context.Context, in *Ref) (DeviceDetail, error) { return a.deviceDetail(ctx, in.Ref) })
	serve(a, spec{method: http.MethodGet, path: "/devices/{ref}/history", id: "get-device-history", role: firmward.Viewer, tag: "Devices", summary: "What changed on a device, newest first"},
		func(ctx context.Context, in *struct {
			Ref
			PageInput
		},
		) (Page[FieldChange], error) {
			d, err := a.Control.Find(ctx, in.Ref.Ref)
			if err != nil {
				return Page[FieldChange]{}, err
			}
			l, next, err := a.Store.HistoryOf(ctx, d.ID, in.page())
			return pageOf(l, next, err, func(c store.FieldChange) FieldChange {
				return FieldChange{c.At, c.Field, c.Before, c.After, c.Actor, c.Source}
			})
		})
	serve(a, spec{
		method: http.MethodGet, path: "/devices/{ref}/then", id: "get-device-then", role: firmward.Viewer, tag: "Devices",
		summary: "What was known of a device at a time", doc: "From the recorded history of its fields. When it was last seen is not part of that.",
	}, func(ctx context.Context, in *struct {
		Ref
		At time.Time `query:"at" required:"true" doc:"RFC 3339"`
	},
	) (Device, error) {
		d, err := a.Control.Find(ctx, in.Ref.Ref)
		if err != nil {
			return Device{}, err
		}
		then, err := a.Store.DeviceAsOf(ctx, d.ID, in.At)
		return deviceOf(then), err
	})
	serve(a, spec{
		method: http.MethodGet, path: "/devices/{ref}/transmissions", id: "get-device-transmissions", role: firmward.Viewer, tag: "Devices",
		summary: "Every byte that was sent to a device", doc: "Address by address, the newest first. Passwords are replaced by asterisks.",
	}, func(ctx context.Context, in *struct {
		Ref
		PageInput
	},
	) (Page[Transmission], error) {
		d, err := a.Control.Find(ctx, in.Ref.Ref)
		if err != nil {
			return Page[Transmission]{}, err
		}
		return a.transmissions(ctx, d.Addrs, in.PageInput)
	})
}

// transmissions pages through the addresses of a device: the cursor is "address cursor-at-the-address".
func (a *API) transmissions(ctx context.Context, addrs []netip.Addr, in PageInput) (Page[Transmission], error) {
	out := Page[Transmission]{Items: []Transmission{}}
	at, after := 0, ""
	if in.After != "" {
		addr, inner, _ := strings.Cut(in.After, " ")
		for at = range addrs {
			if addrs[at].String() == addr {
				after = inner
				break
			}
		}
		if at >= len(addrs) || addrs[at].String() != addr {
			return out, invalid("this cursor is not of this listing")
		}
	}
	for ; at < len(addrs); at++ {
		l, next, err := a.Store.TransmissionsOf(ctx, addrs[at], store.Page{After: after, Limit: in.Limit - len(out.Items)})
		if err != nil {
			return out, err
		}
		out.Items = append(out.Items, each(l, transmissionOf)...)
		switch {
		case next != "":
			out.Next = addrs[at].String() + " " + next
			return out, nil
		case len(out.Items) >= in.Limit && at+1 < len(addrs):
			out.Next = addrs[at+1].String() + " "
			return out, nil
		}
		after = ""
	}
	return out, nil
}

func (a *API) deviceDetail(ctx context.Context, ref string) (DeviceDetail, error) {
	d, err := a.Control.Find(ctx, ref)
	if err != nil {
		return DeviceDetail{}, err
	}
	out := DeviceDetail{Device: deviceOf(d), Model: modelOf(a.Control.Catalog.Model(d))}
	id, errID := a.Store.Identity(ctx, d.ID)
	out.Claims, out.Contradictions = each(id.Claims, claimOf), each(id.Contradictions, contradictionOf)
	findings, errF := a.Store.FindingsOf(ctx, d.ID)
	out.Findings = []Finding{}
	for _, open := range []bool{true, false} {
		for _, f := range findings {
			if f.Open() == open {
				out.Findings = append(out.Findings, findingOf(f, d.Name, true))
			}
		}
	}
	step, errS := a.Store.NextStep(ctx, d.ID)
	switch {
	case errS == nil:
		s := nextStepOf(step, d, len(step.Factors.Findings))
		out.NextStep = &s
	case firmward.CodeOf(errS) == firmward.NotFound:
		errS = nil
	}
	work, _, errW := a.Store.WorkOrders(ctx, store.WorkOrderFilter{Device: d.ID}, store.Page{Limit: 1000})
	out.WorkOrders = each(work, func(w firmward.WorkOrder) WorkOrder { return workOrderOf(w, d.Name) })
	held, _, errC := a.Store.Containments(ctx, store.ContainmentFilter{Device: d.ID}, store.Page{Limit: 1000})
	out.Containments = each(held, func(h firmward.Containment) Containment { return containmentOf(h, d.Name) })
	targets, errT := a.Store.TargetsOf(ctx, d.ID)
	out.Targets = each(targets, func(t firmward.Target) Target { return targetOf(t, d.Name) })
	exceptions, errE := a.Store.ExceptionsOf(ctx, d.ID)
	out.Exceptions = each(exceptions, exceptionOf(a.Control.Clock.Now()))
	relations, errR := a.Store.RelationsOf(ctx, d.ID)
	out.Relations = each(relations, func(r firmward.Relation) Relation { return relationOf(r, a.names(ctx)) })
	merges, errM := a.Store.MergesOf(ctx, d.ID)
	out.Merges = each(merges, mergeOf)
	return out, cmp.Or(errID, errM, errF, errS, errW, errC, errT, errE, errR)
}
