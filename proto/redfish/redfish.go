// Package redfish holds the JSON messages of DMTF's Redfish as far as updates need them: the service root, the one manager and
// the one system behind it, the update service, the form that carries an image, and errors. No I/O.
package redfish

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/firmward/firmward/proto/form"
)

// RootPath is the service root: the one path that is known beforehand, and open to everybody.
const RootPath = "/redfish/v1/"

// Link points at another resource.
type Link struct {
	ID string `json:"@odata.id"`
}

// Path is where a link or address points on the same device. It fails for everything that could lead elsewhere.
func Path(s string) (string, error) {
	if !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") || len(s) > 512 || strings.ContainsAny(s, "\\ \t\r\n?#") || strings.Contains(s, "..") {
		return "", fmt.Errorf("read link: %.80q is no path on this device", s)
	}
	return s, nil
}

// Root is the service root.
type Root struct {
	Version       string `json:"RedfishVersion"`
	UUID          string
	Vendor        string
	Product       string
	Managers      Link
	Systems       Link
	UpdateService Link
}

// ReadRoot reads the service root. It fails when it names no version of Redfish.
func ReadRoot(b []byte) (Root, error) {
	var r Root
	if err := read(b, &r); err != nil {
		return Root{}, err
	}
	if r.Version == "" {
		return Root{}, errors.New("read service root: it names no version of Redfish")
	}
	return r, nil
}

// Manager is the management controller.
type Manager struct {
	Model           string
	FirmwareVersion string
}

// System is the server that it manages.
type System struct {
	Manufacturer string
	Model        string
	SerialNumber string
}

// Walk goes from the root to the manager and the system with get, which fetches a path. Where there is not exactly one of
// each it fails: which of them an image is for, nobody has said.
func Walk(r Root, get func(path string) ([]byte, error)) (m Manager, s System, err error) {
	if err = only(r.Managers, "managers", get, &m); err != nil {
		return m, s, err
	}
	if m.FirmwareVersion == "" {
		return m, s, errors.New("read manager: it names no version")
	}
	return m, s, only(r.Systems, "systems", get, &s)
}

// only reads the one member of a collection.
func only(l Link, what string, get func(string) ([]byte, error), v any) error {
	var c struct{ Members []Link }
	if err := follow(l, get, &c); err != nil {
		return err
	}
	if len(c.Members) != 1 {
		return fmt.Errorf("read %s: there are %d, and firmward looks after one", what, len(c.Members))
	}
	return follow(c.Members[0], get, v)
}

func follow(l Link, get func(string) ([]byte, error), v any) error {
	path, err := Path(l.ID)
	if err != nil {
		return err
	}
	b, err := get(path)
	if err != nil {
		return err
	}
	return read(b, v)
}

func read(b []byte, v any) error {
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("read Redfish answer: %w", err)
	}
	return nil
}

// UpdateService says how images are taken.
type UpdateService struct {
	Enabled *bool  `json:"ServiceEnabled"` // some do not tell
	Push    string `json:"MultipartHttpPushUri"`
	Max     int64  `json:"MaxImageSizeBytes"` // 0: not told
}

// ReadUpdateService reads the update service.
func ReadUpdateService(b []byte) (UpdateService, error) {
	var u UpdateService
	return u, read(b, &u)
}

// Form frames an image for a multipart push: what is wanted, then the image. Without targets the controller reads from the image
// what it is for; it applies it at once.
func Form(fileName string) (contentType string, head, tail []byte, err error) {
	return form.Frame("UpdateFile", fileName, form.Field{
		Name: "UpdateParameters", Type: "application/json", Value: []byte(`{"Targets":[],"@Redfish.OperationApplyTime":"Immediate"}`),
	})
}

// Message is one message of a registry.
type Message struct {
	ID   string `json:"MessageId"` // "Update.1.0.VerificationFailed"
	Text string `json:"Message"`
}

// Failure is what a controller says instead of doing something: errors with their extended info, or the messages of a task.
type Failure []Message

// Error quotes the first message, cut to what a person reads.
func (f Failure) Error() string {
	if len(f) == 0 {
		return "the controller gave no reason"
	}
	return fmt.Sprintf("the controller says %.200q (%.60q)", f[0].Text, f[0].ID)
}

// has reports whether one of the messages has a key of the registries, whatever their version.
func (f Failure) has(keys ...string) bool {
	for _, m := range f {
		for _, k := range keys {
			if strings.HasSuffix(m.ID, "."+k) {
				return true
			}
		}
	}
	return false
}

// Refusal reports whether the image itself was refused: it will be refused again.
func (f Failure) Refusal() bool { return f.has("VerificationFailed", "InvalidUpload") }

// Busy reports whether the controller is at something else.
func (f Failure) Busy() bool {
	return f.has("UpdateInProgress", "ResourceInUse", "ServiceTemporarilyUnavailable")
}

// ReadError reads the extended info of an error; Redfish has it under one of two names. It is empty where there is none.
func ReadError(b []byte) Failure {
	var in struct {
		Error struct {
			Info Failure `json:"@Message.ExtendedInfo"`
		} `json:"error"`
		Info Failure `json:"@Message.ExtendedInfo"`
	}
	if json.Unmarshal(b, &in) != nil {
		return nil
	}
	return append(in.Error.Info, in.Info...)
}

// ReadTask reads what comes with "accepted". A task that has failed already comes back as Failure; nothing at all, or another
// resource, says nothing against it.
func ReadTask(b []byte) error {
	if len(bytes.TrimSpace(b)) == 0 {
		return nil
	}
	var t struct {
		State    string `json:"TaskState"`
		Messages Failure
	}
	if err := read(b, &t); err != nil {
		return err
	}
	switch t.State {
	case "Exception", "Killed", "Cancelled":
		return t.Messages
	}
	return nil
}
