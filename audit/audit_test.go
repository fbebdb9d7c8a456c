package audit_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/firmward/firmward/audit"
)

var t0 = time.Date(2026, 3, 14, 15, 9, 26, 535897000, time.UTC)

func leaf(seq int64) audit.Leaf {
	return audit.Leaf{Seq: seq, At: t0.Add(time.Duration(seq) * time.Second), Actor: "anna", Action: "rollout-approve", Subject: fmt.Sprint("r", seq), Detail: map[string]string{"wave": "0", "note": "<ü & \"x\">"}}
}

// TestEncoding pins the bytes: what was sealed once must stay verifiable for ever.
func TestEncoding(t *testing.T) {
	l := audit.Leaf{Seq: 258, At: t0.Add(999), Actor: "anna", Action: "a", Subject: "", Detail: map[string]string{"z": "1", "b": "ü"}}
	want := strings.Join([]string{
		hex.EncodeToString([]byte("firmward-leaf-1\n")),
		"0000000000000102", "00064cfd5f1e82d9",
		"00000004" + "616e6e61", "00000001" + "61", "00000000",
		"00000002", "00000001" + "62", "00000002" + "c3bc", "00000001" + "7a", "00000001" + "31",
	}, "")
	if got := hex.EncodeToString(l.Encode()); got != want {
		t.Errorf("encoding\n got %s\nwant %s", got, want)
	}
}

func someLeaf() *rapid.Generator[audit.Leaf] {
	return rapid.Custom(func(t *rapid.T) audit.Leaf {
		return audit.Leaf{
			Seq: rapid.Int64Range(-1, 1<<60).Draw(t, "seq"), At: time.UnixMicro(rapid.Int64Range(-1<<40, 1<<52).Draw(t, "at")).UTC(),
			Actor: rapid.String().Draw(t, "actor"), Action: rapid.String().Draw(t, "action"), Subject: rapid.String().Draw(t, "subject"),
			Detail: rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "detail"),
		}.Clean()
	})
}

func TestDecodeIsInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := someLeaf().Draw(t, "leaf")
		got, err := audit.Decode(l.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(l, got); d != "" {
			t.Fatal(d)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add(leaf(3).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if l, err := audit.Decode(b); err == nil && !bytes.Equal(l.Encode(), b) {
			t.Error("two spellings of one leaf")
		}
	})
}

func newSigner(t testing.TB, instance string) *audit.Signer {
	t.Helper()
	private, public, err := audit.GenerateKey(instance)
	if err != nil {
		t.Fatal(err)
	}
	s, err := audit.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	if s.Public() != public || s.Origin() != "firmward/"+instance {
		t.Fatalf("public key %q of %q, want %q", s.Public(), s.Origin(), public)
	}
	if text := fmt.Sprintf("%v %+v %#v %s", s, s, s, s); strings.Contains(text, private) || strings.Contains(text, "PRIVATE") {
		t.Errorf("the key is printed: %s", text)
	}
	return s
}

// log is a sealed history: leaves and the sizes at which a checkpoint was signed.
type log struct {
	leaves []audit.Leaf
	at     []int64
}

func history(n int, at ...int64) log {
	var l log
	for i := range n {
		l.leaves = append(l.leaves, leaf(int64(i)))
	}
	l.at = at
	return l
}

func root(leaves []audit.Leaf) tlog.Hash {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			out[i] = stored[x]
		}
		return out, nil
	})
	for i, l := range leaves {
		h, err := tlog.StoredHashesForRecordHash(int64(i), l.Hash(), reader)
		if err != nil {
			panic(err)
		}
		stored = append(stored, h...)
	}
	h, err := tlog.TreeHash(int64(len(leaves)), reader)
	if err != nil {
		panic(err)
	}
	return h
}

// bundle writes the history and gives its checkpoints.
func (l log) bundle(t testing.TB, s *audit.Signer) ([]byte, []audit.Checkpoint) {
	t.Helper()
	var buf bytes.Buffer
	w, err := audit.NewWriter(&buf, s.Origin(), s.Public())
	if err != nil {
		t.Fatal(err)
	}
	var points []audit.Checkpoint
	at := l.at
	for i := 0; i <= len(l.leaves); i++ {
		for len(at) > 0 && at[0] == int64(i) {
			c, err := s.Sign(at[0], root(l.leaves[:i]), t0)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Checkpoint(c); err != nil {
				t.Fatal(err)
			}
			points, at = append(points, c), at[1:]
		}
		if i < len(l.leaves) {
			if err := w.Leaf(l.leaves[i], l.leaves[i].Hash()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes(), points
}

func verify(t testing.TB, b []byte, o audit.Options) audit.Report {
	t.Helper()
	r, err := audit.Verify(bytes.NewReader(b), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func said(r audit.Report) string { return strings.Join(r.Statements, "\n") }

func TestSoundBundle(t *testing.T) {
	s := newSigner(t, "plant")
	for n := range 20 {
		b, points := history(n, 0, int64(n/3), int64(n/2), int64(n)).bundle(t, s)
		r := verify(t, b, audit.Options{Key: s.Public(), Earlier: points})
		if !r.OK || r.Leaves != int64(n) || r.Checkpoints != 4 || r.Earlier != 4 || r.Origin != "firmward/plant" {
			t.Errorf("%d leaves: %+v", n, r)
		}
	}
	b, _ := history(5, 3).bundle(t, s)
	r := verify(t, b, audit.Options{})
	if r.Covered != 3 {
		t.Errorf("%d leaves are covered", r.Covered)
	}
	for _, want := range []string{"All 5 leaves of firmward/plant", "2 leaves at the end are not yet covered", "No earlier checkpoint was given", "taken from the bundle itself"} {
		if !r.OK || !strings.Contains(said(r), want) {
			t.Errorf("want %q in:\n%s", want, said(r))
		}
	}
}

// TestEveryByte flips two bits of each byte of a bundle in turn: the one that changes the case of a letter, and another. Each
// flip must be found, and on its own line: that is where
// the first problem points to.
func TestEveryByte(t *testing.T) {
	s := newSigner(t, "p")
	b, _ := history(4, 2, 4).bundle(t, s)
	for _, key := range []string{"", s.Public()} {
		for i := range b {
			for _, bit := range []int{5, i % 5} {
				broken := bytes.Clone(b)
				broken[i] ^= 1 << bit
				r := verify(t, broken, audit.Options{Key: key})
				if r.OK {
					t.Fatalf("byte %d bit %d (%q) was not found", i, bit, b[max(0, i-20):i+1])
				}
				first, line := r.Problems[0], bytes.Count(b[:i], []byte("\n"))+1
				joined := b[i] == '\n' && first.Line == line+1 // two lines became one
				if first.Line != line && !joined {
					t.Fatalf("byte %d bit %d is on line %d, the report says: %s", i, bit, line, first)
				}
				if bytes.HasPrefix(bytes.Split(b, []byte("\n"))[line-1], []byte(`{"leaf"`)) && first.Seq < 0 && first.Line == line {
					t.Fatalf("byte %d is in a leaf, the report names none: %s", i, first)
				}
			}
		}
	}
}

func TestRandomEdits(t *testing.T) {
	s := newSigner(t, "p")
	b, points := history(12, 3, 7, 12).bundle(t, s)
	rapid.Check(t, func(rt *rapid.T) {
		edited := bytes.Clone(b)
		lines := bytes.SplitAfter(edited, []byte("\n"))
		lines = lines[:len(lines)-1]
		i, j := rapid.IntRange(0, len(lines)-1).Draw(rt, "i"), rapid.IntRange(0, len(lines)-1).Draw(rt, "j")
		switch rapid.SampledFrom([]string{"cut", "cut lines", "drop", "swap", "double", "insert"}).Draw(rt, "edit") {
		case "cut":
			edited = edited[:rapid.IntRange(0, len(edited)-1).Draw(rt, "at")]
		case "cut lines":
			edited = bytes.Join(lines[:i], nil)
		case "drop":
			edited = bytes.Join(append(append([][]byte{}, lines[:i]...), lines[i+1:]...), nil)
		case "swap":
			lines[i], lines[j] = lines[j], lines[i]
			edited = bytes.Join(lines, nil)
		case "double":
			lines[i] = append(bytes.Clone(lines[i]), lines[j]...)
			edited = bytes.Join(lines, nil)
		case "insert":
			at := rapid.IntRange(0, len(edited)).Draw(rt, "at")
			edited = append(edited[:at:at], append(rapid.SliceOfN(rapid.Byte(), 1, 9).Draw(rt, "bytes"), edited[at:]...)...)
		}
		if bytes.Equal(edited, b) {
			return
		}
		r := verify(t, edited, audit.Options{Key: s.Public(), Earlier: points})
		if r.OK || len(r.Problems) == 0 || !strings.Contains(said(r), "does not hold") {
			rt.Fatalf("not found: %+v", r)
		}
	})
}

// TestRewritten: somebody who holds the key writes the history anew. Only a checkpoint kept outside tells.
func TestRewritten(t *testing.T) {
	s := newSigner(t, "p")
	_, kept := history(6, 3, 6).bundle(t, s)
	forged := history(9, 3, 6, 9)
	forged.leaves[1].Actor = "nobody"
	b, _ := forged.bundle(t, s)
	if r := verify(t, b, audit.Options{Key: s.Public()}); !r.OK || !strings.Contains(said(r), "could have written the whole history anew") {
		t.Errorf("without an earlier checkpoint: %s", said(r))
	}
	r := verify(t, b, audit.Options{Key: s.Public(), Earlier: kept})
	if r.OK || r.Earlier != 0 || !strings.Contains(said(r), "history was rewritten: the first 3 leaves") {
		t.Errorf("with one: %s", said(r))
	}
	short, _ := history(2, 2).bundle(t, s)
	if r := verify(t, short, audit.Options{Key: s.Public(), Earlier: kept}); r.OK || !strings.Contains(said(r), "the end of the history is missing") {
		t.Errorf("cut by a key holder: %s", said(r))
	}
	other := newSigner(t, "p")
	b, _ = history(6, 6).bundle(t, other)
	if r := verify(t, b, audit.Options{Key: s.Public()}); r.OK {
		t.Error("another key was accepted")
	}
	if r := verify(t, b, audit.Options{Earlier: kept}); r.OK || !strings.Contains(said(r), "earlier checkpoint 1 cannot be compared") {
		t.Errorf("another key with earlier checkpoints: %s", said(r))
	}
}

// TestForgedLeaf: a leaf is changed together with its hash, by somebody without the key.
func TestForgedLeaf(t *testing.T) {
	s := newSigner(t, "p")
	b, points := history(8, 4, 8).bundle(t, s)
	changed := leaf(5)
	changed.Subject = "r6"
	var one bytes.Buffer
	w, err := audit.NewWriter(&one, "", "")
	if err != nil {
		t.Fatal(err)
	}
	for seq := range int64(6) {
		l := leaf(seq)
		if seq == 5 {
			l = changed
		}
		if err := w.Leaf(l, l.Hash()); err != nil {
			t.Fatal(err)
		}
	}
	lines := bytes.SplitAfter(b, []byte("\n"))
	lines[7] = bytes.SplitAfter(one.Bytes(), []byte("\n"))[6]
	r := verify(t, bytes.Join(lines, nil), audit.Options{Earlier: points[:1]})
	if r.OK || r.Earlier != 1 || !strings.Contains(said(r), "a leaf between 4 and 7 was changed") {
		t.Errorf("%s", said(r))
	}
}

func TestKeys(t *testing.T) {
	for _, bad := range []string{"", "x", "PRIVATE+KEY+a+b+c", "PRIVATE+KEY+firmward/x+00000000+AAAA"} {
		if _, err := audit.NewSigner(bad); err == nil {
			t.Errorf("key %q was accepted", bad)
		}
	}
	if _, err := audit.ParseCheckpoint([]byte("x"), "y"); err == nil {
		t.Error("a broken key was accepted")
	}
}

// fixedSigner always has the same key, so that all workers of the fuzzer mean the same bundle.
func fixedSigner(t testing.TB) *audit.Signer {
	t.Helper()
	seed := bytes.Repeat([]byte{7}, ed25519.SeedSize)
	pub, ok := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	if !ok {
		t.Fatal("no Ed25519 key")
	}
	id := sha256.Sum256(append([]byte("firmward/p\n\x01"), pub...))
	s, err := audit.NewSigner(fmt.Sprintf("PRIVATE+KEY+firmward/p+%x+%s", id[:4], base64.StdEncoding.EncodeToString(append([]byte{1}, seed...))))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func FuzzVerify(f *testing.F) {
	s := fixedSigner(f)
	b, _ := history(3, 2, 3).bundle(f, s)
	f.Add(b)
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, edited []byte) {
		r, err := audit.Verify(bytes.NewReader(edited), audit.Options{Key: s.Public()})
		if err == nil && r.OK && r.Checkpoints > 0 && !bytes.Equal(edited, b) {
			t.Errorf("a forged bundle holds:\n%s", edited)
		}
	})
}
