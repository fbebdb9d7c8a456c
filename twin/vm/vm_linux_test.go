package vm_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/driver"
	"github.com/firmward/firmward/driver/wled"
	"github.com/firmward/firmward/twin"
	"github.com/firmward/firmward/twin/vm"
	"github.com/firmward/firmward/wire"
	"github.com/firmward/firmward/wire/wiretest"
)

var (
	_ twin.Twin        = (*vm.VM)(nil)
	_ twin.PowerCutter = (*vm.VM)(nil)
	_ twin.FlashCutter = (*vm.VM)(nil)
	_ twin.Watcher     = (*vm.VM)(nil)
)

// start makes a machine that runs an image.
func start(t *testing.T, firmware vm.Image) *vm.VM {
	t.Helper()
	kernel := os.Getenv("FIRMWARD_TWIN_KERNEL")
	if kernel == "" {
		wiretest.Missing(t, "FIRMWARD_TWIN_KERNEL names no folder with a kernel: apt-get download linux-image-cloud-amd64's package, dpkg -x it there")
	}
	wiretest.Tool(t, "nft", "nftables")
	wiretest.Tool(t, "qemu-system-x86_64", "qemu-system-x86")
	busybox := wiretest.Tool(t, "busybox", "busybox-static")
	v, err := vm.Start(t.Context(), vm.Spec{Name: "twin", Kernel: kernel, Busybox: busybox, Firmware: image(t, firmware), Dir: t.TempDir()})
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
	return v
}

func image(t *testing.T, i vm.Image) []byte {
	t.Helper()
	b, err := i.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// runs waits until the machine runs a version, as the product's driver reads it.
func runs(t *testing.T, v *vm.VM, version string) {
	t.Helper()
	took := wiretest.Await(t, 40*time.Second, version+" to run", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		s, err := wled.Driver{}.Read(ctx, conn(v))
		return err == nil && s.Version == version
	})
	t.Logf("%s runs after %s", version, took.Round(10*time.Millisecond))
}

func conn(v *vm.VM) wire.Conn { return wire.Conn{Network: v.Network(), Addr: v.Addr()} }

func install(t *testing.T, v *vm.VM, b []byte) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return wled.Driver{}.Install(ctx, conn(v), driver.Image{
		Release: firmward.Release{FileName: "wled.bin", Size: int64(len(b))}, Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil },
	})
}

// TestMachine: a virtual machine boots in its own segment, refuses by the product's driver what it cannot take, starts a version that
// does not answer on trial in its other slot, and falls back. Whom that tries to reach is told, and nobody is reached.
func TestMachine(t *testing.T) {
	v := start(t, vm.Image{Version: "0.15.0"})
	runs(t, v, "0.15.0")
	if err := install(t, v, image(t, vm.Image{Version: "0.16.0", Build: "ESP32_Ethernet"})); firmward.CodeOf(err) != firmward.Refused {
		t.Errorf("an image of another build: %v", err)
	}
	damaged := image(t, vm.Image{Version: "0.16.0"})
	damaged[len(damaged)-1] ^= 1
	if err := install(t, v, damaged); err == nil || errors.Is(err, driver.ErrNotBegun) {
		t.Errorf("a damaged image: %v", err)
	}
	if err := (wled.Driver{}).Revert(t.Context(), conn(v)); firmward.CodeOf(err) != firmward.Unavailable {
		t.Errorf("it went back to nothing: %v", err)
	}
	if err := install(t, v, image(t, vm.Image{Version: "0.16.0", Start: "(nc -w 1 203.0.113.9 4443; nslookup updates.example; ping -c 1 -W 1 203.0.113.8) >/dev/null 2>&1 &\nexit 1"})); err != nil {
		t.Fatal(err)
	}
	wiretest.Await(t, 60*time.Second, "the version that does not answer to be tried", func() bool { return strings.Contains(v.Console(), "version 0.16.0 does not answer") })
	runs(t, v, "0.15.0")
	whom, packets, err := v.Reached(t.Context())
	t.Logf("%q", whom)
	for _, want := range []string{"203.0.113.9 tcp 4443", "203.0.113.8 icmp", "name updates.example.", "name pool.ntp.org."} {
		if !slices.Contains(whom, want) || packets == 0 || err != nil {
			t.Errorf("%s is not told: %d packets, %v", want, packets, err)
		}
	}
	segment(t, v)
}

// segment: the stand-ins answer to whom they should, and the machine's segment leads nowhere.
func segment(t *testing.T, v *vm.VM) {
	t.Helper()
	if _, err := v.Network().DialContext(t.Context(), "tcp", "203.0.113.9:80"); err == nil {
		t.Error("the segment leads to somewhere else")
	}
	in := v.Info()
	if in.Place != firmward.PlaceVM || !in.Prefix.Contains(v.Addr()) || len(in.Mirrors) != 4 {
		t.Errorf("%+v", in)
	}
	wiretest.Tool(t, "dig", "bind9-dnsutils")
	wiretest.Tool(t, "mosquitto_sub", "mosquitto-clients")
	space := v.Network().(*wire.Netns).Name
	within := func(program string, args ...string) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		out, err := exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", space, program}, args...)...).CombinedOutput()
		return string(out), err
	}
	at := netip.MustParsePrefix("198.18.77.1/24").Addr().String()
	if out, err := within("dig", "+short", "+tries=1", "@"+at, "anything.example", "A"); strings.TrimSpace(out) != at {
		t.Errorf("%q, %v", out, err)
	}
	got := make(chan string, 1)
	go func() {
		out, _ := within("mosquitto_sub", "-h", at, "-t", "house/door", "-C", "1", "-W", "8")
		got <- out
	}()
	wiretest.Await(t, 8*time.Second, "a message to come back", func() bool {
		if _, err := within("mosquitto_pub", "-h", at, "-t", "house/door", "-m", "open"); err != nil {
			t.Error(err)
			return true
		}
		select {
		case out := <-got:
			return strings.TrimSpace(out) == "open"
		default:
			return false
		}
	})
}
