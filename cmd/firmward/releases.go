package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/firmward/firmward/httpapi"
)

// ReleasesCmd is about firmware files.
type ReleasesCmd struct {
	Import   ReleasesImportCmd   `cmd:"" help:"Import a firmware file."`
	List     ReleasesListCmd     `cmd:"" default:"withargs" help:"List releases."`
	Path     ReleasesPathCmd     `cmd:"" help:"Show the way of a device to a version, or what is missing for it."`
	Withdraw ReleasesWithdrawCmd `cmd:"" help:"Withdraw a release: nothing starts with it any more."`

	Regression ReleasesRegressionCmd `cmd:"" help:"Record that the jump from a version to a release breaks something: no device makes it."`
	Permit     ReleasesPermitCmd     `cmd:"" help:"Record that a manufacturer permits a release on devices that keep people alive."`
}

// ReleasesImportCmd imports a firmware file.
type ReleasesImportCmd struct {
	File     string   `arg:"" optional:"" type:"existingfile" help:"The file as the vendor publishes it."`
	NoFile   bool     `help:"Firmward does not get the file: only people bring this release."`
	Vendor   string   `help:"Vendor." placeholder:"VENDOR"`
	Model    []string `help:"Exact model name; may be repeated." sep:"none" placeholder:"MODEL"`
	Hardware []string `help:"Exact hardware revision, or * if the vendor does not tell them apart; may be repeated." sep:"none" placeholder:"REVISION"`
	Version  string   `help:"Version, as the device will show it." placeholder:"VERSION"`
	MinFrom  string   `help:"Lowest version that may jump to this one." placeholder:"VERSION"`
	Family   string   `help:"Catalogue family; found by vendor and model unless given." placeholder:"FAMILY"`
	Channel  string   `help:"stable, lts, early-access." placeholder:"CHANNEL"`
	Origin   string   `help:"Where you got it: URL or words." placeholder:"TEXT"`

	Published string `help:"Day on which the vendor published it: policies may let releases mature." placeholder:"2026-03-02"`

	Signed string   `help:"Does the vendor sign it?" enum:"yes,no,unknown" default:"unknown"`
	SHA256 string   `name:"sha256" help:"Hash that the vendor publishes; another file is refused." placeholder:"HASH"`
	Fixes  []string `help:"Advisory that it repairs; may be repeated." placeholder:"ID"`
	Notes  string   `help:"Anything else." placeholder:"TEXT"`

	MaxFrom      string            `help:"Highest version that may jump to this one." placeholder:"VERSION"`
	Floor        string            `help:"Once it ran, the device takes nothing below this version any more." placeholder:"VERSION"`
	Variant      string            `help:"Region, feature set, minimal: no device of another one gets it." placeholder:"VARIANT"`
	FromVariant  []string          `help:"Another variant over which it may go, changing that to its own; may be repeated." sep:"none" placeholder:"VARIANT"`
	WipesConfig  bool              `help:"The configuration of the device does not survive it."`
	MayDowngrade bool              `help:"The vendor says that it may go over a newer version."`
	Part         string            `help:"What it replaces, such as bootloader; the firmware unless given." placeholder:"PART"`
	Needs        map[string]string `help:"What another part must be at least; may be repeated." placeholder:"PART=VERSION"`
}

// Help gives examples.
func (ReleasesImportCmd) Help() string {
	return examples("firmward releases import P3265-LV_10_12_240.bin --vendor Axis \\", "    --model 'AXIS P3265-LV' --hardware 7A2 --version 10.12.240 \\",
		"    --origin https://www.axis.com/support/firmware --sha256 …",
		"firmward releases import new.bin --vendor BD --model 'Alaris 8015' \\",
		"    --hardware '*' --version 12.3.1 --min-from 12.1.1 --origin 'BD service'",
		"firmward releases import --no-file --vendor BD --model 'Alaris 8015' \\",
		"    --hardware '*' --version 12.3.1 --origin 'BD service brings it'",
		"firmward releases import os.npk --vendor MikroTik --model RB750 \\",
		"    --hardware arm --version 7.12 --needs bootloader=6.49 --origin vendor")
}

// Run carries it out.
func (c *ReleasesImportCmd) Run(ctx context.Context, a *app) error {
	if hash, err := hex.DecodeString(c.SHA256); c.SHA256 != "" && (err != nil || len(hash) != sha256.Size) {
		return usageError("--sha256 wants 64 hexadecimal digits, as the vendor or sha256sum prints them")
	}
	published := ""
	if c.Published != "" {
		at, err := time.Parse(time.DateOnly, c.Published)
		if err != nil {
			return usageError("--published wants a day, such as 2026-03-02")
		}
		published = at.Format(time.RFC3339)
	}
	var file io.Reader = strings.NewReader("")
	switch {
	case c.NoFile == (c.File != ""):
		return usageError("give the file, or --no-file if only people bring this release")
	case c.File != "":
		f, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer f.Close()
		file = f
	}
	q := values("published", published, "name", filepath.Base(c.File), "vendor", c.Vendor, "version", c.Version, "minFrom", c.MinFrom, "family", c.Family,
		"channel", c.Channel, "origin", c.Origin, "signed", c.Signed, "sha256", c.SHA256, "notes", c.Notes)
	q["model"], q["hardware"], q["fixes"] = c.Model, c.Hardware, c.Fixes
	if c.NoFile {
		q.Set("noFile", "true")
		q.Del("name")
	}
	c.way(q)
	var r httpapi.Release
	if err := a.client.do(ctx, call{method: http.MethodPost, path: "/releases", query: q, body: file, bodyType: "application/octet-stream", out: &r}); err != nil {
		return err
	}
	if done, err := a.asJSON(r); done {
		return err
	}
	what := fmt.Sprintf("%d bytes, sha256 %s", r.Size, r.SHA256)
	if c.NoFile {
		what = "no file: a person brings it"
	}
	fmt.Fprintf(a.out, "%s: %s for %s, hardware %s, %s\nNow: firmward rollout plan %s\n", r.ID, r.Version,
		strings.Join(r.Models, ", "), strings.Join(r.Hardware, ", "), what, r.ID)
	return nil
}

// way adds what is said of the ways to the release.
func (c *ReleasesImportCmd) way(q url.Values) {
	for key, value := range map[string]string{"maxFrom": c.MaxFrom, "floor": c.Floor, "variant": c.Variant, "part": c.Part} {
		if value != "" {
			q.Set(key, value)
		}
	}
	for key, value := range map[string]bool{"wipesConfig": c.WipesConfig, "mayDowngrade": c.MayDowngrade} {
		if value {
			q.Set(key, "true")
		}
	}
	if len(c.FromVariant) > 0 {
		q["fromVariant"] = c.FromVariant
	}
	for _, part := range slices.Sorted(maps.Keys(c.Needs)) {
		q.Add("needs", part+"="+c.Needs[part])
	}
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
			return []string{r.ID, releaseName(r), r.Signed, strings.Join(r.Hardware, ","), day(r.At), models}
		})
}

// releaseName is the version, with its part and variant where it has one.
func releaseName(r httpapi.Release) string {
	name := strings.TrimSpace(r.Part + " " + r.Version)
	if r.Variant != "" {
		name += " (" + r.Variant + ")"
	}
	return name
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
