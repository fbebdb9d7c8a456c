package control_test

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/discover/probes"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/policy"
	"github.com/firmward/firmward/wire/wiretest"
)

// oneByOne are the probes that ask single hosts: nobody has to wait for who answers to a group.
func oneByOne() []discover.Probe {
	return slices.DeleteFunc(probes.All(), func(p discover.Probe) bool { return p.Info().Group.IsValid() || p.Info().Listens })
}

// TestStagingOverSockets rehearses images on a router of the lab over real sockets of a network namespace: a good one passes, and each
// bad one fails with the sentence that names what it does. Five minutes pass in a second.
func TestStagingOverSockets(t *testing.T) {
	for name, tc := range map[string]struct{ flaw, want string }{
		"good":          {"", ""},
		"dead service":  {lab.FlawDeadBroker, "mqtt answered before the update and does not any more"},
		"open port":     {lab.FlawOpenTelnet, "the image opens TCP port 23, which was closed before"},
		"reset":         {lab.FlawResetConfig, "the image resets its configuration: nothing is as it was of etc/config/firewall, etc/config/system"},
		"maker's again": {lab.FlawFactoryLogin, "the image brings the maker's password back"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			space := wiretest.New(t, "shelf")
			space.IP("addr", "add", "192.168.20.9/30", "dev", "lo")
			space.IP("addr", "add", "192.168.20.10/30", "dev", "lo")
			const scale = 300
			began := time.Now()
			l := lab.New(lab.Options{Clock: lab.ScaledClock(began, scale)})
			t.Cleanup(func() { l.Close() })
			few := netip.MustParsePrefix("192.168.20.8/30")
			for at, who := range map[string]string{"192.168.20.9": "spare", "192.168.20.10": "in-use"} {
				d, err := l.AddOpenWrt(lab.OpenWrtSpec{Place: lab.Place{Name: who, Addr: netip.MustParseAddr(at)}, Password: lab.RouterPassword, Broker: true})
				if err != nil {
					t.Fatal(err)
				}
				if err := d.ServeOn(t.Context(), space); err != nil {
					t.Fatal(err)
				}
			}
			pol, err := policy.Parse([]byte(strings.Replace(faultPolicy, "deadline: 60m", "deadline: 30h", 1)), "sockets.yaml")
			if err != nil {
				t.Fatal(err)
			}
			b := live(t, space, "home", map[netip.Prefix]firmward.Profile{few: firmward.ProfileHome}, func(cfg *control.Config) {
				cfg.Policies, cfg.Self, cfg.Lab, cfg.Probes = pol, nil, false, oneByOne()
				cfg.Clock = control.Clock{Base: began, Start: began, Scale: scale}
			})
			b.scan(few)
			for _, in := range []control.Credential{{Password: lab.RouterPassword}, {Password: lab.RouterFactory, Factory: true}} {
				in.Family, in.Site, in.User = "openwrt", "home", "root"
				if err := b.SetCredential(b.ctx, anna, in); err != nil {
					t.Fatal(err)
				}
			}
			var model firmward.Device
			for _, d := range b.scan(few) {
				spare := d.Name == "spare"
				if _, err := b.SetDevice(b.ctx, anna, d.ID, control.DeviceFacts{Spare: &spare}); err != nil {
					t.Fatal(err)
				}
				model = d
			}
			router, _ := l.Device("spare")
			var flaws []string
			if tc.flaw != "" {
				flaws = append(flaws, tc.flaw)
			}
			f := router.Facts()
			image := lab.BuildImage(lab.ImageSpec{Family: lab.FamilyOpenWrt, Model: f.Model, HardwareRev: f.HardwareRev, Version: "23.05.0", Size: 64 << 10, Flaws: flaws})
			rel, err := b.ImportRelease(b.ctx, anna, firmward.Release{
				Family: model.Family, Vendor: model.Vendor, Models: []string{model.Model}, Hardware: []string{model.Hardware}, Version: "23.05.0", FileName: "image.bin", Origin: "the lab",
			}, bytes.NewReader(image))
			if err != nil {
				t.Fatal(err)
			}
			if n, err := b.Rehearse(b.ctx, anna, rel.ID, "quick", false); n != 1 || err != nil {
				t.Fatalf("%d rehearsals, %v", n, err)
			}
			var got firmward.StagingVerdict
			took := wiretest.Await(t, 90*time.Second, "the verdict", func() bool {
				all, err := b.Store.StagingsOf(b.ctx, rel.SHA256)
				if err != nil || len(all) == 0 {
					return false
				}
				got = all[0]
				return true
			})
			t.Logf("%s after %s: %s", got.Result, took.Round(10*time.Millisecond), got.Why)
			want := "passed"
			if tc.flaw != "" {
				want = "failed"
			}
			if got.Result != want || !strings.Contains(got.Why, tc.want) || got.Place != firmward.PlaceSpare {
				for _, c := range got.Checks {
					t.Logf("  %-18s %-10s %s", c.Name, c.Verdict, c.Why)
				}
				t.Errorf("%s: %s (%s)", got.Result, got.Why, got.Place)
			}
			if other, _ := l.Device("in-use"); len(other.Facts().Flashes) > 0 {
				t.Error("a device in use was flashed")
			}
		})
	}
}
