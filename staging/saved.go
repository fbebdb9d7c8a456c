package staging

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/firmward/firmward"
)

// Bounds of a saved configuration that is taken apart: it comes from a device.
const (
	maxUnpacked = 32 << 20
	maxEntries  = 4096
)

// Settings takes a saved configuration apart into entries with a hash each: the files of an archive (tar, packed by gzip or not), the
// values of JSON, in such a file or alone, each by the way to it, the keys of a text with lines "key = value", or the whole as one entry
// where it is none of these. A value of JSON that is empty counts as not there: it says that nobody set it. Values hold secrets; their hashes are
// salted by salt, so that equal ones are equal within one rehearsal and say nothing beyond it.
func Settings(saved []byte, salt string) (map[string]string, error) {
	plain := saved
	if z, err := gzip.NewReader(bytes.NewReader(saved)); err == nil {
		if plain, err = io.ReadAll(io.LimitReader(z, maxUnpacked+1)); err != nil {
			return nil, fmt.Errorf("unpack the saved configuration: %w", err)
		}
		if len(plain) > maxUnpacked {
			return nil, firmward.Errorf(firmward.TooLarge, fmt.Sprintf("the saved configuration unpacks to more than %d bytes", maxUnpacked))
		}
	}
	sum := func(b []byte) string {
		h := sha256.Sum256(append([]byte(salt+"\x00"), b...))
		return hex.EncodeToString(h[:8])
	}
	if out, err := archived(plain, sum); err != nil || out != nil {
		return out, err
	}
	if out := map[string]string{}; values(plain, "", sum, out) {
		return out, nil
	}
	if out := lined(plain, sum); out != nil {
		return out, nil
	}
	return map[string]string{"the whole": sum(plain)}, nil
}

// archived reads a tar archive; nil when it is none.
func archived(plain []byte, sum func([]byte) string) (map[string]string, error) {
	out := map[string]string{}
	r := tar.NewReader(bytes.NewReader(plain))
	for {
		h, err := r.Next()
		switch {
		case errors.Is(err, io.EOF) && len(out) > 0:
			return out, nil
		case err != nil && len(out) == 0:
			return nil, nil // no archive: another form
		case err != nil:
			return nil, fmt.Errorf("read the saved configuration after %d files: %w", len(out), err)
		case len(out) >= maxEntries:
			return nil, firmward.Errorf(firmward.TooLarge, fmt.Sprintf("the saved configuration has more than %d files", maxEntries))
		case h.Typeflag != tar.TypeReg:
			continue
		}
		b, err := io.ReadAll(r)
		if err != nil {
			return nil, fmt.Errorf("read %s of the saved configuration: %w", h.Name, err)
		}
		name := strings.TrimPrefix(h.Name, "./")
		if !strings.HasSuffix(name, ".json") || !values(b, name+" ", sum, out) {
			out[name] = sum(b)
		}
	}
}

// values adds the values of a JSON object with the way to each behind prefix, and reports whether it was one, not empty, with few enough.
func values(b []byte, prefix string, sum func([]byte) string, out map[string]string) bool {
	var root map[string]any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if d.Decode(&root) != nil || d.More() {
		return false
	}
	found, fits := map[string]string{}, true
	var walk func(way string, v any)
	walk = func(way string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, in := range v {
				walk(way+"."+name, in)
			}
		case []any:
			for i, in := range v {
				walk(way+"."+strconv.Itoa(i), in)
			}
		case nil:
		default:
			if text := fmt.Sprint(v); text != "" {
				found[prefix+strings.TrimPrefix(way, ".")] = sum([]byte(text))
			}
		}
		fits = fits && len(out)+len(found) <= maxEntries
	}
	walk("", root)
	if !fits || len(found) == 0 {
		return false
	}
	maps.Copy(out, found)
	return true
}

// lined reads lines of "key = value"; nil when most lines are of another form.
func lined(plain []byte, sum func([]byte) string) map[string]string {
	if !utf8.Valid(plain) {
		return nil
	}
	out, other := map[string]string{}, 0
	for line := range strings.Lines(string(plain)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		k, v, ok := strings.Cut(line, "=")
		if k = strings.TrimSpace(k); !ok || k == "" || len(k) > 128 || len(out) == maxEntries {
			other++
			continue
		}
		out[k] = sum([]byte(strings.TrimSpace(v)))
	}
	if len(out) == 0 || other > len(out) {
		return nil
	}
	return out
}
