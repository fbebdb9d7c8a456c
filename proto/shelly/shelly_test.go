package shelly_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
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

// TestStatusVitals: what a status says of battery and radio, and what is no such word.
func TestStatusVitals(t *testing.T) {
	for body, want := range map[string]string{
		`{"wifi":{"rssi":-61},"devicepower:0":{"id":0,"battery":{"V":5.32,"percent":65},"external":{"present":false}}}`:     "65 false -61",
		`{"wifi":{"rssi":-61.4},"devicepower:0":{"battery":{"percent":80}},"devicepower:1":{"battery":{"percent":7.9}}}`:    "7 false -61",
		`{"wifi":{"rssi":null},"devicepower:0":{"battery":{"V":null,"percent":null},"external":{"present":true}},"sys":{}}`: "none true none",
		`{"wifi":{"rssi":-88},"eth":{"ip":"192.0.2.9"},"devicepower:0":{"battery":{"percent":180}}}`:                        "none false none",
		`{"wifi":{"rssi":0},"eth":{"ip":null},"devicepower:0":{"battery":{"percent":-1}}}`:                                  "none false none",
		`{"sys":{"available_updates":{"stable":{"version":"1.4.4"}}}}`:                                                      "none false none",
	} {
		var s shelly.Status
		if err := json.Unmarshal([]byte(body), &s); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		told := func(n *int) string {
			if n == nil {
				return "none"
			}
			return strconv.Itoa(*n)
		}
		battery, external := s.Battery()
		if got := fmt.Sprint(told(battery), " ", external, " ", told(s.Signal())); got != want {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
	}
	var s shelly.Status
	if err := json.Unmarshal([]byte(`{"devicepower:0":[]}`), &s); err == nil {
		t.Errorf("read as %+v", s)
	}
}

// FuzzStatus reads any status: a charge is a percentage and a signal negative.
func FuzzStatus(f *testing.F) {
	f.Add([]byte(`{"wifi":{"rssi":-61},"devicepower:0":{"battery":{"percent":65},"external":{"present":false}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s shelly.Status
		if json.Unmarshal(b, &s) != nil {
			return
		}
		if n, _ := s.Battery(); n != nil && (*n < 0 || *n > 100) {
			t.Errorf("%d %%", *n)
		}
		if n := s.Signal(); n != nil && (*n >= 0 || *n < -127) {
			t.Errorf("%d dBm", *n)
		}
	})
}
