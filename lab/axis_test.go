package lab

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	cam1     = "http://10.40.0.11"
	firmware = "/axis-cgi/firmwaremanagement.cgi"
	info     = "/axis-cgi/basicdeviceinfo.cgi"
)

func smallCam(version string, flaws ...string) []byte {
	return BuildImage(ImageSpec{
		Family: FamilyCamera, Model: "P3265-LV", HardwareRev: "7A2", Version: version, Size: 3 << 20, Flaws: flaws,
	})
}

// vapix calls a method as root and returns data and the error code, 0 if there is none.
func (h *house) vapix(base, path, method string, params any) (data map[string]any, code int) {
	h.t.Helper()
	call := map[string]any{"apiVersion": "1.0", "context": "test", "method": method, "params": params}
	status, answer, err := h.post(h.as("root", CameraPassword), base+path, call)
	if err != nil || status != http.StatusOK || answer["context"] != "test" {
		h.t.Fatalf("%s: %d %v %v", method, status, answer, err)
	}
	return split(answer)
}

func split(answer map[string]any) (data map[string]any, code int) {
	data, _ = answer["data"].(map[string]any)
	if e, ok := answer["error"].(map[string]any); ok {
		code = int(e["code"].(float64))
	}
	return data, code
}

// upload sends an upgrade and returns data and error code.
func (h *house) upload(base string, image []byte, params map[string]string) (map[string]any, int, error) {
	h.t.Helper()
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	part, _ := m.CreatePart(textproto.MIMEHeader{
		"Content-Type": {"application/json"}, "Content-Disposition": {`form-data; name="data"`},
	})
	json.NewEncoder(part).Encode(map[string]any{"apiVersion": "1.0", "context": "up", "method": "upgrade", "params": params})
	part, _ = m.CreatePart(textproto.MIMEHeader{
		"Content-Type": {"application/octet-stream"}, "Content-Disposition": {`form-data; name="file"; filename="fw.bin"`},
	})
	part.Write(image)
	m.Close()
	res, err := h.as("root", CameraPassword).Post(base+firmware, m.FormDataContentType(), bytes.NewReader(body.Bytes()))
	if err != nil {
		return nil, 0, err
	}
	defer res.Body.Close()
	answer := map[string]any{}
	b, err := io.ReadAll(res.Body)
	if err == nil {
		err = json.Unmarshal(b, &answer)
	}
	data, code := split(answer)
	return data, code, err
}

func (h *house) mustUpload(image []byte, params map[string]string) {
	h.t.Helper()
	if data, code, err := h.upload(cam1, image, params); err != nil || code != 0 {
		h.t.Fatalf("upgrade: %v, error %d, %v", data, code, err)
	}
}

var deadMan = map[string]string{"autoCommit": "never", "autoRollback": "15"}

func TestCameraProperties(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		_, answer, err := h.post(h.client, cam1+info, map[string]any{"method": "getAllUnrestrictedProperties"})
		if err != nil {
			t.Fatal(err)
		}
		data, _ := split(answer)
		serial := h.device("cam-1").Facts().Serial
		want := map[string]any{
			"Brand": "AXIS", "BuildDate": "Jan 15 2024 10:00", "HardwareID": "7A2",
			"ProdFullName": "AXIS P3265-LV Dome Camera", "ProdNbr": "P3265-LV", "ProdShortName": "AXIS P3265-LV",
			"ProdType": "Dome Camera", "ProdVariant": "", "SerialNumber": serial, "Version": "10.12.206",
			"WebURL": "http://www.axis.com",
		}
		if diff := cmp.Diff(want, data["propertyList"]); diff != "" {
			t.Errorf("unrestricted properties differ (-want +got):\n%s", diff)
		}
		if status, _, _ := h.post(h.client, cam1+info, map[string]any{"method": "getAllProperties"}); status != 401 {
			t.Errorf("getAllProperties without a password: %d", status)
		}
		data, _ = h.vapix("http://10.40.0.15", info, "getAllProperties", nil)
		if p := data["propertyList"].(map[string]any); p["HardwareID"] != "7B0" || p["Soc"] == nil {
			t.Errorf("cam-5: %v", p)
		}
		// cam-2 has two addresses and is one device.
		data, _ = h.vapix("http://10.40.0.112", info, "getProperties", map[string]any{"propertyList": []string{"SerialNumber"}})
		f := h.device("cam-2").Facts()
		if diff := cmp.Diff(map[string]any{"SerialNumber": f.Serial}, data["propertyList"]); diff != "" || len(f.MACs) != 2 {
			t.Errorf("cam-2: %v %v", data, f.MACs)
		}
		h.fault("cam-1", FaultWrongHardware)
		data, _ = h.vapix(cam1, info, "getAllProperties", nil)
		if p := data["propertyList"].(map[string]any); p["HardwareID"] != "7A2-X" {
			t.Errorf("wrong hardware revision: %v", p["HardwareID"])
		}
	})
}

func TestCameraDigest(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		call := map[string]any{"method": "status"}
		for _, c := range []struct {
			client *http.Client
			want   int
		}{{h.client, 401}, {h.as("root", "wrong"), 401}, {h.as("root", CameraPassword), 200}} {
			if status, _, err := h.post(c.client, cam1+firmware, call); status != c.want || err != nil {
				t.Errorf("status %d, want %d, %v", status, c.want, err)
			}
		}
	})
}

func TestCameraUpgradeAndCommit(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		h.mustUpload(CameraImage("11.11.192"), deadMan)
		h.pass(3 * time.Minute) // one second, the reboot, and a minute of the timer
		got, _ := h.vapix(cam1, firmware, "status", nil)
		left := got["timeToRollback"]
		delete(got, "lastUpgradeAt")
		want := map[string]any{
			"activeFirmwareVersion": "11.11.192", "activeFirmwarePart": "2", "inactiveFirmwareVersion": "10.12.206",
			"isCommited": false, "pendingCommit": "never", "timeToRollback": 15*60 - 59.0,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("status differs (-want +got):\n%s", diff)
		}
		if _, code, _ := h.upload(cam1, smallCam("12.0.0"), deadMan); code != 412 {
			t.Errorf("upgrade while uncommitted: %d, %v left", code, left)
		}
		if _, code := h.vapix(cam1, firmware, "purge", nil); code != 412 {
			t.Errorf("purge while uncommitted: %d", code)
		}
		if _, code := h.vapix(cam1, firmware, "commit", nil); code != 0 {
			t.Errorf("commit: %d", code)
		}
		h.pass(24 * time.Hour)
		if f := h.device("cam-1").Facts(); f.InstalledVersion != "11.11.192" || !f.Committed || f.Flashes[0].Bytes != 30_000_000 {
			t.Errorf("a day after commit: %+v", f)
		}
		if _, code := h.vapix(cam1, firmware, "purge", nil); code != 0 {
			t.Errorf("purge: %d", code)
		}
		if _, code := h.vapix(cam1, firmware, "rollback", nil); code != 404 {
			t.Errorf("rollback after purge: %d", code)
		}
	})
}

// TestCameraFallsBack: without commit the camera returns to its old slot, by the timer or by losing power.
func TestCameraFallsBack(t *testing.T) {
	for _, c := range []struct {
		name  string
		flaws []string
		do    func(h *house)
		wait  time.Duration
	}{
		{"timer", nil, func(*house) {}, 20 * time.Minute},
		{"dead stream, timer", []string{FlawDeadStream}, func(*house) {}, 20 * time.Minute},
		{"boot loop, timer", []string{FlawBootLoop}, func(*house) {}, 20 * time.Minute},
		{"silent, timer", nil, func(h *house) { h.fault("cam-1", FaultSilentAfterUpdate) }, 20 * time.Minute},
		{"power cycle", nil, func(h *house) { h.pass(3 * time.Minute); h.device("cam-1").PowerCycle() }, 3 * time.Minute},
		{"offline", nil, func(h *house) {
			h.pass(3 * time.Minute)
			h.fault("cam-1", FaultOffline)
			h.pass(time.Hour)
			h.ClearFaults("cam-1")
		}, 3 * time.Minute},
		{"reboot", nil, func(h *house) {
			h.pass(3 * time.Minute)
			h.vapix(cam1, firmware, "reboot", nil)
		}, 3 * time.Minute},
		{"rollback", nil, func(h *house) {
			h.pass(3 * time.Minute)
			h.vapix(cam1, firmware, "rollback", nil)
		}, 3 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, h *house) {
				if c.name == "silent, timer" {
					c.do(h)
				}
				h.mustUpload(smallCam("11.11.192", c.flaws...), deadMan)
				if c.name != "silent, timer" {
					c.do(h)
				}
				h.pass(c.wait)
				f := h.device("cam-1").Facts()
				if f.InstalledVersion != "10.12.206" || !f.Committed || f.ActiveSlot != 0 || !f.ServiceUp["rtsp"] ||
					f.Flashes[0].Outcome != OutcomeRolledBack {
					t.Errorf("facts: %+v", f)
				}
				if got, _ := h.vapix(cam1, firmware, "status", nil); got["activeFirmwareVersion"] != "10.12.206" || got["isCommited"] != true {
					t.Errorf("status: %v", got)
				}
			})
		})
	}
}

func TestCameraCommitsByItself(t *testing.T) {
	for _, c := range []struct {
		commit string
		flaws  []string
		keeps  bool
	}{
		{"boot", nil, true},
		{"started", nil, true},
		{"default", nil, true},
		{"never", nil, false},
		{"boot", []string{FlawDeadStream}, true},
		{"started", []string{FlawDeadStream}, false},
	} {
		bubble(t, func(t *testing.T, h *house) {
			h.mustUpload(smallCam("11.0.0", c.flaws...), map[string]string{"autoCommit": c.commit})
			h.pass(time.Hour)
			if f := h.device("cam-1").Facts(); (f.InstalledVersion == "11.0.0") != c.keeps {
				t.Errorf("autoCommit %s, flaws %v: runs %s", c.commit, c.flaws, f.InstalledVersion)
			}
		})
	}
}

func TestCameraStopAuto(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		h.mustUpload(smallCam("11.0.0"), deadMan)
		h.pass(3 * time.Minute)
		h.vapix(cam1, firmware, "stopAuto", nil)
		h.pass(24 * time.Hour)
		f := h.device("cam-1").Facts()
		if f.InstalledVersion != "11.0.0" || f.Committed {
			t.Errorf("facts: %+v", f)
		}
	})
}

func TestCameraRefuses(t *testing.T) {
	hw := ImageSpec{Family: FamilyCamera, Model: "P3265-LV", HardwareRev: "7B0", Version: "11.0.0", Size: 1 << 20}
	model := ImageSpec{Family: FamilyCamera, Model: "Q6215-LE", Version: "11.0.0", Size: 1 << 20}
	for _, c := range []struct {
		name   string
		image  []byte
		params map[string]string
		want   int
	}{
		{"wrong hardware", BuildImage(hw), nil, 421},
		{"wrong model", BuildImage(model), nil, 421},
		{"bad checksum", smallCam("11.0.0", FlawWrongChecksum), nil, 415},
		{"bad magic", smallCam("11.0.0", FlawWrongMagic), nil, 415},
		{"not an image", []byte("hello"), nil, 415},
		{"no signature", smallCam("11.0.0", FlawUnsigned), nil, 422},
		{"revoked version", smallCam("11.0.0", FlawRevoked), nil, 410},
		{"downgrade", smallCam("9.80.1"), nil, 409},
		{"bad commit", smallCam("11.0.0"), map[string]string{"autoCommit": "sometimes"}, 400},
		{"bad rollback", smallCam("11.0.0"), map[string]string{"autoRollback": "-3"}, 400},
		{"downgrade with hard factory default", smallCam("9.80.1"), map[string]string{"factoryDefaultMode": "hard"}, 0},
	} {
		bubble(t, func(t *testing.T, h *house) {
			if _, code, err := h.upload(cam1, c.image, c.params); code != c.want || err != nil {
				t.Errorf("%s: error %d, want %d; %v", c.name, code, c.want, err)
			}
			if f := h.device("cam-1").Facts(); f.InstalledVersion != "10.12.206" && c.want != 0 {
				t.Errorf("%s: runs %s", c.name, f.InstalledVersion)
			}
		})
	}
	bubble(t, func(t *testing.T, h *house) {
		done := make(chan struct{})
		go func() { defer close(done); h.upload(cam1, CameraImage("11.0.0"), nil) }()
		h.pass(3 * time.Second)
		if _, code, err := h.upload(cam1, smallCam("11.0.0"), nil); code != 423 || err != nil {
			t.Errorf("upgrade while busy: %d, %v", code, err)
		}
		<-done
		h.pass(10 * time.Minute) // it has committed by itself
		for method, want := range map[string]int{"reformat": 405, "commit": 400, "upgrade": 400} {
			if _, code := h.vapix(cam1, firmware, method, nil); code != want {
				t.Errorf("%s: %d, want %d", method, code, want)
			}
		}
	})
}

func TestCameraFaults(t *testing.T) {
	for _, c := range []struct {
		fault   string
		version string // two and a half minutes after the upload
		outcome string
		rtsp    bool
	}{
		{FaultOldVersionBack, "10.12.206", OutcomeReverted, true},
		{FaultAcceptedAndNothing, "10.12.206", "", true},
		{FaultDeadService, "11.0.0", OutcomeInstalled, false},
		{FaultPowerCut, "10.12.206", OutcomePowerCut, true},
		{FaultSilentAfterUpdate, "11.0.0", OutcomeInstalled, false},
	} {
		t.Run(c.fault, func(t *testing.T) {
			bubble(t, func(t *testing.T, h *house) {
				h.fault("cam-1", c.fault)
				h.client.Timeout = time.Minute
				_, code, err := h.upload(cam1, smallCam("11.0.0"), deadMan)
				if lost := err != nil; lost != (c.fault == FaultPowerCut) || code != 0 {
					t.Fatalf("upgrade: error %d, %v", code, err)
				}
				h.pass(150 * time.Second)
				d := h.device("cam-1")
				if f := d.Facts(); f.InstalledVersion != c.version || lastFlash(d).Outcome != c.outcome ||
					f.ServiceUp["rtsp"] != c.rtsp || !f.Powered {
					t.Errorf("facts: %+v", f)
				}
			})
		})
	}
	bubble(t, func(t *testing.T, h *house) {
		h.fault("cam-1", FaultWrongModelBricks)
		wrong := BuildImage(ImageSpec{Family: FamilyCamera, Model: "Q6215-LE", Version: "11.0.0", Size: 1 << 20})
		h.mustUpload(wrong, deadMan)
		h.pass(24 * time.Hour)
		if f := h.device("cam-1").Facts(); !f.Bricked || f.Powered {
			t.Errorf("facts: %+v", f)
		}
	})
}
