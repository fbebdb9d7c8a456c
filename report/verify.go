package report

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/audit"
)

const (
	maxLine     = 4 << 20 // bytes of one line; longer is no evidence file
	maxProblems = 20      // more are counted, not listed
	maxSaid     = 1 << 20 // decisions that are compared with leaves; more are not told apart
)

// Options say what a file is compared with.
type Options struct {
	Key         string   // public key known from elsewhere; empty: the file's own is used, and the answer says so
	Checkpoints [][]byte // signed notes that were kept outside
}

// Problem is one thing that does not hold.
type Problem struct {
	Line int    `json:"line"` // from 1; 0 when it concerns the whole file
	What string `json:"what"`
}

func (p Problem) String() string {
	if p.Line == 0 {
		return p.What
	}
	return fmt.Sprintf("line %d: %s", p.Line, p.What)
}

// Verified says what holds and what does not.
type Verified struct {
	OK         bool      `json:"ok"`
	Kind       string    `json:"kind"`
	Subject    string    `json:"subject"`
	Name       string    `json:"name"`
	At         time.Time `json:"at,omitzero"`
	By         string    `json:"by"`
	Origin     string    `json:"origin"`
	Key        string    `json:"key"`
	Facts      int       `json:"facts"`
	Leaves     int       `json:"leaves"` // with a proof that holds, the one with the digest included
	Size       int64     `json:"size"`   // leaves of the log that the checkpoint signs
	SignedAt   time.Time `json:"signedAt,omitzero"`
	Outside    int       `json:"outside"`   // checkpoints kept outside that were compared and hold
	Decisions  int       `json:"decisions"` // findings opened and closed, approvals, ends of targets, containments, work done
	InLeaves   int       `json:"inLeaves"`  // those of them that a proven leaf tells too
	Problems   []Problem `json:"problems,omitempty"`
	More       int       `json:"more,omitempty"` // problems beyond those listed
	Proven     []string  `json:"proven"`         // in sentences; empty when the file does not hold
	NotProven  []string  `json:"notProven"`
	NotInLeave []string  `json:"notInLeaves,omitempty"` // decisions without a leaf here, at most 20
}

// Verify reads an evidence file to its end, without a network or a database. A broken file is no error: OK is false and
// Problems say where. The error tells that reading failed.
func Verify(r io.Reader, opts Options) (Verified, error) {
	v := &verifier{opts: opts, sum: sha256.New(), said: map[string]bool{}}
	br := bufio.NewReaderSize(r, 64<<10)
	for !v.stop {
		text, err := readLine(br)
		if err != nil && !errors.Is(err, io.EOF) {
			return v.Verified, fmt.Errorf("read evidence file: %w", err)
		}
		if len(text) > 0 {
			v.no++
			v.line(text)
		}
		if err != nil {
			break
		}
	}
	v.finish()
	return v.Verified, nil
}

// readLine gives a line with its line feed, or the first bytes of one that is too long.
func readLine(br *bufio.Reader) ([]byte, error) {
	var long []byte
	for {
		part, err := br.ReadSlice('\n')
		long = append(long, part...)
		if !errors.Is(err, bufio.ErrBufferFull) || len(long) > maxLine {
			return long, err
		}
	}
}

// stage is the part of the file that comes next.
type stage int

const (
	wantHeader stage = iota
	wantFacts
	wantSeal
	wantCheckpoint
	wantEarlier
	wantLeaves
	wantNothing
)

type verifier struct {
	Verified
	opts    Options
	no      int
	stage   stage
	stop    bool
	sum     hash.Hash // of the lines so far, until the seal
	listed  []int64   // leaves that must come, the one with the digest last
	seal    sealLine
	point   audit.Checkpoint
	before  *audit.Checkpoint // the earlier one to which the file carries a proof
	outside []audit.Checkpoint
	said    map[string]bool // decisions that facts tell; true once a leaf told them
	order   []string
}

func (v *verifier) problem(format string, args ...any) {
	if len(v.Problems) == maxProblems {
		v.More++
		return
	}
	v.Problems = append(v.Problems, Problem{Line: v.no, What: fmt.Sprintf(format, args...)})
}

// broken is a problem after which nothing more can be said.
func (v *verifier) broken(format string, args ...any) {
	v.problem(format, args...)
	v.stop = true
}

// parse reads a line and checks that it is spelled exactly as it was written.
func (v *verifier) parse(text []byte, dst any, what string) bool {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(dst); err != nil {
		v.broken("the %s cannot be read", what)
		return false
	}
	if want, err := line(dst); err != nil || !bytes.Equal(text, want) {
		v.broken("the %s is not spelled as it was written", what)
		return false
	}
	return true
}

func (v *verifier) line(text []byte) {
	if len(text) > maxLine {
		v.broken("the line is longer than %d bytes: this is no evidence file", maxLine)
		return
	}
	switch v.stage {
	case wantHeader:
		v.header(text)
	case wantFacts:
		v.fact(text)
	case wantSeal:
		v.sealed(text)
	case wantCheckpoint:
		v.checkpoint(text)
	case wantEarlier, wantLeaves:
		if v.stage == wantEarlier && bytes.HasPrefix(text, []byte(`{"earlier":`)) {
			v.earlier(text)
			return
		}
		v.leaf(text)
	case wantNothing:
		v.broken("there is something after the last record")
	}
}

func (v *verifier) header(text []byte) {
	v.sum.Write(text)
	var h headerLine
	if !v.parse(text, &h, "header") {
		return
	}
	if h.Evidence != Version {
		v.broken("the header names version %d of the form; this firmward reads version %d", h.Evidence, Version)
		return
	}
	v.Kind, v.Subject, v.Name, v.At, v.By, v.Origin, v.Key = h.Kind, h.Subject, h.Name, h.At, h.By, h.Origin, h.Key
	if given := strings.TrimSpace(v.opts.Key); given != "" && given != h.Key {
		v.problem("the header's public key is not the one that was given")
		v.Key = given
	}
	for i, note := range v.opts.Checkpoints {
		c, err := audit.ParseCheckpoint(note, v.Key)
		if err != nil {
			v.problem("checkpoint %d that was kept outside cannot be compared: %v", i+1, err)
			continue
		}
		v.outside = append(v.outside, c)
	}
	v.stage = wantFacts
}

// fact takes a fact, or the list of leaves that ends them. The digest binds their bytes, so their spelling is free.
func (v *verifier) fact(text []byte) {
	v.sum.Write(text)
	if bytes.HasPrefix(text, []byte(`{"leaves":`)) {
		var l leavesLine
		if v.parse(text, &l, "list of records") {
			v.listed, v.stage = l.Leaves, wantSeal
		}
		return
	}
	var f struct {
		Fact string          `json:"fact"`
		Of   json.RawMessage `json:"of"`
	}
	if err := json.Unmarshal(text, &f); err != nil || f.Fact == "" {
		v.broken("the line is neither a fact nor the list of records")
		return
	}
	v.Facts++
	for _, d := range decisions(f.Fact, f.Of) {
		if _, known := v.said[d]; !known && len(v.said) < maxSaid {
			v.said[d] = false
			v.order = append(v.order, d)
		}
	}
}

func (v *verifier) sealed(text []byte) {
	digest := hex.EncodeToString(v.sum.Sum(nil))
	if !v.parse(text, &v.seal, "seal") {
		return
	}
	if v.seal.Sealed != digest {
		v.problem("the lines before do not have the digest that is stated here: one of lines 1 to %d was changed, or this one", v.no-1)
	}
	if v.seal.Lines != v.no-1 {
		v.problem("%d lines are stated to stand before, there are %d", v.seal.Lines, v.no-1)
	}
	v.listed = append(v.listed, v.seal.Leaf)
	v.stage = wantCheckpoint
}

func (v *verifier) checkpoint(text []byte) {
	var l checkpointLine
	if !v.parse(text, &l, "checkpoint") {
		return
	}
	c, err := audit.ParseCheckpoint([]byte(l.Note), v.Key)
	if err != nil {
		v.broken("%v", err)
		return
	}
	if c.Size != l.Checkpoint {
		v.problem("the line says %d records, the signed text %d", l.Checkpoint, c.Size)
	}
	if c.Origin != v.Origin {
		v.problem("the header speaks for %q, the checkpoint for %q", v.Origin, c.Origin)
	}
	v.point, v.Size, v.SignedAt = c, c.Size, c.At
	v.stage = wantEarlier
}

func (v *verifier) earlier(text []byte) {
	var l earlierLine
	if !v.parse(text, &l, "earlier checkpoint") {
		return
	}
	v.stage = wantLeaves
	c, err := audit.ParseCheckpoint([]byte(l.Note), v.Key)
	if err != nil {
		v.broken("%v", err)
		return
	}
	proof, err := parseHashes(l.Proof)
	if err != nil || c.Size != l.Earlier || c.Size < 1 || c.Size > v.Size || tlog.CheckTree(proof, v.Size, v.point.Root, c.Size, c.Root) != nil {
		v.problem("the log does not begin with the %d records of the earlier checkpoint, or the proof of it was changed", l.Earlier)
		return
	}
	v.before = &c
}

// compare holds checkpoints that were kept outside against those in the file.
func (v *verifier) compare() {
	for _, c := range v.outside {
		switch {
		case c.Size == v.Size && c.Root == v.point.Root, v.before != nil && c.Size == v.before.Size && c.Root == v.before.Root:
			v.Outside++
		case c.Size == v.Size, v.before != nil && c.Size == v.before.Size:
			v.problem("history was rewritten: the checkpoint of %s that was kept outside signs other records", day(c.At))
		default:
			v.problem("the checkpoint of %s that was kept outside signs %d records, this file's %d, and nothing here leads from one to the other: "+
				"ask for a file with firmward report evidence --checkpoint", day(c.At), c.Size, v.Size)
		}
	}
}

func (v *verifier) leaf(text []byte) {
	v.stage = wantLeaves
	var l leafLine
	if !v.parse(text, &l, "record") {
		return
	}
	leaf, err := l.leaf()
	if err != nil || leaf.Clean().At.Format(time.RFC3339Nano) != l.At {
		v.broken("the record's time is not spelled as it was written")
		return
	}
	if l.Leaf != v.listed[0] {
		v.broken("record %d stands where record %d belongs: one is missing, twice or out of order", l.Leaf, v.listed[0])
		return
	}
	v.listed = v.listed[1:]
	proof, err := parseHashes(l.Proof)
	if err != nil || v.point.Included(leaf, proof) != nil {
		v.problem("record %d is not in the log that the checkpoint signs: it or its proof was changed", l.Leaf)
	} else {
		v.Leaves++
	}
	if d := decided(leaf); d != "" {
		if _, known := v.said[d]; known {
			v.said[d] = true
		}
	}
	if len(v.listed) > 0 {
		return
	}
	v.stage = wantNothing
	if leaf.Action != written || leaf.Subject != v.Subject || leaf.Actor != v.By || leaf.Detail["sha256"] != v.seal.Sealed || leaf.Detail["kind"] != v.Kind {
		v.problem("record %d does not hold the digest of this file", l.Leaf)
	}
}

func (v *verifier) finish() {
	if v.stage != wantNothing && !v.stop {
		v.problem("the file was cut off: something is missing at its end")
	}
	v.no = 0
	v.compare()
	v.OK = len(v.Problems) == 0
	for _, d := range v.order {
		v.Decisions++
		switch {
		case v.said[d]:
			v.InLeaves++
		case len(v.NotInLeave) < maxProblems:
			v.NotInLeave = append(v.NotInLeave, d)
		}
	}
	v.say()
}

// decisions names what a fact tells that a leaf must tell too.
func decisions(kind string, of []byte) []string {
	switch kind {
	case "finding":
		var f findingFact
		if json.Unmarshal(of, &f) != nil {
			return nil
		}
		out := []string{fmt.Sprintf("finding-open %s %s", f.Device, f.Advisory)}
		if !f.ClosedAt.IsZero() {
			out = append(out, fmt.Sprintf("finding-close %s %s by %s", f.Device, f.Advisory, f.ClosedBy))
		}
		return out
	case "rollout":
		var f rolloutFact
		if json.Unmarshal(of, &f) != nil {
			return nil
		}
		return each(f.Approvals, func(a approvalFact) string {
			return fmt.Sprintf("rollout-approve %s wave %d by %s", f.ID, a.Wave, a.Actor)
		})
	case "target":
		var f targetFact
		if json.Unmarshal(of, &f) != nil || !f.State.Final() || f.State == firmward.TargetRefused { // refusals are counted in the plan's leaf
			return nil
		}
		return []string{fmt.Sprintf("target-%s %s in %s", f.State, f.Device, f.Rollout)}
	case "containment":
		var f containmentFact
		if json.Unmarshal(of, &f) != nil || f.State == firmward.ContainOpen {
			return nil
		}
		return []string{fmt.Sprintf("containment-%s %s", f.State, f.ID)}
	case "workorder":
		var f workFact
		if json.Unmarshal(of, &f) != nil || f.State != firmward.WorkDone {
			return nil
		}
		return []string{fmt.Sprintf("workorder-done %s by %s", f.ID, f.Evidence)}
	case "exception":
		var f exceptionFact
		if json.Unmarshal(of, &f) != nil {
			return nil
		}
		out := []string{fmt.Sprintf("exception-%s %s by %s", f.Kind, f.ID, f.Author)}
		if f.Approver != "" {
			out = append(out, fmt.Sprintf("exception-approve %s by %s", f.ID, f.Approver))
		}
		if !f.FellAt.IsZero() {
			out = append(out, fmt.Sprintf("exception-fall %s by %s", f.ID, fellBy))
		}
		return out
	}
	return nil
}

// fellBy is the actor of what a rule and not a person caused.
const fellBy = "firmward"

// decided names what a leaf tells, as decisions does.
func decided(l audit.Leaf) string {
	switch {
	case l.Action == "finding-open":
		return fmt.Sprintf("finding-open %s %s", l.Subject, l.Detail["advisory"])
	case l.Action == "finding-close":
		return fmt.Sprintf("finding-close %s %s by %s", l.Subject, l.Detail["advisory"], l.Detail["by"])
	case l.Action == "rollout-approve":
		return fmt.Sprintf("rollout-approve %s wave %s by %s", l.Subject, l.Detail["wave"], l.Actor)
	case strings.HasPrefix(l.Action, "target-"):
		return fmt.Sprintf("%s %s in %s", l.Action, l.Subject, l.Detail["rollout"])
	case strings.HasPrefix(l.Action, "containment-"):
		return l.Action + " " + l.Subject
	case l.Action == "workorder-done":
		return fmt.Sprintf("workorder-done %s by %s", l.Subject, l.Detail["evidence"])
	case strings.HasPrefix(l.Action, "exception-"):
		return fmt.Sprintf("%s %s by %s", l.Action, l.Subject, l.Actor)
	}
	return ""
}

// say puts the answer into sentences.
func (v *verifier) say() {
	proven := func(format string, args ...any) { v.Proven = append(v.Proven, fmt.Sprintf(format, args...)) }
	open := func(format string, args ...any) { v.NotProven = append(v.NotProven, fmt.Sprintf(format, args...)) }
	if !v.OK {
		open("Anything: the file does not hold.")
		return
	}
	proven("%s about %s %s (%s) stand word for word in a log of %s, signed by %s on %s.", plural(v.Leaves, "record", "records"),
		v.Kind, v.Name, v.Subject, plural(int(v.Size), "record", "records"), v.Origin, day(v.SignedAt))
	proven("The %s in this file are those that %s asked for on %s: record %d holds their digest.", plural(v.Facts, "fact", "facts"), v.By, day(v.At), v.seal.Leaf)
	proven("No record that was listed then is missing here.")
	if v.Decisions > 0 {
		proven("%d of %d decisions among the facts are told by a record too, written when they happened.", v.InLeaves, v.Decisions)
	}
	if v.Outside > 0 {
		proven("The log begins with what was signed in %s kept outside.", plural(v.Outside, "checkpoint that was", "checkpoints that were"))
	}
	open("That the facts are true: they are what firmward's database said on that day. What a record tells was written when it happened; other facts when this file was.")
	for _, d := range v.NotInLeave {
		open("No record here tells this decision: %s.", d)
	}
	open("That these are all records about it: only the whole log shows that (firmward audit export).")
	if v.opts.Key == "" {
		open("Whose signature it is: the public key was taken from the file itself. Compare it with one known from elsewhere (--key).")
	}
	if v.Outside == 0 {
		open("That history was not written anew by somebody who holds the signing key: no checkpoint that was kept outside was compared (--checkpoint).")
	}
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }
