// Package feed is the family of sources of knowledge: vulnerabilities, exploitation, likelihood,
// end of support.
//
// A source reads one document through a Reader that is already open and bounded, and hands records
// to a Sink. It never keeps half a document: the caller discards everything when Sync fails. Broken
// records inside a sound document are refused one by one and counted, never dropped in silence.
package feed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/firmward/firmward"
)

// Info declares what a source gives.
type Info struct {
	Name       string // "nvd", "kev", "epss", "starter", "lifecycle"
	Title      string
	Kind       string // advisories, exploited, likelihood, lifecycle, starter
	Gives      string // what one knows by it, in a few words
	Licence    string
	Home       string
	Period     time.Duration
	StaleAfter time.Duration
	Whole      bool // a document is all that the source knows: what it lacks is gone

	URLs  []string      // where a Fetcher fetches from, unless the operator names others
	Quiet time.Duration // how long the source itself may have nothing new while it is fetched well; 0: StaleAfter
	Large bool          // the first fetch moves hundreds of megabytes: somebody has to ask for it by name
}

// Cursor is a source's own mark of how far it has read; empty at first.
type Cursor string

// Input is one document. The same code path serves files and the network.
type Input struct {
	Reader   io.Reader // decompressed and bounded by Open
	Document string    // name shown to people
	Now      time.Time
}

// Sink takes records. A method's error ends the import.
type Sink struct {
	Advisory   func(firmward.Advisory) error
	Exploited  func(firmward.Exploited) error
	Likelihood func(firmward.Likelihood) error
	Lifecycle  func(firmward.Lifecycle) error
	Refuse     func(where, why string) // a broken record: counted and shown
	Aside      func(where, why string) // a sound record that says nothing of devices: counted, not kept
	Dated      func(time.Time)         // the document's own date

	// Replace says, before the first of them, that the advisories of one Advisory.Source that follow are all that it says
	// as of that time: what it said before is gone. A newer state that is there already stays, whole.
	Replace func(source string, asOf time.Time)
}

// Source reads one kind of document.
type Source interface {
	Info() Info
	// Detect reports whether the first bytes (at most 4 KiB, decompressed) look like this source's document.
	Detect(head []byte, name string) bool
	Sync(ctx context.Context, from Cursor, in Input, put Sink) (Cursor, error)
}

// PositionError says where a document is broken.
type PositionError struct {
	Document string
	Offset   int64 // bytes into the decompressed document
	Err      error
}

func (e *PositionError) Error() string {
	if errors.Is(e.Err, io.ErrUnexpectedEOF) {
		return fmt.Sprintf("%s: at byte %d: the document ends in the middle: fetch it again", e.Document, e.Offset)
	}
	return fmt.Sprintf("%s: at byte %d: %v", e.Document, e.Offset, e.Err)
}

func (e *PositionError) Unwrap() error { return e.Err }

// Complete fills the methods that the caller left out with ones that do nothing.
func (s Sink) Complete() Sink {
	if s.Advisory == nil {
		s.Advisory = func(firmward.Advisory) error { return nil }
	}
	if s.Exploited == nil {
		s.Exploited = func(firmward.Exploited) error { return nil }
	}
	if s.Likelihood == nil {
		s.Likelihood = func(firmward.Likelihood) error { return nil }
	}
	if s.Lifecycle == nil {
		s.Lifecycle = func(firmward.Lifecycle) error { return nil }
	}
	if s.Refuse == nil {
		s.Refuse = func(string, string) {}
	}
	if s.Aside == nil {
		s.Aside = func(string, string) {}
	}
	if s.Dated == nil {
		s.Dated = func(time.Time) {}
	}
	if s.Replace == nil {
		s.Replace = func(string, time.Time) {}
	}
	return s
}
