package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/firmward/firmward/httpapi"
)

// ReleasesCmd is about firmware files.
type ReleasesCmd struct {
	Import   ReleasesImportCmd   `cmd:"" help:"Import a firmware file."`
	List     ReleasesListCmd     `cmd:"" default:"withargs" help:"List releases."`
	Withdraw ReleasesWithdrawCmd `cmd:"" help:"Withdraw a release: nothing starts with it any more."`
}

// ReleasesImportCmd imports a firmware file.
type ReleasesImportCmd struct {
	File     string   `arg:"" type:"existingfile" help:"The file as the vendor publishes it."`
	Vendor   string   `help:"Vendor." placeholder:"VENDOR"`
	Model    []string `help:"Exact model name; may be repeated." sep:"none" placeholder:"MODEL"`
	Hardware []string `help:"Exact hardware revision, or * if the vendor does not tell them apart; may be repeated." sep:"none" placeholder:"REVISION"`
	Version  string   `help:"Version, as the device will show it." placeholder:"VERSION"`
	MinFrom  string   `help:"Lowest version that may jump to this one." placeholder:"VERSION"`
	Family   string   `help:"Catalogue family; found by vendor and model unless given." placeholder:"FAMILY"`
	Channel  string   `help:"stable, lts, early-access." placeholder:"CHANNEL"`
	Origin   string   `help:"Where you got it: URL or words." placeholder:"TEXT"`
	Signed   string   `help:"Does the vendor sign it?" enum:"yes,no,unknown" default:"unknown"`
	SHA256   string   `name:"sha256" help:"Hash that the vendor publishes; another file is refused." placeholder:"HASH"`
	Fixes    []string `help:"Advisory that it repairs; may be repeated." placeholder:"ID"`
	Notes    string   `help:"Anything else." placeholder:"TEXT"`
}

// Help gives examples.
func (ReleasesImportCmd) Help() string {
	return examples("firmward releases import P3265-LV_10_12_240.bin --vendor Axis \\", "    --model 'AXIS P3265-LV' --hardware 7A2 --version 10.12.240 \\",
		"    --origin https://www.axis.com/support/firmware --sha256 …")
}

// Run carries it out.
func (c *ReleasesImportCmd) Run(ctx context.Context, a *app) error {
	if hash, err := hex.DecodeString(c.SHA256); c.SHA256 != "" && (err != nil || len(hash) != sha256.Size) {
		return usageError("--sha256 wants 64 hexadecimal digits, as the vendor or sha256sum prints them")
	}
	f, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer f.Close()
	q := values("name", filepath.Base(c.File), "vendor", c.Vendor, "version", c.Version, "minFrom", c.MinFrom, "family", c.Family,
		"channel", c.Channel, "origin", c.Origin, "signed", c.Signed, "sha256", c.SHA256, "notes", c.Notes)
	q["model"], q["hardware"], q["fixes"] = c.Model, c.Hardware, c.Fixes
	var r httpapi.Release
	if err := a.client.do(ctx, call{method: http.MethodPost, path: "/releases", query: q, body: f, bodyType: "application/octet-stream", out: &r}); err != nil {
		return err
	}
	if done, err := a.asJSON(r); done {
		return err
	}
	fmt.Fprintf(a.out, "%s: %s for %s, hardware %s, %d bytes, sha256 %s\nNow: firmward rollout plan %s\n", r.ID, r.Version,
		strings.Join(r.Models, ", "), strings.Join(r.Hardware, ", "), r.Size, r.SHA256, r.ID)
	return nil
}

// ReleasesListCmd lists releases.
type ReleasesListCmd struct {
	Listing
	Family string `help:"Only of this family." placeholder:"FAMILY"`
}

// Help gives examples.
func (ReleasesListCmd) Help() string {
	return examples("firmward releases", "firmward releases list --family axis --json")
}

// Run carries it out.
func (c *ReleasesListCmd) Run(ctx context.Context, a *app) error {
	return listTo(ctx, a, "/releases", values("family", c.Family), c.Limit, []string{"RELEASE", "VERSION", "SIGNED", "HARDWARE", "IMPORTED", "MODELS"},
		func(r httpapi.Release) []string {
			models := strings.Join(r.Models, ", ")
			if !r.Withdrawn.IsZero() {
				models += " (withdrawn " + day(r.Withdrawn) + ": " + r.WhyGone + ")"
			}
			return []string{r.ID, r.Version, r.Signed, strings.Join(r.Hardware, ","), day(r.At), models}
		})
}

// ReleasesWithdrawCmd withdraws a release.
type ReleasesWithdrawCmd struct {
	ID  string `arg:"" help:"Release."`
	Why string `help:"Why." required:"" placeholder:"WHY"`
}

// Help gives examples.
func (ReleasesWithdrawCmd) Help() string {
	return examples("firmward releases withdraw rel-0123456789ab --why 'vendor pulled it'")
}

// Run carries it out.
func (c *ReleasesWithdrawCmd) Run(ctx context.Context, a *app) error {
	var r httpapi.Release
	if err := a.client.post(ctx, "/releases/"+url.PathEscape(c.ID)+"/withdraw", httpapi.Reason{Why: c.Why}, &r); err != nil {
		return err
	}
	return a.say(r, fmt.Sprintf("%s %s is withdrawn.", r.ID, r.Version))
}
