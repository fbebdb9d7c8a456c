package control_test

import (
	"bytes"
	"context"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/audit"
	"github.com/firmward/firmward/catalog"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/driver/openwrt"
	"github.com/firmward/firmward/identify"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/policy"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/upgrade"
	"github.com/firmward/firmward/wire"
)

// wayHouse is a house with one plug that was looked at.
func wayHouse(t *testing.T, change ...func(*control.Config)) (b bubble, plug *lab.Device, id string) {
	t.Helper()
	l := newLab(t)
	plug, err := l.AddPlug(lab.PlugSpec{Place: lab.Place{Name: "plug", Addr: netip.MustParseAddr("192.168.20.11")}})
	if err != nil {
		t.Fatal(err)
	}
	pol, err := policy.Parse([]byte(killPolicy), "quick.yaml")
	if err != nil {
		t.Fatal(err)
	}
	self := netip.AddrPortFrom(home.Addr().Next().Next(), 8390)
	b = live(t, l.Attach("home"), "home", map[netip.Prefix]firmward.Profile{home: firmward.ProfileHome}, func(c *control.Config) {
		c.Policies, c.Serve = pol, self
		for _, f := range change {
			f(c)
		}
	})
	found := b.scan(home)
	if len(found) != 1 {
		t.Fatalf("%d devices", len(found))
	}
	return b, plug, found[0].ID
}

// take imports an image of a version for a device, with what is said of it.
func (b bubble) take(d *lab.Device, version string, say func(*firmward.Release)) firmward.Release {
	b.t.Helper()
	f := d.Facts()
	image, err := d.Image(version)
	if err != nil {
		b.t.Fatal(err)
	}
	rel := firmward.Release{Vendor: "Shelly", Models: []string{f.Model}, Hardware: []string{f.HardwareRev}, Version: version, FileName: "image.bin", Origin: "the lab"}
	if say != nil {
		say(&rel)
	}
	if rel, err = b.ImportRelease(b.ctx, anna, rel, bytes.NewReader(image)); err != nil {
		b.t.Fatal(err)
	}
	return rel
}

// roll plans a release for everybody, starts it, and waits for its end.
func (b bubble) roll(rel firmward.Release, allowed ...firmward.Allowance) control.Plan {
	b.t.Helper()
	p, err := b.PlanRollout(b.ctx, anna, rel.ID, "quick", firmward.Filter{}, allowed...)
	if err != nil {
		b.t.Fatal(err)
	}
	if len(p.Targets) == 0 {
		return p
	}
	if _, err := b.SteerRollout(b.ctx, anna, p.Rollout.ID, "start", ""); err != nil {
		b.t.Fatal(err)
	}
	for range 48 {
		time.Sleep(time.Hour)
		if r, err := b.Store.Rollout(b.ctx, p.Rollout.ID); err != nil || r.State == firmward.RolloutFinished {
			break
		}
	}
	target, err := b.Store.Target(b.ctx, p.Rollout.ID, p.Targets[0].DeviceID)
	if err != nil || target.State != firmward.TargetSucceeded {
		b.t.Fatalf("%s: %s, %v", target.State, target.Why, err)
	}
	return p
}

// TestTwoReleasesInSequence: a release that goes over an older one only is reached by that one. Each is planned, installed and seen
// to run on its own, and after the first the next step of the device is the second.
func TestTwoReleasesInSequence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, plug, id := wayHouse(t)
		from := plug.Facts().InstalledVersion
		last := b.take(plug, "1.4.4", func(r *firmward.Release) { r.MinFrom = "1.2.0" })

		s := b.step(id)
		if s.Now.Kind != firmward.StepAsk || s.BlockerCode != upgrade.MissingHop || !strings.Contains(s.Now.Action, "get firmware 1.2.0 for") ||
			!strings.Contains(s.Now.Action, "no release in the depot leads from "+from+" to 1.2.0; get 1.2.0") || s.Then == nil || s.Then.Action != "update to 1.4.4" {
			t.Errorf("the middle is missing: %+v, then %+v", s, s.Then)
		}
		if p := b.roll(last); len(p.Refusals) != 1 || p.Refusals[0].Code != rollout.RefusePath || !strings.Contains(p.Refusals[0].Why, "get 1.2.0") {
			t.Errorf("%+v", p)
		}

		middle := b.take(plug, "1.2.0", nil)
		s = b.step(id)
		if s.Now.Kind != firmward.StepPatch || s.Now.Action != "update from "+from+" to 1.2.0" || s.Then == nil || s.Then.Action != "update to 1.4.4" || s.BlockerCode != "not-planned" || !strings.Contains(s.Blocker, middle.ID) {
			t.Errorf("before the first step: %+v, then %+v", s, s.Then)
		}
		if p := b.roll(last); len(p.Refusals) != 1 || p.Refusals[0].Code != rollout.RefusePath || !strings.Contains(p.Refusals[0].Why, "must go to 1.2.0 first (it runs "+from+")") {
			t.Errorf("%+v", p)
		}
		w, err := b.WayTo(b.ctx, id, "", "")
		if err != nil || w.Want != "1.4.4" || w.Path.String() != "1.2.0, then 1.4.4" {
			t.Errorf("%+v, %v", w, err)
		}

		b.roll(middle)
		s = b.step(id)
		if s.Now.Kind != firmward.StepPatch || s.Now.Action != "update from 1.2.0 to 1.4.4" || s.Then != nil && s.Then.Rule == "upgrade-path" || !strings.Contains(s.Blocker, last.ID) {
			t.Errorf("after the first step: %+v, then %+v", s, s.Then)
		}
		b.roll(last)
		if s = b.step(id); s.Now.Kind != firmward.StepWait {
			t.Errorf("at the end: %+v", s)
		}
		if now := plug.Facts(); now.InstalledVersion != "1.4.4" || len(now.Flashes) != 2 {
			t.Errorf("runs %s after %d flashes", now.InstalledVersion, len(now.Flashes))
		}
	})
}

// TestConfigWipeNeedsAWord: what wipes a configuration goes nowhere until whoever plans it says why, and that is on record.
func TestConfigWipeNeedsAWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, plug, id := wayHouse(t)
		rel := b.take(plug, "1.4.4", func(r *firmward.Release) { r.WipesConfig = true })
		if s := b.step(id); s.Now.Kind != firmward.StepPatch || s.BlockerCode != firmward.RiskWipesConfig || !strings.Contains(s.Blocker, "--allow-config-wipe") {
			t.Errorf("%+v", s)
		}
		if p := b.roll(rel); len(p.Refusals) != 1 || p.Refusals[0].Code != firmward.RiskWipesConfig {
			t.Errorf("%+v", p)
		}
		for _, a := range []firmward.Allowance{{Risk: firmward.RiskWipesConfig, Why: " "}, {Risk: "anything", Why: "because"}} {
			if _, err := b.PlanRollout(b.ctx, anna, rel.ID, "quick", firmward.Filter{}, a); firmward.CodeOf(err) != firmward.Invalid {
				t.Errorf("%+v: %v", a, err)
			}
		}
		if p := b.roll(rel, firmward.Allowance{Risk: firmward.RiskChangesVariant, Why: "another risk"}); len(p.Targets) != 0 {
			t.Errorf("another risk was taken on: %+v", p)
		}
		p := b.roll(rel, firmward.Allowance{Risk: firmward.RiskWipesConfig, Why: "saved by hand"})
		if kept, err := b.Store.Rollout(b.ctx, p.Rollout.ID); err != nil || len(kept.Allowed) != 1 || kept.Allowed[0].Why != "saved by hand" {
			t.Errorf("%+v, %v", kept.Allowed, err)
		}
		if !slices.ContainsFunc(b.leaves("rollout-plan"), func(l audit.Leaf) bool { return l.Detail["allowed-wipes-config"] == "saved by hand" }) {
			t.Error("no record says who took the risk on and why")
		}
	})
}

// TestVariantAndParts: what a person says of variant and parts decides which release a device gets.
func TestVariantAndParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, plug, id := wayHouse(t)
		rel := b.take(plug, "1.4.4", func(r *firmward.Release) {
			r.Variant, r.Needs = "eu", []firmward.Need{{Part: "bootloader", AtLeast: "2.0"}}
		})
		if s := b.step(id); s.Now.Kind != firmward.StepAsk || s.BlockerCode != upgrade.VariantUnknown || !strings.Contains(s.Now.Action, "--variant VARIANT") {
			t.Errorf("%+v", s)
		}
		if p := b.roll(rel); len(p.Refusals) != 1 || p.Refusals[0].Code != rollout.RefuseVariant || !strings.Contains(p.Refusals[0].Why, "nobody knows which variant this device has") {
			t.Errorf("%+v", p)
		}
		for _, bad := range []map[string]string{{"firmware": "1"}, {"Boot Loader": "1"}} {
			if _, err := b.SetDevice(b.ctx, anna, id, control.DeviceFacts{Parts: bad}); firmward.CodeOf(err) != firmward.Invalid {
				t.Errorf("%v: %v", bad, err)
			}
		}
		say := func(f control.DeviceFacts) firmward.NextStep {
			t.Helper()
			if _, err := b.SetDevice(b.ctx, anna, id, f); err != nil {
				t.Fatal(err)
			}
			return b.step(id)
		}
		if s := say(control.DeviceFacts{Variant: new("us")}); s.Now.Kind == firmward.StepPatch || strings.Contains(s.Now.Action, "1.4.4") {
			t.Errorf("of another variant: %+v", s)
		}
		if s := say(control.DeviceFacts{Variant: new("eu")}); s.BlockerCode != upgrade.PartUnknown || !strings.Contains(s.Now.Action, "--part PART=VERSION") {
			t.Errorf("%+v", s)
		}
		if s := say(control.DeviceFacts{Parts: map[string]string{"bootloader": "1.0"}}); s.BlockerCode != upgrade.MissingHop || !strings.Contains(s.Now.Action, "get bootloader 2.0") {
			t.Errorf("%+v", s)
		}
		loader := b.take(plug, "2.0", func(r *firmward.Release) { r.Part = "bootloader" })
		if s := b.step(id); s.Now.Kind != firmward.StepAsk || s.BlockerCode != "by-hand" || !strings.Contains(s.Now.Action, "update its bootloader from 1.0 to 2.0 by hand") {
			t.Errorf("%+v", s)
		}
		if p := b.roll(loader); len(p.Refusals) != 1 || p.Refusals[0].Code != rollout.RefusePart {
			t.Errorf("%+v", p)
		}
		if s := say(control.DeviceFacts{Parts: map[string]string{"bootloader": "2.0"}}); s.Now.Kind != firmward.StepPatch || s.BlockerCode != "not-planned" {
			t.Errorf("%+v", s)
		}
		b.roll(rel)
		if s := say(control.DeviceFacts{Parts: map[string]string{"bootloader": ""}, Variant: new("")}); s.Now.Kind != firmward.StepWait {
			t.Errorf("%+v", s)
		}
	})
}

// TestVariantFromAReading: where a device tells its variant, a fingerprint claims it and nobody has to say it.
func TestVariantFromAReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, plug, id := wayHouse(t, func(c *control.Config) {
			prints := []firmward.Fingerprint{{
				ID: "test/variant", Family: "shelly-gen2", When: map[string]string{"shelly.gen": "^(?P<gen>[0-9])$"}, Claim: map[firmward.Field]string{firmward.FieldVariant: "gen-${gen}"}, Confidence: 90,
				Examples: []firmward.Example{{Readings: map[string]string{"shelly.gen": "2"}, Claims: map[firmward.Field]string{firmward.FieldVariant: "gen-2"}}},
			}}
			for _, f := range c.Catalog.Families {
				prints = append(prints, f.Fingerprints...)
			}
			rules, err := identify.Compile(prints)
			if err != nil {
				t.Fatal(err)
			}
			c.Catalog = &catalog.Catalogue{Families: c.Catalog.Families, Rules: rules, Digest: "test"}
		})
		other := b.take(plug, "1.5.0", func(r *firmward.Release) { r.Variant = "gen-3" })
		if p := b.roll(other); len(p.Refusals) != 1 || p.Refusals[0].Code != rollout.RefuseVariant || !strings.Contains(p.Refusals[0].Why, "is of variant gen-3, this device has gen-2") {
			t.Errorf("%+v", p)
		}
		b.roll(b.take(plug, "1.4.4", func(r *firmward.Release) { r.Variant = "gen-2" }))
		w, err := b.WayTo(b.ctx, id, "", "")
		if err != nil || w.Runs.Variant != "gen-2" || w.Want != "1.4.4" || w.Refusal != nil || len(w.Path) != 0 {
			t.Errorf("%+v, %v", w, err)
		}
	})
}

// tightRouter is a router whose account may not make a backup.
type tightRouter struct{ openwrt.Driver }

// Backup implements driver.Backuper.
func (tightRouter) Backup(context.Context, wire.Conn, io.Writer) error {
	return firmward.Errorf(firmward.Unauthorized, "the account of this password may not make a backup")
}

// routerHouse is a house with one router that firmward may update, and a release that wipes its configuration.
func routerHouse(t *testing.T, change func(*control.Config)) (b bubble, router *lab.Device, d firmward.Device, rel firmward.Release) {
	t.Helper()
	l := newLab(t)
	router, err := l.AddOpenWrt(lab.OpenWrtSpec{Place: lab.Place{Name: "r1"}, Password: lab.RouterPassword})
	if err != nil {
		t.Fatal(err)
	}
	pol, err := policy.Parse([]byte(faultPolicy), "faults.yaml")
	if err != nil {
		t.Fatal(err)
	}
	b = live(t, l.Attach("home"), "home", map[netip.Prefix]firmward.Profile{home: firmward.ProfileHome}, func(c *control.Config) {
		c.Policies = pol
		change(c)
	})
	b.scan(home)
	if err := b.SetCredential(b.ctx, anna, control.Credential{Family: "openwrt", Site: "home", User: "root", Password: lab.RouterPassword}); err != nil {
		t.Fatal(err)
	}
	d = b.scan(home)[0]
	rel = b.take(router, "22.03.7", func(r *firmward.Release) {
		r.Vendor, r.Family, r.Models, r.Hardware, r.WipesConfig = d.Vendor, d.Family, []string{d.Model}, []string{d.Hardware}, true
	})
	return b, router, d, rel
}

var newStart = firmward.Allowance{Risk: firmward.RiskWipesConfig, Why: "a new start"}

// TestConfigIsSavedBeforeItIsWiped: where the driver can read the configuration, it is in safekeeping before the image is sent.
func TestConfigIsSavedBeforeItIsWiped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _, d, rel := routerHouse(t, func(*control.Config) {})
		if _, err := b.SavedConfig(b.ctx, anna, d.ID); firmward.CodeOf(err) != firmward.NotFound {
			t.Errorf("nothing was saved yet: %v", err)
		}
		b.roll(rel, newStart)
		saved, err := b.SavedConfig(b.ctx, anna, d.ID)
		if err != nil || len(saved) < 2 || saved[0] != 0x1f || saved[1] != 0x8b {
			t.Errorf("%d bytes, %v", len(saved), err)
		}
		if n := len(b.leaves("config-save")); n != 1 {
			t.Errorf("%d records of it", n)
		}
		if leaves := b.leaves("config-read"); len(leaves) != 1 || leaves[0].Actor != "anna" {
			t.Errorf("%+v", leaves)
		}
	})
}

// TestNoWipeOfWhatCannotBeSaved: a driver that could save the configuration and is not let keeps the image from being sent.
func TestNoWipeOfWhatCannotBeSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, router, d, rel := routerHouse(t, func(c *control.Config) {
			for i, drv := range c.Drivers {
				if is, ok := drv.(openwrt.Driver); ok {
					c.Drivers[i] = tightRouter{is}
				}
			}
		})
		p, err := b.PlanRollout(b.ctx, anna, rel.ID, "quick", firmward.Filter{}, newStart)
		if err != nil || len(p.Targets) != 1 {
			t.Fatalf("%+v, %v", p, err)
		}
		if _, err := b.SteerRollout(b.ctx, anna, p.Rollout.ID, "start", ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		target, err := b.Store.Target(b.ctx, p.Rollout.ID, d.ID)
		if err != nil || target.State != firmward.TargetSkipped && target.State != firmward.TargetRefused || target.Code != "config-not-saved" || !strings.Contains(target.Why, "may not make a backup") {
			t.Errorf("%+v, %v", target, err)
		}
		if n := len(router.Facts().Flashes); n != 0 {
			t.Errorf("flashed %d times", n)
		}
	})
}
