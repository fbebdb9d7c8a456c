package vm

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"strings"

	"github.com/firmward/firmward"
)

// Image says which firmware to make for the machine.
type Image struct {
	Version string
	Build   string // which build of WLED it says to be; ESP32 if empty
	Start   string // shell lines that run before its services start: what a bad image does
	Size    int    // least size of the file, so that writing it takes a while; 0: as it comes
}

// Of is the image with which a machine begins to stand for a device. It answers as WLED on an ESP32 does: an error with code NotSupported
// says that no machine of this kind can stand for the device.
func Of(d firmward.Device) (Image, error) {
	build, ok := strings.CutPrefix(d.Model, "WLED ")
	if !ok || d.Hardware != "esp32" {
		return Image{}, firmward.Errorf(firmward.NotSupported, fmt.Sprintf("the virtual machine answers as WLED on an esp32 does, and cannot stand for %s, a %s of revision %s", d.Name, d.Model, d.Hardware))
	}
	return Image{Version: d.Firmware, Build: build}, nil
}

// Runs reads from the head of a file which version of which build it brings to a machine. An error with code NotSupported says that no
// machine of this kind can run the file.
func Runs(r io.Reader) (Image, error) {
	head := make([]byte, headSize)
	if _, err := io.ReadFull(r, head); err != nil || !bytes.HasPrefix(head, []byte(magic)) {
		return Image{}, firmward.Errorf(firmward.NotSupported, "the image is made for the maker's chip, and no emulator of that is at hand: the virtual machine runs what 'firmward staging image' makes")
	}
	var i Image
	for line := range strings.Lines(string(head)) {
		switch name, value, _ := strings.Cut(strings.TrimSpace(line), "="); name {
		case "version":
			i.Version = value
		case "build":
			i.Build = value
		}
	}
	return i, nil
}

// magic begins an image.
const magic = "FWTWIN1\n"

// headSize is the size of an image's head, in bytes.
const headSize = 512

// slotSize bounds an image: there are two places of this size on the disk.
const slotSize = 4 << 20

func (i Image) build() string {
	if i.Build == "" {
		return "ESP32"
	}
	return i.Build
}

// Bytes makes the file: a head of text lines with size and hash of what follows, and an archive of the program with its pages. The
// same Image gives the same bytes.
func (i Image) Bytes() ([]byte, error) {
	for _, word := range [...]string{i.Version, i.build()} {
		if word == "" || strings.ContainsAny(word, "\n\"' $\\`") {
			return nil, fmt.Errorf("make an image: %q is no version or build", word)
		}
	}
	var body bytes.Buffer
	z := gzip.NewWriter(&body)
	t := tar.NewWriter(z)
	add := func(name string, content []byte) error {
		if err := t.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(content))}); err != nil {
			return err
		}
		_, err := t.Write(content)
		return err
	}
	err := fs.WalkDir(guest, "guest/app", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := guest.ReadFile(path)
		if err != nil {
			return err
		}
		return add(strings.TrimPrefix(path, "guest/app/"), b)
	})
	if err == nil {
		err = add("before", []byte("#!/bin/sh\n"+i.Start+"\n"))
	}
	if room := i.Size - headSize - body.Len(); err == nil && room > 0 { // what no packing makes smaller
		ballast := make([]byte, room)
		random := rand.NewChaCha8([32]byte{1})
		_, _ = random.Read(ballast) // it always can
		err = add("ballast", ballast)
	}
	if err == nil {
		err = t.Close()
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("make an image: %w", err)
	}
	sum := sha256.Sum256(body.Bytes())
	head := fmt.Sprintf(magic+"version=%s\nbuild=%s\nsize=%d\nsum=%s\n", i.Version, i.build(), body.Len(), hex.EncodeToString(sum[:]))
	if len(head) > headSize || headSize+body.Len() > slotSize {
		return nil, fmt.Errorf("make an image: %d bytes are too many", body.Len())
	}
	return append(append([]byte(head), bytes.Repeat([]byte("\n"), headSize-len(head))...), body.Bytes()...), nil
}
