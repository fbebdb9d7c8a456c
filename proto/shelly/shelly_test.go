package shelly_test

import (
	"errors"
	"testing"

	"github.com/firmward/firmward/proto/shelly"
)

func TestResponseWithoutResult(t *testing.T) {
	var info shelly.DeviceInfo
	for _, frame := range []string{`{}`, `{"id":1}`, `null`, `[]`} {
		if err := shelly.Response([]byte(frame), &info); err == nil {
			t.Errorf("%s was read as an answer", frame)
		}
	}
	err := shelly.Response([]byte(`{"error":{"code":404,"message":"No handler"}}`), &info)
	if e, ok := errors.AsType[*shelly.Error](err); !ok || e.Code != 404 {
		t.Errorf("%v", err)
	}
}

// FuzzResponse reads any answer: a result or an error, never a panic.
func FuzzResponse(f *testing.F) {
	f.Add([]byte(`{"id":1,"result":{"model":"SNPL-00112EU","gen":2,"ver":"1.0.3"}}`))
	f.Add([]byte(`{"error":{"code":404,"message":"x"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var info shelly.DeviceInfo
		if err := shelly.Response(b, &info); err == nil && len(info.Version) > 3*len(b) {
			t.Errorf("%d bytes of version", len(info.Version))
		}
		_ = shelly.Response(b, nil)
	})
}
