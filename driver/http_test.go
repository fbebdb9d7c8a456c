package driver

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/firmward/firmward/wire"
)

// FuzzCredentials answers any challenge: never a panic, never a header of two lines, never the password.
func FuzzCredentials(f *testing.F) {
	f.Add(`Digest realm="AXIS_X", nonce="0", qop="auth", algorithm=MD5`)
	f.Add(`Digest realm="shellyplusplugs-x", nonce="1", qop="auth,auth-int", algorithm=SHA-256, opaque=""`)
	f.Add(`Digest realm="x", nonce="1", qop="auth-int"`)
	f.Add(`Basic realm="x"`)
	f.Add(`Digest realm="a\"b", nonce=`)
	f.Fuzz(func(t *testing.T, challenge string) {
		const password = "correct horse"
		got, err := credentials(http.Header{"Www-Authenticate": {challenge}}, http.MethodPost, "/rpc", wire.Secret{User: "admin", Password: password})
		switch {
		case err != nil && got != "":
			t.Errorf("%q and %v", got, err)
		case strings.ContainsAny(got, "\r\n") && !strings.ContainsAny(challenge, "\r\n"):
			t.Errorf("a header of two lines: %q", got)
		case strings.Contains(got, password) && !strings.Contains(challenge, password):
			t.Errorf("the password is in %q", got)
		}
	})
}

// TestUploadNeedsTheSize: a request of unknown length is never begun.
func TestUploadNeedsTheSize(t *testing.T) {
	_, err := Upload(t.Context(), wire.Conn{}, 80, "/", Form{Open: func() (io.ReadCloser, error) { panic("opened") }})
	if !errors.Is(err, ErrNotBegun) {
		t.Errorf("%v", err)
	}
}

// TestLazy tells whether an image was touched, and closes it for good when it was not.
func TestLazy(t *testing.T) {
	opened := 0
	image := func() *lazy {
		return &lazy{open: func() (io.ReadCloser, error) { opened++; return io.NopCloser(strings.NewReader("image")), nil }}
	}
	read := image()
	if b, err := io.ReadAll(read); string(b) != "image" || err != nil || read.untouched() || read.Close() != nil {
		t.Errorf("%q, %v, or taken for untouched", b, err)
	}
	for name, end := range map[string]func(*lazy) bool{
		"asked":  (*lazy).untouched,
		"closed": func(l *lazy) bool { return l.Close() == nil && l.untouched() },
	} {
		l := image()
		if !end(l) {
			t.Errorf("%s: an image that nobody read counts as touched", name)
		}
		if _, err := l.Read(make([]byte, 1)); err == nil || opened != 1 {
			t.Errorf("%s: it was opened afterwards", name)
		}
	}
	broken := &lazy{open: func() (io.ReadCloser, error) { return nil, errors.New("no such file") }}
	if _, err := broken.Read(make([]byte, 1)); err == nil || !broken.untouched() {
		t.Errorf("%v, or an image that could not be opened counts as sent", err)
	}
}
