// Package vm is a twin in a virtual machine: QEMU without the help of the processor (TCG, never KVM), the kernel of Debian, and a
// first file system with busybox in which a program answers as a light controller with WLED does. It has two slots for firmware on a
// small disk and starts a new version on trial, as the controller's boot loader does. It shows with real bytes how a release goes the
// whole way; what it proves is the way, not the maker's firmware: the verdict says that the device itself is not mirrored.
//
// The machine stands in a network namespace of its own that no wire leads out of: its only neighbour is the stand-ins for DHCP, DNS,
// NTP and a broker. What it sends to anybody else is dropped by nftables, counted, and told by address, protocol and port. QEMU runs
// without devices that were not asked for and may start no program.
//
// It needs root (namespaces, a tap), the programs qemu-system-x86_64, ip and nft, and a kernel with its modules.
package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/twin"
	"github.com/firmward/firmward/wire"
	"github.com/firmward/firmward/wire/netns"
)

// Spec says which machine to make.
type Spec struct {
	Name     string // for people
	Kernel   string // path of a folder with boot/vmlinuz-VERSION and lib/modules/VERSION, as Debian's package has them
	Busybox  string // path of a static busybox
	Firmware []byte // an image (Image.Bytes) for the first slot
	Dir      string // where disk and log lie; it is not removed
}

// VM is a running machine. It implements twin.Twin, PowerCutter, FlashCutter and Watcher.
type VM struct {
	spec    Spec
	space   *netns.Space
	stand   *standIns
	nft     string
	kernel  string
	machine *machine

	mu    sync.Mutex
	names []string // that were looked up
}

// diskSize is that of the disk: state, two slots, and how the program is set up.
const diskSize = 10 << 20

// Start makes the segment and starts the machine; it does not wait until that answers. An error with code NotSupported says what is
// missing here.
func Start(ctx context.Context, spec Spec) (*VM, error) {
	v := &VM{spec: spec}
	var err error
	if v.nft, err = netns.Program("nft", "nftables"); err != nil {
		return nil, err
	}
	if _, err := netns.Program("qemu-system-x86_64", "qemu-system-x86"); err != nil {
		return nil, err
	}
	kernels, err := filepath.Glob(filepath.Join(spec.Kernel, "boot", "vmlinuz-*"))
	if err != nil || len(kernels) == 0 {
		return nil, firmward.Errorf(firmward.NotSupported, "there is no boot/vmlinuz-* in "+spec.Kernel+": unpack Debian's package linux-image-cloud-amd64 there")
	}
	slices.Sort(kernels)
	v.kernel = kernels[len(kernels)-1]
	if err := v.files(); err != nil {
		return nil, err
	}
	if v.space, err = newSegment(ctx, v.nft); err != nil {
		return nil, err
	}
	if v.stand, err = startStandIns(context.WithoutCancel(ctx), v.space, v.asked); err == nil {
		err = v.power()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the twin: %w", err), v.Close())
	}
	return v, nil
}

// files writes disk and first file system.
func (v *VM) files() error {
	if len(v.spec.Firmware) == 0 || len(v.spec.Firmware) > slotSize {
		return firmward.Errorf(firmward.Invalid, "a twin needs an image for its first slot, and it must fit there")
	}
	disk := make([]byte, diskSize)
	copy(disk, "active=0 next=- tries=0\n")
	copy(disk[1<<20:], v.spec.Firmware)
	if err := os.WriteFile(v.path("disk"), disk, 0o600); err != nil {
		return fmt.Errorf("write the twin's disk: %w", err)
	}
	version, _ := bytes.CutPrefix([]byte(filepath.Base(v.kernel)), []byte("vmlinuz-"))
	out, err := os.Create(v.path("initrd"))
	if err != nil {
		return fmt.Errorf("write the twin's first file system: %w", err)
	}
	err = initramfs(out, v.spec.Busybox, filepath.Join(v.spec.Kernel, "lib", "modules", string(version)))
	return errors.Join(err, out.Close())
}

func (v *VM) path(name string) string { return filepath.Join(v.spec.Dir, name) }

// power starts QEMU.
func (v *VM) power() error {
	ip, err := netns.Program("ip", "iproute2")
	if err != nil {
		return err
	}
	// The disk need not outlive this host, only the machine: what that wrote is kept when it is killed (cache=unsafe).
	args := []string{
		"netns", "exec", v.space.Name, "qemu-system-x86_64", "-accel", "tcg", "-machine", "pc", "-m", "128", "-nodefaults", "-no-user-config", "-display", "none",
		"-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
		"-serial", "file:" + v.path("console"), "-kernel", v.kernel, "-initrd", v.path("initrd"), "-append", "console=ttyS0 quiet panic=1 no_timer_check mitigations=off",
		"-drive", "id=d,if=none,format=raw,cache=unsafe,file=" + v.path("disk"), "-device", "virtio-blk-pci,drive=d",
		"-netdev", "tap,id=n,script=no,downscript=no,ifname=" + tap, "-device", "virtio-net-pci,netdev=n,romfile=,mac=" + mac,
	}
	v.machine, err = run(exec.Command(ip, args...))
	return err
}

// mac is the machine's hardware address, of the range that nobody else has.
const mac = "02:46:57:54:57:01"

// Info declares the twin.
func (v *VM) Info() twin.Info {
	return twin.Info{Name: v.spec.Name, Place: firmward.PlaceVM, Prefix: prefix, Mirrors: mirrors}
}

// Network reaches the machine, from within its segment.
func (v *VM) Network() wire.Network { return &v.space.Netns }

// Addr is where the machine answers.
func (v *VM) Addr() netip.Addr { return address }

// CutPower ends the machine as it stands, and starts it again from its disk.
func (v *VM) CutPower(context.Context) error {
	if err := v.machine.kill(); err != nil {
		return fmt.Errorf("cut the twin's power: %w", err)
	}
	if err := v.power(); err != nil {
		return fmt.Errorf("give the twin its power back: %w", err)
	}
	return nil
}

// CutWhileWriting waits until the machine writes to its disk, which it does for firmware and for its configuration alone, and cuts its power.
func (v *VM) CutWhileWriting(ctx context.Context) error {
	before, err := os.Stat(v.path("disk"))
	if err != nil {
		return fmt.Errorf("watch the twin's disk: %w", err)
	}
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return firmward.Errorf(firmward.Unavailable, "the machine wrote nothing")
		case <-look.C:
		}
		now, err := os.Stat(v.path("disk"))
		switch {
		case err != nil:
			return fmt.Errorf("watch the twin's disk: %w", err)
		case now.ModTime().After(before.ModTime()):
			return v.CutPower(ctx)
		}
	}
}

// Reached tells whom the machine tried to reach outside its segment, and which names it looked up. more counts the packets.
func (v *VM) Reached(ctx context.Context) (whom []string, more int, err error) {
	whom, more, err = tried(ctx, v.space, v.nft)
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, n := range v.names {
		whom = append(whom, "name "+n)
	}
	return whom, more, err
}

// maxNames bounds how many names are kept.
const maxNames = 256

func (v *VM) asked(name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !slices.Contains(v.names, name) && len(v.names) < maxNames {
		v.names = append(v.names, name)
	}
}

// Console is what the machine said on its serial line since its power was given.
func (v *VM) Console() string {
	b, err := os.ReadFile(v.path("console"))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Close ends the machine and removes its segment.
func (v *VM) Close() error {
	var all []error
	if v.machine != nil {
		all = append(all, v.machine.kill())
	}
	if v.stand != nil {
		all = append(all, v.stand.close())
	}
	if v.space != nil {
		all = append(all, v.space.Remove())
	}
	return errors.Join(all...)
}
