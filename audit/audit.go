// Package audit is the proof of what happened.
//
// # What is recorded
//
// A Leaf is one decision or effect: who did what to which thing, and when. The store writes the leaf in the same
// transaction as the change, so there is no change without a leaf and no leaf without its change. Telemetry has
// none. A leaf never holds a secret: Detail carries names, versions and reasons only.
//
// # How it is sealed
//
// Leaves have a canonical encoding of their own (Leaf.Encode): length-prefixed fields and sorted detail keys, so
// one leaf has exactly one byte form. In order of Seq they are the records of an RFC 6962 Merkle tree
// (golang.org/x/mod/sumdb/tlog). A Checkpoint is a signed note (golang.org/x/mod/sumdb/note, Ed25519) over origin,
// number of leaves, root hash and time. Whoever holds an earlier checkpoint can find out that an
// earlier leaf was changed, dropped or inserted, even when that was done by somebody who holds the signing key.
// So checkpoints are to be kept outside too: in a file elsewhere, in a report, in a mail.
//
// # How it is proven
//
// A bundle is one file of JSON lines: a header with origin and public key, the leaves, each checkpoint right after
// the last leaf that it covers, and a closing line with the counts. Verify reads it as a stream, needs no
// database and no network, and says which line and which leaf is wrong.
//
// Every line must be byte for byte what Writer writes. A reader that forgave other spellings of the same JSON would
// leave bytes that can be changed unseen; this one has none. A changed leaf no longer fits the hash on
// its own line, and a leaf whose hash was adapted no longer fits the next checkpoint. A changed header, checkpoint
// or closing line no longer fits its signature, its counts or its spelling. A cut bundle lacks its closing line.
//
// What Verify cannot see: that a change was never recorded, and, when it is given no earlier checkpoint, that a key
// holder wrote the whole history anew. The report says the latter in words.
package audit

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// Leaf is one record of the audit log.
type Leaf struct {
	Seq     int64             // position in the log from 0; -1 while not yet sequenced
	At      time.Time         // kept to the microsecond, in UTC
	Actor   string            // name of the person, or "firmward" when a rule acted
	Action  string            // kebab case verb: "rollout-approve", "device-contain"
	Subject string            // id of the thing
	Detail  map[string]string // may be nil; never a secret
}

// Clean gives the leaf in the form that is stored and hashed: time in UTC to the microsecond, valid UTF-8 without
// NUL bytes, and no empty Detail map.
func (l Leaf) Clean() Leaf {
	l.At = time.UnixMicro(l.At.UnixMicro()).UTC()
	l.Actor, l.Action, l.Subject = clean(l.Actor), clean(l.Action), clean(l.Subject)
	if len(l.Detail) == 0 {
		l.Detail = nil
		return l
	}
	detail := make(map[string]string, len(l.Detail))
	for k, v := range l.Detail {
		detail[clean(k)] = clean(v)
	}
	l.Detail = detail
	return l
}

func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// magic opens every encoded leaf and names the version of the encoding.
const magic = "firmward-leaf-1\n"

// Encode gives the canonical bytes: magic, Seq and At (microseconds since 1970) as 8 bytes big endian each, then
// Actor, Action and Subject, the number of details as 4 bytes, and key and value of each detail sorted by key. A
// text is its length in bytes as 4 bytes big endian, then its bytes.
func (l Leaf) Encode() []byte {
	l = l.Clean()
	b := make([]byte, 0, 128)
	b = append(b, magic...)
	b = binary.BigEndian.AppendUint64(b, uint64(l.Seq))
	b = binary.BigEndian.AppendUint64(b, uint64(l.At.UnixMicro()))
	b = appendText(b, l.Actor)
	b = appendText(b, l.Action)
	b = appendText(b, l.Subject)
	b = binary.BigEndian.AppendUint32(b, uint32(len(l.Detail)))
	for _, k := range slices.Sorted(maps.Keys(l.Detail)) {
		b = appendText(b, k)
		b = appendText(b, l.Detail[k])
	}
	return b
}

func appendText(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}

// Hash gives the leaf's hash in the Merkle tree (RFC 6962 §2.1).
func (l Leaf) Hash() tlog.Hash { return tlog.RecordHash(l.Encode()) }

// Decode is the inverse of Encode. It refuses every byte string that Encode does not write.
func Decode(b []byte) (Leaf, error) {
	rest, ok := strings.CutPrefix(string(b), magic)
	if !ok {
		return Leaf{}, errors.New("decode audit leaf: unknown encoding")
	}
	d := decoder{rest: rest}
	l := Leaf{Seq: int64(d.uint64()), At: time.UnixMicro(int64(d.uint64())).UTC()}
	l.Actor, l.Action, l.Subject = d.text(), d.text(), d.text()
	n := d.uint32()
	if int64(n)*8 > int64(len(d.rest)) {
		d.bad = true
	}
	for i := uint32(0); i < n && !d.bad; i++ {
		if l.Detail == nil {
			l.Detail = make(map[string]string)
		}
		key := d.text()
		l.Detail[key] = d.text()
	}
	if d.bad || d.rest != "" {
		return Leaf{}, errors.New("decode audit leaf: wrong length")
	}
	if string(l.Encode()) != string(b) {
		return Leaf{}, errors.New("decode audit leaf: not in canonical form")
	}
	return l, nil
}

type decoder struct {
	rest string
	bad  bool
}

func (d *decoder) take(n uint64) string {
	if d.bad || n > uint64(len(d.rest)) {
		d.bad = true
		return ""
	}
	s := d.rest[:n]
	d.rest = d.rest[n:]
	return s
}

func (d *decoder) uint64() uint64 {
	if s := d.take(8); s != "" {
		return binary.BigEndian.Uint64([]byte(s))
	}
	return 0
}

func (d *decoder) uint32() uint32 {
	if s := d.take(4); s != "" {
		return binary.BigEndian.Uint32([]byte(s))
	}
	return 0
}

func (d *decoder) text() string { return d.take(uint64(d.uint32())) }

// tree is the right edge of a Merkle tree that only grows: the roots of its full subtrees, largest first. It needs
// memory for the logarithm of the number of leaves.
type tree struct {
	size  int64
	edge  []tlog.Hash
	sizes []int64
}

func (t *tree) add(h tlog.Hash) {
	t.size++
	t.edge, t.sizes = append(t.edge, h), append(t.sizes, 1)
	for n := len(t.edge); n > 1 && t.sizes[n-2] == t.sizes[n-1]; n-- {
		t.edge[n-2] = tlog.NodeHash(t.edge[n-2], t.edge[n-1])
		t.sizes[n-2] *= 2
		t.edge, t.sizes = t.edge[:n-1], t.sizes[:n-1]
	}
}

func (t *tree) root() tlog.Hash {
	if len(t.edge) == 0 {
		return emptyRoot
	}
	h := t.edge[len(t.edge)-1]
	for i := len(t.edge) - 2; i >= 0; i-- {
		h = tlog.NodeHash(t.edge[i], h)
	}
	return h
}

// emptyRoot is the root of a tree without leaves: the hash of nothing (RFC 6962 §2.1).
var emptyRoot = func() tlog.Hash {
	h, err := tlog.TreeHash(0, nil)
	if err != nil {
		panic(fmt.Sprintf("audit: hash of the empty tree: %v", err))
	}
	return h
}()

func bySize(a, b Checkpoint) int { return cmp.Compare(a.Size, b.Size) }
