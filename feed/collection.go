package feed

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/firmward/firmward"
)

// The bounds of a collection.
const (
	MaxEntries    = 1_000_000
	MaxCollection = 64 << 30 // bytes, decompressed
	maxHashed     = 64 << 20 // bytes of a document that is checked against a hash
	maxBeside     = 16 << 20 // bytes of an index, a hash, a provider's metadata
)

// Collection is a folder or an archive (zip, tar, tar.gz) of many documents: the CVE list, or a mirror of a CSAF
// provider. Nothing is ever written to where an entry's name says.
//
// Where a file NAME.sha256 or NAME.sha512 stands beside a document, the document is checked against it. With keys, each document must be signed by
// one of them (NAME.asc beside it); without, signatures are counted and not verified. Documents that an index lists (index.txt, changes.csv, ROLIE) and that are
// not there are named. All else that is no document is left aside and counted.
type Collection struct {
	Hashed int // documents whose hash was checked and is right
	Signed int // documents with a signature that was not verified
	Aside  int // files that are no documents

	Keys     Keys           // by one of which each document must be signed; none: it need not
	Now      time.Time      // for Keys
	SignedBy map[string]int // documents whose signature is right, by the fingerprint of the key

	path    string
	name    string // that people know
	entries func(*Collection) iter.Seq2[entry, error]
	total   int64 // bytes read in this walk
	hashes  map[string][]string
	signed  map[string][]byte // signatures; empty ones without keys
	listed  []listing
	there   map[string]bool
}

// entry is one file of a collection.
type entry struct {
	name string // with slashes
	open func() (io.ReadCloser, error)
}

// OpenCollection looks at a path. It gives nil when the path is one document, for Open to read.
func OpenCollection(path string) (*Collection, error) {
	return OpenCollectionAs(path, filepath.Base(path))
}

// OpenCollectionAs is OpenCollection for an archive that people know by another name.
func OpenCollectionAs(path, name string) (*Collection, error) {
	c := &Collection{path: path, name: name}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &firmward.Error{Code: firmward.NotFound, Message: "open feed document", Err: err}
	case err != nil:
		return nil, &firmward.Error{Code: firmward.Invalid, Message: "open feed document", Err: err}
	case info.IsDir():
		c.entries = (*Collection).folder
		return c, nil
	}
	kind, err := archive(path)
	if err != nil || kind == nil {
		return nil, err
	}
	c.entries = kind
	return c, nil
}

// archive knows an archive by its first bytes. A zip of one plain file is a document.
func archive(path string) (func(*Collection) iter.Seq2[entry, error], error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, invalid(filepath.Base(path), err)
	}
	defer f.Close()
	in := bufio.NewReader(f)
	magic, _ := in.Peek(4)
	switch {
	case len(magic) == 4 && isZip(magic):
		info, err := f.Stat()
		if err != nil {
			return nil, invalid(filepath.Base(path), err)
		}
		z, err := zip.NewReader(f, info.Size())
		if err != nil || len(z.File) == 0 || len(z.File) == 1 && !strings.Contains(z.File[0].Name, "/") {
			return nil, nil // Open says what is wrong with it
		}
		return (*Collection).zip, nil
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, nil
		}
		in = bufio.NewReader(z)
	}
	if head, _ := in.Peek(512); len(head) == 512 && bytes.HasPrefix(head[257:], []byte("ustar")) {
		return (*Collection).tar, nil
	}
	return nil, nil
}

// Documents opens each document in turn; the caller reads it before it asks for the next. With an error, the document is
// refused alone and only its Name can be used; without a document, the collection cannot be read on.
func (c *Collection) Documents() iter.Seq2[*Document, error] {
	return func(yield func(*Document, error) bool) {
		if err := c.survey(); err != nil {
			yield(nil, invalid(c.name, err))
			return
		}
		c.total = 0
		for e, err := range c.entries(c) {
			if err != nil {
				yield(nil, invalid(c.name, err))
				return
			}
			what := role(e.name)
			if what != isDocument && what != isPage {
				continue
			}
			d, err := c.document(e)
			if err != nil && c.total > MaxCollection {
				yield(nil, invalid(c.name, err))
				return
			}
			if d == nil {
				d = &Document{Name: e.name}
			}
			if d.Page = what == isPage; d.Page && err == nil && !frontMatter(d.head) {
				_ = d.Close()
				continue
			}
			if err == nil && isIndex(d.head) {
				err = c.rolie(d, e.name)
				c.Aside++
				_ = d.Close()
				if err == nil {
					continue
				}
			}
			c.there[e.name] = true
			goOn := yield(d, err)
			_ = d.Close()
			if !goOn {
				return
			}
		}
		for _, missing := range c.missing() {
			if !yield(&Document{Name: missing}, errors.New("an index lists it and it is not there")) {
				return
			}
		}
	}
}

// survey walks once and takes what stands beside the documents.
func (c *Collection) survey() error {
	c.Hashed, c.Signed, c.Aside, c.total = 0, 0, 0, 0
	c.hashes, c.signed, c.SignedBy, c.listed, c.there = map[string][]string{}, map[string][]byte{}, map[string]int{}, nil, map[string]bool{}
	n := 0
	for e, err := range c.entries(c) {
		if err != nil {
			return err
		}
		if n++; n > MaxEntries {
			return fmt.Errorf("it holds more than %d files", MaxEntries)
		}
		switch what := role(e.name); what {
		case isDocument:
		case isPage:
			is, err := page(e)
			if err != nil {
				return fmt.Errorf("%s: %w", e.name, err)
			}
			if !is {
				c.Aside++
			}
		case isSignature:
			sig := []byte{}
			if !c.Keys.Empty() {
				if sig, err = c.beside(e); err != nil {
					return fmt.Errorf("%s: %w", e.name, err)
				}
			}
			c.signed[strings.TrimSuffix(e.name, path.Ext(e.name))] = sig
		case isHash, isList, isProvider:
			b, err := c.beside(e)
			if err == nil {
				err = c.take(what, e.name, b)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", e.name, err)
			}
		default:
			c.Aside++
		}
	}
	return nil
}

// beside reads one small file.
func (c *Collection) beside(e entry) ([]byte, error) {
	in, err := e.open()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	b, err := io.ReadAll(io.LimitReader(in, maxBeside+1))
	if err == nil && len(b) > maxBeside {
		err = fmt.Errorf("it has more than %d bytes", maxBeside)
	}
	return b, err
}

// document opens one entry, and checks it where a hash stands beside it.
func (c *Collection) document(e entry) (*Document, error) {
	if !filepath.IsLocal(filepath.FromSlash(e.name)) || strings.Contains(e.name, `\`) {
		return nil, fmt.Errorf("%q is no plain path", Clip(e.name))
	}
	body, err := e.open()
	if err != nil {
		return nil, err
	}
	var r io.Reader = &whole{c: c, in: body, name: e.name}
	if want := c.hashes[e.name]; len(want) > 0 {
		if r, err = hashed(r, want); err == nil {
			c.Hashed++
		}
	}
	if err == nil && !c.Keys.Empty() {
		r, err = c.checkSigned(r, e.name)
	}
	var d *Document
	if err == nil {
		d, err = stream(r, e.name)
	}
	if err != nil {
		return nil, errors.Join(err, body.Close())
	}
	if _, there := c.signed[e.name]; there && c.Keys.Empty() {
		c.Signed++
	}
	d.shut = append(d.shut, body)
	return d, nil
}

// checkSigned reads a document whole and checks that it is signed.
func (c *Collection) checkSigned(r io.Reader, name string) (io.Reader, error) {
	sig, there := c.signed[name]
	if !there {
		return nil, fmt.Errorf("it must be signed, and %s.asc is not there", path.Base(name))
	}
	b, err := readWhole(r)
	if err != nil {
		return nil, err
	}
	by, err := c.Keys.Check(bytes.NewReader(b), sig, c.Now)
	if err != nil {
		return nil, err
	}
	c.SignedBy[by]++
	return bytes.NewReader(b), nil
}

// whole counts what the collection gives in all.
type whole struct {
	c    *Collection
	in   io.Reader
	name string
}

func (w *whole) Read(p []byte) (int, error) {
	n, err := w.in.Read(p)
	if w.c.total += int64(n); w.c.total > MaxCollection {
		return 0, &firmward.Error{Code: firmward.TooLarge, Message: "feed documents refused", Err: fmt.Errorf("%s: the documents pass %d bytes", w.name, int64(MaxCollection))}
	}
	return n, err
}

// folder walks a folder in the order of names. Links are not followed.
func (c *Collection) folder() iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		root, err := os.OpenRoot(c.path)
		if err != nil {
			yield(entry{}, err)
			return
		}
		defer root.Close()
		err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case !d.Type().IsRegular():
				return nil
			case !yield(entry{name: name, open: func() (io.ReadCloser, error) { return root.Open(name) }}, nil):
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			yield(entry{}, err)
		}
	}
}

func (c *Collection) zip() iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		z, err := zip.OpenReader(c.path)
		if err != nil {
			yield(entry{}, err)
			return
		}
		defer z.Close()
		for _, f := range z.File {
			if !f.Mode().IsRegular() {
				continue
			}
			open := func() (io.ReadCloser, error) {
				r, err := f.Open()
				if err == nil && f.UncompressedSize64 > FreeRatio && f.UncompressedSize64/MaxRatio > f.CompressedSize64 {
					err = errors.Join(fmt.Errorf("it expands more than %d times", MaxRatio), r.Close())
				}
				return r, err
			}
			if !yield(entry{name: f.Name, open: open}, nil) {
				return
			}
		}
	}
}

func (c *Collection) tar() iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		f, err := os.Open(c.path)
		if err != nil {
			yield(entry{}, err)
			return
		}
		defer f.Close()
		packed := &counter{r: f}
		var in io.Reader = bufio.NewReaderSize(packed, 256<<10)
		if magic, _ := in.(*bufio.Reader).Peek(2); slices.Equal(magic, []byte{0x1f, 0x8b}) {
			z, err := gzip.NewReader(in)
			if err != nil {
				yield(entry{}, err)
				return
			}
			in = &bound{r: z, in: packed, name: c.name, most: MaxCollection}
		}
		for t := tar.NewReader(in); ; {
			h, err := t.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(entry{}, err)
				return
			}
			if h.Typeflag != tar.TypeReg {
				continue
			}
			name := strings.TrimPrefix(h.Name, "./")
			if !yield(entry{name: name, open: func() (io.ReadCloser, error) { return io.NopCloser(t), nil }}, nil) {
				return
			}
		}
	}
}
