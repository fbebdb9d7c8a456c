package lab

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// ubus does a call and gives the answer's code and what came with it.
func (h *house) ubus(at, session, object, method string, args any) (code int, result map[string]any) {
	h.t.Helper()
	_, answer, err := h.post(h.client, at+"/ubus", map[string]any{"jsonrpc": "2.0", "id": 1, "method": "call", "params": []any{session, object, method, args}})
	if err != nil {
		return -1, map[string]any{"error": err.Error()}
	}
	if fail, ok := answer["error"].(map[string]any); ok {
		return int(fail["code"].(float64)), fail
	}
	all := answer["result"].([]any)
	if len(all) > 1 {
		result, _ = all[1].(map[string]any)
	}
	return int(all[0].(float64)), result
}

func (h *house) uploadFirmware(at, session string, image []byte) (string, error) {
	h.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for _, f := range [][2]string{{"sessionid", session}, {"filename", firmwareBin}, {"filemode", "0600"}} {
		if err := form.WriteField(f[0], f[1]); err != nil {
			h.t.Fatal(err)
		}
	}
	part, err := form.CreateFormFile("filedata", "firmware.bin")
	if err == nil {
		_, err = part.Write(image)
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		h.t.Fatal(err)
	}
	res, err := h.client.Post(at+"/cgi-bin/cgi-upload", form.FormDataContentType(), &body)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return string(b), err
}

// TestOpenWrtFaults gives each fault its update and says what must have become of the router five minutes later.
func TestOpenWrtFaults(t *testing.T) {
	image := func(board string, flaws ...string) []byte {
		return BuildImage(ImageSpec{Family: FamilyOpenWrt, Model: board, Version: "22.03.7", Size: 300_000, Flaws: flaws})
	}
	const board = "tplink,archer-c7-v2"
	right := image(board)
	for _, c := range []struct {
		name, fault      string
		image            []byte
		test             string // what sysupgrade --test complains of
		version, outcome string
		answers, bricked bool
	}{
		{name: "none", image: right, version: "22.03.7", outcome: OutcomeInstalled, answers: true},
		{name: "another board", image: image("tplink,archer-c7-v5"), test: "Device tplink,archer-c7-v2 not supported by this image", version: "22.03.5", outcome: OutcomeWrongModel, answers: true},
		{name: "another board bricks", fault: FaultWrongModelBricks, image: image("tplink,archer-c7-v5"), version: "22.03.7", outcome: OutcomeBricked, bricked: true},
		{name: "another layout", image: image(board, FlawNewLayout), test: "the config is incompatible to the new image (1.0->1.1)", version: "22.03.5", outcome: OutcomeWrongModel, answers: true},
		{name: "no image", image: []byte("hello"), test: "Image metadata not present", version: "22.03.5", outcome: OutcomeInvalid, answers: true},
		{name: "boot loop", image: image(board, FlawBootLoop), version: "22.03.5", outcome: OutcomeBricked, bricked: true},
		{name: "silent after update", fault: FaultSilentAfterUpdate, image: right, version: "22.03.7", outcome: OutcomeInstalled},
		{name: "dead service", fault: FaultDeadService, image: right, version: "22.03.7", outcome: OutcomeInstalled},
		{name: "old version back", fault: FaultOldVersionBack, image: right, version: "22.03.5", outcome: OutcomeReverted, answers: true},
		{name: "nothing", fault: FaultAcceptedAndNothing, image: right, version: "22.03.5", answers: true},
		{name: "power cut", fault: FaultPowerCut, image: right, version: "22.03.5", outcome: OutcomePowerCut, bricked: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := New(Options{})
				defer l.Close()
				h := newHouse(t, l)
				d, err := l.AddOpenWrt(OpenWrtSpec{Place: Place{Name: "ap"}, Password: "s3cret"})
				if err != nil {
					t.Fatal(err)
				}
				if c.fault != "" {
					h.fault("ap", c.fault)
				}
				at := "http://" + d.Facts().Addrs[0].String()
				_, login := h.ubus(at, nobody, "session", "login", map[string]string{"username": "root", "password": "s3cret"})
				session, _ := login["ubus_rpc_session"].(string)
				if answer, err := h.uploadFirmware(at, session, c.image); err != nil || !contains(answer, `"sha256sum": "`) {
					t.Errorf("upload: %s, %v", answer, err)
				}
				code, test := h.ubus(at, session, "rpc-sys", "upgrade_test", struct{}{})
				if why, _ := test["stderr"].(string); code != 0 || (test["code"] != 0.0) != (c.test != "") || !contains(why, c.test) {
					t.Errorf("test: %d %v, want %q", code, test, c.test)
				}
				if code, _ := h.ubus(at, session, "rpc-sys", "upgrade_start", map[string]bool{"keep": true}); code != 0 {
					t.Errorf("start: %d", code)
				}
				h.pass(5 * time.Minute)
				if f := d.Facts(); f.InstalledVersion != c.version || lastFlash(d).Outcome != c.outcome || f.Bricked != c.bricked {
					t.Errorf("facts: %+v", f)
				}
				client := *h.client
				client.Timeout = 10 * time.Second
				if _, page, err := h.get(&client, at+"/"); (err == nil && contains(page, "LuCI")) != c.answers {
					t.Errorf("answers %.80q, %v", page, err)
				}
			})
		})
	}
}

// TestOpenWrtAccess: what an account may not do is told, and a session ends by itself.
func TestOpenWrtAccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Options{})
		defer l.Close()
		h := newHouse(t, l)
		d, err := l.AddOpenWrt(OpenWrtSpec{Place: Place{Name: "ap"}, Password: "s3cret", Plain: true, ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		at := "http://" + d.Facts().Addrs[0].String()
		login := map[string]any{"username": "root", "password": "wrong"}
		if code, _ := h.ubus(at, nobody, "session", "login", login); code != ubusDenied {
			t.Errorf("a wrong password: %d", code)
		}
		login["password"], login["timeout"] = "s3cret", 60
		_, in := h.ubus(at, nobody, "session", "login", login)
		session, _ := in["ubus_rpc_session"].(string)
		for _, tc := range []struct {
			session, object, method string
			want                    int
		}{
			{nobody, "system", "board", httpForbidden},
			{session, "system", "board", ubusOK},
			{session, "rpc-sys", "upgrade_test", httpNoObject},
			{session, "file", "exec", httpForbidden},
			{session, "session", "access", ubusOK},
		} {
			if code, _ := h.ubus(at, tc.session, tc.object, tc.method, struct{}{}); code != tc.want {
				t.Errorf("%s.%s: %d, want %d", tc.object, tc.method, code, tc.want)
			}
		}
		if answer, err := h.uploadFirmware(at, session, []byte("x")); err != nil || !contains(answer, "Upload permission denied") {
			t.Errorf("upload: %s, %v", answer, err)
		}
		h.pass(61 * time.Second)
		if code, _ := h.ubus(at, session, "system", "board", struct{}{}); code != httpForbidden {
			t.Errorf("after its time: %d", code)
		}
	})
}

// FuzzOpenWrt sends any body to what takes one, by somebody who did not log in: never a panic, and nothing is flashed.
func FuzzOpenWrt(f *testing.F) {
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"method":"call","params":["00000000000000000000000000000000","session","access",{"scope":"ubus","object":"file","function":"exec"}]}`), "application/json")
	f.Add([]byte("--b\r\nContent-Disposition: form-data; name=\"sessionid\"\r\n\r\n0\r\n--b\r\nContent-Disposition: form-data; name=\"filedata\"\r\n\r\nimage\r\n--b--\r\n"), "multipart/form-data; boundary=b")
	l := New(Options{Clock: ScaledClock(time.Now(), 1e-6)}) // no timer of a device ever fires
	f.Cleanup(func() { l.Close() })
	d, err := l.AddOpenWrt(OpenWrtSpec{Place: Place{Name: "ap"}, Password: "s3cret"})
	if err != nil {
		f.Fatal(err)
	}
	handler := (&router{Device: d, sessions: map[string]*ubusSession{}, spec: OpenWrtSpec{Password: "s3cret"}, rand: d.random('f')}).handler()
	f.Fuzz(func(t *testing.T, b []byte, contentType string) {
		for _, path := range []string{"/ubus", "/cgi-bin/cgi-upload", "/cgi-bin/cgi-backup"} {
			res := httptest.NewRecorder()
			req := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(b))
			req.Header.Set("Content-Type", contentType)
			handler.ServeHTTP(res, req)
			if path == "/ubus" && !json.Valid(res.Body.Bytes()) || strings.Contains(res.Body.String(), "etc/config") {
				t.Errorf("%s answers %d %q", path, res.Code, res.Body)
			}
		}
		if n := len(d.Facts().Flashes); n != 0 {
			t.Errorf("flashed %d times", n)
		}
	})
}
