package wled_test

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"strings"
	"testing"

	"github.com/firmward/firmward/proto/wled"
)

func TestReadInfo(t *testing.T) {
	i, err := wled.ReadInfo([]byte(`{"ver":"0.15.0","vid":2412100,"release":"ESP32","arch":"esp32","brand":"WLED","product":"FOSS","mac":"246f28aabbcc"}`))
	if err != nil || i.Model() != "WLED ESP32" || i.MAC != "246f28aabbcc" {
		t.Errorf("%+v, %v", i, err)
	}
	if i, err = wled.ReadInfo([]byte(`{"ver":"0.13.3","arch":"esp8266","brand":"WLED"}`)); err != nil || i.Model() != "" {
		t.Errorf("a version that does not name its build: %q, %v", i.Model(), err)
	}
	for _, b := range []string{``, `{}`, `[]`, `{"error":3}`, `<html>`} {
		if _, err := wled.ReadInfo([]byte(b)); err == nil {
			t.Errorf("%q was read as WLED's information", b)
		}
	}
}

func FuzzReadInfo(f *testing.F) {
	f.Add([]byte(`{"ver":"0.15.0","release":"ESP32","arch":"esp32","brand":"WLED"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if i, err := wled.ReadInfo(b); err == nil && (i.Version == "" || len(i.Model()) > 3*len(b)+1) {
			t.Errorf("%+v from %d bytes", i, len(b))
		}
	})
}

// FuzzForm frames an image under any file name: the standard library's reader finds exactly that image.
func FuzzForm(f *testing.F) {
	f.Add("WLED_0.15.0_ESP32.bin", []byte("\xe9image"))
	f.Add("a\"\r\nb; filename=c", []byte("--"))
	f.Fuzz(func(t *testing.T, name string, image []byte) {
		contentType, head, tail, err := wled.Form(name)
		if err != nil {
			t.Fatal(err)
		}
		_, params, err := mime.ParseMediaType(contentType)
		if err != nil {
			t.Fatal(err)
		}
		form := multipart.NewReader(io.MultiReader(bytes.NewReader(head), bytes.NewReader(image), bytes.NewReader(tail)), params["boundary"])
		part, err := form.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(part)
		if err != nil && !strings.Contains(string(image), params["boundary"]) || !bytes.Equal(got, image) {
			t.Errorf("%q came out, %v", got, err)
		}
		if _, err := form.NextPart(); err != io.EOF {
			t.Errorf("a second part: %v", err)
		}
	})
}
