package vm

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"embed"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/firmward/firmward"
)

// guest holds what runs in the machine: its boot loader, and the program that answers as a light controller with WLED does.
//
//go:embed guest
var guest embed.FS

// modules are what the kernel needs to see its disk and its network, in the order in which they are loaded.
var modules = [...]string{
	"drivers/virtio/virtio_ring", "drivers/virtio/virtio", "drivers/virtio/virtio_pci_modern_dev", "drivers/virtio/virtio_pci_legacy_dev",
	"drivers/virtio/virtio_pci", "net/core/failover", "drivers/net/net_failover", "drivers/net/virtio_net", "drivers/block/virtio_blk",
}

// initramfs writes the first file system of the machine: busybox, the modules that the kernel does not hold itself, and the boot loader.
func initramfs(w io.Writer, busybox, lib string) error {
	z := gzip.NewWriter(w)
	a := archive{w: z}
	for _, dir := range [...]string{"bin", "dev", "proc", "sys", "tmp", "etc", "m", "app"} {
		a.add(dir, 0o040755, nil)
	}
	if err := static(busybox); err != nil {
		return err
	}
	program, err := os.ReadFile(busybox)
	if err != nil {
		return fmt.Errorf("read busybox: %w", err)
	}
	a.add("bin/busybox", 0o100755, program)
	for i, name := range modules {
		b, err := module(lib, name)
		if err != nil {
			return err
		}
		if b != nil {
			a.add(fmt.Sprintf("m/%02d-%s.ko", i, filepath.Base(name)), 0o100644, b)
		}
	}
	for _, name := range [...]string{"init", "lease"} {
		b, err := guest.ReadFile("guest/" + name)
		if err != nil {
			return fmt.Errorf("read the guest's %s: %w", name, err)
		}
		a.add(name, 0o100755, b)
	}
	a.add("TRAILER!!!", 0, nil)
	if a.err == nil {
		a.err = z.Close()
	}
	if a.err != nil {
		return fmt.Errorf("write the machine's first file system: %w", a.err)
	}
	return nil
}

// static refuses a program that needs libraries: there are none in the machine.
func static(program string) error {
	f, err := elf.Open(program)
	if err != nil {
		return fmt.Errorf("read busybox: %w", err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return firmward.Errorf(firmward.NotSupported, program+" needs libraries: run apt install busybox-static")
		}
	}
	return nil
}

// module reads a kernel module; nil when the kernel holds it itself.
func module(lib, name string) ([]byte, error) {
	path := filepath.Join(lib, "kernel", filepath.FromSlash(name)+".ko")
	b, err := os.ReadFile(path)
	if err == nil {
		return b, nil
	}
	if !os.IsNotExist(err) {
		return nil, fmt.Errorf("read kernel module: %w", err)
	}
	builtin, err := os.ReadFile(filepath.Join(lib, "modules.builtin"))
	if err != nil {
		return nil, fmt.Errorf("read kernel modules of %s: %w", lib, err)
	}
	if strings.Contains(string(builtin), "kernel/"+name+".ko\n") {
		return nil, nil
	}
	return nil, fmt.Errorf("the kernel in %s has no module %s as a plain file (packed modules are not read)", lib, name)
}

// archive writes the form that the kernel unpacks: cpio, "newc" (the kernel's early-userspace/buffer-format).
type archive struct {
	w   io.Writer
	ino int
	err error
}

func (a *archive) add(name string, mode int, content []byte) {
	a.ino++
	var b bytes.Buffer
	fmt.Fprintf(&b, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", a.ino, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name)+1, 0)
	b.WriteString(name + "\x00")
	pad(&b)
	b.Write(content)
	pad(&b)
	if a.err == nil {
		_, a.err = a.w.Write(b.Bytes())
	}
}

func pad(b *bytes.Buffer) {
	for b.Len()%4 != 0 {
		b.WriteByte(0)
	}
}
