package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/twin/vm"
	"github.com/firmward/firmward/wire/netns"
)

// StagingTwinCmd rehearses a release on a virtual machine.
type StagingTwinCmd struct {
	Release string        `arg:"" help:"Release."`
	For     string        `required:"" help:"Device in use for which the machine stands, with all that are like it." placeholder:"DEVICE"`
	Kernel  string        `help:"Folder with an unpacked kernel: boot/vmlinuz-… and lib/modules/…" type:"path" env:"FIRMWARD_TWIN_KERNEL" placeholder:"DIR"`
	Busybox string        `help:"A busybox that needs no libraries; the one in PATH unless given." type:"existingfile" placeholder:"FILE"`
	Policy  string        `help:"Rollout policy whose limits hold; that of the device unless given." placeholder:"NAME"`
	Watch   time.Duration `help:"How long it is watched after its update." default:"10m"`
}

// Help gives examples.
func (StagingTwinCmd) Help() string {
	return "Starts a virtual machine (QEMU without the processor's help) in a network namespace that no wire leads out of, gives it the version of the device and a copy of its " +
		"configuration, rehearses the release on it, and removes it. It needs root, qemu-system-x86, nftables, iproute2, busybox-static and an unpacked kernel. " +
		"Until it has ended this command is the server: what else is due goes on too. A rehearsal takes some minutes beside the time of watching.\n\n" +
		examples("sudo firmward staging twin rel-0123456789ab --for strip --kernel ./kernel", "sudo firmward staging twin rel-0123456789ab --for strip \\", "    --kernel ./kernel --watch 1m")
}

// Run carries it out.
func (c *StagingTwinCmd) Run(ctx context.Context, a *app) (err error) {
	if err := c.check(a); err != nil {
		return err
	}
	if err := a.client.open(ctx); err != nil {
		return err
	}
	h := a.client.local
	if h == nil {
		return firmward.Errorf(firmward.Refused, "a server holds the data directory, and a server starts no machines: stop it for the time of the rehearsal")
	}
	d, rel, err := h.Control.TwinFor(ctx, c.Release, c.For, c.Policy)
	if err != nil {
		return err
	}
	first, err := c.fits(h, d, rel)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "firmward-twin-")
	if err != nil {
		return fmt.Errorf("make a folder for the machine: %w", err)
	}
	defer os.RemoveAll(dir)
	began := time.Now()
	say := func(text string) {
		if !a.JSON {
			fmt.Fprintf(a.err, "%6s  %s\n", time.Since(began).Round(time.Second), text)
		}
	}
	say(fmt.Sprintf("a machine with %s starts", first.Version))
	firmware, err := first.Bytes()
	if err != nil {
		return err
	}
	m, err := vm.Start(ctx, vm.Spec{Name: "twin of " + d.Name, Kernel: c.Kernel, Busybox: c.Busybox, Firmware: firmware, Dir: dir})
	if err != nil {
		return err
	}
	defer func() {
		say("the machine is removed")
		err = errors.Join(err, m.Close())
	}()
	loops, end := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- h.run(loops) }()
	v, err := h.Control.RehearseOnTwin(ctx, localPerson(), control.TwinRun{
		Release: rel.ID, For: d.ID, Policy: c.Policy, Watch: c.Watch, Twin: m, Addr: m.Addr(), Say: say,
	})
	end()
	a.client.changed = true
	if left := <-ended; err == nil {
		err = left
	}
	if err != nil {
		return err
	}
	return showVerdict(ctx, a, v)
}

// check says what is missing here before anything is opened.
func (c *StagingTwinCmd) check(a *app) (err error) {
	switch {
	case a.Server != "":
		return usageError("staging twin starts its machine here: leave out --server")
	case c.Watch < 0:
		return usageError("--watch is how long it is watched: want for example 10m")
	case os.Geteuid() != 0:
		return firmward.Errorf(firmward.NotSupported, "network namespaces need root: run it with sudo")
	case c.Kernel == "":
		return usageError("--kernel is missing: unpack Debian's kernel into a folder, as docs/staging.md says, and name that")
	}
	if c.Busybox == "" {
		c.Busybox, err = netns.Program("busybox", "busybox-static")
	}
	return err
}

// fits refuses what the machine cannot stand for or run, and gives its first image.
func (c *StagingTwinCmd) fits(h *house, d firmward.Device, rel firmward.Release) (vm.Image, error) {
	first, err := vm.Of(d)
	if err != nil {
		return first, err
	}
	f, err := h.Control.Depot.Open(rel.SHA256, rel.Size)
	if err != nil {
		return first, err
	}
	defer f.Close()
	brings, err := vm.Runs(f)
	if err == nil && brings.Version != rel.Version {
		err = firmward.Errorf(firmward.Refused, fmt.Sprintf("the image brings version %s, and the release says %s", brings.Version, rel.Version))
	}
	return first, err
}

// StagingImageCmd makes an image for the virtual machine.
type StagingImageCmd struct {
	File   string `arg:"" help:"File to write." type:"path"`
	Of     string `required:"" help:"Version that it brings." placeholder:"VERSION"`
	Build  string `help:"Build of WLED that it says to be." default:"ESP32"`
	Before string `help:"Shell script that runs in the machine before its services start: what a bad image does." type:"existingfile" placeholder:"FILE"`
}

// Help gives examples.
func (StagingImageCmd) Help() string {
	return "The virtual machine answers as a WLED light controller does, but the maker's images need the maker's chip. What this makes runs in the machine, to try the way of a " +
		"release before it matters; a light controller refuses it.\n\n" +
		examples("firmward staging image wled-0.15.1.bin --of 0.15.1",
			"firmward releases import wled-0.15.1.bin --family wled \\", "    --model 'WLED ESP32' --hardware esp32 --version 0.15.1 \\", "    --origin 'staging image'",
			"firmward staging image bad.bin --of 0.15.2 --before forget-everything.sh")
}

// Run carries it out.
func (c *StagingImageCmd) Run(_ context.Context, a *app) error {
	i := vm.Image{Version: c.Of, Build: c.Build}
	if c.Before != "" {
		script, err := os.ReadFile(c.Before)
		if err != nil {
			return fmt.Errorf("read the script: %w", err)
		}
		i.Start = string(script)
	}
	b, err := i.Bytes()
	if err != nil {
		return firmward.Errorf(firmward.Invalid, err.Error())
	}
	if err := os.WriteFile(c.File, b, 0o600); err != nil {
		return fmt.Errorf("write the image: %w", err)
	}
	fmt.Fprintf(a.out, "%s brings version %s to a virtual machine, %d bytes.\n", c.File, c.Of, len(b))
	return nil
}
