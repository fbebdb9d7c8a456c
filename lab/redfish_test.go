package lab

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func redfishImage(model, controller, version string) []byte {
	return BuildImage(ImageSpec{Family: FamilyRedfish, Model: model, HardwareRev: controller, Version: version, Size: 2 << 20})
}

// rack is a lab with one management controller on loopback, and a curl that asks it as its owner.
func rack(t *testing.T, clock *Clock) (l *Lab, bmc *Device, at string, ask func(args ...string) string) {
	t.Helper()
	curl := tool(t, "curl", "curl")
	l = New(Options{Clock: clock})
	t.Cleanup(func() { l.Close() })
	bmc, err := l.AddRedfish(RedfishSpec{Place: Place{Name: "bmc"}})
	if err != nil {
		t.Fatal(err)
	}
	at = "https://" + alone(t, l)(443)
	return l, bmc, at, func(args ...string) string {
		return run(t, curl, append([]string{"-sSk", "-u", "root:" + RedfishPassword}, args...)...)
	}
}

// TestCurlUpdatesRedfish asks a controller and pushes images to it as a form.
func TestCurlUpdatesRedfish(t *testing.T) {
	l, bmc, at, ask := rack(t, ScaledClock(time.Now(), 100))
	curl := tool(t, "curl", "curl")
	expectAll(t, run(t, curl, "-sSk", at+"/redfish/v1/"), `"RedfishVersion":"1.15.0"`, `"UUID":"`, `"Managers":{"@odata.id":"/redfish/v1/Managers"}`)
	expectAll(t, run(t, curl, "-sSk", "-w", "%{http_code}", at+"/redfish/v1/Managers/1"), "401", "NoValidSession")
	expectAll(t, ask(at+"/redfish/v1/Managers/1"), `"FirmwareVersion":"1.45.0"`, `"Model":"CX-4"`, `"#Manager.Reset"`)
	expectAll(t, ask(at+"/redfish/v1/Systems/1"), `"SerialNumber":"`+bmc.Facts().Serial+`"`, `"Model":"RX-3500"`)
	expectAll(t, ask(at+"/redfish/v1/UpdateService"), `"MultipartHttpPushUri":"/redfish/v1/UpdateService/upload"`, `"#UpdateService.SimpleUpdate"`)
	expectAll(t, ask("-w", "%{http_code}", at+"/redfish/v1/Chassis"), "404", "ResourceMissingAtURI")
	push := func(image []byte) string {
		path := filepath.Join(t.TempDir(), "bmc.bin")
		if err := os.WriteFile(path, image, 0o600); err != nil {
			t.Fatal(err)
		}
		return ask("-i", "-F", `UpdateParameters={"Targets":["/redfish/v1/Managers/1"],"@Redfish.OperationApplyTime":"Immediate"};type=application/json`,
			"-F", "UpdateFile=@"+path+";type=application/octet-stream", at+"/redfish/v1/UpdateService/upload")
	}
	expectAll(t, push(redfishImage("RX-4500", "", "1.46.2")), " 400 ", "Update.1.0.VerificationFailed")
	expectAll(t, push([]byte("hello")), " 400 ", "Update.1.0.VerificationFailed")
	expectAll(t, ask("-w", "%{http_code}", "-F", "UpdateFile=x", at+"/redfish/v1/UpdateService/upload"), "400", "UpdateParameters")
	if err := l.Fault("bmc", FaultBusy); err != nil {
		t.Fatal(err)
	}
	expectAll(t, push(redfishImage("RX-3500", "CX-4", "1.46.2")), " 503 ", "UpdateInProgress")
	if err := l.ClearFaults("bmc"); err != nil {
		t.Fatal(err)
	}
	expectAll(t, ask(at+"/redfish/v1/TaskService/Tasks/1"), `"TaskState":"Exception"`)
	expectAll(t, push(redfishImage("RX-3500", "CX-4", "1.46.2")), " 202 ", "Location: /redfish/v1/TaskService/TaskMonitors/3", `"TaskState":"Running"`)
	updated(t, bmc, "1.46.2", PathPush)
	expectAll(t, ask("--retry", "20", "--retry-all-errors", "--retry-delay", "1", "--max-time", "5", at+"/redfish/v1/UpdateService/FirmwareInventory/BMC"), `"Version":"1.46.2"`)
}

// updated waits for a device to run a version.
func updated(t *testing.T, d *Device, version, path string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); d.Facts().InstalledVersion != version || !d.Facts().Powered; {
		if time.Now().After(deadline) {
			t.Fatalf("it runs %s: %+v", d.Facts().InstalledVersion, lastFlash(d))
		}
		if err := d.clock().Wait(t.Context(), time.Second); err != nil {
			t.Fatal(err)
		}
	}
	if got := lastFlash(d); got.Version != version || got.DeliveryPath != path {
		t.Errorf("flash: %+v", got)
	}
}

// sushyClient is what an independent client does: it logs in with a session, finds its way by links, and starts an update by pull.
const sushyClient = `
import os, sys, warnings
warnings.filterwarnings("ignore")
for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
    os.environ.pop(name, None) # they would outweigh verify=False
import sushy
address, password, image = sys.argv[1:]
s = sushy.Sushy(address, username="root", password=password, verify=False)
m, = s.get_manager_collection().get_members()
c, = s.get_system_collection().get_members()
u = s.get_update_service()
print("root", s.redfish_version, s.uuid, s.product)
print("manager", m.model, m.firmware_version, m.manager_type)
print("system", c.manufacturer, c.json["Model"], c.serial_number, c.uuid, c.power_state)
for f in u.firmware_inventory.get_members():
    print("inventory", f.identity, f.version, f.updateable)
print("service", u.service_enabled, sorted(str(p) for p in u.get_allowed_transfer_protocols()))
t = u.simple_update(image, transfer_protocol=sushy.UPDATE_PROTOCOL_HTTP)
print("task", t.task_monitor_uri, t.get_task().task_state)
`

// TestSushyUpdatesRedfish lets OpenStack's client read the controller and start an update by pull.
func TestSushyUpdatesRedfish(t *testing.T) {
	python := module(t, "sushy", "python3-sushy")
	_, bmc, at, _ := rack(t, ScaledClock(time.Now(), 50))
	image, err := bmc.Image("1.46.2") // large enough to be seen on its way
	if err != nil {
		t.Fatal(err)
	}
	files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(image) }))
	defer files.Close()
	out := run(t, python, "-c", sushyClient, at, RedfishPassword, files.URL+"/bmc.bin")
	expectAll(t, out, "root 1.15.0 30393137-3436-5841-", "Contoso Management Controller", "manager CX-4 1.45.0 ManagerType.BMC",
		"system Contoso RX-3500 "+bmc.Facts().Serial, "inventory BMC 1.45.0 True", "inventory BIOS 2.18.1 False", "service True",
		"task /redfish/v1/TaskService/Task", "TaskState.RUNNING")
	updated(t, bmc, "1.46.2", PathPull)
}

// TestRedfishCertificate: the same seed gives the same key, and KeyOf tells which.
func TestRedfishCertificate(t *testing.T) {
	_, _, at, _ := rack(t, nil)
	c, err := tls.Dial("tcp", strings.TrimPrefix(at, "https://"), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, want := fmt.Sprint(c.ConnectionState().PeerCertificates[0].PublicKey), fmt.Sprint(keyOf("bmc").Public()); got != want || KeyOf("bmc") == KeyOf("other") {
		t.Errorf("key %s, want %s", got, want)
	}
}

// FuzzImagePart reads any form: it finds the image, or says in words what is missing.
func FuzzImagePart(f *testing.F) {
	const head = "--b\r\nContent-Disposition: form-data; name=\"UpdateParameters\"\r\n\r\n"
	f.Add([]byte(head + "{\"Targets\":[]}\r\n--b\r\nContent-Disposition: form-data; name=\"UpdateFile\"; filename=\"x\"\r\n\r\nimage\r\n--b--\r\n"))
	f.Add([]byte(head + "{\"Targets\":[\"/redfish/v1/Systems/1\"]}\r\n--b--"))
	f.Add([]byte("--b\r\n\r\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequest(http.MethodPost, "https://192.0.2.1/", bytes.NewReader(body))
		r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
		file, lacks := imagePart(r)
		if (file == nil) != (lacks != "") {
			t.Fatalf("file %v, lacks %q", file, lacks)
		}
		if file != nil {
			if _, err := readImage(file); err == nil {
				t.Skip("an image")
			}
		}
	})
}
