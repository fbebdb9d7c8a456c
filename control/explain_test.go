package control_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/assess"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/control/controltest"
)

// TestExplainThen: after record and device have changed, what was so before can be told and judged again.
func TestExplainThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := controltest.Open(t, func(cfg *control.Config) { cfg.Version = "1.0" })
		ctx, began := t.Context(), time.Now()
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		bring := func(updated, versions string) {
			path := filepath.Join(t.TempDir(), "records.jsonl")
			must(os.WriteFile(path, []byte(`{"dataType":"CVE_RECORD","dataVersion":"5.1","cveMetadata":{"cveId":"CVE-2031-0001","state":"PUBLISHED","datePublished":"1999-01-04T10:00:00Z","dateUpdated":"`+updated+
				`"},"containers":{"cna":{"descriptions":[{"lang":"en","value":"A door stands open."}],"affected":[{"vendor":"Acme","product":"Door","versions":[{"version":"`+versions+`","status":"affected"}]}]}}}`), 0o600))
			_, err := c.ImportFeed(ctx, anna, "", path, "records.jsonl")
			must(err)
			must(c.Settle(ctx))
		}
		explain := func(at time.Time) control.Explained {
			t.Helper()
			x, err := c.Explain(ctx, "door", "CVE-2031-0001", at)
			must(err)
			return x
		}
		_, err := c.AddSite(ctx, anna, firmward.Site{Name: "house"})
		must(err)
		_, err = c.AddDevice(ctx, anna, control.DeviceFacts{Name: new("door"), Site: new("house"), Vendor: new("Acme"), Model: new("Door"), Firmware: new("1.2")})
		must(err)
		must(c.Settle(ctx))
		if x := explain(time.Time{}); x.Outcome != control.ExplainUnknown || x.Form != nil || x.Text == "" {
			t.Errorf("unknown: %+v", x)
		}
		time.Sleep(time.Hour)
		bring("1999-12-01T10:00:00Z", "1.0 through 1.4")
		first := explain(time.Time{})
		if first.Outcome != control.ExplainFinding || first.Form.Verdict != firmward.Likely || first.Step == nil {
			t.Fatalf("first: %+v", first)
		}
		time.Sleep(time.Hour)
		bring("1999-12-20T10:00:00Z", "1.0 through 1.3") // another sentence
		time.Sleep(time.Hour)
		_, err = c.SetDevice(ctx, anna, "door", control.DeviceFacts{Firmware: new("1.5")})
		must(err)
		must(c.Settle(ctx))
		if x := explain(time.Time{}); x.Form.Open() || x.Form.Verdict != firmward.NotAffected && x.Form.Verdict != firmward.Possible {
			t.Errorf("now: %+v", x.Form)
		}
		for hours, want := range map[int]firmward.Verdict{1: firmward.Likely, 2: firmward.Likely} {
			x := explain(began.Add(time.Duration(hours)*time.Hour + 30*time.Minute))
			if x.Form == nil || x.Form.Verdict != want || x.Form.Firmware != "1.2" || x.Replay == nil || x.Replay.Result != assess.ReplaySame {
				t.Errorf("after %d hours: %+v %+v", hours, x.Form, x.Replay)
			}
			if said := x.Form.Digest == first.Form.Digest; said != (hours == 1) {
				t.Errorf("after %d hours the digest is %s, first it was %s", hours, x.Form.Digest, first.Form.Digest)
			}
		}
		if x := explain(began.Add(time.Minute)); x.Outcome != control.ExplainNoneThen || !strings.Contains(x.Text, "The first was recorded at 2000-01-01T01:00:00Z") {
			t.Errorf("before: %+v", x)
		}
	})
}
