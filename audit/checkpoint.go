package audit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint is a signed statement: at this time the log had so many leaves, with this root hash.
type Checkpoint struct {
	Origin string // "firmward/<instance>", also the name of the key
	Size   int64  // number of leaves covered
	Root   tlog.Hash
	At     time.Time
	Note   []byte // the signed note as text; this is what is kept outside
}

// Signer signs checkpoints. It never prints its key.
type Signer struct {
	signer   note.Signer
	verifier string
}

// GenerateKey makes a new Ed25519 key for the named instance. private is to be kept secret (one line of text),
// public may be shown to anyone. instance holds neither spaces nor a plus sign.
func GenerateKey(instance string) (private, public string, err error) {
	private, public, err = note.GenerateKey(rand.Reader, "firmward/"+instance)
	if err != nil {
		return "", "", fmt.Errorf("generate audit key: %w", err)
	}
	return private, public, nil
}

// NewSigner reads a private key as GenerateKey gives it.
func NewSigner(private string) (*Signer, error) {
	private = strings.TrimSpace(private)
	signer, err := note.NewSigner(private)
	if err != nil {
		return nil, errors.New("read audit key: it is not a private key as firmward writes it")
	}
	// PRIVATE+KEY+name+hash+base64(algorithm byte and seed), see package note; only the last may hold a plus.
	parts := strings.SplitN(private, "+", 5)
	seed, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
	if err != nil || len(seed) != 1+ed25519.SeedSize {
		return nil, errors.New("read audit key: it is not an Ed25519 key")
	}
	key, ok := ed25519.NewKeyFromSeed(seed[1:]).Public().(ed25519.PublicKey)
	if !ok {
		return nil, errors.New("read audit key: it is not an Ed25519 key")
	}
	verifier, err := note.NewEd25519VerifierKey(signer.Name(), key)
	if err != nil {
		return nil, fmt.Errorf("read audit key: %w", err)
	}
	return &Signer{signer: signer, verifier: verifier}, nil
}

// Origin gives the name of the key, "firmward/<instance>".
func (s *Signer) Origin() string { return s.signer.Name() }

// Public gives the public key as text, for Verify.
func (s *Signer) Public() string { return s.verifier }

// String says whose signer it is and nothing about the key.
func (s *Signer) String() string { return "audit signer of " + s.signer.Name() }

// GoString is String: the key is never printed.
func (s *Signer) GoString() string { return s.String() }

// Sign makes the checkpoint for a tree of size leaves.
func (s *Signer) Sign(size int64, root tlog.Hash, at time.Time) (Checkpoint, error) {
	c := Checkpoint{Origin: s.Origin(), Size: size, Root: root, At: time.UnixMicro(at.UnixMicro()).UTC()}
	signed, err := note.Sign(&note.Note{Text: c.text()}, s.signer)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("sign checkpoint: %w", err)
	}
	c.Note = signed
	return c, nil
}

// text follows the C2SP checkpoint form: origin, size, root, and one extension line with the time.
func (c Checkpoint) text() string {
	return c.Origin + "\n" + strconv.FormatInt(c.Size, 10) + "\n" + c.Root.String() + "\nat " + c.At.UTC().Format(time.RFC3339Nano) + "\n"
}

// readKey reads a public key in its one spelling: package note would forgive others.
func readKey(public string) (note.Verifier, error) {
	bad := errors.New("the public key is not one as firmward writes it")
	verifier, err := note.NewVerifier(public)
	if err != nil {
		return nil, bad
	}
	parts := strings.SplitN(public, "+", 3) // name+hash+base64(algorithm byte and key)
	raw, err := base64.StdEncoding.Strict().DecodeString(parts[len(parts)-1])
	if err != nil || len(raw) != 1+ed25519.PublicKeySize {
		return nil, bad
	}
	if again, err := note.NewEd25519VerifierKey(verifier.Name(), raw[1:]); err != nil || again != public {
		return nil, bad
	}
	return verifier, nil
}

// ParseCheckpoint reads a signed note and checks its signature with the public key. It accepts exactly what Sign
// writes: one signature, and no other spelling of the same content.
func ParseCheckpoint(signed []byte, public string) (Checkpoint, error) {
	verifier, err := readKey(public)
	if err != nil {
		return Checkpoint{}, err
	}
	n, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		if _, ok := errors.AsType[*note.UnverifiedNoteError](err); ok {
			return Checkpoint{}, fmt.Errorf("the checkpoint is not signed by the key of %s", verifier.Name())
		}
		if _, ok := errors.AsType[*note.InvalidSignatureError](err); ok {
			return Checkpoint{}, errors.New("the checkpoint's signature does not fit its text")
		}
		return Checkpoint{}, errors.New("the checkpoint is not a signed note")
	}
	c, err := parseText(n.Text)
	if err != nil {
		return Checkpoint{}, err
	}
	if c.Origin != verifier.Name() {
		return Checkpoint{}, fmt.Errorf("the checkpoint speaks for %q, the key for %q", c.Origin, verifier.Name())
	}
	if len(n.Sigs) != 1 || !canonical(signed, n) {
		return Checkpoint{}, errors.New("the checkpoint's signature is not spelled as it was written")
	}
	c.Note = bytes.Clone(signed)
	return c, nil
}

func canonical(signed []byte, n *note.Note) bool {
	raw, err := base64.StdEncoding.Strict().DecodeString(n.Sigs[0].Base64)
	if err != nil {
		return false
	}
	return string(signed) == n.Text+"\n— "+n.Sigs[0].Name+" "+base64.StdEncoding.EncodeToString(raw)+"\n"
}

func parseText(text string) (Checkpoint, error) {
	bad := errors.New("the checkpoint's text is not in the form that firmward writes")
	lines := strings.Split(text, "\n")
	if len(lines) != 5 {
		return Checkpoint{}, bad
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 {
		return Checkpoint{}, bad
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return Checkpoint{}, bad
	}
	at, err := time.Parse(time.RFC3339Nano, strings.TrimPrefix(lines[3], "at "))
	if err != nil {
		return Checkpoint{}, bad
	}
	c := Checkpoint{Origin: lines[0], Size: size, Root: root, At: at.UTC()}
	if c.text() != text {
		return Checkpoint{}, bad
	}
	return c, nil
}

// Included checks that the leaf is part of the tree that the checkpoint signs. The proof is as the store's
// CheckInclusion computes it.
func (c Checkpoint) Included(l Leaf, proof tlog.RecordProof) error {
	if err := tlog.CheckRecord(proof, c.Size, c.Root, l.Seq, l.Hash()); err != nil {
		return fmt.Errorf("audit leaf %d is not in the checkpoint of %d leaves: %w", l.Seq, c.Size, err)
	}
	return nil
}
