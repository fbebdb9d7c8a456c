package wled

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/firmward/firmward/proto/form"
)

// Files in which WLED keeps how it is set up, and where one is put back. Passwords are in a file of their own that it gives to nobody; of each
// the configuration tells the length alone ("pskl").
const (
	ConfigPath  = "/cfg.json"
	PresetsPath = "/presets.json"
	UploadPath  = "/upload"
)

// own are the parts of a configuration that tie a controller to its network, and what it is called there.
var own = [...]string{"id", "nw", "ap", "eth", "wifi"}

// Pack puts files into one archive, in their order. The same files give the same bytes.
func Pack(files ...File) ([]byte, error) {
	var b bytes.Buffer
	t := tar.NewWriter(&b)
	for _, f := range files {
		err := t.WriteHeader(&tar.Header{Name: strings.TrimPrefix(f.Path, "/"), Mode: 0o600, Size: int64(len(f.Body))})
		if err == nil {
			_, err = t.Write(f.Body)
		}
		if err != nil {
			return nil, fmt.Errorf("pack %s: %w", f.Path, err)
		}
	}
	if err := t.Close(); err != nil {
		return nil, fmt.Errorf("pack the configuration: %w", err)
	}
	return b.Bytes(), nil
}

// File is one file of a controller.
type File struct {
	Path string
	Body []byte
}

// maxFile bounds an unpacked file, in bytes: more than a controller has room for.
const maxFile = 4 << 20

// Unpack finds configuration and presets in an archive; presets may be missing.
func Unpack(saved []byte) (config, presets []byte, err error) {
	t := tar.NewReader(bytes.NewReader(saved))
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, fmt.Errorf("unpack the configuration: %w", err)
		}
		if h.Size > maxFile {
			return nil, nil, fmt.Errorf("unpack the configuration: %s has %d bytes", h.Name, h.Size)
		}
		var into *[]byte
		switch "/" + h.Name {
		case ConfigPath:
			into = &config
		case PresetsPath:
			into = &presets
		default:
			continue
		}
		if *into, err = io.ReadAll(t); err != nil {
			return nil, nil, fmt.Errorf("unpack %s: %w", h.Name, err)
		}
	}
	if config == nil {
		return nil, nil, errors.New("unpack the configuration: there is none")
	}
	return config, presets, nil
}

// IsConfig reports whether a file is a configuration of WLED: an object with its parts.
func IsConfig(b []byte) bool {
	var cfg map[string]json.RawMessage
	return json.Unmarshal(b, &cfg) == nil && cfg["id"] != nil && cfg["hw"] != nil
}

// Adopt makes the configuration with which one controller stands for another: the other's, with name and network of its own, and without what
// usermods may keep of passwords and keys. mine may be nil.
func Adopt(other, mine []byte) ([]byte, error) {
	var cfg, here map[string]any
	if err := number(other, &cfg); err != nil || cfg == nil {
		return nil, fmt.Errorf("read the configuration: %w", errors.Join(err, notObject(cfg)))
	}
	if mine != nil {
		if err := number(mine, &here); err != nil {
			return nil, fmt.Errorf("read its own configuration: %w", err)
		}
	}
	for _, part := range own {
		delete(cfg, part)
		if v, ok := here[part]; ok {
			cfg[part] = v
		}
	}
	strip(cfg)
	b, err := json.Marshal(cfg)
	if err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	return b, nil
}

func notObject(m map[string]any) error {
	if m == nil {
		return errors.New("it is no object")
	}
	return nil
}

// number reads JSON and keeps numbers as they are written.
func number(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return d.Decode(into)
}

// secret are parts of names under which something is kept that only the owner may know.
var secret = [...]string{"pass", "pwd", "psk", "secret", "token", "key"}

// strip takes out texts that are kept under such names.
func strip(v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, in := range v {
			if _, text := in.(string); text && secretName(name) {
				delete(v, name)
				continue
			}
			strip(in)
		}
	case []any:
		for _, in := range v {
			strip(in)
		}
	}
}

func secretName(name string) bool {
	name = strings.ToLower(name)
	for _, s := range secret {
		if strings.Contains(name, s) {
			return true
		}
	}
	return false
}

// FileForm frames a file that is put under its path.
func FileForm(path string) (contentType string, head, tail []byte, err error) {
	return form.Frame("data", path)
}

// Uploaded reports whether the answer says that a file was taken.
func Uploaded(answer []byte) bool {
	return bytes.Contains(answer, []byte("File Uploaded!")) || bytes.Contains(answer, []byte("Configuration restore successful"))
}
