package lab

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// uploadForm posts an image as a browser does.
func (h *house) uploadForm(at string, image []byte) (int, string) {
	h.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("update", "wled.bin")
	if err == nil {
		_, err = part.Write(image)
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		h.t.Fatal(err)
	}
	req := httptest.NewRequest(http.MethodPost, at+"/update", &body)
	req.RequestURI = ""
	req.Header.Set("Content-Type", form.FormDataContentType())
	res, err := h.client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	page := new(bytes.Buffer)
	_, _ = page.ReadFrom(res.Body)
	return res.StatusCode, page.String()
}

// TestWLEDFaults gives each fault its update and says what must have become of the controller two minutes later.
func TestWLEDFaults(t *testing.T) {
	image := func(release string, flaws ...string) []byte {
		return BuildImage(ImageSpec{Family: FamilyWLED, Model: release, Version: "0.15.1", Size: 100_000, Flaws: flaws})
	}
	for _, c := range []struct {
		name, fault, arch string
		image             []byte
		status            int
		version, outcome  string
		answers, bricked  bool
	}{
		{"none", "", "", image("ESP32"), 200, "0.15.1", OutcomeInstalled, true, false},
		{"another build refused", "", "", image("ESP8266"), 500, "0.15.0", OutcomeWrongModel, true, false},
		{"another build bricks", FaultWrongModelBricks, "", image("ESP8266"), 200, "0.15.1", OutcomeBricked, false, true},
		{"no image", "", "", []byte("hello"), 500, "0.15.0", OutcomeInvalid, true, false},
		{"boot loop, two slots", "", "", image("ESP32", FlawBootLoop), 200, "0.15.0", OutcomeReverted, true, false},
		{"boot loop, one slot", "", "esp8266", image("ESP32", FlawBootLoop), 200, "0.15.0", OutcomeBricked, false, true},
		{"silent after update", FaultSilentAfterUpdate, "", image("ESP32"), 200, "0.15.1", OutcomeInstalled, false, false},
		{"dead service", FaultDeadService, "", image("ESP32"), 200, "0.15.1", OutcomeInstalled, false, false},
		{"old version back", FaultOldVersionBack, "", image("ESP32"), 200, "0.15.0", OutcomeReverted, true, false},
		{"nothing", FaultAcceptedAndNothing, "", image("ESP32"), 200, "0.15.0", "", true, false},
		{"power cut, two slots", FaultPowerCut, "", image("ESP32"), 0, "0.15.0", OutcomePowerCut, true, false},
		{"power cut, one slot", FaultPowerCut, "esp8266", image("ESP32"), 0, "0.15.0", OutcomePowerCut, false, true},
		{"busy", FaultBusy, "", image("ESP32"), 503, "0.15.0", "", true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := New(Options{})
				defer l.Close()
				h := newHouse(t, l)
				d, err := l.AddWLED(WLEDSpec{Place: Place{Name: "strip"}, Arch: c.arch})
				if err != nil {
					t.Fatal(err)
				}
				if c.fault != "" {
					h.fault("strip", c.fault)
				}
				at := "http://" + d.Facts().Addrs[0].String()
				if status, page := h.uploadForm(at, c.image); status != c.status {
					t.Errorf("answered %d: %s", status, page)
				}
				h.pass(2 * time.Minute)
				if f := d.Facts(); f.InstalledVersion != c.version || lastFlash(d).Outcome != c.outcome || f.Bricked != c.bricked {
					t.Errorf("facts: %+v", f)
				}
				client := *h.client
				client.Timeout = 10 * time.Second
				if _, body, err := h.get(&client, at+"/json/info"); (err == nil && contains(body, `{"ver":"`+c.version)) != c.answers {
					t.Errorf("answers %.40q, %v", body, err)
				}
			})
		})
	}
}

// TestWLEDReverts goes back to the slot before, once there is one.
func TestWLEDReverts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Options{})
		defer l.Close()
		h := newHouse(t, l)
		d, err := l.AddWLED(WLEDSpec{Place: Place{Name: "strip"}})
		if err != nil {
			t.Fatal(err)
		}
		at := "http://" + d.Facts().Addrs[0].String()
		if _, page, err := h.get(h.client, at+"/update?revert"); err != nil || contains(page, "Reverted") {
			t.Errorf("without a version before: %q, %v", page, err)
		}
		image, err := d.Image("0.15.1")
		if err != nil {
			t.Fatal(err)
		}
		h.uploadForm(at, image)
		h.pass(time.Minute)
		if _, page, err := h.get(h.client, at+"/update?revert"); err != nil || !contains(page, "Reverted") {
			t.Errorf("%q, %v", page, err)
		}
		h.pass(time.Minute)
		if f := d.Facts(); f.InstalledVersion != "0.15.0" || lastFlash(d).Outcome != OutcomeRolledBack {
			t.Errorf("facts: %+v", f)
		}
	})
}

// FuzzWLED sends any body to what takes one, while updates are locked: an answer that WLED has, never a panic.
func FuzzWLED(f *testing.F) {
	f.Add([]byte(`{"on":false,"pin":"1234"}`), "application/json")
	f.Add([]byte("--b\r\nContent-Disposition: form-data; name=\"update\"; filename=\"a\"\r\n\r\nimage\r\n--b--\r\n"), "multipart/form-data; boundary=b")
	l := New(Options{Clock: ScaledClock(time.Now(), 1e-6)}) // no timer of a device ever fires
	f.Cleanup(func() { l.Close() })
	d, err := l.AddWLED(WLEDSpec{Place: Place{Name: "strip"}})
	if err != nil {
		f.Fatal(err)
	}
	handler := (&light{Device: d, release: "ESP32", locked: true}).handler()
	f.Fuzz(func(t *testing.T, b []byte, contentType string) {
		for _, path := range []string{"/json/state", "/update"} {
			res := httptest.NewRecorder()
			req := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(b))
			req.Header.Set("Content-Type", contentType)
			handler.ServeHTTP(res, req)
			switch res.Code {
			case http.StatusOK, http.StatusBadRequest, http.StatusUnauthorized, http.StatusInternalServerError:
			default:
				t.Errorf("%s answers %d", path, res.Code)
			}
		}
		if n := len(d.Facts().Flashes); n != 0 {
			t.Errorf("a locked controller was flashed %d times", n)
		}
	})
}
