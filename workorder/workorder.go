// Package workorder decides what a person is asked to do and whether it was done. A person's word
// opens the question; only a probe answers it.
package workorder

import (
	"fmt"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/version"
)

// New writes a work order for a device that no machine may or can update, or that must go. kind is
// "update", "vendor-service", "replace" or "retire". want may be empty: any other version will do.
func New(id, kind string, d firmward.Device, m firmward.Model, want, by string, now, due time.Time) firmward.WorkOrder {
	w := firmward.WorkOrder{
		ID: id, DeviceID: d.ID, Kind: kind, Assignee: d.Owner, From: d.Firmware, Want: want,
		State: firmward.WorkOpen, Due: due, Created: now, By: by,
	}
	switch kind {
	case "vendor-service":
		w.Instruction = m.VendorCall
	case "replace":
		w.Instruction = replace(d)
	case "retire":
		w.Instruction = retire(d)
	default:
		w.Instruction = m.Update
	}
	if w.Instruction.Title == "" {
		w.Instruction = generic(kind)
	}
	w.Title = w.Instruction.Title
	if want != "" {
		w.Title += " to " + want
	}
	return w
}

// Refresh brings an order that nobody has reported on up to date when another version is wanted now.
// changed tells whether it did.
func Refresh(w firmward.WorkOrder, want string) (firmward.WorkOrder, bool) {
	if w.State != firmward.WorkOpen || want == "" || w.Want == want {
		return w, false
	}
	w.Want = want
	w.Title = w.Instruction.Title + " to " + want
	return w, true
}

// Follow brings a work order of a rollout to where the target stands that it is for. evidence is the observation that a look carried; empty:
// there was none. changed tells whether it did.
func Follow(w firmward.WorkOrder, t firmward.Target, evidence string, now time.Time) (out firmward.WorkOrder, changed bool) {
	out = w
	out.Why = t.Why
	if evidence != "" {
		out.Evidence = evidence
	}
	switch {
	case t.State == firmward.TargetSucceeded:
		out.State = firmward.WorkDone
	case t.State.Final():
		out.State = firmward.WorkVoid
	case w.State == firmward.WorkReported && t.Code == firmward.CodeNotDone:
		out.State = firmward.WorkNotYet
	}
	if out.State != w.State && (out.State == firmward.WorkDone || out.State == firmward.WorkVoid) {
		out.ClosedAt = now
	}
	return out, out.State != w.State || out.Why != w.Why
}

// Join makes an open work order part of a rollout.
func Join(w firmward.WorkOrder, t firmward.Target) firmward.WorkOrder {
	w.RolloutID, w.Want, w.Due = t.RolloutID, t.Want, t.WaitsTo
	w.Title = w.Instruction.Title + " to " + t.Want
	return w
}

// Kind picks the kind of work for an update by who may patch the model.
func Kind(m firmward.Model) string {
	if m.MayPatch.Value == firmward.VendorMayPatch || m.Mechanism.Value == string(firmward.ByVendorService) {
		return "vendor-service"
	}
	return "update"
}

// Judge closes, or sends back, a work order after a probe looked. firmware is what the probe read,
// evidence its observation id, seen its time. Only a look after the report counts.
func Judge(w firmward.WorkOrder, scheme, firmware, evidence string, seen time.Time) firmward.WorkOrder {
	if w.State != firmward.WorkOpen && w.State != firmward.WorkReported && w.State != firmward.WorkNotYet {
		return w
	}
	if firmware == "" || w.Kind == "replace" || w.Kind == "retire" {
		return w
	}
	if done(w, scheme, firmware) {
		w.State, w.Why = firmward.WorkDone, "a probe read "+firmware
		w.ClosedAt, w.Evidence = seen, evidence
		return w
	}
	if w.State == firmward.WorkReported && !seen.Before(w.ReportedAt) {
		w.State = firmward.WorkNotYet
		w.Why = fmt.Sprintf("still %s: not done yet", firmware)
		w.Evidence = evidence
	}
	return w
}

func done(w firmward.WorkOrder, scheme, firmware string) bool {
	if w.Want == "" {
		return firmware != w.From
	}
	if firmware == w.Want {
		return true
	}
	order, _ := version.Compare(scheme, firmware, w.Want)
	return order == version.Equal || order == version.Greater
}

// Report records a person's word.
func Report(w firmward.WorkOrder, who, note string, now time.Time) (firmward.WorkOrder, error) {
	switch w.State {
	case firmward.WorkDone, firmward.WorkVoid:
		return w, firmward.Errorf(firmward.Conflict, "the work order is "+string(w.State)+" already")
	}
	w.State, w.ReportedBy, w.ReportedAt = firmward.WorkReported, who, now
	w.Why = "reported done by " + who + "; a probe must look"
	if note != "" {
		w.Why += " (" + note + ")"
	}
	return w, nil
}

func generic(kind string) firmward.Instruction {
	if kind == "vendor-service" {
		return firmward.Instruction{
			Title:   "Ask the vendor's service",
			Steps:   []string{"Name model and serial to the vendor's service and ask for the wanted version.", "Agree on a time with the people who use the device.", "Report the work here when it is done; firmward looks itself."},
			Minutes: 30, Source: "firmward", Never: "Do not install anything yourself.",
		}
	}
	return firmward.Instruction{
		Title: "Update the device by hand",
		Steps: []string{
			"Find the exact model and hardware revision on its label.",
			"Download the firmware for exactly that model and revision from the vendor's own site.",
			"Save the device's configuration if it offers that.",
			"Open its web page, find Firmware or Maintenance, and upload the file.",
			"Wait until the device answers again, then report the work here; firmward looks itself.",
		},
		Minutes: 15, Outage: "The device is away for some minutes.", Never: "Do not cut its power during the update.",
		IfBad: "Leave it powered for fifteen minutes before you try anything else.", Source: "firmward",
	}
}

func replace(d firmward.Device) firmward.Instruction {
	return firmward.Instruction{
		Title: "Replace " + d.Name,
		Steps: []string{
			"Choose a successor whose maker states a support end.",
			"Move what it holds or does to the successor.",
			"Erase the old device, remove its cloud account and keys, then switch it off.",
			"Retire it here (devices set NAME --retired); firmward watches that it does not come back.",
		},
		Minutes: 120, Source: "firmward", Never: "Do not sell or give it away before it is erased.",
	}
}

func retire(d firmward.Device) firmward.Instruction {
	return firmward.Instruction{
		Title:   "Retire " + d.Name,
		Steps:   []string{"Erase it, remove its cloud account and keys.", "Switch it off and take it from the network.", "Retire it here (devices set NAME --retired)."},
		Minutes: 30, Source: "firmward",
	}
}
