package vapix_test

import (
	"errors"
	"testing"

	"github.com/firmward/firmward/proto/vapix"
)

func TestResponseError(t *testing.T) {
	for frame, code := range map[string]int{
		`{"error":{"code":421,"message":"wrong model"}}`: 421,
		`{"error":{"code":"423","message":"busy"}}`:      423, // some versions write the number as text
	} {
		e, ok := errors.AsType[*vapix.Error](vapix.Response([]byte(frame), nil))
		if !ok || e.Code != code || e.Refusal() != (code == 421) {
			t.Errorf("%s: %v", frame, e)
		}
	}
}

// FuzzResponse reads any answer into both shapes: never a panic, never negative dead-man time.
func FuzzResponse(f *testing.F) {
	f.Add([]byte(`{"data":{"propertyList":{"Version":"10.12.206"}}}`))
	f.Add([]byte(`{"data":{"activeFirmwareVersion":"1","isCommited":false,"timeToRollback":-5}}`))
	f.Add([]byte(`{"error":{"code":"x"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if props, err := vapix.Properties(b); err == nil && len(props) > len(b) {
			t.Errorf("%d properties", len(props))
		}
		var s vapix.Status
		if err := vapix.Response(b, &s); err == nil && s.FallsBackIn() < 0 {
			t.Errorf("falls back in %s", s.FallsBackIn())
		}
	})
}
