package secrets_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/secrets"
	"github.com/firmward/firmward/wire"
)

func openBox(t *testing.T) (*secrets.Box, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secrets.key")
	b, err := secrets.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return b, path
}

func TestSealAndOpen(t *testing.T) {
	b, path := openBox(t)
	again, err := secrets.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		want := wire.Secret{User: rapid.String().Draw(t, "user"), Password: string(rapid.SliceOf(rapid.Byte()).Draw(t, "password")), Key: rapid.SampledFrom([]string{"", "SHA256:p2QAMXNIC1TJYWeIOttrVc98/R1BUFWu3/LiyKgUfQM"}).Draw(t, "key")}
		scope := rapid.String().Draw(t, "scope")
		c, err := b.Seal(scope, want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := again.Open(scope, c)
		if err != nil || got.User != want.User || got.Password != want.Password {
			t.Fatalf("opened %q %q, %v", got.User, got.Password, err)
		}
		if _, err := b.Open(scope+"x", c); firmward.CodeOf(err) != firmward.Refused {
			t.Fatalf("another scope: %v", err)
		}
		if len(want.Password) > 7 && bytes.Contains(c, []byte(want.Password)) {
			t.Fatal("the password is in the ciphertext")
		}
		i := rapid.IntRange(0, len(c)-1).Draw(t, "byte")
		c[i] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if _, err := b.Open(scope, c); firmward.CodeOf(err) != firmward.Refused {
			t.Fatalf("a changed byte %d: %v", i, err)
		}
		if _, err := b.Open(scope, c[:i]); firmward.CodeOf(err) != firmward.Refused {
			t.Fatalf("cut at %d: %v", i, err)
		}
	})
}

func TestRotation(t *testing.T) {
	old, path := openBox(t)
	before, err := old.Seal("device:a", wire.Secret{Password: "one"})
	if err != nil {
		t.Fatal(err)
	}
	rotated, err := secrets.Rotate(path)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := rotated.Open("device:a", before); err != nil || s.Password != "one" {
		t.Errorf("sealed before the rotation: %v", err)
	}
	after, err := rotated.Seal("device:a", wire.Secret{Password: "two"})
	if err != nil {
		t.Fatal(err)
	}
	if !rotated.Old(before) || rotated.Old(after) {
		t.Error("Old must tell the older key apart")
	}
	if _, err := old.Open("device:a", after); err == nil || !strings.Contains(err.Error(), "not in the key file") {
		t.Errorf("a missing key: %v", err)
	}
}

func TestKeyFile(t *testing.T) {
	_, path := openBox(t)
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".key-*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := secrets.Open(path); firmward.CodeOf(err) != firmward.Refused || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a file that others read: %v", err)
	}
	if err := errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, []byte("nonsense\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := secrets.Open(path); firmward.CodeOf(err) != firmward.Invalid || strings.Contains(err.Error(), "nonsense") {
		t.Errorf("a damaged file: %v", err)
	}
}

func TestNothingPrints(t *testing.T) {
	b, path := openBox(t)
	key, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(key))
	hex := lines[len(lines)-1]
	var out bytes.Buffer
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "box", b)
	fmt.Fprintf(&out, "%v %+v %#v %s %q", b, b, b, b, b)
	if strings.Contains(out.String(), hex) || !strings.Contains(out.String(), "secrets.Box") {
		t.Errorf("printed: %s", out.String())
	}
}
