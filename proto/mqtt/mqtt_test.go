package mqtt_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/firmward/firmward/proto/mqtt"
)

// version is what Mosquitto sends for the subscription: the confirmation, then the retained message.
const version = "\x90\x03\x00\x01\x00" + "\x31\x2d\x00\x13$SYS/broker/versionmosquitto version 2.0.11"

func TestMessages(t *testing.T) {
	for want, got := range map[string][]byte{
		"10 16 00 04 4d 51 54 54 04 02 00 3c 00 0a 66 69 72 6d 77 61 72 64 2d 31":       mqtt.Connect("firmward-1"),
		"82 18 00 01 00 13 24 53 59 53 2f 62 72 6f 6b 65 72 2f 76 65 72 73 69 6f 6e 00": mqtt.SubscribeVersion(),
		"e0 00": mqtt.Disconnect(),
	} {
		if fmt.Sprintf("% x", got) != want {
			t.Errorf("% x, want %s", got, want)
		}
	}
}

func TestReadCode(t *testing.T) {
	for in, want := range map[string]string{
		"\x20\x02\x00\x00": "accepted", "\x20\x02\x00\x05": "not-authorized", "\x20\x02\x00\x04": "bad-user-name-or-password",
		"\x20\x03\x00\x87\x00": "refused-135", // as MQTT 5 says not authorized
		"\x20\x02\x02\x00":     "error", "\x20\x01\x00\x00": "error", "\x20\x03\x00\x00\x00": "error", "\x20\x02\x00": "error", "HTTP/1.1 400": "error", "": "error",
	} {
		code, err := mqtt.ReadCode(strings.NewReader(in))
		got := code.String()
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q: %s, want %s (%v)", in, got, want, err)
		}
	}
}

func TestReadVersion(t *testing.T) {
	const ack, other = "\x90\x03\x00\x01\x00", "\x30\x05\x00\x01xab"
	told := version[len(ack):]
	for in, want := range map[string]string{
		version: "mosquitto version 2.0.11", told: "mosquitto version 2.0.11", other + told + ack: "mosquitto version 2.0.11",
		"\x31\x15\x00\x13$SYS/broker/version": "", // told, and empty
	} {
		if got, err := mqtt.ReadVersion(strings.NewReader(in)); err != nil || got != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for in, want := range map[string]error{
		"\x90\x03\x00\x01\x80": mqtt.ErrWithheld,
		ack:                    io.EOF,
		told[:20]:              io.ErrUnexpectedEOF,
	} {
		if got, err := mqtt.ReadVersion(strings.NewReader(in)); !errors.Is(err, want) || got != "" {
			t.Errorf("%q: %q, %v; want %v", in, got, err, want)
		}
	}
	for what, in := range map[string]string{
		"another subscription": "\x90\x03\x00\x02\x00", "a topic longer than its message": "\x30\x05\x00\x13$SY", "another QoS": "\x33" + told[1:],
		"a length without an end": "\x30\xff\xff\xff\xff\x01", "a long message": "\x30\x81\x20" + strings.Repeat("x", 5000),
		"no end of messages": strings.Repeat(other, 100),
	} {
		r := strings.NewReader(in)
		if got, err := mqtt.ReadVersion(r); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%s was taken: %q, %v", what, got, err)
		}
	}
}

// FuzzRead reads any bytes: a version that was in them, and never more than the bound.
func FuzzRead(f *testing.F) {
	f.Add([]byte(version))
	f.Add([]byte("\x20\x02\x00\x05"))
	f.Add([]byte("\x90\x03\x00\x01\x80"))
	f.Add([]byte("\x30\xff\xff\xff\x7f"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if code, err := mqtt.ReadCode(bytes.NewReader(b)); err == nil && (code.String() == "" || b[0] != 0x20) {
			t.Errorf("%x: %s", b, code)
		}
		if v, err := mqtt.ReadVersion(bytes.NewReader(b)); err == nil && (!bytes.Contains(b, []byte(v)) || len(v) > 4<<10) {
			t.Errorf("%x: %q", b, v)
		}
	})
}
