// Package depot keeps firmware files by their content and serves them to devices that fetch them.
//
// A file lies under <two hex digits>/<sha256> in the depot's directory. It comes there by a rename after all of its
// bytes were written, hashed and synced, so a name in the depot always stands for whole content, also after a crash.
// Nothing outside of the directory can be reached: every path goes through an os.Root.
package depot

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"github.com/firmward/firmward"
)

// Depot is a directory of firmware files. It is safe for concurrent use.
type Depot struct {
	root *os.Root
}

// Open opens the directory and makes it when it is missing. Left-over temporary files of a crash are removed.
func Open(dir string) (*Depot, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, plain("make depot", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, plain("open depot", err)
	}
	d := &Depot{root: root}
	left, err := fs.Glob(root.FS(), "incoming-*")
	if err != nil {
		return nil, errors.Join(plain("open depot", err), root.Close())
	}
	for _, name := range left {
		if err := root.Remove(name); err != nil {
			return nil, errors.Join(plain("clean depot", err), root.Close())
		}
	}
	return d, nil
}

// Close gives the directory back.
func (d *Depot) Close() error { return d.root.Close() }

// Info describes a stored file.
type Info struct {
	SHA256 string // lower-case hex
	Size   int64  // bytes
}

// Put stores what r gives, at most limit bytes. Storing the same content again changes nothing. TooLarge when there is
// more, Invalid when there is nothing, DiskFull when the disk is; in all of these cases nothing stays behind.
func (d *Depot) Put(ctx context.Context, r io.Reader, limit int64) (Info, error) {
	temp := "incoming-" + rand.Text()
	f, err := d.root.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
	if err != nil {
		return Info{}, plain("store firmware file", err)
	}
	defer d.root.Remove(temp) // gone already after the rename
	info, err := fill(ctx, f, r, limit)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return Info{}, plain("store firmware file", err)
	}
	name := place(info.SHA256)
	if err := d.root.Mkdir(path.Dir(name), 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return Info{}, plain("store firmware file", err)
	}
	if err := d.root.Rename(temp, name); err != nil {
		return Info{}, plain("store firmware file", err)
	}
	return info, plain("store firmware file", errors.Join(d.sync(path.Dir(name)), d.sync(".")))
}

func fill(ctx context.Context, f *os.File, r io.Reader, limit int64) (Info, error) {
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, hash), io.LimitReader(reader{ctx, r}, limit+1))
	switch {
	case err != nil:
		return Info{}, err
	case n > limit:
		return Info{}, firmward.Errorf(firmward.TooLarge, fmt.Sprintf("the firmware file is larger than the limit of %d bytes", limit))
	case n == 0:
		return Info{}, firmward.Errorf(firmward.Invalid, "the firmware file is empty")
	}
	return Info{SHA256: hex.EncodeToString(hash.Sum(nil)), Size: n}, f.Sync()
}

// reader ends with its context.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(b)
}

// sync makes a rename durable. Not every system can sync a directory; those make renames durable by themselves.
func (d *Depot) sync(dir string) error {
	f, err := d.root.Open(dir)
	if err != nil {
		return err
	}
	if err := f.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, syscall.EINVAL) {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}

func place(sum string) string { return sum[:2] + "/" + sum }

func check(sum string) error {
	if len(sum) != 2*sha256.Size || strings.Trim(sum, "0123456789abcdef") != "" {
		return firmward.Errorf(firmward.Invalid, "this is no SHA-256 in lower-case hex")
	}
	return nil
}

// Open opens a stored file of the size that its release names. NotFound when it is not here, Conflict when its size
// differs: then it was damaged. A negative size is not compared. Close it after use.
func (d *Depot) Open(sum string, size int64) (*os.File, error) {
	if err := check(sum); err != nil {
		return nil, err
	}
	f, err := d.root.Open(place(sum))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, firmward.Errorf(firmward.NotFound, "the depot has no file "+sum)
	}
	if err != nil {
		return nil, plain("open firmware file", err)
	}
	st, err := f.Stat()
	if err == nil && size >= 0 && st.Size() != size {
		err = firmward.Errorf(firmward.Conflict, fmt.Sprintf("the firmware file %s has %d bytes, not %d: it is damaged, add it again", sum, st.Size(), size))
	}
	if err != nil {
		return nil, errors.Join(plain("open firmware file", err), f.Close())
	}
	return f, nil
}

// Verify reads the whole file and compares its hash. Conflict when the content does not fit its name.
func (d *Depot) Verify(ctx context.Context, sum string) (Info, error) {
	f, err := d.Open(sum, -1)
	if err != nil {
		return Info{}, err
	}
	defer f.Close()
	hash := sha256.New()
	n, err := io.Copy(hash, reader{ctx, f})
	if err != nil {
		return Info{}, plain("read firmware file", err)
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != sum {
		return Info{}, firmward.Errorf(firmward.Conflict, "the firmware file "+sum+" is damaged: its content has the hash "+got+". Add it again")
	}
	return Info{SHA256: sum, Size: n}, nil
}

// Remove deletes a file. NotFound when it is not here.
func (d *Depot) Remove(sum string) error {
	if err := check(sum); err != nil {
		return err
	}
	err := d.root.Remove(place(sum))
	if errors.Is(err, fs.ErrNotExist) {
		return firmward.Errorf(firmward.NotFound, "the depot has no file "+sum)
	}
	return plain("remove firmware file", err)
}

// plain says what went wrong with the disk in plain words.
func plain(doing string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*firmward.Error](err); ok {
		return err
	}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return &firmward.Error{Code: firmward.DiskFull, Message: doing + ": no space is left in the depot; nothing was stored. Free some space and try again", Err: err}
	case errors.Is(err, fs.ErrPermission):
		return &firmward.Error{Code: firmward.Unavailable, Message: doing + ": firmward may not write the depot's folder", Err: err}
	}
	return fmt.Errorf("%s: %w", doing, err)
}
