package feed

import (
	"archive/tar"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/firmward/firmward"
)

// Pack writes the files of a folder of which OpenCollection makes use as a tar.gz, for a way that carries one file. each is
// called with the number of files so far.
func Pack(w io.Writer, dir string, each func(files int)) error {
	c := &Collection{path: dir}
	z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	out, n := tar.NewWriter(z), 0
	for e, err := range c.folder() {
		if err != nil {
			return &firmward.Error{Code: firmward.Invalid, Message: "read folder " + filepath.Base(dir), Err: err}
		}
		what, is := role(e.name), true
		if what == isPage {
			is, err = page(e)
		}
		if err != nil {
			return fmt.Errorf("send %s: %w", e.name, err)
		}
		if what == isAside || !is {
			continue
		}
		if err := pack(out, e); err != nil {
			return fmt.Errorf("send %s: %w", e.name, err)
		}
		n++
		each(n)
	}
	if n == 0 {
		return firmward.Errorf(firmward.Invalid, filepath.Base(dir)+" holds no document of any feed")
	}
	if err := out.Close(); err != nil {
		return err
	}
	return z.Close()
}

func pack(out *tar.Writer, e entry) error {
	in, err := e.open()
	if err != nil {
		return err
	}
	defer in.Close()
	f, ok := in.(*os.File)
	if !ok {
		return fmt.Errorf("it is a %T", in)
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := out.WriteHeader(&tar.Header{Name: e.name, Mode: 0o644, Size: info.Size(), ModTime: info.ModTime(), Typeflag: tar.TypeReg}); err != nil {
		return err
	}
	_, err = io.CopyN(out, f, info.Size())
	return err
}
