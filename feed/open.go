package feed

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/firmward/firmward"
)

// The bounds of a document, in bytes. Real feeds compress up to about 30:1.
const (
	MaxDocument = 2 << 30  // decompressed
	MaxRatio    = 200      // decompressed to compressed, beyond FreeRatio
	FreeRatio   = 16 << 20 // decompressed bytes for which no ratio is asked
	headBytes   = 4 << 10
)

// Document is an open, decompressed and bounded feed document.
type Document struct {
	io.Reader
	Name string // file name without its path; within a collection with it
	Page bool   // Markdown in a collection: most of it is no document of any feed
	head []byte
	shut []io.Closer
}

// Head gives the first bytes of the document, at most 4 KiB, for Source.Detect. Reading is not
// affected by it.
func (d *Document) Head() []byte { return d.head }

// Close closes what Open opened.
func (d *Document) Close() error {
	var errs []error
	for i := len(d.shut) - 1; i >= 0; i-- {
		errs = append(errs, d.shut[i].Close())
	}
	return errors.Join(errs...)
}

// Open opens a document file. Gzip and zip are recognised by content; a zip must hold exactly one
// plain file. The error is a *firmward.Error: NotFound, Invalid, or, while reading, TooLarge with
// the name and the position at which a bound was passed.
func Open(path string) (*Document, error) { return OpenAs(path, filepath.Base(path)) }

// OpenAs is Open for a file that people know by another name.
func OpenAs(path, name string) (*Document, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, &firmward.Error{Code: firmward.NotFound, Message: "open feed document", Err: err}
	}
	if err != nil {
		return nil, &firmward.Error{Code: firmward.Invalid, Message: "open feed document", Err: err}
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = errors.New("it is a directory, not a document")
	}
	var d *Document
	if err == nil {
		d, err = open(f, info.Size(), name)
	}
	if err != nil {
		_ = f.Close()
		return nil, invalid(name, err)
	}
	d.shut = append([]io.Closer{f}, d.shut...)
	return d, nil
}

// OpenReader is Open for a stream such as an HTTP body, plain or gzip. A zip needs random access:
// save it and use Open. The caller closes r.
func OpenReader(r io.Reader, name string) (*Document, error) {
	d, err := stream(r, baseName(name))
	if err != nil {
		return nil, invalid(baseName(name), err)
	}
	return d, nil
}

// OpenBytes is Open for a document in memory.
func OpenBytes(b []byte, name string) (*Document, error) {
	d, err := open(bytes.NewReader(b), int64(len(b)), baseName(name))
	if err != nil {
		return nil, invalid(baseName(name), err)
	}
	return d, nil
}

func invalid(name string, err error) error {
	if _, ok := errors.AsType[*firmward.Error](err); ok {
		return err
	}
	return &firmward.Error{Code: firmward.Invalid, Message: "read feed document " + name, Err: err}
}

func baseName(name string) string {
	return name[strings.LastIndexAny(name, `/\`)+1:]
}

type randomReader interface {
	io.Reader
	io.ReaderAt
}

func open(r randomReader, size int64, name string) (*Document, error) {
	var magic [4]byte
	if n, _ := r.ReadAt(magic[:], 0); n == 4 && isZip(magic[:]) {
		return openZip(r, size, name)
	}
	return stream(r, name)
}

// isZip knows the first entry of an archive and the end of an empty one.
func isZip(magic []byte) bool {
	return bytes.HasPrefix(magic, []byte("PK\x03\x04")) || bytes.HasPrefix(magic, []byte("PK\x05\x06"))
}

func openZip(r io.ReaderAt, size int64, name string) (*Document, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, err
	}
	if len(z.File) != 1 {
		return nil, fmt.Errorf("the archive holds %d entries, a feed document is exactly one", len(z.File))
	}
	e := z.File[0]
	if !filepath.IsLocal(e.Name) || strings.ContainsAny(e.Name, `/\`) || !e.Mode().IsRegular() {
		return nil, fmt.Errorf("the archive's entry %q is not a plain file name", e.Name)
	}
	body, err := e.Open()
	if err != nil {
		return nil, err
	}
	in := &counter{r: bytes.NewReader(nil), n: int64(e.CompressedSize64)}
	d, err := bounded(body, in, name)
	if err != nil {
		_ = body.Close()
		return nil, err
	}
	d.shut = append(d.shut, body)
	return d, nil
}

func stream(r io.Reader, name string) (*Document, error) {
	in := &counter{r: r}
	buffered := bufio.NewReaderSize(in, 8<<10)
	magic, err := buffered.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case isZip(magic):
		return nil, errors.New("a zip archive cannot be read from a stream: save it to a file and import that")
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, err
		}
		return bounded(z, in, name)
	}
	return bounded(buffered, in, name)
}

func bounded(r io.Reader, in *counter, name string) (*Document, error) {
	b := bufio.NewReaderSize(&bound{r: r, in: in, name: name, most: MaxDocument}, 8<<10)
	head, err := b.Peek(headBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return &Document{Reader: b, Name: name, head: bytes.Clone(head)}, nil
}

// counter counts the compressed bytes that were taken.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// bound refuses to go on past the bounds.
type bound struct {
	r    io.Reader
	in   *counter
	name string
	most int64 // bytes, decompressed
	out  int64
}

func (b *bound) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.out += int64(n)
	switch {
	case b.out > b.most:
		return 0, b.tooLarge(fmt.Sprintf("the document passes %d bytes", b.most))
	case b.out > FreeRatio && b.out/MaxRatio > b.in.n:
		return 0, b.tooLarge(fmt.Sprintf("the document expands more than %d times", MaxRatio))
	case err != nil && !errors.Is(err, io.EOF):
		return n, &PositionError{Document: b.name, Offset: b.out, Err: err}
	}
	return n, err
}

func (b *bound) tooLarge(why string) error {
	return &firmward.Error{Code: firmward.TooLarge, Message: "feed document refused", Err: &PositionError{Document: b.name, Offset: b.out, Err: errors.New(why)}}
}
