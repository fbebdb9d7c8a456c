package control_test

import (
	"bytes"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/policy"
	"github.com/firmward/firmward/store"
)

// TestRolloutOfPushedFamilies: a camera by ISAPI and a controller by Redfish go from a scan to a version that probes have seen.
func TestRolloutOfPushedFamilies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		few := netip.MustParsePrefix("192.168.20.8/29")
		place := func(name string, last byte) lab.Place {
			return lab.Place{Name: name, Addr: netip.AddrFrom4([4]byte{192, 168, 20, last})}
		}
		gate, err := l.AddHikvision(lab.HikvisionSpec{Place: place("gate", 11)})
		if err != nil {
			t.Fatal(err)
		}
		bmc, err := l.AddRedfish(lab.RedfishSpec{Place: place("bmc", 12)})
		if err != nil {
			t.Fatal(err)
		}
		pol, err := policy.Parse([]byte(killPolicy), "quick.yaml")
		if err != nil {
			t.Fatal(err)
		}
		b := live(t, l.Attach("home"), "home", map[netip.Prefix]firmward.Profile{few: firmward.ProfileHome}, func(c *control.Config) { c.Policies = pol })
		b.scan(few)
		for _, c := range []control.Credential{
			{Family: "hikvision", Site: "home", User: "admin", Password: lab.HikvisionPassword},
			{Device: "192.168.20.12", User: "root", Password: lab.RedfishPassword},
		} {
			if err := b.SetCredential(b.ctx, anna, c); err != nil {
				t.Fatal(err)
			}
		}
		b.scan(few)
		for _, tc := range []struct {
			d               *lab.Device
			family, version string
		}{{gate, "hikvision", "V5.7.15 build 230313"}, {bmc, "redfish", "1.46.2"}} {
			f := tc.d.Facts()
			image, err := tc.d.Image(tc.version)
			if err != nil {
				t.Fatal(err)
			}
			rel, err := b.ImportRelease(b.ctx, anna, firmward.Release{
				Family: tc.family, Models: []string{f.Model}, Hardware: []string{f.HardwareRev}, Version: tc.version, FileName: "image.bin", Origin: "test",
			}, bytes.NewReader(image))
			if err != nil {
				t.Fatal(err)
			}
			p, err := b.PlanRollout(b.ctx, anna, rel.ID, "quick", firmward.Filter{})
			if err != nil || len(p.Targets) != 1 {
				t.Fatalf("%s: %d targets, refusals %+v, %v", f.Name, len(p.Targets), p.Refusals, err)
			}
			if _, err := b.SteerRollout(b.ctx, anna, p.Rollout.ID, "start", ""); err != nil {
				t.Fatal(err)
			}
			for range 48 {
				time.Sleep(time.Hour)
				if r, err := b.Store.Rollout(b.ctx, p.Rollout.ID); err != nil || r.State == firmward.RolloutFinished {
					break
				}
			}
			target, err := b.Store.Target(b.ctx, p.Rollout.ID, p.Targets[0].DeviceID)
			if now := tc.d.Facts(); err != nil || target.State != firmward.TargetSucceeded || now.InstalledVersion != tc.version || len(now.Flashes) != 1 {
				t.Errorf("%s: %+v, runs %s, %v", f.Name, target, now.InstalledVersion, err)
			}
		}
		all, _, err := b.Store.Devices(b.ctx, store.DeviceFilter{}, store.Page{})
		if err != nil || len(all) != 2 {
			t.Errorf("%d devices, %v", len(all), err)
		}
		for _, d := range all {
			if d.Firmware != "V5.7.15 build 230313" && d.Firmware != "1.46.2" {
				t.Errorf("%s is believed to run %q", d.Name, d.Firmware)
			}
		}
	})
}
