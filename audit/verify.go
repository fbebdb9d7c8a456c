package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	maxLine     = 4 << 20 // bytes of one line; longer is no bundle
	maxProblems = 20      // more are counted, not listed
)

// Options say what a bundle is compared with.
type Options struct {
	Key     string       // public key known from elsewhere; empty: the bundle's own key is used, and the report says so
	Earlier []Checkpoint // checkpoints kept outside; only Note is read
}

// Problem is one thing that does not hold.
type Problem struct {
	Line   int    `json:"line"`   // from 1; 0 when it concerns the whole bundle
	Offset int64  `json:"offset"` // byte at which the line begins, or the first wrong byte where it is known
	Seq    int64  `json:"seq"`    // leaf concerned, -1 when none
	What   string `json:"what"`   // in plain words
}

func (p Problem) String() string {
	where := "bundle"
	if p.Line > 0 {
		where = fmt.Sprintf("line %d, byte %d", p.Line, p.Offset)
	}
	if p.Seq >= 0 {
		where += fmt.Sprintf(", leaf %d", p.Seq)
	}
	return where + ": " + p.What
}

// Report says what holds and what does not.
type Report struct {
	OK          bool      `json:"ok"` // nothing wrong was found; leaves beyond Covered rest on their own hashes only
	Origin      string    `json:"origin"`
	Key         string    `json:"key"` // public key that was used
	Leaves      int64     `json:"leaves"`
	Covered     int64     `json:"covered"` // leaves that a checkpoint which holds covers
	Checkpoints int       `json:"checkpoints"`
	Earlier     int       `json:"earlier"`            // earlier checkpoints that were compared and hold
	Problems    []Problem `json:"problems,omitempty"` // at most 20
	More        int       `json:"more,omitempty"`     // problems beyond those
	Statements  []string  `json:"statements"`         // the same in sentences, for a person
}

// Verify reads a bundle to its end. A broken bundle is no error: Report.OK is false and Problems say where. The error
// tells that reading failed.
func Verify(r io.Reader, opts Options) (Report, error) {
	v := &verifier{opts: opts, report: Report{Key: opts.Key}}
	err := eachLine(r, v.line)
	if err != nil && !errors.Is(err, errStop) {
		return v.report, fmt.Errorf("read audit bundle: %w", err)
	}
	v.finish()
	return v.report, nil
}

var errStop = errors.New("stop")

type verifier struct {
	opts    Options
	report  Report
	earlier []Checkpoint // signed by the key, sorted by size
	lineNo  int
	offset  int64
	stated  tree // of the hashes on the lines
	real    tree // of the leaves themselves
	signed  int64
	ended   bool
}

// eachLine calls f with every line including its line feed.
func eachLine(r io.Reader, f func([]byte) error) error {
	br := bufio.NewReaderSize(r, 64<<10)
	var long []byte
	for {
		part, err := br.ReadSlice('\n')
		long = append(long, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull) && len(long) <= maxLine:
			continue
		case errors.Is(err, bufio.ErrBufferFull):
			if err := f(long); err != nil {
				return err
			}
			return errStop
		case err != nil && !errors.Is(err, io.EOF):
			return err
		}
		if len(long) > 0 {
			if err := f(long); err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
		long = long[:0]
	}
}

func (v *verifier) problem(seq int64, format string, args ...any) {
	v.problemAt(0, seq, format, args...)
}

func (v *verifier) problemAt(within int, seq int64, format string, args ...any) {
	if len(v.report.Problems) == maxProblems {
		v.report.More++
		return
	}
	v.report.Problems = append(v.report.Problems, Problem{
		Line: v.lineNo, Offset: v.offset + int64(within), Seq: seq, What: fmt.Sprintf(format, args...),
	})
}

func (v *verifier) line(text []byte) error {
	v.lineNo++
	defer func() { v.offset += int64(len(text)) }()
	if len(text) > maxLine {
		v.problem(-1, "the line is longer than %d bytes: this is no audit bundle", maxLine)
		return errStop
	}
	if v.lineNo == 1 {
		v.header(text)
		return nil
	}
	if v.ended {
		v.problem(-1, "there is something after the closing line")
		return errStop
	}
	switch {
	case bytes.HasPrefix(text, []byte(`{"leaf":`)):
		v.leaf(text)
	case bytes.HasPrefix(text, []byte(`{"checkpoint":`)):
		v.checkpoint(text)
	case bytes.HasPrefix(text, []byte(`{"end":`)):
		v.end(text)
	default:
		v.problem(v.stated.size, "the line is neither leaf, checkpoint nor closing line")
		v.stated.add(tlog.Hash{})
		v.real.add(tlog.Hash{})
	}
	return nil
}

// parse reads the line into dst and checks that it is spelled exactly as Writer spells it.
func (v *verifier) parse(text []byte, dst any, seq int64, what string) bool {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(dst); err != nil {
		v.problem(seq, "the %s cannot be read", what)
		return false
	}
	want, err := line(dst)
	if err != nil || !bytes.Equal(text, want) {
		v.problemAt(differ(text, want), seq, "the %s is not spelled as it was written", what)
		return false
	}
	return true
}

func differ(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

func (v *verifier) header(text []byte) {
	var h headerLine
	if !v.parse(text, &h, -1, "header") {
		return
	}
	v.report.Origin = h.Origin
	if h.Bundle != Version {
		v.problem(-1, "the header names version %d of the bundle; this firmward reads version %d", h.Bundle, Version)
	}
	if v.opts.Key == "" {
		v.report.Key = h.Key
	} else if h.Key != strings.TrimSpace(v.opts.Key) {
		v.problem(-1, "the header's public key is not the one that was given")
	}
	key, err := readKey(h.Key)
	switch {
	case err != nil:
		v.problem(-1, "the header's public key is broken")
	case key.Name() != h.Origin:
		v.problem(-1, "the header speaks for %q, its key for %q", h.Origin, key.Name())
	}
	v.report.Key = strings.TrimSpace(v.report.Key)
	for i, c := range v.opts.Earlier {
		known, err := ParseCheckpoint(c.Note, v.report.Key)
		if err != nil {
			v.problem(-1, "earlier checkpoint %d cannot be compared: %v", i+1, err)
			continue
		}
		v.earlier = append(v.earlier, known)
	}
	slices.SortFunc(v.earlier, bySize)
	v.compare()
}

func (v *verifier) leaf(text []byte) {
	seq := v.stated.size
	var l leafLine
	if !v.parse(text, &l, seq, "leaf") {
		v.stated.add(tlog.Hash{})
		v.real.add(tlog.Hash{})
		v.compare()
		return
	}
	at, err := time.Parse(time.RFC3339Nano, l.At)
	leaf := Leaf{Seq: l.Leaf, At: at, Actor: l.Actor, Action: l.Action, Subject: l.Subject, Detail: l.Detail}
	stated, hashErr := tlog.ParseHash(l.Hash)
	switch {
	case err != nil || leaf.Clean().At.Format(time.RFC3339Nano) != l.At:
		v.problem(seq, "the leaf's time is not spelled as it was written")
	case l.Leaf != seq:
		v.problem(seq, "leaf %d stands where leaf %d belongs: a leaf is missing, twice or out of order", l.Leaf, seq)
	case hashErr != nil || stated.String() != l.Hash:
		v.problem(seq, "the leaf's hash is broken")
	case stated != leaf.Hash():
		v.problem(seq, "the leaf does not fit its hash: one of the two was changed")
	}
	v.stated.add(stated)
	v.real.add(leaf.Hash())
	v.compare()
}

// compare holds the tree so far against the earlier checkpoints of its size.
func (v *verifier) compare() {
	for len(v.earlier) > 0 && v.earlier[0].Size == v.real.size {
		if v.earlier[0].Root == v.real.root() {
			v.report.Earlier++
		} else {
			v.problem(-1, "history was rewritten: the first %d leaves are not those that the earlier checkpoint of %s signed",
				v.real.size, v.earlier[0].At.Format(time.RFC3339))
		}
		v.earlier = v.earlier[1:]
	}
}

func (v *verifier) checkpoint(text []byte) {
	v.report.Checkpoints++
	var l checkpointLine
	if !v.parse(text, &l, -1, "checkpoint") {
		return
	}
	c, err := ParseCheckpoint([]byte(l.Note), v.report.Key)
	if err != nil {
		v.problem(-1, "%v", err)
		return
	}
	switch {
	case c.Size != l.Checkpoint:
		v.problem(-1, "the checkpoint's line says %d leaves, its signed text %d", l.Checkpoint, c.Size)
	case c.Size != v.real.size:
		v.problem(-1, "the checkpoint covers %d leaves and stands after %d", c.Size, v.real.size)
	case c.Root == v.real.root():
		v.signed = c.Size
	case c.Root == v.stated.root():
		v.problem(-1, "the checkpoint holds for the hashes on the lines, not for the leaves: the text of a leaf named above was changed")
	default:
		v.problem(-1, "the checkpoint of %d leaves does not hold: a leaf between %d and %d was changed together with its hash, or is missing",
			c.Size, v.signed, max(c.Size-1, 0))
	}
}

func (v *verifier) end(text []byte) {
	v.ended = true
	var l endLine
	if !v.parse(text, &l, -1, "closing line") {
		return
	}
	if l.End.Leaves != v.real.size || l.End.Checkpoints != v.report.Checkpoints {
		v.problem(-1, "the closing line counts %d leaves and %d checkpoints, the bundle holds %d and %d",
			l.End.Leaves, l.End.Checkpoints, v.real.size, v.report.Checkpoints)
	}
}

func (v *verifier) finish() {
	r := &v.report
	r.Leaves, r.Covered = v.real.size, v.signed
	if !v.ended {
		v.lineNo++
		v.problem(-1, "the closing line is missing: the bundle was cut off after %d leaves", r.Leaves)
	}
	for _, c := range v.earlier {
		v.problem(-1, "the end of the history is missing: an earlier checkpoint of %s signed %d leaves, the bundle holds %d",
			c.At.Format(time.RFC3339), c.Size, r.Leaves)
	}
	r.OK = len(r.Problems) == 0
	v.say()
}

func (v *verifier) say() {
	r := &v.report
	say := func(format string, args ...any) { r.Statements = append(r.Statements, fmt.Sprintf(format, args...)) }
	if r.OK {
		say("All %d leaves of %s are as they were written, in order, none missing.", r.Leaves, r.Origin)
		say("Checkpoints that hold: %d. They cover leaf 1 to %d.", r.Checkpoints, v.signed)
	} else {
		say("The bundle does not hold. Problems: %d.", len(r.Problems)+r.More)
		for _, p := range r.Problems {
			say("%s.", p)
		}
	}
	if n := r.Leaves - v.signed; n > 0 {
		say("%d leaves at the end are not yet covered by a checkpoint that holds: they could have been changed by anyone.", n)
	}
	if v.opts.Key == "" {
		say("The public key was taken from the bundle itself: compare it with one known from elsewhere.")
	}
	switch n := len(v.opts.Earlier); {
	case n == 0:
		say("No earlier checkpoint was given: whoever holds the signing key could have written the whole history anew.")
	default:
		say("%d of %d earlier checkpoints kept outside were compared and hold.", r.Earlier, n)
	}
}
