//go:build unix

package match

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// mapped gives a file's bytes, which the system reads where they are used and may drop again.
func mapped(path string) (block []byte, unmap func() error, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, nil, err
	case !info.Mode().IsRegular():
		return nil, nil, errors.New(info.Name() + " is no plain file")
	case info.Size() == 0:
		return nil, func() error { return nil }, nil
	}
	block, err = unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, nil, &os.PathError{Op: "map", Path: path, Err: err}
	}
	return block, func() error { return unix.Munmap(block) }, nil
}

// giveBack drops the pages of a mapped file that nobody needs at the moment; they come again when they are read.
func giveBack(block []byte) {
	if len(block) > 0 {
		_ = unix.Madvise(block, unix.MADV_DONTNEED) // only a saving
	}
}
