// Package secrets seals the credentials that an owner entered for a device.
//
// A secret is encrypted with AES-256-GCM under a random data key, and the data key under a key of the key file. Both
// encryptions authenticate the scope ("device:<id>" or "family:<name>@<site>"), so a ciphertext that somebody moves to another
// scope in the database does not open. The ciphertext names the key that it needs by id: a new key may be
// added, it seals from then on, and older ciphertext still opens.
//
// The key file lies in the data directory, readable by its owner only. A copy of the database without it reveals no
// credential. A backup holds it too, encrypted with the passphrase, unless it was asked to leave it out.
//
// The form of a ciphertext: "fw1", the key id as 8 bytes, the sealed data key (nonce of 12 bytes, then 32+16), and the
// sealed JSON of the secret (nonce of 12 bytes, then the rest).
package secrets

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/wire"
)

const (
	magic   = "fw1"
	idSize  = 8
	keySize = 32
	nonce   = 12
	sealed  = nonce + keySize + 16 // a sealed data key
)

type key struct {
	id  string // the first 8 bytes of the key's SHA-256
	gcm cipher.AEAD
}

// Box seals and opens. It is safe for concurrent use and prints nothing of its keys.
type Box struct {
	keys []key // the last one seals
}

// String keeps the keys out of print.
func (*Box) String() string { return "secrets.Box" }

// GoString keeps the keys out of %#v.
func (*Box) GoString() string { return "secrets.Box" }

// Open reads the key file. It is made with a first key when it is missing. Refused when others than its owner may read
// or write it, Invalid when it is damaged.
func Open(path string) (*Box, error) {
	text, err := read(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := write(path, [][]byte{newKey()}, true); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("make key file: %w", err)
		}
		text, err = read(path)
	}
	if err != nil {
		return nil, err
	}
	keys, err := parse(text)
	if err != nil {
		return nil, &firmward.Error{Code: firmward.Invalid, Message: "the key file " + path + " is damaged: restore it from a backup, or enter the credentials anew with a new one", Err: err}
	}
	b := &Box{}
	for _, k := range keys {
		if err := b.add(k); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// Rotate adds a new key to the key file and seals with it from now on. What was sealed before still opens; sealing it
// again moves it to the new key, see Old.
func Rotate(path string) (*Box, error) {
	text, err := read(path)
	if err != nil {
		return nil, err
	}
	keys, err := parse(text)
	if err != nil {
		return nil, &firmward.Error{Code: firmward.Invalid, Message: "the key file " + path + " is damaged", Err: err}
	}
	if err := write(path, append(keys, newKey()), false); err != nil {
		return nil, fmt.Errorf("write key file: %w", err)
	}
	return Open(path)
}

func newKey() []byte {
	k := make([]byte, keySize)
	rand.Read(k) // never fails
	return k
}

func read(path string) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read key file: %w", err)
	}
	if mode := st.Mode().Perm(); os.PathSeparator == '/' && mode&0o077 != 0 {
		return nil, firmward.Errorf(firmward.Refused, fmt.Sprintf(
			"others than its owner may use the key file %s (its mode is %04o): take that away with \"chmod 600\" and think about who read it", path, mode))
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read key file: %w", err)
	}
	return text, nil
}

// write puts the keys into place by a rename, or by a link when no file may be there yet.
func write(path string, keys [][]byte, first bool) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".key-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	var text strings.Builder
	text.WriteString("# firmward: keys of the stored credentials. Keep a copy apart from the database.\n")
	for _, k := range keys {
		text.WriteString(hex.EncodeToString(k) + "\n")
	}
	if _, err = f.WriteString(text.String()); err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if first {
		return os.Link(f.Name(), path)
	}
	return os.Rename(f.Name(), path)
}

func parse(text []byte) ([][]byte, error) {
	var keys [][]byte
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		k, err := hex.DecodeString(line)
		if err != nil || len(k) != keySize {
			return nil, errors.New("a line is no key")
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, errors.New("it holds no key")
	}
	return keys, nil
}

func (b *Box) add(k []byte) error {
	gcm, err := newGCM(k)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(append([]byte("firmward key id\x00"), k...))
	b.keys = append(b.keys, key{id: string(sum[:idSize]), gcm: gcm})
	return nil
}

func newGCM(k []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(k)
	if err != nil {
		return nil, fmt.Errorf("use key: %w", err)
	}
	return cipher.NewGCM(block)
}

// content is what is sealed. Bytes, because a password need not be UTF-8.
type content struct {
	User, Password []byte
	Key            string `json:",omitempty"`
}

// Seal encrypts a secret for one scope.
func (b *Box) Seal(scope string, s wire.Secret) ([]byte, error) {
	clear, err := json.Marshal(content{[]byte(s.User), []byte(s.Password), s.Key})
	if err != nil {
		return nil, errors.New("seal secret: it cannot be written")
	}
	data := newKey()
	inner, err := newGCM(data)
	if err != nil {
		return nil, err
	}
	k := b.keys[len(b.keys)-1]
	out := append([]byte(magic), k.id...)
	out = seal(out, k.gcm, data, bound(k.id, scope))
	return seal(out, inner, clear, bound(k.id, scope)), nil
}

func bound(id, scope string) []byte { return []byte(magic + id + scope) }

func seal(out []byte, gcm cipher.AEAD, clear, scope []byte) []byte {
	n := newKey()[:nonce]
	return gcm.Seal(append(out, n...), n, clear, scope)
}

// Open decrypts what Seal made for the same scope. Refused when it was changed, belongs to another scope, or its key
// is not in the key file; the message says which of these it can be.
func (b *Box) Open(scope string, ciphertext []byte) (wire.Secret, error) {
	rest, ok := bytes.CutPrefix(ciphertext, []byte(magic))
	if !ok || len(rest) < idSize+sealed+nonce {
		return wire.Secret{}, firmward.Errorf(firmward.Refused, "the stored secret is damaged: enter the credential anew")
	}
	id, rest := string(rest[:idSize]), rest[idSize:]
	for _, k := range b.keys {
		if k.id != id {
			continue
		}
		s, err := open(k, scope, rest)
		if err != nil {
			return wire.Secret{}, firmward.Errorf(firmward.Refused, "the stored secret for "+scope+" was changed or belongs to another scope: enter the credential anew")
		}
		return s, nil
	}
	return wire.Secret{}, firmward.Errorf(firmward.Refused, "the key of the stored secret for "+scope+" is not in the key file: restore the key file, or enter the credential anew")
}

func open(k key, scope string, rest []byte) (wire.Secret, error) {
	data, err := k.gcm.Open(nil, rest[:nonce], rest[nonce:sealed], bound(k.id, scope))
	if err != nil {
		return wire.Secret{}, err
	}
	inner, err := newGCM(data)
	if err != nil {
		return wire.Secret{}, err
	}
	rest = rest[sealed:]
	clear, err := inner.Open(nil, rest[:nonce], rest[nonce:], bound(k.id, scope))
	if err != nil {
		return wire.Secret{}, err
	}
	var c content
	err = json.Unmarshal(clear, &c)
	return wire.Secret{User: string(c.User), Password: string(c.Password), Key: c.Key}, err
}

// Old reports whether a ciphertext was sealed with a key that is no longer the newest: seal it again.
func (b *Box) Old(ciphertext []byte) bool {
	newest := b.keys[len(b.keys)-1]
	return !bytes.HasPrefix(ciphertext, []byte(magic+newest.id))
}
