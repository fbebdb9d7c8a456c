package control_test

import (
	"bytes"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/driver/wled"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/policy"
	"github.com/firmward/firmward/twin/vm"
	"github.com/firmward/firmward/wire"
	"github.com/firmward/firmward/wire/wiretest"
)

// TestTwin: a release goes the product's whole way onto a virtual machine in a segment of its own, which stands for a light controller in
// use: found by probes, set up as that one is, updated by driver and engine, its power cut, back and forward once. The verdict says whom it tried to reach and
// what was not mirrored.
func TestTwin(t *testing.T) {
	kernel := os.Getenv("FIRMWARD_TWIN_KERNEL")
	if kernel == "" {
		wiretest.Missing(t, "FIRMWARD_TWIN_KERNEL names no folder with a kernel: unpack Debian's package linux-image-cloud-amd64 there (dpkg -x)")
	}
	wiretest.Tool(t, "qemu-system-x86_64", "qemu-system-x86")
	wiretest.Tool(t, "nft", "nftables")
	image := func(i vm.Image) []byte {
		b, err := i.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	v, err := vm.Start(t.Context(), vm.Spec{
		Name: "twin", Kernel: kernel, Busybox: wiretest.Tool(t, "busybox", "busybox-static"), Firmware: image(vm.Image{Version: "0.15.0"}), Dir: t.TempDir(),
	})
	if firmward.CodeOf(err) == firmward.NotSupported {
		wiretest.Missing(t, err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(v.Console())
		}
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	l := newLab(t)
	few := netip.MustParsePrefix("192.168.20.8/30")
	strip, err := l.AddWLED(lab.WLEDSpec{Place: lab.Place{Name: "strip", Addr: netip.MustParseAddr("192.168.20.9")}})
	if err != nil {
		t.Fatal(err)
	}
	if err := strip.SetUp("if.mqtt.broker", "192.168.20.77"); err != nil {
		t.Fatal(err)
	}
	pol, err := policy.Parse([]byte(strings.Replace(faultPolicy, "deadline: 60m", "deadline: 6h", 1)), "twin.yaml") // ninety seconds of real time
	if err != nil {
		t.Fatal(err)
	}
	b := live(t, l.Attach("home"), "home", map[netip.Prefix]firmward.Profile{few: firmward.ProfileHome}, func(cfg *control.Config) {
		cfg.Policies, cfg.Probes = pol, oneByOne()
		cfg.Clock = control.Clock{Base: time.Now(), Start: time.Now(), Scale: 240}
	})
	b.scan(few)
	rel, err := b.ImportRelease(b.ctx, anna, firmward.Release{
		Family: "wled", Vendor: "WLED", Models: []string{"WLED ESP32"}, Hardware: []string{"esp32"}, Version: "0.15.1", FileName: "wled.bin", Origin: "the test",
	}, bytes.NewReader(image(vm.Image{Version: "0.15.1", Size: 2 << 20, Start: "nc -w 1 203.0.113.9 4443 >/dev/null 2>&1 &"})))
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	got, err := b.RehearseOnTwin(b.ctx, anna, control.TwinRun{Release: rel.ID, For: "strip", Twin: v, Addr: v.Addr(), Say: func(text string) { t.Logf("%6s  %s", time.Since(began).Round(100*time.Millisecond), text) }})
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	t.Logf("%s after %s: %s", got.Result, took.Round(time.Second), got.Why)
	for _, c := range got.Checks {
		t.Logf("  %-18s %-10s %s", c.Name, c.Verdict, c.Why)
	}
	t.Logf("reached %q, not mirrored %q", got.Reached, got.NotMirrored)
	if got.Result != "passed" || got.Place != firmward.PlaceVM {
		t.Errorf("%+v", got)
	}
	if plan, err := b.StagingPlan(b.ctx, rel.ID, "quick", firmward.Filter{}); err != nil || len(plan) != 1 || plan[0].Verdict.SpareID != got.SpareID || len(plan[0].Devices) != 1 || plan[0].Devices[0].Name != "strip" {
		t.Errorf("%+v, %v", plan, err)
	}
	if d, err := b.Store.Device(b.ctx, got.SpareID); err != nil || !d.Retired || d.Spare {
		t.Errorf("afterwards it is still a spare: %+v, %v", d, err)
	}
	if n, err := b.Store.Network(b.ctx, netip.PrefixFrom(v.Addr(), 32)); firmward.CodeOf(err) != firmward.NotFound {
		t.Errorf("its network is still named: %+v, %v", n, err)
	}
	for _, name := range []string{"services", "ports", "configuration", "power-cut", "flash-cut", "rollback"} {
		if !slices.ContainsFunc(got.Checks, func(c firmward.StagingCheck) bool { return c.Name == name && c.Verdict == firmward.CheckPassed }) {
			t.Errorf("%s did not pass", name)
		}
	}
	if !slices.Contains(got.Reached, "203.0.113.9 tcp 4443") || !slices.Contains(got.Reached, "name pool.ntp.org.") {
		t.Errorf("%q", got.Reached)
	}
	if not := strings.Join(got.NotMirrored, "; "); !strings.Contains(not, "it is a virtual machine") || !strings.Contains(not, "passwords and the network of the real place") || strings.Contains(not, "DHCP") {
		t.Errorf("%q", got.NotMirrored)
	}
	var copied bytes.Buffer
	drv := wled.Driver{}
	if err := drv.Backup(t.Context(), wire.Conn{Network: v.Network(), Addr: v.Addr()}, &copied); err != nil || !strings.Contains(copied.String(), "192.168.20.77") {
		t.Errorf("%v, %q", err, copied.String())
	}
}
