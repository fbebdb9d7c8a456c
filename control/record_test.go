package control_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/control/controltest"
	"github.com/firmward/firmward/store"
)

// A CVE record that names a product in words, and one by a vendor's other name, both reach the device.
func TestRecordsReachDevices(t *testing.T) {
	c := controltest.Open(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	who := firmward.Person{Name: "anna", Role: firmward.Admin}
	record := func(id, affected string) string {
		return `{"dataType":"CVE_RECORD","dataVersion":"5.1","cveMetadata":{"cveId":"` + id + `","state":"PUBLISHED","datePublished":"2024-04-04T10:00:00Z"},` +
			`"containers":{"cna":{"descriptions":[{"lang":"en","value":"A door stands open."}],"affected":[` + affected + `]}}}`
	}
	path := filepath.Join(t.TempDir(), "records.jsonl")
	doc := record("CVE-2031-0001", `{"vendor":"Acme Inc.","product":"Door","versions":[{"version":"1.0 through 1.4","status":"affected"}]}`) + "\n" +
		record("CVE-2031-0002", `{"cpes":["cpe:2.3:o:d-link:dns-320l_firmware:*:*:*:*:*:*:*:*"],"versions":[{"version":"0","lessThan":"2","status":"affected"}]}`)
	if err := os.WriteFile(path, []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := c.ImportFeed(ctx, who, "", path, "records.jsonl")
	if err != nil || s.Name != "cve" || s.Records != 2 || s.Refused != 0 {
		t.Fatalf("%+v %v", s, err)
	}
	if _, err := c.AddSite(ctx, who, firmward.Site{Name: "house"}); err != nil {
		t.Fatal(err)
	}
	want := map[string]firmward.Finding{
		"door":   {AdvisoryID: "CVE-2031-0001", Verdict: firmward.Likely},
		"cellar": {AdvisoryID: "CVE-2031-0002", Verdict: firmward.Affected},
	}
	for _, d := range []struct{ name, vendor, model, firmware string }{{"door", "Acme", "Door", "1.2"}, {"cellar", "D-Link", "DNS-320L", "1.03"}} {
		if _, err := c.AddDevice(ctx, who, control.DeviceFacts{Name: &d.name, Site: new("house"), Vendor: &d.vendor, Model: &d.model, Firmware: &d.firmware}); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	wait(t, func() bool {
		steps, _, err := c.Store.NextSteps(ctx, store.StepFilter{}, store.Page{})
		return err == nil && len(steps) == len(want)
	})
	devices, _, err := c.Store.Devices(ctx, store.DeviceFilter{}, store.Page{})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range devices {
		findings, err := c.Store.FindingsOf(ctx, d.ID)
		if err != nil {
			t.Fatal(err)
		}
		if w := want[d.Name]; len(findings) != 1 || findings[0].AdvisoryID != w.AdvisoryID || findings[0].Verdict != w.Verdict {
			t.Errorf("%s: %+v", d.Name, findings)
		} else if d.Name == "door" && !strings.Contains(findings[0].Explanation.Children[0].Text, `"Acme Inc. Door" in words`) {
			t.Errorf("%+v", findings[0].Explanation)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
