// Package match is the matcher without a server: it makes an index file from feed documents, and judges lists of CPE names by
// one. Nothing is stored and nothing is asked of anybody.
package match

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/feed"
	"github.com/firmward/firmward/index"
)

// Build says what an index file is made of.
type Build struct {
	Sources []feed.Source
	Files   []string // documents, folders and archives; each document is read by the source that knows its content
	Base    string   // an index file to which the documents are changes; empty: begin anew
	Out     string   // the file to write; it is replaced as a whole or stays as it was
	Now     time.Time
	Read    func(Document) // called after each document, by one goroutine at a time; may be nil
}

// Document tells of one of the files that were read.
type Document struct {
	Name, Source string
	Records      int
	Refused      int    // broken records, left out
	First        string // where and why of the first of them
}

// Built tells of the file that was written.
type Built struct {
	Records, Products, Criteria int
	Bytes                       int64
	Documents                   []Document // in the order of Files
}

// batch is what a reader hands to the builder at once.
const batch = 256

// Run reads the documents, beside one another, and writes the file. When one cannot be read nothing is written. The error is a
// *firmward.Error that names the document and the place in it.
func (m Build) Run(ctx context.Context) (Built, error) {
	b := index.NewBuilder()
	if m.Base != "" {
		f, err := Open(m.Base)
		if err != nil {
			return Built{}, err
		}
		defer f.Close() // only when the new block is written: the builder reads the old one where it lies
		b = index.From(f.Index)
	}
	docs := make([]Document, len(m.Files))
	records := make(chan []firmward.Advisory, 4)
	read, readCtx := errgroup.WithContext(ctx)
	read.SetLimit(max(2, runtime.GOMAXPROCS(0)))
	done := make(chan int)
	told := make(chan struct{})
	go func() {
		defer close(told)
		for i := range done {
			if m.Read != nil {
				m.Read(docs[i])
			}
		}
	}()
	var failed error
	go func() {
		defer close(records)
		for i, path := range m.Files {
			read.Go(func() (err error) {
				docs[i], err = m.file(readCtx, path, records)
				if err == nil {
					done <- i
				}
				return err
			})
		}
		failed = read.Wait()
		close(done)
	}()
	for as := range records {
		for _, a := range as {
			b.Add(a)
		}
	}
	<-told
	if failed != nil {
		return Built{}, failed
	}
	return m.write(b, docs)
}

// file reads one document, or all of a folder or an archive, into batches. A document of many that cannot be read is refused and
// counted like a broken record.
func (m Build) file(ctx context.Context, path string, out chan<- []firmward.Advisory) (Document, error) {
	told := Document{Name: filepath.Base(path)}
	many, err := feed.OpenCollection(path)
	if err != nil {
		return told, err
	}
	if many == nil {
		d, err := feed.Open(path)
		if err != nil {
			return told, err
		}
		defer d.Close()
		return told, m.document(ctx, d, &told, batch, out)
	}
	for d, err := range many.Documents() {
		if d == nil {
			return told, err
		}
		if err == nil {
			err = m.document(ctx, d, &told, math.MaxInt, out)
		}
		if err != nil {
			if firmward.CodeOf(err) != firmward.Invalid && firmward.CodeOf(err) != firmward.TooLarge {
				return told, err
			}
			told.refuse(d.Name, err.Error())
		}
	}
	if told.Records == 0 {
		return told, firmward.Errorf(firmward.Invalid, fmt.Sprintf("%s holds no document with advisories: %s", told.Name, told.First))
	}
	return told, nil
}

func (d *Document) refuse(where, why string) {
	if d.Refused++; d.First == "" {
		d.First = where + ": " + why
	}
}

// document reads one document and hands it over in batches of a size. With a batch that is never full nothing of a document that
// breaks off is handed over; else such a document must end the build.
func (m Build) document(ctx context.Context, d *feed.Document, told *Document, size int, out chan<- []firmward.Advisory) error {
	at := slices.IndexFunc(m.Sources, func(s feed.Source) bool { return s.Detect(d.Head(), d.Name) })
	if at < 0 {
		return firmward.Errorf(firmward.Invalid, d.Name+": its beginning looks like no feed that is known")
	}
	src := m.Sources[at]
	info := src.Info()
	told.Source = info.Name
	if info.Whole && m.Base != "" {
		return firmward.Errorf(firmward.Invalid, d.Name+": a document of "+info.Name+" is all that it knows and no change to an index: build anew")
	}
	var dated time.Time
	var held []firmward.Advisory
	before := told.Records
	send := func() error {
		for i := range held {
			if held[i].Origin.Dated.IsZero() {
				held[i].Origin.Dated = dated
			}
		}
		select {
		case out <- held:
			held = nil
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	_, err := src.Sync(ctx, "", feed.Input{Reader: d, Document: d.Name, Now: m.Now}, feed.Sink{
		Advisory: func(a firmward.Advisory) error {
			if a.Source == "" {
				a.Source = info.Name
			}
			told.Records++
			if held = append(held, a); len(held) < size {
				return nil
			}
			return send()
		},
		Refuse: told.refuse,
		Dated:  func(t time.Time) { dated = t },
	}.Complete())
	if err == nil && len(held) > 0 {
		err = send()
	}
	if err != nil {
		told.Records = before
	}
	if at, ok := errors.AsType[*feed.PositionError](err); ok {
		return &firmward.Error{Code: firmward.Invalid, Message: "nothing was written: " + at.Error()}
	}
	return err
}

// write makes the file beside its place and moves it there.
func (m Build) write(b *index.Builder, docs []Document) (Built, error) {
	block, err := b.Build()
	if err != nil {
		return Built{}, err
	}
	x, err := index.Open(block) // what cannot be opened is not put in place of what can
	if err != nil {
		return Built{}, fmt.Errorf("check the new index: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(m.Out), "."+filepath.Base(m.Out)+"-*")
	if err != nil {
		return Built{}, fmt.Errorf("write the index: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(block)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), m.Out)
	}
	if err != nil {
		return Built{}, fmt.Errorf("write the index: %w", err)
	}
	return Built{Records: x.Records(), Products: x.Products(), Criteria: x.Criteria(), Bytes: int64(len(block)), Documents: docs}, nil
}

// File is an index file in place.
type File struct {
	*index.Index
	unmap func() error
}

// Open opens an index file. The error says what to do where it is damaged or of another form.
func Open(path string) (*File, error) {
	block, unmap, err := mapped(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, &firmward.Error{Code: firmward.NotFound, Message: "open the index: make it with 'firmward match build'", Err: err}
	}
	if err != nil {
		return nil, fmt.Errorf("open the index: %w", err)
	}
	x, err := index.Open(block)
	if err != nil {
		return nil, errors.Join(&firmward.Error{Code: firmward.Invalid, Message: filepath.Base(path) + ": " + strings.TrimSpace(err.Error()), Err: nil}, unmap())
	}
	giveBack(block) // the check has read all of it
	return &File{Index: x, unmap: unmap}, nil
}

// Close gives the file back. The index must not be used any more.
func (f *File) Close() error { return f.unmap() }
