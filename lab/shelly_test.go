package lab

import (
	"fmt"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

const plug1 = "http://192.168.20.11"

// serveImage offers a file over HTTP from firmward's host in the home site and returns its URL.
func (h *house) serveImage(image []byte) (url string, stop func()) {
	h.t.Helper()
	l, err := h.Attach("home").Listen(h.t.Context(), "tcp", ":0")
	if err != nil {
		h.t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(image) })}
	go srv.Serve(l)
	return fmt.Sprintf("http://192.168.20.2:%d/image", l.Addr().(*net.TCPAddr).Port), func() { srv.Close() }
}

// small is a plug image that is quick to carry.
func small(version string, flaws ...string) []byte {
	return BuildImage(ImageSpec{
		Family: FamilyPlug, Model: "SNPL-00112EU", HardwareRev: "gen2", Version: version, Size: 100_000, Flaws: flaws,
	})
}

// update asks plug-1 to fetch the image and returns the RPC error, if there is one.
func (h *house) update(url string) map[string]any {
	h.t.Helper()
	status, answer, err := h.post(h.client, plug1+"/rpc", map[string]any{
		"id": 7, "src": "test", "method": "Shelly.Update", "params": map[string]any{"url": url},
	})
	if err != nil || status != http.StatusOK || answer["id"] != 7.0 || answer["dst"] != "test" {
		h.t.Fatalf("Shelly.Update: %d %v %v", status, answer, err)
	}
	fail, _ := answer["error"].(map[string]any)
	return fail
}

func TestPlugTellsWhatItIs(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		_, got, err := h.post(h.client, plug1+"/rpc/Shelly.GetDeviceInfo", struct{}{})
		if err != nil {
			t.Fatal(err)
		}
		mac := h.device("plug-1").Facts().Serial
		delete(got, "fw_id")
		want := map[string]any{
			"name": nil, "id": "shellyplusplugs-" + lower(mac), "mac": mac, "slot": 0.0, "model": "SNPL-00112EU",
			"gen": 2.0, "ver": "1.0.3", "app": "PlusPlugS", "auth_en": false, "auth_domain": nil,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("device info differs (-want +got):\n%s", diff)
		}
		status, body, _ := h.get(h.client, plug1+"/rpc/Switch.GetStatus?id=0")
		if status != 200 || !contains(body, `"output":true`) {
			t.Errorf("Switch.GetStatus: %d %s", status, body)
		}
		if status, body, _ = h.get(h.client, plug1+"/rpc/Switch.Set?id=0&on=false"); !contains(body, `"was_on":true`) {
			t.Errorf("Switch.Set: %d %s", status, body)
		}
		if status, body, _ = h.get(h.client, plug1+"/rpc/Switch.GetStatus?id=3"); status != 500 || !contains(body, "-105") {
			t.Errorf("Switch.GetStatus of a missing switch: %d %s", status, body)
		}
		_, got, _ = h.post(h.client, plug1+"/rpc", map[string]any{"id": 1, "method": "OTA.SetConfig"})
		if code := got["error"].(map[string]any)["code"]; code != 404.0 {
			t.Errorf("unsupported method: code %v", code)
		}
		_, got, _ = h.post(h.client, plug1+"/rpc", map[string]any{"id": 1, "method": "Shelly.CheckForUpdate"})
		if diff := cmp.Diff(map[string]any{}, got["result"]); diff != "" {
			t.Errorf("CheckForUpdate without an offer: %v", got)
		}
	})
}

func TestPlugDigest(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		const plug2 = "http://192.168.20.12"
		if status, body, _ := h.get(h.client, plug2+"/shelly"); status != 200 || !contains(body, `"auth_en":true`) {
			t.Errorf("/shelly: %d %s", status, body)
		}
		for _, c := range []struct {
			name   string
			client *http.Client
			want   int
		}{
			{"none", h.client, 401},
			{"wrong password", h.as("admin", "wrong"), 401},
			{"wrong user", h.as("root", PlugPassword), 401},
			{"right", h.as("admin", PlugPassword), 200},
		} {
			if status, _, err := h.get(c.client, plug2+"/rpc/Sys.GetStatus"); status != c.want || err != nil {
				t.Errorf("%s: status %d, %v", c.name, status, err)
			}
			if status, _, err := h.post(c.client, plug2+"/rpc", map[string]any{"id": 1, "method": "Sys.GetStatus"}); status != c.want || err != nil {
				t.Errorf("%s, frame: status %d, %v", c.name, status, err)
			}
			// Who it is, a plug tells everybody.
			if status, body, err := h.get(c.client, plug2+"/rpc/Shelly.GetDeviceInfo"); status != 200 || !contains(body, `"auth_en":true`) || err != nil {
				t.Errorf("%s, GetDeviceInfo: %d %s %v", c.name, status, body, err)
			}
		}
	})
}

func TestPlugUpdatesFromURL(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		image := PlugImage("1.4.4")
		url, stop := h.serveImage(image)
		defer stop()
		start := time.Now()
		if fail := h.update(url); fail != nil {
			t.Fatal(fail)
		}
		if fail := h.update(url); fail["code"] != float64(codePrecondition) {
			t.Errorf("second update: %v", fail)
		}
		h.pass(20 * time.Second) // 8 MiB at 512 KiB/s: 16 s, then dark
		if h.device("plug-1").Facts().Powered {
			t.Error("the plug does not reboot")
		}
		h.pass(30 * time.Second)
		_, body, err := h.get(h.client, plug1+"/shelly")
		if err != nil || !contains(body, `"ver":"1.4.4"`) {
			t.Errorf("after the update: %s %v", body, err)
		}
		f := h.device("plug-1").Facts()
		sum := f.Slots[1].ImageSHA256
		want := []Flash{{start, sum, "1.4.4", int64(len(image)), OutcomeInstalled, PathPull}}
		if diff := cmp.Diff(want, f.Flashes); diff != "" || len(sum) != 64 {
			t.Errorf("flashes differ (-want +got):\n%s", diff)
		}
		// Older versions are refused, quietly.
		old, stopOld := h.serveImage(small("1.0.3"))
		defer stopOld()
		h.update(old)
		h.pass(time.Minute)
		if f := h.device("plug-1").Facts(); f.InstalledVersion != "1.4.4" || lastFlash(h.device("plug-1")).Outcome != OutcomeOlder {
			t.Errorf("after a downgrade: %+v", f)
		}
	})
}

func TestPlugUpdatesFromMaker(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		d := h.device("plug-1")
		d.Offer("1.4.4", small("1.4.4"))
		_, body, _ := h.get(h.client, plug1+"/rpc/Shelly.GetStatus")
		if !contains(body, `"available_updates":null`) {
			t.Errorf("status just after the boot: %s", body)
		}
		h.pass(plugAsks)
		_, body, _ = h.get(h.client, plug1+"/rpc/Shelly.GetStatus")
		if !contains(body, `"available_updates":{"stable":{"version":"1.4.4"}}`) {
			t.Errorf("status: %s", body)
		}
		if status, body, err := h.get(h.client, plug1+"/rpc/Shelly.Update?stage=stable"); status != 200 || err != nil {
			t.Fatalf("update: %d %s %v", status, body, err)
		}
		h.pass(time.Minute)
		if f := d.Facts(); f.InstalledVersion != "1.4.4" || f.Flashes[0].DeliveryPath != PathVendor {
			t.Errorf("facts: %+v", f)
		}
		d.Offer("", nil)
		if status, body, _ := h.get(h.client, plug1+"/rpc/Shelly.Update?stage=stable"); status != 500 || !contains(body, `-114,"message":"Resource unavailable: FW stage stable not found!"`) {
			t.Errorf("update without an offer: %d %s", status, body)
		}
	})
}

func TestPlugReboot(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		if status, _, err := h.get(h.client, plug1+"/rpc/Shelly.Reboot"); status != 200 || err != nil {
			t.Fatal(status, err)
		}
		h.pass(2 * time.Second)
		short := *h.client
		short.Timeout = 5 * time.Second
		if _, _, err := h.get(&short, plug1+"/shelly"); err == nil {
			t.Error("the plug answers while it reboots")
		}
		h.pass(30 * time.Second)
		if _, body, err := h.get(h.client, plug1+"/rpc/Sys.GetStatus"); err != nil || !contains(body, `"restart_required":false`) {
			t.Error(body, err)
		}
	})
}

// TestBusyPlug refuses an update while another runs, or its fault says so, and takes it afterwards.
func TestBusyPlug(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		url, stop := h.serveImage(small("1.4.4"))
		defer stop()
		h.fault("plug-1", FaultBusy)
		if fail := h.update(url); fail["code"] != float64(codePrecondition) || len(h.device("plug-1").Facts().Flashes) != 0 {
			t.Errorf("busy: %v", fail)
		}
		if err := h.ClearFaults("plug-1"); err != nil {
			t.Fatal(err)
		}
		if fail := h.update(url); fail != nil {
			t.Errorf("free again: %v", fail)
		}
	})
}

// TestPlugFaults gives each fault its update and says what must have become of the plug two minutes later.
func TestPlugFaults(t *testing.T) {
	wrong := BuildImage(ImageSpec{Family: FamilyCamera, Model: "P3265-LV", Version: "11.0.0", Size: 50_000})
	for _, c := range []struct {
		name, fault string
		image       []byte
		version     string
		outcome     string
		answers     bool
		bricked     bool
		switchUp    bool
	}{
		{"none", "", small("1.4.4"), "1.4.4", OutcomeInstalled, true, false, true},
		{"wrong model refused", "", wrong, "1.0.3", OutcomeWrongModel, true, false, true},
		{"bad checksum", "", small("1.4.4", FlawWrongChecksum), "1.0.3", OutcomeInvalid, true, false, true},
		{"bad magic", "", small("1.4.4", FlawWrongMagic), "1.0.3", OutcomeInvalid, true, false, true},
		{"cut off", "", small("1.4.4")[:500], "1.0.3", OutcomeInvalid, true, false, true},
		{"boot loop", "", small("1.4.4", FlawBootLoop), "1.0.3", OutcomeReverted, true, false, true},
		{"wrong model bricks", FaultWrongModelBricks, wrong, "11.0.0", OutcomeBricked, false, true, false},
		{"silent after update", FaultSilentAfterUpdate, small("1.4.4"), "1.4.4", OutcomeInstalled, false, false, false},
		{"old version back", FaultOldVersionBack, small("1.4.4"), "1.0.3", OutcomeReverted, true, false, true},
		{"nothing", FaultAcceptedAndNothing, small("1.4.4"), "1.0.3", "", true, false, true},
		{"dead service", FaultDeadService, small("1.4.4"), "1.4.4", OutcomeInstalled, true, false, false},
		{"power cut", FaultPowerCut, small("1.4.4"), "1.0.3", OutcomePowerCut, true, false, true},
		{"wrong hardware", FaultWrongHardware, small("1.4.4"), "1.4.4", OutcomeInstalled, true, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, h *house) {
				if c.fault != "" {
					h.fault("plug-1", c.fault)
				}
				url, stop := h.serveImage(c.image)
				defer stop()
				if fail := h.update(url); fail != nil {
					t.Fatal(fail)
				}
				h.pass(3 * time.Minute)
				d := h.device("plug-1")
				f := d.Facts()
				if f.InstalledVersion != c.version || lastFlash(d).Outcome != c.outcome || f.Bricked != c.bricked ||
					f.ServiceUp["switch"] != c.switchUp {
					t.Errorf("facts: %+v", f)
				}
				client := *h.client
				client.Timeout = 10 * time.Second
				_, body, err := h.get(&client, plug1+"/shelly")
				if answers := err == nil; answers != c.answers {
					t.Fatalf("answers: %v, %v", answers, err)
				}
				if c.answers && !contains(body, fmt.Sprintf(`"ver":%q`, c.version)) {
					t.Errorf("/shelly: %s", body)
				}
				if c.fault == FaultDeadService {
					if status, body, _ := h.get(&client, plug1+"/rpc/Switch.GetStatus?id=0"); status != 404 {
						t.Errorf("dead switch: %d %s", status, body)
					}
				}
				if c.fault == FaultWrongHardware && !contains(body, `"gen":3`) {
					t.Errorf("/shelly: %s", body)
				}
			})
		})
	}
}

func TestSingleSlotPlugDiesFromPowerCut(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		d, err := h.AddPlug(PlugSpec{Place: Place{Name: "old"}, SingleSlot: true})
		if err != nil {
			t.Fatal(err)
		}
		h.fault("old", FaultPowerCut)
		d.Offer("1.4.4", small("1.4.4"))
		if status, _, err := h.get(h.client, "http://"+d.Facts().Addrs[0].String()+"/rpc/Shelly.Update"); status != 200 {
			t.Fatal(status, err)
		}
		h.pass(5 * time.Minute)
		if f := d.Facts(); !f.Bricked || f.Powered || lastFlash(d).Outcome != OutcomePowerCut || len(f.Slots) != 1 {
			t.Errorf("facts: %+v", f)
		}
	})
}

func TestPlugCannotFetch(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		for _, url := range []string{"http://192.168.20.2:1/closed", "http://192.168.20.99/nobody"} {
			h.update(url)
			h.pass(5 * time.Minute)
			if got := lastFlash(h.device("plug-1")).Outcome; got != OutcomeDownloadFailed {
				t.Errorf("%s: %s", url, got)
			}
		}
		if fail := h.update("ftp://192.168.20.2/x"); fail["code"] != float64(codeBadArgument) {
			t.Errorf("ftp: %v", fail)
		}
	})
}

func TestTwoHundredPlugs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Options{})
		h := newHouse(t, l)
		for i := range 200 {
			if _, err := l.AddPlug(PlugSpec{Place: Place{Name: fmt.Sprintf("p%03d", i)}}); err != nil {
				t.Fatal(err)
			}
		}
		url, stop := h.serveImage(small("1.4.4"))
		macs := map[string]bool{}
		for _, d := range l.Devices() {
			f := d.Facts()
			macs[f.MACs[0]] = true
			_, answer, err := h.post(h.client, fmt.Sprintf("http://%s/rpc/Shelly.Update", f.Addrs[0]), map[string]any{"url": url})
			if err != nil {
				t.Fatal(answer, err)
			}
		}
		h.pass(24 * time.Hour)
		for _, d := range l.Devices() {
			if f := d.Facts(); f.InstalledVersion != "1.4.4" || !f.Powered {
				t.Errorf("%s runs %s", d.Name(), f.InstalledVersion)
			}
		}
		if len(macs) != 200 {
			t.Errorf("%d hardware addresses", len(macs))
		}
		stop()
		l.Close()
	})
}
