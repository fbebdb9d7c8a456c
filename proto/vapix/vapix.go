// Package vapix holds the JSON messages of two Axis VAPIX interfaces: basicdeviceinfo.cgi and
// firmwaremanagement.cgi. Errors arrive with HTTP status 200 and an error object. No I/O.
package vapix

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/firmward/firmward/proto/form"
)

// The paths of the two interfaces.
const (
	InfoPath     = "/axis-cgi/basicdeviceinfo.cgi"
	FirmwarePath = "/axis-cgi/firmwaremanagement.cgi"
)

// Codes of the firmware management interface that say "not now".
const (
	Uncommitted = 412
	Busy        = 423
)

// Error is a VAPIX error object. Further codes of the firmware management interface: 409 downgrade, 410
// withdrawn version, 415 invalid image, 421 wrong model, 422 no signature.
type Error struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// Error quotes the camera's message, cut to what a person reads.
func (e *Error) Error() string {
	return fmt.Sprintf("the camera answered error %d: %.200q", e.Code, e.Message)
}

// Refusal reports whether the camera refused the image itself: it will refuse it again.
func (e *Error) Refusal() bool {
	switch e.Code {
	case 409, 410, 415, 417, 421, 422:
		return true
	}
	return false
}

// Upgraded is the data of the method "upgrade": the version that will run after the restart.
type Upgraded struct {
	Version string `json:"firmwareVersion"`
}

// Status is the data of the method "status".
type Status struct {
	Active         string `json:"activeFirmwareVersion"`
	Part           string `json:"activeFirmwarePart"`
	Inactive       string `json:"inactiveFirmwareVersion"`
	Committed      *bool  `json:"isCommited"` // one t, as the interface spells it
	PendingCommit  string `json:"pendingCommit"`
	TimeToRollback int    `json:"timeToRollback"` // seconds
}

// Uncommitted reports whether the running version is on trial.
func (s Status) Uncommitted() bool { return s.Committed != nil && !*s.Committed }

// FallsBackIn is the dead-man time that is left.
func (s Status) FallsBackIn() time.Duration {
	return time.Duration(max(0, s.TimeToRollback)) * time.Second
}

// Request builds a call. params may be nil.
func Request(method string, params any) ([]byte, error) {
	if params == nil {
		params = struct{}{}
	}
	b, err := json.Marshal(struct {
		Version string `json:"apiVersion"`
		Context string `json:"context"`
		Method  string `json:"method"`
		Params  any    `json:"params"`
	}{"1.0", "firmward", method, params})
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", method, err)
	}
	return b, nil
}

// Response reads an answer's data into data, which may be nil. A VAPIX error comes back as *Error.
func Response(b []byte, data any) error {
	var in struct {
		Data  json.RawMessage `json:"data"`
		Error *struct {
			Code    json.RawMessage `json:"code"` // a number, on some versions a string
			Message string          `json:"message"`
		} `json:"error"`
	}
	if err := json.Unmarshal(b, &in); err != nil {
		return fmt.Errorf("read VAPIX answer: %w", err)
	}
	if in.Error != nil {
		code, err := strconv.Atoi(trimQuotes(string(in.Error.Code)))
		if err != nil {
			return fmt.Errorf("read VAPIX error code: %w", err)
		}
		return &Error{Code: code, Message: in.Error.Message}
	}
	if data == nil || len(in.Data) == 0 {
		return nil
	}
	if err := json.Unmarshal(in.Data, data); err != nil {
		return fmt.Errorf("read VAPIX data: %w", err)
	}
	return nil
}

// Properties reads the property list of basicdeviceinfo.cgi.
func Properties(b []byte) (map[string]string, error) {
	var data struct {
		PropertyList map[string]string `json:"propertyList"`
	}
	if err := Response(b, &data); err != nil {
		return nil, err
	}
	return data.PropertyList, nil
}

// Upgrade frames the multipart body of the method "upgrade": a JSON part, then the image. The body is
// head, image, tail. The camera will not commit by itself and falls back after fallBack unless it is told
// to commit.
func Upgrade(name string, fallBack time.Duration) (contentType string, head, tail []byte, err error) {
	params := map[string]string{
		"factoryDefaultMode": "none", "autoCommit": "never",
		"autoRollback": strconv.Itoa(max(1, int((fallBack+time.Minute-1)/time.Minute))),
	}
	call, err := Request("upgrade", params)
	if err != nil {
		return "", nil, nil, err
	}
	return form.Frame("fileData", name, form.Field{Name: "data", Type: "application/json", Value: call})
}

func trimQuotes(s string) string {
	if n := len(s); n >= 2 && s[0] == '"' && s[n-1] == '"' {
		return s[1 : n-1]
	}
	return s
}
