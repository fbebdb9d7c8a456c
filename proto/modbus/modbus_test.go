package modbus_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/firmward/firmward/proto/modbus"
)

// m340 is the answer of the specification's example form, with the names of a Modicon M340.
var m340 = []byte("\x00\x07\x00\x00\x00\x30\xff\x2b\x0e\x01\x01\x00\x00\x03" +
	"\x00\x12Schneider Electric\x01\x0cBMX P34 2020\x02\x04v2.8")

func TestRequest(t *testing.T) {
	if got := fmt.Sprintf("% x", modbus.Request(7, 255, modbus.Basic, 0)); got != "00 07 00 00 00 05 ff 2b 0e 01 00" {
		t.Error(got)
	}
}

func TestResponse(t *testing.T) {
	frame, err := modbus.ReadFrame(bytes.NewReader(append(bytes.Clone(m340), "what follows"...)))
	if err != nil || !bytes.Equal(frame, m340) {
		t.Fatalf("%x, %v", frame, err)
	}
	id, err := modbus.Response(frame, 7)
	want := modbus.Identity{Unit: 255, Conformity: 1, Objects: map[byte]string{0: "Schneider Electric", 1: "BMX P34 2020", 2: "v2.8"}}
	if d := cmp.Diff(want, id); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
	for what, b := range map[string][]byte{
		"another transaction": append([]byte{0, 8}, m340[2:]...), "cut": m340[:20], "another function": []byte("\x00\x07\x00\x00\x00\x03\xff\x03\x02"), "": nil,
	} {
		if _, err := modbus.Response(b, 7); err == nil {
			t.Errorf("%s was taken", what)
		}
	}
	_, err = modbus.Response([]byte("\x00\x07\x00\x00\x00\x03\x01\xab\x01"), 7)
	if e, ok := errors.AsType[modbus.Exception](err); !ok || e != modbus.IllegalFunction {
		t.Errorf("an exception: %v", err)
	}
}

// FuzzResponse reads any bytes: bounded frames, and objects that were in them.
func FuzzResponse(f *testing.F) {
	f.Add(m340)
	f.Add([]byte("\x00\x07\x00\x00\x00\x03\x01\xab\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, err := modbus.ReadFrame(bytes.NewReader(b))
		if err != nil {
			frame = b
		} else if len(frame) > 260 {
			t.Errorf("a frame of %d bytes", len(frame))
		}
		id, err := modbus.Response(frame, 7)
		for _, v := range id.Objects {
			if err == nil && !bytes.Contains(frame, []byte(v)) {
				t.Errorf("%q is not in %x", v, frame)
			}
		}
	})
}
