package control_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/control/controltest"
	"github.com/firmward/firmward/store"
)

// TestExceptionFalls: an exception that rests on a wall ends with the wall, and one for every device ends for all when it is over
// at one of them; the step is back at once, and the record tells why.
func TestExceptionFalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := controltest.Open(t, nil)
		ctx := t.Context()
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		_, err := c.AddSite(ctx, anna, firmward.Site{Name: "house"})
		must(err)
		ids := map[string]string{}
		for _, name := range []string{"door", "gate"} {
			d, err := c.AddDevice(ctx, anna, control.DeviceFacts{Name: &name, Site: new("house"), Vendor: new("Acme"), Model: new("Door"), Firmware: new("1.2")})
			must(err)
			ids[name] = d.ID
		}
		path := filepath.Join(t.TempDir(), "records.jsonl")
		must(os.WriteFile(path, []byte(`{"dataType":"CVE_RECORD","dataVersion":"5.1","cveMetadata":{"cveId":"CVE-2031-0001","state":"PUBLISHED","datePublished":"1999-01-04T10:00:00Z"},`+
			`"containers":{"cna":{"descriptions":[{"lang":"en","value":"A door stands open."}],"affected":[{"vendor":"Acme","product":"Door","versions":[{"version":"1.0 through 1.4","status":"affected"}]}]}}}`), 0o600))
		_, err = c.ImportFeed(ctx, anna, "", path, "records.jsonl")
		must(err)
		must(c.Settle(ctx))
		wall := firmward.Containment{ID: "con-1", DeviceID: ids["door"], State: firmward.ContainContained, Created: time.Now()}
		put := func() {
			t.Helper()
			must(c.Store.Tx(ctx, func(tx *store.Tx) error { return tx.PutContainment(ctx, wall) }))
			_, err := c.SetDevice(ctx, anna, "door", control.DeviceFacts{Location: new(string(wall.State))})
			must(err)
			must(c.Settle(ctx))
		}
		kind := func(name string) firmward.StepKind {
			t.Helper()
			s, err := c.Store.NextStep(ctx, ids[name])
			must(err)
			return s.Now.Kind
		}
		accept := func(kind firmward.ExceptionKind, ref string) firmward.Exception {
			t.Helper()
			e, err := c.AcceptRisk(ctx, anna, firmward.Exception{Kind: kind, Advisory: "CVE-2031-0001", Reason: "because", Expires: time.Now().AddDate(0, 6, 0)}, ref)
			must(err)
			must(c.Settle(ctx))
			return e
		}
		put()
		mitigated := accept(firmward.Mitigate, "door")
		if mitigated.Premise.Control != "con-1" || mitigated.Second || kind("door") != firmward.StepAccept {
			t.Fatalf("%+v, next step %s", mitigated, kind("door"))
		}
		if _, err := c.AcceptRisk(ctx, anna, firmward.Exception{Kind: firmward.Mitigate, Reason: "x", Expires: time.Now().AddDate(0, 1, 0)}, "gate"); firmward.CodeOf(err) != firmward.Refused {
			t.Errorf("mitigated by nothing: %v", err)
		}
		wall.State, wall.Code = firmward.ContainOpen, firmward.ContainRestart
		put()
		if kind("door") != firmward.StepAccept {
			t.Error("it ended while the wall is being proven anew")
		}
		wall.State, wall.Code = firmward.ContainReleased, ""
		put()
		fell, err := c.Store.Exception(ctx, mitigated.ID)
		must(err)
		if !fell.FellAt.Equal(time.Now().UTC()) || fell.FellWhy != "containment con-1 is no longer proven" || kind("door") != firmward.StepAsk {
			t.Errorf("%+v, next step %s", fell, kind("door"))
		}
		everywhere := accept(firmward.Accept, "")
		if kind("door") != firmward.StepAccept || kind("gate") != firmward.StepAccept {
			t.Errorf("under one for every device: %s, %s", kind("door"), kind("gate"))
		}
		if _, err := c.ApproveException(ctx, anna, everywhere.ID, ""); firmward.CodeOf(err) != firmward.Refused {
			t.Errorf("its author approved it: %v", err)
		}
		_, err = c.SetDevice(ctx, anna, "gate", control.DeviceFacts{Exposed: new(true)})
		must(err)
		must(c.Settle(ctx))
		must(c.Settle(ctx)) // the others are weighed again
		fell, err = c.Store.Exception(ctx, everywhere.ID)
		must(err)
		if fell.FellWhy != "gate: reachable from the internet by now" || kind("door") != firmward.StepAsk || kind("gate") != firmward.StepAsk {
			t.Errorf("%+v, next steps %s, %s", fell, kind("door"), kind("gate"))
		}
		if _, err := c.ApproveException(ctx, firmward.Person{Name: "ben", Role: firmward.Approver}, everywhere.ID, ""); firmward.CodeOf(err) != firmward.Conflict {
			t.Errorf("a fallen one was approved: %v", err)
		}
		leaves, err := c.Store.Leaves(ctx, 0, 1000)
		must(err)
		var told []string
		for _, l := range leaves {
			if strings.HasPrefix(l.Action, "exception-") {
				told = append(told, l.Actor+" "+l.Action+" "+l.Detail["why"])
			}
		}
		want := []string{
			"anna exception-mitigate ", "firmward exception-fall containment con-1 is no longer proven",
			"anna exception-accept ", "firmward exception-fall gate: reachable from the internet by now",
		}
		if strings.Join(told, "\n") != strings.Join(want, "\n") {
			t.Errorf("the record tells %q", told)
		}
	})
}
