package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unicode"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/feed"
)

// The bounds of uploads, in bytes.
const (
	maxInventory = 64 << 20
	maxFeed      = feed.MaxDocument
	maxFirmware  = control.MaxImage
)

// Upload is an input whose body is read as a stream.
type Upload struct {
	body io.ReadCloser
	w    http.ResponseWriter
}

// Resolve keeps the body for the handler.
func (u *Upload) Resolve(ctx huma.Context) []error {
	r, w := humago.Unwrap(ctx)
	u.body, u.w = r.Body, w
	return nil
}

// upload gives the bounded body. Only a few run together; done must be called at the end.
func (a *API) upload(u Upload, limit int64) (body io.Reader, done func(), err error) {
	done, err = a.large()
	if err != nil {
		return nil, nil, err
	}
	return http.MaxBytesReader(u.w, u.body, limit), done, nil
}

// large takes one of the few places for large transfers.
func (a *API) large() (done func(), err error) {
	select {
	case a.uploads <- struct{}{}:
		return func() { <-a.uploads }, nil
	default:
		return nil, firmward.Errorf(firmward.Unavailable, "too many large transfers are under way: try again in a moment")
	}
}

// saved writes an upload to a temporary file that carries its name, since a name may tell what it is.
func (a *API) saved(_ context.Context, body io.Reader, name string) (path string, remove func(), err error) {
	dir, err := os.MkdirTemp(a.TempDir, "firmward-upload-")
	if err != nil {
		return "", nil, fmt.Errorf("save upload: %w", err)
	}
	remove = func() { os.RemoveAll(dir) }
	path = filepath.Join(dir, fileName(name))
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		remove()
		return "", nil, fmt.Errorf("save upload: %w", err)
	}
	_, err = io.Copy(f, body)
	if err = errors.Join(err, f.Close()); err != nil {
		remove()
		if errors.Is(err, syscall.ENOSPC) {
			return "", nil, &firmward.Error{Code: firmward.DiskFull, Message: "no space left for the upload: free some and send it again", Err: err}
		}
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			return "", nil, err
		}
		return "", nil, &firmward.Error{Code: firmward.Invalid, Message: "the upload broke off", Err: err}
	}
	return path, remove, nil
}

// fileName makes a harmless file name of what a client says.
func fileName(s string) string {
	s = s[strings.LastIndexAny(s, `/\`)+1:]
	s = strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("._-+ ()", r) {
			return r
		}
		return '_'
	}, s)
	if len(s) > 100 {
		s = strings.ToValidUTF8(s[len(s)-100:], "")
	}
	if strings.Trim(s, ". ") == "" {
		return "upload"
	}
	return s
}

// writerOf gives the response writer behind a request.
func writerOf(ctx huma.Context) http.ResponseWriter {
	_, w := humago.Unwrap(ctx)
	return w
}
