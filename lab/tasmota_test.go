package lab

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// offered serves an image to devices of site home.
func (h *house) offered(image []byte) string {
	h.t.Helper()
	ln, err := h.Attach("home").Listen(h.t.Context(), "tcp", ":8390")
	if err != nil {
		h.t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "x", time.Time{}, bytes.NewReader(image))
	})}
	go srv.Serve(ln)
	h.t.Cleanup(func() { srv.Close() })
	return "http://192.168.20.2:8390/x.bin"
}

// TestTasmotaFaults gives each fault its update and says what must have become of the relay two minutes later.
func TestTasmotaFaults(t *testing.T) {
	image := func(build, chip string, flaws ...string) []byte {
		return BuildImage(ImageSpec{Family: FamilyTasmota, Model: "Tasmota " + build, HardwareRev: chip, Version: "14.4.1", Size: 100_000, Flaws: flaws})
	}
	right := image("tasmota", "ESP8266EX")
	for _, c := range []struct {
		name, fault      string
		image            []byte
		flash            int
		version, outcome string
		model            string
		answers, bricked bool
	}{
		{name: "none", image: right, version: "14.4.1", outcome: OutcomeInstalled, answers: true},
		{name: "another build is taken without a word", image: image("sensors", "ESP8266EX"), version: "14.4.1", outcome: OutcomeInstalled, model: "Tasmota sensors", answers: true},
		{name: "another chip", image: image("tasmota32", "ESP32"), version: "14.2.0", outcome: OutcomeWrongModel, answers: true},
		{name: "another chip bricks", fault: FaultWrongModelBricks, image: image("tasmota32", "ESP32"), version: "14.4.1", outcome: OutcomeBricked, bricked: true},
		{name: "no image", image: []byte("hello"), version: "14.2.0", outcome: OutcomeInvalid, answers: true},
		{name: "no room", flash: 1024, image: BuildImage(ImageSpec{Family: FamilyTasmota, Model: "Tasmota tasmota", Version: "14.4.1"}), version: "14.2.0", outcome: OutcomeInvalid, answers: true},
		{name: "boot loop", image: image("tasmota", "ESP8266EX", FlawBootLoop), version: "14.2.0", outcome: OutcomeBricked, bricked: true},
		{name: "silent after update", fault: FaultSilentAfterUpdate, image: right, version: "14.4.1", outcome: OutcomeInstalled},
		{name: "dead service", fault: FaultDeadService, image: right, version: "14.4.1", outcome: OutcomeInstalled},
		{name: "old version back", fault: FaultOldVersionBack, image: right, version: "14.2.0", outcome: OutcomeReverted, answers: true},
		{name: "nothing", fault: FaultAcceptedAndNothing, image: right, version: "14.2.0", answers: true},
		{name: "power cut", fault: FaultPowerCut, image: right, version: "14.2.0", outcome: OutcomePowerCut, bricked: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := New(Options{})
				defer l.Close()
				h := newHouse(t, l)
				d, err := l.AddTasmota(TasmotaSpec{Place: Place{Name: "relay"}, FlashKiB: c.flash})
				if err != nil {
					t.Fatal(err)
				}
				if c.fault != "" {
					h.fault("relay", c.fault)
				}
				at := "http://" + d.Facts().Addrs[0].String()
				address := h.offered(c.image)
				if _, got, err := h.get(h.client, at+"/cm?cmnd="+url.QueryEscape("OtaUrl "+address)); got != `{"OtaUrl":"`+address+`"}` || err != nil {
					t.Errorf("OtaUrl: %q, %v", got, err)
				}
				if _, got, err := h.get(h.client, at+"/cm?cmnd=Upgrade%201"); got != `{"Upgrade":"Version 14.2.0 from `+address+`"}` || err != nil {
					t.Errorf("Upgrade: %q, %v", got, err)
				}
				h.pass(2 * time.Minute)
				model := c.model
				if model == "" {
					model = "Tasmota tasmota"
				}
				if f := d.Facts(); f.InstalledVersion != c.version || lastFlash(d).Outcome != c.outcome || f.Bricked != c.bricked || f.Model != model {
					t.Errorf("facts: %+v", f)
				}
				client := *h.client
				client.Timeout = 10 * time.Second
				if _, body, err := h.get(&client, at+"/cm?cmnd=Status%202"); (err == nil && contains(body, `"Version":"`+c.version+"(release-"+strings.TrimPrefix(model, "Tasmota "))) != c.answers {
					t.Errorf("answers %.80q, %v", body, err)
				}
			})
		})
	}
}

// TestTasmotaPassword: commands are refused without a challenge, pages with one, and both forms of the password open it.
func TestTasmotaPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Options{})
		defer l.Close()
		h := newHouse(t, l)
		d, err := l.AddTasmota(TasmotaSpec{Place: Place{Name: "relay"}, Password: "s3cret"})
		if err != nil {
			t.Fatal(err)
		}
		at := d.Facts().Addrs[0].String()
		for address, want := range map[string]int{
			"http://" + at + "/":                                         401,
			"http://" + at + "/cm?cmnd=Power":                            401,
			"http://admin:wrong@" + at + "/cm?cmnd=Power":                401,
			"http://root:s3cret@" + at + "/cm?cmnd=Power":                401,
			"http://admin:s3cret@" + at + "/":                            200,
			"http://admin:s3cret@" + at + "/cm?cmnd=Power":               200,
			"http://" + at + "/cm?cmnd=Power&user=admin&password=s3cret": 200,
		} {
			res, err := h.client.Get(address)
			if err != nil || res.StatusCode != want {
				t.Errorf("%s: %v, %v", address, res, err)
				continue
			}
			res.Body.Close()
			asks := res.Header.Get("WWW-Authenticate") != ""
			if command := strings.Contains(address, "/cm"); asks != (want == 401 && !command) || command && !strings.HasPrefix(res.Header.Get("Server"), "Tasmota/14.2.0 (ESP8266EX)") {
				t.Errorf("%s: %v", address, res.Header)
			}
		}
	})
}

// FuzzTasmota gives any command: the answer is JSON, and no command but the one flashes the relay.
func FuzzTasmota(f *testing.F) {
	f.Add("Status 0")
	f.Add("Backlog OtaUrl http://192.0.2.2/\"x; Power toggle")
	f.Add("Upgrade 1")
	l := New(Options{Clock: ScaledClock(time.Now(), 1e-6)}) // no timer of a device ever fires
	f.Cleanup(func() { l.Close() })
	d, err := l.AddTasmota(TasmotaSpec{Place: Place{Name: "relay"}})
	if err != nil {
		f.Fatal(err)
	}
	handler := (&relay{Device: d, build: "tasmota"}).handler()
	f.Fuzz(func(t *testing.T, command string) {
		res := httptest.NewRecorder()
		handler.ServeHTTP(res, httptest.NewRequest(http.MethodGet, "/cm?cmnd="+url.QueryEscape(command), nil))
		if !json.Valid(res.Body.Bytes()) || res.Code != http.StatusOK {
			t.Errorf("%q: %d %q", command, res.Code, res.Body)
		}
	})
}
