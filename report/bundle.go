package report

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/firmward/firmward/audit"
)

// Version is the version of the evidence file's form.
const Version = 1

// Lines of an evidence file (docs/evidence.md), each a JSON object with exactly one of these shapes, in this order.
type (
	headerLine struct {
		Evidence int       `json:"firmward-evidence"`
		Kind     string    `json:"kind"` // device or rollout
		Subject  string    `json:"subject"`
		Name     string    `json:"name"`
		At       time.Time `json:"at"`
		By       string    `json:"by"`
		Origin   string    `json:"origin"`
		Key      string    `json:"key"`
	}
	factLine struct {
		Fact string `json:"fact"`
		Of   any    `json:"of"`
	}
	leavesLine struct {
		Leaves []int64 `json:"leaves"`
	}
	sealLine struct {
		Sealed string `json:"sealed"` // SHA-256 of all bytes before this line
		Lines  int    `json:"lines"`  // lines before this one
		Leaf   int64  `json:"leaf"`   // holds the digest
	}
	checkpointLine struct {
		Checkpoint int64  `json:"checkpoint"`
		Note       string `json:"note"`
	}
	earlierLine struct {
		Earlier int64    `json:"earlier"` // records that it signs
		Note    string   `json:"note"`
		Proof   []string `json:"proof"`
	}
	leafLine struct {
		Leaf    int64             `json:"leaf"`
		At      string            `json:"at"`
		Actor   string            `json:"actor"`
		Action  string            `json:"action"`
		Subject string            `json:"subject"`
		Detail  map[string]string `json:"detail,omitempty"`
		Proof   []string          `json:"proof"` // from the leaf up to the root
	}
)

// leafLineOf writes a leaf as it stands in the log. The database keeps leaves in the form that Clean gives.
func leafLineOf(l audit.Leaf, proof tlog.RecordProof) leafLine {
	l = l.Clean()
	return leafLine{l.Seq, l.At.Format(time.RFC3339Nano), l.Actor, l.Action, l.Subject, l.Detail, hashes(proof)}
}

func (l leafLine) leaf() (audit.Leaf, error) {
	at, err := time.Parse(time.RFC3339Nano, l.At)
	return audit.Leaf{Seq: l.Leaf, At: at, Actor: l.Actor, Action: l.Action, Subject: l.Subject, Detail: l.Detail}, err
}

func hashes(proof []tlog.Hash) []string {
	return each(proof, tlog.Hash.String)
}

func parseHashes(proof []string) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(proof))
	for i, s := range proof {
		h, err := tlog.ParseHash(s)
		if err != nil {
			return nil, err
		}
		out[i] = h
	}
	return out, nil
}

// writer writes lines and keeps the digest of all so far. Its first error stays.
type writer struct {
	w     io.Writer
	sum   hash.Hash
	lines int
	seqs  []int64 // leaves that the file lists
	err   error
}

func newWriter(w io.Writer) *writer { return &writer{w: w, sum: sha256.New()} }

func (w *writer) line(v any) {
	if w.err != nil {
		return
	}
	b, err := line(v)
	if err == nil {
		_, err = w.w.Write(b)
	}
	w.sum.Write(b)
	w.lines++
	w.err = err
}

func (w *writer) fact(name string, v any) { w.line(factLine{name, v}) }

func (w *writer) digest() string { return hex.EncodeToString(w.sum.Sum(nil)) }
