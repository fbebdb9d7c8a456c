package tasmota_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/firmward/firmward/proto/tasmota"
)

func TestReadFirmware(t *testing.T) {
	for answer, want := range map[string]tasmota.Firmware{
		`{"StatusFWR":{"Version":"14.2.0(release-tasmota)","Core":"2_7_8","Hardware":"ESP8266EX"}}`:           {Version: "14.2.0", Build: "tasmota", Hardware: "ESP8266EX"},
		`{"StatusFWR":{"Version":"12.1.1(tasmota32)","Hardware":"ESP32-D0WD-V3 v3.1"},"StatusSTS":{"x":[1]}}`: {Version: "12.1.1", Build: "tasmota32", Hardware: "ESP32-D0WD-V3 v3.1"},
	} {
		if got, err := tasmota.ReadFirmware([]byte(answer)); got != want || err != nil {
			t.Errorf("%s: %+v, %v", answer, got, err)
		}
	}
	for _, answer := range []string{
		``, `{}`, `[]`, `<html>`, `{"WARNING":"Need user=<username>&password=<password>"}`, `{"Command":"Unknown"}`,
		`{"StatusFWR":{"Version":"14.2.0","Hardware":"ESP8266EX"}}`, `{"StatusFWR":{"Version":"14.2.0()","Hardware":"ESP8266EX"}}`,
		`{"StatusFWR":{"Version":"14.2.0(tasmota","Hardware":"ESP8266EX"}}`, `{"StatusFWR":{"Version":"14.2.0(tasmota)"}}`,
	} {
		if got, err := tasmota.ReadFirmware([]byte(answer)); err == nil {
			t.Errorf("%s was read as %+v", answer, got)
		}
	}
}

// TestReadSignal: the signal is in dBm, RSSI beside it a percentage, and a wired device has neither.
func TestReadSignal(t *testing.T) {
	for answer, want := range map[string]int{
		`{"StatusSTS":{"Uptime":"0T00:10:11","Wifi":{"AP":1,"RSSI":44,"Signal":-78}}}`: -78,
		`{"StatusSTS":{"Uptime":"0T00:10:11"}}`:                                        0,
		`{"StatusSTS":{"Wifi":{"RSSI":100,"Signal":31}}}`:                              0,
		`{"StatusSTS":{"Wifi":{"RSSI":44}}}`:                                           0,
	} {
		got, err := tasmota.ReadSignal([]byte(answer))
		if err != nil || (got == nil) != (want == 0) || got != nil && *got != want {
			t.Errorf("%s: %v, %v; want %d", answer, got, err, want)
		}
	}
	for _, answer := range []string{``, `{}`, `{"Command":"Unknown"}`, `{"StatusSTS":{"Wifi":{"Signal":"-78"}}}`} {
		if got, err := tasmota.ReadSignal([]byte(answer)); err == nil {
			t.Errorf("%s was read as %v", answer, got)
		}
	}
}

func TestReadStart(t *testing.T) {
	for answer, begins := range map[string]bool{
		`{"Upgrade":"Version 14.2.0 from http://192.0.2.2:8390/x/tasmota.bin"}`: true,
		`{"Upgrade":"1 or >14.2.0 to upgrade"}`:                                 false,
		`{"Command":"Unknown"}`:                                                 false,
		`{}`:                                                                    false,
		``:                                                                      false,
	} {
		if err := tasmota.ReadStart([]byte(answer)); (err == nil) != begins {
			t.Errorf("%s: %v", answer, err)
		}
	}
}

// FuzzAnswers reads any answer as each kind: what comes out is whole, or an error.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`{"StatusFWR":{"Version":"14.2.0(release-tasmota)","Hardware":"ESP8266EX"},"StatusMEM":{"ProgramSize":634,"Free":368,"FlashSize":1024}}`))
	f.Add([]byte(`{"StatusNET":{"Mac":"A4:CF:12:AA:BB:CC"},"OtaUrl":"http://192.0.2.2/x","Upgrade":"Version 1 from x"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := tasmota.ReadFirmware(b); err == nil && (got.Version == "" || got.Build == "" || got.Hardware == "" || strings.Contains(got.Build, ")")) {
			t.Errorf("%+v from %q", got, b)
		}
		if got, err := tasmota.ReadMemory(b); err == nil && (got.Program <= 0 || got.Free < 0) {
			t.Errorf("%+v from %q", got, b)
		}
		if got, err := tasmota.ReadNetwork(b); err == nil && got.MAC == "" {
			t.Errorf("no address from %q", b)
		}
		if got, err := tasmota.ReadSignal(b); got != nil && (err != nil || *got >= 0 || *got < -127) {
			t.Errorf("%d dBm, %v from %q", *got, err, b)
		}
		if _, err := tasmota.ReadURL(b); err == nil && !strings.Contains(strings.ToLower(string(b)), "ota") && !strings.Contains(string(b), `\u`) {
			t.Errorf("an address from %q", b)
		}
		if err := tasmota.ReadStart(b); err != nil && len(err.Error()) > 600 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
	})
}

// FuzzPath gives any command: the standard library reads exactly it from the path.
func FuzzPath(f *testing.F) {
	f.Add("OtaUrl http://192.0.2.2:8390/a?b=c&d")
	f.Add("Backlog a; b +%20")
	f.Fuzz(func(t *testing.T, command string) {
		u, err := url.Parse(tasmota.Path(command))
		if err != nil || u.Path != "/cm" || u.Query().Get("cmnd") != command || len(u.Query()) != 1 {
			t.Errorf("%q became %v, %v", command, u, err)
		}
		if set, err := tasmota.SetURL(command); err == nil && strings.ContainsAny(set[len("OtaUrl "):], "% \n") {
			t.Errorf("%q is set as %q", command, set)
		}
	})
}
