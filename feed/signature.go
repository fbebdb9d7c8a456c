package feed

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/firmward/firmward"
)

// Keys are OpenPGP public keys by which documents are signed (RFC 9580; CSAF 2.0 §7.1.19 and §7.1.20). The zero value has none.
type Keys struct{ ring openpgp.EntityList }

// maxKeys bounds the public keys that are read together.
const maxKeys = 1000

// ReadKeys reads public keys: armored, any number of blocks one after another, or as bytes. A secret key is refused: it has no
// business here.
func ReadKeys(b []byte) (Keys, error) {
	var k Keys
	blocks := bytes.Count(b, []byte("-----BEGIN PGP "))
	if blocks == 0 {
		err := k.add(bytes.NewReader(b))
		return k, err
	}
	for in := bufio.NewReader(bytes.NewReader(b)); ; { // armor reads ahead in it, and goes on there
		block, err := armor.Decode(in)
		switch {
		case errors.Is(err, io.EOF) && blocks == 0:
			return k, nil
		case errors.Is(err, io.EOF) && len(k.ring) > 0:
			return Keys{}, errors.New("not every OpenPGP key begins on a line of its own")
		case err != nil:
			return Keys{}, fmt.Errorf("this is no OpenPGP key: %w", err)
		case block.Type != openpgp.PublicKeyType:
			return Keys{}, fmt.Errorf("this is no public OpenPGP key but a %q", Clip(block.Type))
		}
		if err := k.add(block.Body); err != nil {
			return Keys{}, err
		}
		blocks--
	}
}

func (k *Keys) add(r io.Reader) error {
	ring, err := openpgp.ReadKeyRing(r)
	if err != nil {
		return fmt.Errorf("this is no OpenPGP key: %w", err)
	}
	for _, e := range ring {
		if e.PrivateKey != nil {
			return errors.New("this is a secret OpenPGP key: give the public one")
		}
	}
	k.ring = append(k.ring, ring...)
	if len(k.ring) == 0 || len(k.ring) > maxKeys {
		return fmt.Errorf("it holds %d OpenPGP keys", len(k.ring))
	}
	return nil
}

// With gives these keys and others.
func (k Keys) With(more Keys) Keys { return Keys{slices.Concat(k.ring, more.ring)} }

// Empty reports whether there are none.
func (k Keys) Empty() bool { return len(k.ring) == 0 }

// Fingerprints names the keys: upper-case hexadecimal digits, sorted, each once.
func (k Keys) Fingerprints() []string {
	out := make([]string, 0, len(k.ring))
	for _, e := range k.ring {
		out = append(out, fingerprint(e.PrimaryKey.Fingerprint))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func fingerprint(raw []byte) string { return strings.ToUpper(hex.EncodeToString(raw)) }

// Has reports whether a key has a fingerprint, however that is written. Subkeys do not count.
func (k Keys) Has(print string) bool {
	return slices.Contains(k.Fingerprints(), strings.ToUpper(strings.ReplaceAll(print, " ", "")))
}

// minHash is the least size of a hash by which a signature counts, in bytes: SHA-1 has less.
const minHash = 32

// Check checks a document against its detached signature, armored or as bytes: one of the keys must have made it. A key that has expired since
// counts for what it signed before; one that was revoked does not. It gives the fingerprint of the key. The error is Invalid when nothing fits.
func (k Keys) Check(document io.ReadSeeker, signature []byte, now time.Time) (print string, err error) {
	made, by, err := k.verify(document, signature, now)
	if errors.Is(err, pgperrors.ErrKeyExpired) && made.CreationTime.Before(now) {
		_, by, err = k.verify(document, signature, made.CreationTime)
	}
	if err == nil && made.Hash.Size() < minHash {
		err = fmt.Errorf("it rests on %s, which can be forged", made.Hash)
	}
	if by != nil {
		print = fingerprint(by.PrimaryKey.Fingerprint)
	}
	switch {
	case err == nil:
		return print, nil
	case by != nil:
		err = fmt.Errorf("by key %s: %w", print, err)
	case errors.Is(err, pgperrors.ErrUnknownIssuer):
		err = errors.New("it is by none of the keys " + strings.Join(k.Fingerprints(), ", "))
	}
	return "", &firmward.Error{Code: firmward.Invalid, Message: "check the signature", Err: err}
}

func (k Keys) verify(document io.ReadSeeker, signature []byte, now time.Time) (*packet.Signature, *openpgp.Entity, error) {
	var sig io.Reader = bytes.NewReader(signature)
	if bytes.Contains(signature, []byte("-----BEGIN PGP ")) {
		block, err := armor.Decode(sig)
		if err != nil {
			return nil, nil, fmt.Errorf("it is no OpenPGP signature: %w", err)
		}
		if block.Type != openpgp.SignatureType {
			return nil, nil, fmt.Errorf("it is no OpenPGP signature but a %q", Clip(block.Type))
		}
		sig = block.Body
	}
	if _, err := document.Seek(0, io.SeekStart); err != nil {
		return nil, nil, err
	}
	return openpgp.VerifyDetachedSignature(k.ring, document, sig, &packet.Config{Time: func() time.Time { return now }})
}
