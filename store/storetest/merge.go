package storetest

import (
	"net/netip"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

func merge(t *testing.T, s *store.Store) {
	ctx := t.Context()
	put(t, s, t0, device("a", func(d *firmward.Device) { d.MACs = []string{"00:11:22:AA:BB:CC"} }),
		device("b", func(d *firmward.Device) {
			d.Addrs = []netip.Addr{addr("10.0.0.7")}
			d.FirstSeen, d.Owner, d.NeverContain, d.Updates = t0.Add(-time.Hour), "Eva", true, firmward.UpdatesAsk
		}), device("c", nil))
	write(t, s, func(tx *store.Tx) error {
		if _, err := tx.AddObservation(ctx, "b", observe("o1", "x", t0)); err != nil {
			return err
		}
		steps := []error{
			tx.PutRelation(ctx, firmward.Relation{From: "b", To: "c", Kind: firmward.Behind}),
			tx.PutRelation(ctx, firmward.Relation{From: "b", To: "a", Kind: firmward.Behind}),
			tx.PutException(ctx, firmward.Exception{ID: "e", DeviceID: "b", Expires: t0.Add(time.Hour)}),
			tx.PutNextStep(ctx, firmward.NextStep{DeviceID: "b", Risk: 80, Now: firmward.Phase{Kind: firmward.StepPatch}}),
			tx.PutTarget(ctx, firmward.Target{RolloutID: "r", DeviceID: "b", State: firmward.TargetSucceeded}),
			tx.Touch(ctx, []store.Seen{{Device: "b", Addr: addr("10.0.0.7"), At: t0.Add(time.Minute)}}),
		}
		for _, err := range steps {
			if err != nil {
				return err
			}
		}
		_, err := tx.ReplaceFindings(ctx, store.Assessment{Device: "b", Findings: []firmward.Finding{{AdvisoryID: "CVE-1", Verdict: firmward.Affected}}, Observation: "o1", At: t0})
		return err
	})
	write(t, s, func(tx *store.Tx) error {
		return tx.MergeDevices(ctx, "a", "b", "same serial", store.Change{Actor: "anna", At: t0.Add(time.Hour)})
	})
	got := must[firmward.Device](t)(s.Device(ctx, "b"))
	if got.ID != "a" || got.Owner != "Eva" || !got.NeverContain || got.Updates != firmward.UpdatesAsk || len(got.Addrs) != 1 || len(got.MACs) != 1 || !got.FirstSeen.Equal(t0.Add(-time.Hour)) || !got.LastSeen.Equal(t0.Add(time.Minute)) {
		t.Errorf("merged: %+v", got)
	}
	diff(t, "relations", []firmward.Relation{{From: "a", To: "c", Kind: firmward.Behind}}, must[[]firmward.Relation](t)(s.RelationsOf(ctx, "a")))
	if e := must[firmward.Exception](t)(s.Exception(ctx, "e")); e.DeviceID != "a" {
		t.Errorf("exception of %s", e.DeviceID)
	}
	if o := must[[]firmward.Observation](t)(s.ObservationsOf(ctx, "a")); len(o) != 1 {
		t.Errorf("observations: %v", o)
	}
	if n := must[[]store.FindingCount](t)(s.CountFindings(ctx)); len(n) != 0 {
		t.Errorf("findings: %v", n)
	}
	if n := must[[]store.StepCount](t)(s.CountSteps(ctx)); len(n) != 0 {
		t.Errorf("steps: %v", n)
	}
	if n := must[[]store.DeviceCount](t)(s.CountDevices(ctx)); len(n) != 1 || n[0].N != 2 {
		t.Errorf("devices: %v", n)
	}
	must[firmward.Target](t)(s.Target(ctx, "r", "a"))
	if was := must[firmward.Device](t)(s.DeviceAsOf(ctx, "b", t0)); was.ID != "b" {
		t.Errorf("before the merge: %+v", was)
	}
	merges := must[[]store.Merge](t)(s.MergesOf(ctx, "a"))
	if len(merges) != 1 || merges[0].From != "b" || merges[0].Why != "same serial" || merges[0].By != "anna" {
		t.Errorf("merges of a: %+v", merges)
	}

	// What is seen since at the address that b alone had is b's, what is seen elsewhere stays.
	write(t, s, func(tx *store.Tx) error {
		for id, at := range map[string]string{"o2": "10.0.0.7", "o3": "10.0.0.99"} {
			o := observe(id, "y", t0.Add(2*time.Hour))
			o.Addr = addr(at)
			if _, err := tx.AddObservation(ctx, "a", o); err != nil {
				return err
			}
		}
		return tx.PutTarget(ctx, firmward.Target{RolloutID: "r2", DeviceID: "a", State: firmward.TargetVerifying})
	})
	change := store.Change{Actor: "eva", At: t0.Add(3 * time.Hour)}
	split := func() error {
		return s.Tx(ctx, func(tx *store.Tx) error {
			_, err := tx.UnmergeDevice(ctx, "b", change)
			return err
		})
	}
	if err := split(); firmward.CodeOf(err) != firmward.Conflict {
		t.Errorf("split during an update: %v", err)
	}
	write(t, s, func(tx *store.Tx) error {
		return tx.PutTarget(ctx, firmward.Target{RolloutID: "r2", DeviceID: "a", State: firmward.TargetSucceeded})
	})
	if err := split(); err != nil {
		t.Fatal(err)
	}
	one, two := must[firmward.Device](t)(s.Device(ctx, "a")), must[firmward.Device](t)(s.Device(ctx, "b"))
	if one.ID != "a" || one.Owner != "" || len(one.Addrs) != 0 || !one.NeverContain || two.ID != "b" || two.Owner != "Eva" || len(two.Addrs) != 1 {
		t.Errorf("split: %+v and %+v", one, two)
	}
	for id, want := range map[string]string{"o1": "b", "o2": "b", "o3": "a"} {
		if is := must[string](t)(s.DeviceOfObservation(ctx, id)); is != want {
			t.Errorf("observation %s is of %s, want %s", id, is, want)
		}
	}
	if e := must[firmward.Exception](t)(s.Exception(ctx, "e")); e.DeviceID != "b" {
		t.Errorf("exception of %s", e.DeviceID)
	}
	relations, _, err := s.Relations(ctx, store.Page{})
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "relations", []firmward.Relation{{From: "b", To: "a", Kind: firmward.Behind}, {From: "b", To: "c", Kind: firmward.Behind}}, relations)
	must[firmward.Target](t)(s.Target(ctx, "r", "b"))
	must[firmward.Target](t)(s.Target(ctx, "r2", "a"))
	diff(t, "apart", []string{"b"}, must[[]string](t)(s.Apart(ctx, "a")))
	diff(t, "apart", []string{"a"}, must[[]string](t)(s.Apart(ctx, "b")))
	if n := must[[]store.DeviceCount](t)(s.CountDevices(ctx)); len(n) != 1 || n[0].N != 3 {
		t.Errorf("devices: %v", n)
	}
	if err := split(); firmward.CodeOf(err) != firmward.Conflict {
		t.Errorf("split twice: %v", err)
	}

	// They stay two, until a person says otherwise.
	again := func() error {
		return s.Tx(ctx, func(tx *store.Tx) error { return tx.MergeDevices(ctx, "a", "b", "same mac", change) })
	}
	if err := again(); firmward.CodeOf(err) != firmward.Conflict {
		t.Errorf("merged against a person's word: %v", err)
	}
	write(t, s, func(tx *store.Tx) error { return tx.Together(ctx, "b", "a") })
	if err := again(); err != nil {
		t.Error(err)
	}
}
