package redfish_test

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"strings"
	"testing"

	"github.com/firmward/firmward/proto/redfish"
)

const (
	root   = `{"@odata.id":"/redfish/v1/","RedfishVersion":"1.15.0","UUID":"30393137-3436-5841-8d00-002590aabbcc","Vendor":"Contoso","Product":"MC","Managers":{"@odata.id":"/redfish/v1/Managers"},"Systems":{"@odata.id":"/redfish/v1/Systems"},"UpdateService":{"@odata.id":"/redfish/v1/UpdateService"}}`
	failed = `{"error":{"code":"Base.1.15.GeneralError","message":"x","@Message.ExtendedInfo":[{"MessageId":"Update.1.0.VerificationFailed","Message":"Verification of image '9' at 'BMC' failed."}]}}`
)

// pages is a device that is only texts.
func pages(more map[string]string) func(string) ([]byte, error) {
	all := map[string]string{
		"/redfish/v1/Managers": `{"Members":[{"@odata.id":"/redfish/v1/Managers/1"}]}`, "/redfish/v1/Managers/1": `{"Model":"CX-4","FirmwareVersion":"1.45.0"}`,
		"/redfish/v1/Systems": `{"Members":[{"@odata.id":"/redfish/v1/Systems/1"}]}`, "/redfish/v1/Systems/1": `{"Model":"RX-3500","SerialNumber":"CN1"}`,
	}
	maps.Copy(all, more)
	return func(path string) ([]byte, error) {
		b, ok := all[path]
		if !ok {
			return nil, errors.New("asked for " + path)
		}
		return []byte(b), nil
	}
}

func TestWalk(t *testing.T) {
	r, err := redfish.ReadRoot([]byte(root))
	if err != nil {
		t.Fatal(err)
	}
	m, s, err := redfish.Walk(r, pages(nil))
	if err != nil || m.FirmwareVersion != "1.45.0" || m.Model != "CX-4" || s.Model != "RX-3500" || s.SerialNumber != "CN1" {
		t.Errorf("%+v, %+v, %v", m, s, err)
	}
	for name, tc := range map[string]struct{ path, page, word string }{
		"two managers":   {"/redfish/v1/Managers", `{"Members":[{"@odata.id":"/a"},{"@odata.id":"/b"}]}`, "there are 2"},
		"no system":      {"/redfish/v1/Systems", `{"Members":[]}`, "there are 0"},
		"leads away":     {"/redfish/v1/Systems", `{"Members":[{"@odata.id":"//evil.example/1"}]}`, "no path"},
		"no version":     {"/redfish/v1/Managers/1", `{"Model":"CX-4"}`, "no version"},
		"no JSON at all": {"/redfish/v1/Managers/1", `<html>`, "read Redfish answer"},
	} {
		if _, _, err := redfish.Walk(r, pages(map[string]string{tc.path: tc.page})); err == nil || !strings.Contains(err.Error(), tc.word) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, b := range []string{"", "{}", "[]", failed, "<html>"} {
		if _, err := redfish.ReadRoot([]byte(b)); err == nil {
			t.Errorf("%q was read as a service root", b)
		}
	}
}

func TestPath(t *testing.T) {
	for _, s := range []string{"", "x", "//h/x", "https://h/x", "/a b", "/a\r\nb", "/a/../b", "/a?b", `/\h`, "/" + strings.Repeat("a", 600)} {
		if p, err := redfish.Path(s); err == nil {
			t.Errorf("%q was taken as path %q", s, p)
		}
	}
	if p, err := redfish.Path("/redfish/v1/UpdateService/upload"); err != nil || p != "/redfish/v1/UpdateService/upload" {
		t.Errorf("%q, %v", p, err)
	}
}

func TestFailures(t *testing.T) {
	f := redfish.ReadError([]byte(failed))
	if !f.Refusal() || f.Busy() || !strings.Contains(f.Error(), "Verification of image") {
		t.Errorf("%v", f)
	}
	if f := redfish.ReadError([]byte(`{"@Message.ExtendedInfo":[{"MessageId":"Base.1.8.ResourceInUse","Message":"in use"}]}`)); !f.Busy() || f.Refusal() {
		t.Errorf("%v", f)
	}
	if f := redfish.ReadError([]byte(`<html>`)); f != nil || f.Error() == "" {
		t.Errorf("%v", f)
	}
	err := redfish.ReadTask([]byte(`{"TaskState":"Exception","Messages":[{"MessageId":"Update.1.0.VerificationFailed","Message":"no"}]}`))
	if f, ok := errors.AsType[redfish.Failure](err); !ok || !f.Refusal() {
		t.Errorf("%v", err)
	}
	for _, b := range []string{"", "\n", `{"TaskState":"Running"}`, `{"Id":"7"}`} {
		if err := redfish.ReadTask([]byte(b)); err != nil {
			t.Errorf("%q: %v", b, err)
		}
	}
}

// FuzzRead reads any answer as each message: never a panic, and a path never leads elsewhere.
func FuzzRead(f *testing.F) {
	for _, b := range []string{root, failed, `{"TaskState":"Exception","Messages":[{}]}`, `{"Members":[{"@odata.id":"/x"}]}`, `{"ServiceEnabled":false,"MultipartHttpPushUri":"/u","MaxImageSizeBytes":null}`} {
		f.Add([]byte(b))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := redfish.ReadRoot(b); err == nil {
			_, _, _ = redfish.Walk(r, func(path string) ([]byte, error) {
				if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\r\n ") {
					t.Errorf("it would ask for %q", path)
				}
				return b, nil
			})
		}
		if e := redfish.ReadError(b); len(e.Error()) > 2000 || strings.Contains(e.Error(), "\n") {
			t.Errorf("%q", e.Error())
		}
		_ = redfish.ReadTask(b)
		_, _ = redfish.ReadUpdateService(b)
	})
}

// FuzzForm frames an image under any file name: the standard library's reader finds the parameters, then exactly that image.
func FuzzForm(f *testing.F) {
	f.Add("bmc-1.46.0.bin", []byte("\xe9image"))
	f.Add("a\"\r\nb; filename=c", []byte("--"))
	f.Fuzz(func(t *testing.T, name string, image []byte) {
		contentType, head, tail, err := redfish.Form(name)
		if err != nil {
			t.Fatal(err)
		}
		_, params, err := mime.ParseMediaType(contentType)
		if err != nil {
			t.Fatal(err)
		}
		form := multipart.NewReader(io.MultiReader(bytes.NewReader(head), bytes.NewReader(image), bytes.NewReader(tail)), params["boundary"])
		part, err := form.NextPart()
		if err != nil || part.FormName() != "UpdateParameters" {
			t.Fatalf("%v, %v", part, err)
		}
		if part, err = form.NextPart(); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(part)
		if err != nil && !strings.Contains(string(image), params["boundary"]) || !bytes.Equal(got, image) {
			t.Errorf("%q came out, %v", got, err)
		}
	})
}
