package lab

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// gate is a house with one Hikvision camera.
func gate(t *testing.T, spec HikvisionSpec, f func(t *testing.T, h *house, d *Device, at string)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := New(Options{})
		defer l.Close()
		spec.Place = Place{Name: "gate"}
		d, err := l.AddHikvision(spec)
		if err != nil {
			t.Fatal(err)
		}
		f(t, newHouse(t, l), d, "http://"+d.Facts().Addrs[0].String())
	})
}

// put sends a body as the owner and gives the answer.
func (h *house) put(url, contentType string, body []byte) (status int, answer string) {
	h.t.Helper()
	req, err := http.NewRequest(http.MethodPut, url, bytes.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	res, err := h.as("admin", HikvisionPassword).Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(res.Body); err != nil {
		return res.StatusCode, err.Error()
	}
	return res.StatusCode, b.String()
}

const octets = "application/octet-stream"

func hikvisionImage(model, platform, version string) []byte {
	return BuildImage(ImageSpec{Family: FamilyHikvision, Model: model, HardwareRev: platform, Version: version, Size: 8 << 20})
}

// TestHikvisionUpdate: the camera writes, counting percents, asks for a restart, and runs the new version after it.
func TestHikvisionUpdate(t *testing.T) {
	gate(t, HikvisionSpec{}, func(t *testing.T, h *house, d *Device, at string) {
		if status, _, _ := h.get(h.client, at+"/ISAPI/System/deviceInfo"); status != 401 {
			t.Errorf("without a password: %d", status)
		}
		image := hikvisionImage("DS-2CD2143G2-I", "B-R-G5-0", "V5.7.15 build 230313")
		done := make(chan string, 1)
		go func() {
			_, answer := h.put(at+"/ISAPI/System/updateFirmware", octets, image)
			done <- answer
		}()
		h.pass(4 * time.Second)
		if _, b, _ := h.get(h.as("admin", HikvisionPassword), at+"/ISAPI/System/upgradeStatus"); !contains(b, "<upgrading>true</upgrading><percent>50</percent>") {
			t.Errorf("half-way: %s", b)
		}
		if status, b := h.put(at+"/ISAPI/System/updateFirmware", octets, []byte("hello")); status != 503 || !contains(b, "<statusCode>2</statusCode>") {
			t.Errorf("a second upload meanwhile: %d %s", status, b)
		}
		if b := <-done; !contains(b, "<statusCode>7</statusCode>") {
			t.Errorf("the upload: %s", b)
		}
		h.pass(time.Hour)
		if f := d.Facts(); f.InstalledVersion != "V5.7.3 build 220112" {
			t.Errorf("without a restart it runs %s", f.InstalledVersion)
		}
		if _, b := h.put(at+"/ISAPI/System/reboot", "", nil); !contains(b, "<statusCode>1</statusCode>") {
			t.Errorf("restart: %s", b)
		}
		h.pass(2 * time.Minute)
		if f := d.Facts(); f.InstalledVersion != "V5.7.15 build 230313" || !f.ServiceUp["rtsp"] || lastFlash(d).Outcome != OutcomeInstalled {
			t.Errorf("after the restart: %+v", f)
		}
	})
}

// TestHikvisionRestarts: what was written runs too when the camera is switched off and on instead of told, and one that
// restarts by itself says OK.
func TestHikvisionRestarts(t *testing.T) {
	image := hikvisionImage("DS-2CD2143G2-I", "B-R-G5-0", "V5.7.15 build 230313")
	for _, itself := range []bool{false, true} {
		gate(t, HikvisionSpec{Restarts: itself}, func(t *testing.T, h *house, d *Device, at string) {
			if _, b := h.put(at+"/ISAPI/System/updateFirmware", octets, image); contains(b, "<statusCode>1</statusCode>") != itself {
				t.Errorf("restarts by itself %v: %s", itself, b)
			}
			if !itself {
				d.PowerCycle()
			}
			h.pass(4 * time.Minute)
			if f := d.Facts(); f.InstalledVersion != "V5.7.15 build 230313" || !f.Powered {
				t.Errorf("restarts by itself %v: %+v", itself, f)
			}
		})
	}
}

func TestHikvisionRefuses(t *testing.T) {
	for _, c := range []struct {
		name, kind string
		image      []byte
		fault      string
		status     int
		want       string
		bricked    bool
	}{
		{"another model", octets, hikvisionImage("DS-2CD2385FWD-I", "", "V5.7.15"), "", 400, "badDevType", false},
		{"another platform", octets, hikvisionImage("DS-2CD2143G2-I", "B-R-G3-0", "V5.7.15"), "", 400, "badDevType", false},
		{"no image", octets, []byte("hello"), "", 400, "fileFormatError", false},
		{"as XML", "application/xml", hikvisionImage("DS-2CD2143G2-I", "", "V5.7.15"), "", 400, "badXmlFormat", false},
		{"accepts another model", octets, hikvisionImage("DS-2CD2385FWD-I", "", "V5.7.15"), FaultWrongModelBricks, 200, "rebootRequired", true},
		{"accepts and does nothing", octets, hikvisionImage("DS-2CD2143G2-I", "", "V5.7.15"), FaultAcceptedAndNothing, 200, "rebootRequired", false},
		{"loses power", octets, hikvisionImage("DS-2CD2143G2-I", "", "V5.7.15"), FaultPowerCut, 0, "", true},
	} {
		gate(t, HikvisionSpec{}, func(t *testing.T, h *house, d *Device, at string) {
			if c.fault != "" {
				h.fault("gate", c.fault)
			}
			status, b := h.put(at+"/ISAPI/System/updateFirmware", c.kind, c.image)
			if status != c.status || !contains(b, c.want) {
				t.Errorf("%s: %d %s", c.name, status, b)
			}
			if status == 200 {
				h.put(at+"/ISAPI/System/reboot", "", nil)
			}
			h.pass(10 * time.Minute)
			if f := d.Facts(); f.Bricked != c.bricked || !c.bricked && f.InstalledVersion != "V5.7.3 build 220112" {
				t.Errorf("%s: %+v", c.name, f)
			}
		})
	}
}

// TestCurlUpdatesHikvision asks a camera and updates it with the commands that owners pass on to each other, and plays its stream.
func TestCurlUpdatesHikvision(t *testing.T) {
	curl, ffprobe := tool(t, "curl", "curl"), tool(t, "ffprobe", "ffmpeg")
	l := New(Options{Clock: ScaledClock(time.Now(), 100)})
	defer l.Close()
	cam, err := l.AddHikvision(HikvisionSpec{Place: Place{Name: "gate"}})
	if err != nil {
		t.Fatal(err)
	}
	real := alone(t, l)
	at := "http://" + real(80)
	expectAll(t, run(t, curl, "-sS", "-i", at+"/"), "Server: App-webs/", "/doc/page/login.asp")
	expectAll(t, run(t, curl, "-sS", "-o", os.DevNull, "-w", "%{http_code} %header{www-authenticate}", at+"/ISAPI/System/deviceInfo"), "401 Digest realm=\"IP Camera(")
	login := []string{"-sS", "--digest", "-u", "admin:" + HikvisionPassword}
	ask := func(args ...string) string { return run(t, curl, append(slices.Clone(login), args...)...) }
	expectAll(t, ask(at+"/ISAPI/System/deviceInfo"), `<DeviceInfo version="2.0" xmlns="http://www.hikvision.com/ver20/XMLSchema">`, "<model>DS-2CD2143G2-I</model>",
		"<firmwareVersion>V5.7.3</firmwareVersion><firmwareReleasedDate>build 220112</firmwareReleasedDate>", "<serialNumber>"+cam.Facts().Serial)
	expectAll(t, ask(at+"/ISAPI/System/upgradeStatus"), "<upgrading>false</upgrading><percent>0</percent>")
	path := filepath.Join(t.TempDir(), "digicap.dav")
	if err := os.WriteFile(path, hikvisionImage("DS-2CD2143G2-I", "B-R-G5-0", "V5.7.15 build 230313"), 0o600); err != nil {
		t.Fatal(err)
	}
	expectAll(t, ask("-T", path, "-H", "Content-Type: application/octet-stream", at+"/ISAPI/System/updateFirmware"), "<statusCode>7</statusCode>", "Reboot Required")
	expectAll(t, ask("-X", "PUT", at+"/ISAPI/System/reboot"), "<statusCode>1</statusCode>")
	expectAll(t, ask("--retry", "20", "--retry-all-errors", "--retry-delay", "1", "--max-time", "5", at+"/ISAPI/System/deviceInfo"), "<firmwareVersion>V5.7.")
	if got := lastFlash(cam); got.Version != "V5.7.15 build 230313" || got.DeliveryPath != PathPush {
		t.Errorf("flash: %+v", got)
	}
	play := []string{"-v", "error", "-rtsp_transport", "tcp", "-show_entries", "stream=codec_name", "-of", "flat"}
	expectAll(t, run(t, ffprobe, append(play, "rtsp://admin:"+HikvisionPassword+"@"+real(554)+"/Streaming/Channels/101")...), `codec_name="h264"`)
	out, err := exec.CommandContext(t.Context(), ffprobe, append(play, "rtsp://admin:"+HikvisionPassword+"@"+real(554)+"/live")...).CombinedOutput()
	if err == nil || !contains(string(out), "404") {
		t.Errorf("another stream: %v %s", err, out)
	}
}
