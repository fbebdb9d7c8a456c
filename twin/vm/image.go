package vm

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strings"
)

// Image says which firmware to make for the machine.
type Image struct {
	Version string
	Build   string // which build of WLED it says to be; ESP32 if empty
	Start   string // shell lines that run before its services start: what a bad image does
}

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
	head := fmt.Sprintf("FWTWIN1\nversion=%s\nbuild=%s\nsize=%d\nsum=%s\n", i.Version, i.build(), body.Len(), hex.EncodeToString(sum[:]))
	if len(head) > headSize || headSize+body.Len() > slotSize {
		return nil, fmt.Errorf("make an image: %d bytes are too many", body.Len())
	}
	return append(append([]byte(head), bytes.Repeat([]byte("\n"), headSize-len(head))...), body.Bytes()...), nil
}
