package lab

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/icholy/digest"
)

// TestCameraRequests sends requests that are wrong as such.
func TestCameraRequests(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		for version, want := range map[string]int{"": 0, "1.0": 0, "1.4": 0, "2.0": 417, "0": 417} {
			_, answer, err := h.post(h.as("root", CameraPassword), cam1+firmware, map[string]any{"apiVersion": version, "method": "status"})
			if _, code := split(answer); code != want || err != nil {
				t.Errorf("API version %q: %d, %v", version, code, err)
			}
		}
		req, err := http.NewRequest(http.MethodPost, cam1+firmware, io.NopCloser(strings.NewReader(`{"method":"status"}`)))
		if err != nil {
			t.Fatal(err)
		}
		res, err := h.as("root", CameraPassword).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusLengthRequired {
			t.Errorf("a request in chunks: %d", res.StatusCode)
		}
		h.fault("cam-1", FaultBusy)
		if _, code, err := h.upload(cam1, smallCam("11.0.0"), nil); code != 423 || err != nil || len(h.device("cam-1").Facts().Flashes) != 0 {
			t.Errorf("busy: %d, %v", code, err)
		}
	})
}

// TestCameraFactoryDefault takes the users away, from the configuration of the slot that runs.
func TestCameraFactoryDefault(t *testing.T) {
	status := map[string]any{"method": "status"}
	bubble(t, func(t *testing.T, h *house) {
		for _, c := range []struct {
			mode string
			want int
		}{{"", 400}, {"none", 400}, {"soft", 0}} {
			if _, code := h.vapix(cam1, firmware, "factoryDefault", map[string]string{"factoryDefaultMode": c.mode}); code != c.want {
				t.Errorf("mode %q: %d", c.mode, code)
			}
		}
		h.pass(3 * time.Minute)
		if got, _, err := h.post(h.as("root", CameraPassword), cam1+firmware, status); got != 401 || err != nil {
			t.Errorf("the password after a factory default: %d, %v", got, err)
		}
		if _, answer, err := h.post(h.client, cam1+info, map[string]any{"method": "getAllUnrestrictedProperties"}); err != nil || answer["data"] == nil {
			t.Errorf("who it is after a factory default: %v, %v", answer, err)
		}
	})
	bubble(t, func(t *testing.T, h *house) {
		h.mustUpload(smallCam("9.80.1"), map[string]string{"factoryDefaultMode": "hard", "autoCommit": "never", "autoRollback": "15"})
		h.pass(3 * time.Minute)
		if got, _, err := h.post(h.as("root", CameraPassword), cam1+firmware, status); got != 401 || err != nil {
			t.Errorf("the password on the new version: %d, %v", got, err)
		}
		h.pass(20 * time.Minute) // the way back brings the configuration back too
		if got, _ := h.vapix(cam1, firmware, "status", nil); got["activeFirmwareVersion"] != "10.12.206" {
			t.Errorf("after the fall-back: %v", got)
		}
	})
}

// TestDigestCountIsGoodOnce replays an authenticated request byte for byte.
func TestDigestCountIsGoodOnce(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		var header string
		record := recorder{h.client.Transport, &header}
		c := &http.Client{Transport: &digest.Transport{Username: "root", Password: CameraPassword, Transport: record}}
		call := map[string]any{"method": "status"}
		if status, _, err := h.post(c, cam1+firmware, call); status != 200 || header == "" || err != nil {
			t.Fatal(status, header, err)
		}
		for _, replay := range []struct {
			path  string
			stale bool
		}{{firmware, true}, {firmware + "?other", false}} {
			req, _ := http.NewRequest("POST", cam1+replay.path, bytes.NewReader([]byte(`{"method":"status"}`)))
			req.Header.Set("Authorization", header)
			res, err := h.client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if stale := contains(res.Header.Get("WWW-Authenticate"), "stale=true"); res.StatusCode != 401 || stale != replay.stale {
				t.Errorf("replay to %s: %d, stale %v", replay.path, res.StatusCode, stale)
			}
		}
	})
}

// recorder keeps the last Authorization header that went out.
type recorder struct {
	http.RoundTripper
	header *string
}

func (r recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	*r.header = req.Header.Get("Authorization")
	return r.RoundTripper.RoundTrip(req)
}
