// Package ubus holds the messages of OpenWrt's web interface as far as updates need them: calls of ubus over HTTP
// (/ubus), the form that carries an image (/cgi-bin/cgi-upload), the one that asks for a backup. No I/O.
//
// Source of the forms: uhttpd's ubus.c, rpcd's session.c, sys.c and file.c, cgi-io's main.c, procd's system.c.
package ubus

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"

	"github.com/firmward/firmward/proto/form"
)

// Paths of the web server, and of the one file to which rpc-sys looks for an image.
const (
	Path       = "/ubus"
	UploadPath = "/cgi-bin/cgi-upload"
	BackupPath = "/cgi-bin/cgi-backup"
	ImageFile  = "/tmp/firmware.bin"
)

// Command lines of sysupgrade, as LuCI's access rules name them: judge ImageFile, install it and keep the settings.
const (
	LineTest  = "/sbin/sysupgrade --test " + ImageFile
	LineStart = "/sbin/sysupgrade " + ImageFile
)

// Nobody is the session of who did not log in.
const Nobody = "00000000000000000000000000000000"

// Call is the body of a call. args nil means none.
func Call(session, object, method string, args any) ([]byte, error) {
	if args == nil {
		args = struct{}{}
	}
	b, err := json.Marshal(map[string]any{
		"jsonrpc": "2.0", "id": 1, "method": "call", "params": []any{session, object, method, args},
	})
	if err != nil {
		return nil, fmt.Errorf("write the call of %s.%s: %w", object, method, err)
	}
	return b, nil
}

// Error is a call that was answered with an error: a negative code is the web server's, a positive one ubus' own.
type Error struct {
	Code    int
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("%s (code %d)", e.Message, e.Code) }

// Denied reports whether the account may not do this, or the session has ended.
func (e *Error) Denied() bool { return e.Code == 6 || e.Code == -32002 || e.Code == -32001 }

// Missing reports whether the device has no such object or method.
func (e *Error) Missing() bool { return e.Code == 3 || e.Code == 4 || e.Code == -32000 }

// words are those of ubus' codes (libubus, ubus_strerror).
var words = [...]string{
	"success", "invalid command", "invalid argument", "method not found", "not found", "no response", "permission denied", "request timed out",
	"operation not supported", "unknown error", "connection failed", "out of memory", "parsing message data failed", "system error",
}

// Answer reads the answer to a call into a value, which may be nil. An answer that is an error is an *Error.
func Answer(b []byte, into any) error {
	var in struct {
		Result []json.RawMessage
		Error  *struct {
			Code    int
			Message string
		}
	}
	if err := json.Unmarshal(b, &in); err != nil {
		return fmt.Errorf("read the router's answer: %w", err)
	}
	if in.Error != nil {
		return &Error{in.Error.Code, plain(in.Error.Message)}
	}
	if len(in.Result) == 0 {
		return errors.New("read the router's answer: it holds no result")
	}
	var code int
	if err := json.Unmarshal(in.Result[0], &code); err != nil {
		return fmt.Errorf("read the router's answer: %w", err)
	}
	switch {
	case code < 0 || code >= len(words):
		return &Error{code, "unknown error"}
	case code != 0:
		return &Error{code, words[code]}
	case into == nil:
		return nil
	case len(in.Result) < 2:
		return errors.New("read the router's answer: it is empty")
	}
	if err := json.Unmarshal(in.Result[1], into); err != nil {
		return fmt.Errorf("read the router's answer: %w", err)
	}
	return nil
}

// Login asks session.login for a session that ends timeout seconds after it was used last.
func Login(user, password string, timeout int) ([]byte, error) {
	return Call(Nobody, "session", "login", map[string]any{"username": user, "password": password, "timeout": timeout})
}

// Session reads the answer to Login.
func Session(b []byte) (string, error) {
	var in struct {
		ID string `json:"ubus_rpc_session"`
	}
	if err := Answer(b, &in); err != nil {
		return "", err
	}
	if len(in.ID) != len(Nobody) || strings.Trim(in.ID, "0123456789abcdefABCDEF") != "" {
		return "", errors.New("read the router's answer: it names no session")
	}
	return in.ID, nil
}

// Board is what system.board says.
type Board struct {
	Hostname string
	Model    string // for people: TP-Link Archer C7 v2
	Name     string `json:"board_name"` // for images: tplink,archer-c7-v2
	Release  struct {
		Distribution string
		Version      string
		Revision     string
		Target       string // ath79/generic
		Description  string
	}
}

// Complete reports whether it says what an update must know.
func (b Board) Complete() bool {
	return b.Name != "" && b.Release.Version != "" && b.Release.Target != ""
}

// Device is what luci-rpc.getNetworkDevices says of one network device, under its name.
type Device struct{ MAC string }

// MAC is the hardware address by which the router is known on its own network: that of its bridge, else of its first port.
func MAC(devices map[string]Device) string {
	for _, name := range []string{"br-lan", "lan", "eth0"} {
		if mac := devices[name].MAC; mac != "" && mac != "00:00:00:00:00:00" {
			return strings.ToUpper(mac)
		}
	}
	return ""
}

// Info is the part of system.info that says where an image finds room, in KiB.
type Info struct {
	Tmp struct{ Free, Avail int64 }
}

// Room is the free space in /tmp in bytes, or 0 where that is not told.
func (i Info) Room() int64 {
	if i.Tmp.Avail > 0 {
		return i.Tmp.Avail << 10
	}
	return i.Tmp.Free << 10
}

// Ran is a command that ran to its end: sysupgrade says by its code whether it takes an image.
type Ran struct {
	Code           int
	Stdout, Stderr string
}

// Why is the first line of what a command complains of, without the date and name before it; at most 200 bytes.
func (r Ran) Why() string {
	for line := range strings.Lines(r.Stderr + "\n" + r.Stdout) {
		if _, after, found := strings.Cut(line, " upgrade: "); found {
			line = after
		}
		if line = plain(line); line != "" {
			return line
		}
	}
	return fmt.Sprintf("sysupgrade ended with code %d", r.Code)
}

// plain is a device's text as one short line.
func plain(s string) string {
	s = strings.ToValidUTF8(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s), "")
	s = strings.TrimSpace(s)
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "")
	}
	return s
}

// Form frames an image that is stored as ImageFile: what comes before it and after it. The web server takes the fields in
// this order only.
func Form(session string) (contentType string, head, tail []byte, err error) {
	return form.Frame("filedata", "firmware.bin",
		form.Field{Name: "sessionid", Value: []byte(session)}, form.Field{Name: "filename", Value: []byte(ImageFile)}, form.Field{Name: "filemode", Value: []byte("0600")})
}

// Stored is what the router says of a file that it stored.
type Stored struct {
	Size   int64
	SHA256 string `json:"sha256sum"`
}

// ReadStored reads the answer to an upload. It fails where the file was not stored.
func ReadStored(b []byte) (Stored, error) {
	var in struct {
		Stored
		Message string
		Failure []any
	}
	if err := json.Unmarshal(b, &in); err != nil {
		return Stored{}, fmt.Errorf("read the router's answer: %w", err)
	}
	if len(in.Failure) > 0 || in.Size <= 0 {
		return Stored{}, fmt.Errorf("the router did not store the file: %s", plain(fmt.Sprint(in.Message, " ", in.Failure)))
	}
	return in.Stored, nil
}

// Backup is the body that asks for the archive of the settings, and its type.
func Backup(session string) (contentType string, body []byte) {
	return "application/x-www-form-urlencoded", []byte(url.Values{"sessionid": {session}}.Encode())
}
