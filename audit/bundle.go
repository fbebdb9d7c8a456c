package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// Version is the version of the bundle's form.
const Version = 1

// Lines of a bundle, each a JSON object with exactly one of these shapes.
type (
	headerLine struct {
		Bundle int    `json:"firmward-audit"`
		Origin string `json:"origin"`
		Key    string `json:"key"`
	}
	leafLine struct {
		Leaf    int64             `json:"leaf"`
		At      string            `json:"at"`
		Actor   string            `json:"actor"`
		Action  string            `json:"action"`
		Subject string            `json:"subject"`
		Detail  map[string]string `json:"detail,omitempty"`
		Hash    string            `json:"hash"`
	}
	checkpointLine struct {
		Checkpoint int64  `json:"checkpoint"`
		Note       string `json:"note"`
	}
	endLine struct {
		End endCounts `json:"end"`
	}
	endCounts struct {
		Leaves      int64 `json:"leaves"`
		Checkpoints int   `json:"checkpoints"`
	}
)

func line(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// Writer writes a bundle as a stream: NewWriter, then leaves in order of Seq with each checkpoint right after the
// last leaf that it covers, then Close.
type Writer struct {
	w           io.Writer
	leaves      int64
	checkpoints int
	err         error
}

// NewWriter writes the header. public is the key that verifies the checkpoints.
func NewWriter(w io.Writer, origin, public string) (*Writer, error) {
	b := &Writer{w: w}
	b.write(headerLine{Bundle: Version, Origin: origin, Key: public})
	return b, b.err
}

func (b *Writer) write(v any) {
	if b.err != nil {
		return
	}
	text, err := line(v)
	if err == nil {
		_, err = b.w.Write(text)
	}
	if err != nil {
		b.err = fmt.Errorf("write audit bundle: %w", err)
	}
}

// Leaf writes the next leaf. hash is the one recorded when the leaf was sealed, so that a leaf changed since then
// is found by Verify at its own line.
func (b *Writer) Leaf(l Leaf, hash tlog.Hash) error {
	if b.err == nil && l.Seq != b.leaves {
		b.err = fmt.Errorf("write audit bundle: leaf %d comes where %d belongs", l.Seq, b.leaves)
	}
	l = l.Clean()
	b.write(leafLine{
		Leaf: l.Seq, At: l.At.Format(time.RFC3339Nano), Actor: l.Actor, Action: l.Action,
		Subject: l.Subject, Detail: l.Detail, Hash: hash.String(),
	})
	b.leaves++
	return b.err
}

// Checkpoint writes a checkpoint.
func (b *Writer) Checkpoint(c Checkpoint) error {
	b.write(checkpointLine{Checkpoint: c.Size, Note: string(c.Note)})
	b.checkpoints++
	return b.err
}

// Close writes the closing line. It does not close the underlying writer.
func (b *Writer) Close() error {
	b.write(endLine{End: endCounts{Leaves: b.leaves, Checkpoints: b.checkpoints}})
	return b.err
}
