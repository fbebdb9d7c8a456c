package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/firmward/firmward/wire/wiretest/needs"
)

// module asks for a module of Debian's Python, as tool for a program.
func module(t *testing.T, name, debianPackage string) (python string) {
	t.Helper()
	python = tool(t, "/usr/bin/python3", "python3")
	if exec.CommandContext(t.Context(), python, "-c", "import "+name).Run() != nil {
		needs.Missing(t, fmt.Sprintf("%s is not installed: Debian package %s", name, debianPackage))
	}
	return python
}

// tool finds a program; see missing.
func tool(t *testing.T, name, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	needs.Missing(t, fmt.Sprintf("%s is not installed: Debian package %s", name, debianPackage))
	return ""
}

// onLoopback starts a standard lab with sockets and returns a way to find them.
func onLoopback(t *testing.T, clock *Clock) (l *Lab, real func(virtual string) string) {
	t.Helper()
	l, err := Standard(Options{Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	ports, err := l.ServeLoopback(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	return l, func(virtual string) string {
		t.Helper()
		for _, p := range ports {
			if p.Virtual.String() == virtual {
				return p.Real.String()
			}
		}
		t.Fatalf("no socket for %s in\n%s", virtual, ports)
		return ""
	}
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func expectAll(t *testing.T, out string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !contains(out, p) {
			t.Errorf("%q is missing in:\n%s", p, out)
		}
	}
}

func TestCurlAgainstPlugsAndCameras(t *testing.T) {
	curl := tool(t, "curl", "curl")
	_, real := onLoopback(t, nil)
	plug2, cam := "http://"+real("192.168.20.12:80"), "http://"+real("10.40.0.11:80")
	expectAll(t, run(t, curl, "-sS", plug2+"/shelly"), `"app":"PlusPlugS"`, `"auth_en":true`)
	rpc := []string{"-sS", "-w", "%{http_code}", "--digest", "-d", `{"id":1,"method":"Sys.GetStatus"}`, plug2 + "/rpc"}
	expectAll(t, run(t, curl, append(rpc, "-u", "admin:"+PlugPassword)...), `"restart_required":false`, "200")
	expectAll(t, run(t, curl, append(rpc, "-u", "admin:wrong")...), "401")
	// Who it is, a plug tells without a password; the challenge for the rest is by SHA-256 and names the device.
	expectAll(t, run(t, curl, "-sS", "-d", `{"id":1,"src":"me","method":"Shelly.GetDeviceInfo"}`, plug2+"/rpc"), `"dst":"me"`, `"auth_en":true`)
	expectAll(t, run(t, curl, "-sS", "-i", plug2+"/rpc/Sys.GetStatus"), "HTTP/1.1 401", `Digest realm="shellyplusplugs-`, `qop="auth"`, "algorithm=SHA-256")
	expectAll(t, run(t, curl, "-sS", "-w", "%{http_code}", "http://"+real("192.168.20.11:80")+"/rpc/Shelly.Update?stage=beta"), "-114", "FW stage beta not found", "500")
	status := []string{"-sS", "-w", "%{http_code}", "--digest", "-d", `{"apiVersion":"1.0","method":"status"}`, cam + firmware}
	expectAll(t, run(t, curl, append(status, "-u", "root:"+CameraPassword)...), `"activeFirmwareVersion":"10.12.206"`, "200")
	expectAll(t, run(t, curl, append(status, "-u", "root:wrong")...), "401")
	expectAll(t, run(t, curl, "-sS", "-w", "%{http_code}", "--digest", "-u", "root:"+CameraPassword, "-d", `{"apiVersion":"2.0","method":"status"}`, cam+firmware), `"code":417`, "200")
}

// TestCurlMeetsBusyDevices shows the faults of HTTP to an independent client.
func TestCurlMeetsBusyDevices(t *testing.T) {
	curl := tool(t, "curl", "curl")
	l, real := onLoopback(t, nil)
	fault := func(device, fault string) {
		t.Helper()
		if err := l.Fault(device, fault); err != nil {
			t.Fatal(err)
		}
	}
	fault("plug-1", FaultBusy)
	expectAll(t, run(t, curl, "-sS", "-d", `{"id":1,"method":"Shelly.Update","params":{"url":"http://127.0.0.1/x"}}`, "http://"+real("192.168.20.11:80")+"/rpc"), `"code":-109`)
	fault("plug-3", FaultOverloaded)
	expectAll(t, run(t, curl, "-sS", "-i", "-d", `{}`, "http://"+real("192.168.20.13:80")+"/rpc"), "HTTP/1.1 503", "Retry-After: 60")
	fault("plug-4", FaultHugeAnswer)
	big := run(t, curl, "-sS", "-o", "/dev/null", "-w", "%{size_download} %{http_code}", "-d", `{}`, "http://"+real("192.168.20.14:80")+"/rpc")
	expectAll(t, big, fmt.Sprint(maxHuge), "200")
	fault("cam-1", FaultBusy)
	file := filepath.Join(t.TempDir(), "fw.bin")
	if err := os.WriteFile(file, smallCam("11.11.192"), 0o600); err != nil {
		t.Fatal(err)
	}
	expectAll(t, run(t, curl, "-sS", "--digest", "-u", "root:"+CameraPassword, "-F", `data={"apiVersion":"1.0","method":"upgrade"};type=application/json`,
		"-F", "file=@"+file+";type=application/octet-stream", "http://"+real("10.40.0.11:80")+firmware), `"code":423`)
}

// TestCurlUpgradesACamera lets an independent client send the multipart upload, on a clock that runs 600 times as fast.
func TestCurlUpgradesACamera(t *testing.T) {
	curl := tool(t, "curl", "curl")
	l, real := onLoopback(t, ScaledClock(time.Now(), 600))
	file := filepath.Join(t.TempDir(), "fw.bin")
	if err := os.WriteFile(file, smallCam("11.11.192"), 0o600); err != nil {
		t.Fatal(err)
	}
	call := `{"apiVersion":"1.0","method":"upgrade","params":{"autoCommit":"boot","autoRollback":"never"}}`
	out := run(t, curl, "-sS", "--digest", "-u", "root:"+CameraPassword, "-F", "data="+call+";type=application/json",
		"-F", "file=@"+file+";type=application/octet-stream", "http://"+real("10.40.0.11:80")+firmware)
	expectAll(t, out, `"firmwareVersion":"11.11.192"`)
	// The camera is dark for 0.2 s; the connection that comes in meanwhile is answered once it is back.
	out = run(t, curl, "-sS", "--retry", "20", "--retry-all-errors", "--retry-delay", "1", "--max-time", "5",
		"--json", `{"method":"getAllUnrestrictedProperties"}`, "http://"+real("10.40.0.11:80")+info)
	expectAll(t, out, `"Version":"1`)
	d, _ := l.Device("cam-1")
	if got := lastFlash(d); got.Version != "11.11.192" || got.DeliveryPath != PathPush {
		t.Errorf("flash: %+v", got)
	}
}

// TestCurlUpdatesWLED reads a light controller and sends it an image as a person's browser would: a form with a file.
func TestCurlUpdatesWLED(t *testing.T) {
	curl := tool(t, "curl", "curl")
	l := New(Options{Clock: ScaledClock(time.Now(), 100)})
	defer l.Close()
	strip, err := l.AddWLED(WLEDSpec{Place: Place{Name: "strip"}, PIN: "7391"})
	if err != nil {
		t.Fatal(err)
	}
	ports, err := l.ServeLoopback(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	at := "http://" + ports[0].Real.String()
	// The start page comes packed, asked or not.
	expectAll(t, run(t, curl, "-sS", "--compressed", "-i", at+"/"), "Content-Encoding: gzip", "<title>WLED</title>")
	expectAll(t, run(t, curl, "-sS", at+"/json/info"), `{"ver":"0.15.0"`, `"release":"ESP32"`, `"arch":"esp32"`, `"brand":"WLED"`, `"mac":"`+strip.Facts().Serial+`"`)
	expectAll(t, run(t, curl, "-sS", at+"/json/si"), `"info":{"ver"`, `"state":{`, `"on":true`)
	file := func(release string) string {
		path := filepath.Join(t.TempDir(), release+".bin")
		image := BuildImage(ImageSpec{Family: FamilyWLED, Model: release, Version: "0.15.1", Size: 60_000})
		if err := os.WriteFile(path, image, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	update := func(path string) string {
		return run(t, curl, "-sS", "-w", "%{http_code}", "-F", "update=@"+path, at+"/update")
	}
	right := file("ESP32")
	expectAll(t, update(right), "401", "PIN")
	expectAll(t, run(t, curl, "-sS", "--json", `{"pin":"7391"}`, at+"/json/state"), `{"success":true}`)
	expectAll(t, update(file("ESP8266")), "500", "Update failed!", "Ignore firmware validation")
	if err := l.Fault("strip", FaultBusy); err != nil {
		t.Fatal(err)
	}
	expectAll(t, update(right), "503")
	if err := l.ClearFaults("strip"); err != nil {
		t.Fatal(err)
	}
	expectAll(t, update(right), "200", "Update successful!")
	expectAll(t, run(t, curl, "-sS", "--retry", "20", "--retry-all-errors", "--retry-delay", "1", "--max-time", "5", at+"/json/info"), `{"ver":"0.15.`)
	if got := lastFlash(strip); got.Version != "0.15.1" || got.DeliveryPath != PathPush {
		t.Errorf("flash: %+v", got)
	}
}

// alone puts the one device of a lab on loopback and finds the socket of a port.
func alone(t *testing.T, l *Lab) func(port uint16) string {
	t.Helper()
	ports, err := l.ServeLoopback(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	return func(port uint16) string {
		return ports[slices.IndexFunc(ports, func(m PortMapping) bool { return m.Virtual.Port() == port })].Real.String()
	}
}

func TestNetSNMPAgainstPrinter(t *testing.T) {
	get, walk, bulk := tool(t, "snmpget", "snmp"), tool(t, "snmpwalk", "snmp"), tool(t, "snmpbulkwalk", "snmp")
	l, real := onLoopback(t, nil)
	d, _ := l.Device("printer-1")
	args := []string{"-v2c", "-cpublic", "-On", "-t2", "-r1", "udp:" + real("192.168.20.40:161")}
	out := run(t, get, append(args, "1.3.6.1.2.1.1.2.0", "1.3.6.1.2.1.47.1.1.1.1.10.1", "1.3.6.1.2.1.43.5.1.1.17.1",
		"1.3.6.1.2.1.2.2.1.6.1", "1.3.6.1.2.1.1.3.0", "1.3.6.1.2.1.25.1.2.0", "1.3.6.1.2.1.1.99.0")...)
	expectAll(t, out, "OID: .1.3.6.1.4.1.11.2.3.9.1", `"20200612"`, d.Facts().Serial, "Hex-STRING: 3C 52 82", "Timeticks:",
		"No Such Object")
	for _, w := range []string{walk, bulk} {
		out = run(t, w, append(args, "1.3.6.1")...)
		expectAll(t, out, "CIDATE 20200612", ".1.3.6.1.2.1.47.1.1.1.1.13.1 = STRING: \"HP Color LaserJet MFP M478f\"")
		if n := strings.Count(out, "\n"); n < 20 {
			t.Errorf("a walk gave %d lines", n)
		}
	}
}

func TestIPPToolAgainstPrinter(t *testing.T) {
	ipptool := tool(t, "ipptool", "cups-ipp-utils")
	file := filepath.Join(t.TempDir(), "get.test")
	script := `{
	NAME "Get-Printer-Attributes"
	OPERATION Get-Printer-Attributes
	GROUP operation-attributes-tag
	ATTR charset attributes-charset utf-8
	ATTR naturalLanguage attributes-natural-language en
	ATTR uri printer-uri $uri
	STATUS successful-ok
	EXPECT printer-firmware-string-version OF-TYPE text WITH-VALUE "20190101"
	EXPECT printer-firmware-name OF-TYPE name
	EXPECT printer-make-and-model OF-TYPE text WITH-VALUE "HP Color LaserJet MFP M478f"
	EXPECT printer-uuid OF-TYPE uri
	EXPECT printer-state OF-TYPE enum WITH-VALUE 3
	EXPECT operations-supported OF-TYPE enum
	EXPECT printer-up-time OF-TYPE integer WITH-VALUE >0
	EXPECT charset-supported OF-TYPE charset COUNT 2
}
`
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	l, real := onLoopback(t, nil)
	printer := "ipp://" + real("192.168.20.40:631") + "/ipp/print"
	out := run(t, ipptool, "-tv", printer, file)
	expectAll(t, out, "[PASS]")
	// The file that comes with ipptool: what a printer of today must tell, collections included.
	expectAll(t, run(t, ipptool, "-tv", printer, "get-printer-attributes.test"), "[PASS]", "media-col-default (collection) = {media-type=stationery media-top-margin=423}")
	if err := l.Fault("printer-1", FaultBusy); err != nil {
		t.Fatal(err)
	}
	busy := strings.Replace(script, "STATUS successful-ok", "STATUS server-error-busy", 1)
	if err := os.WriteFile(file, []byte(busy[:strings.Index(busy, "\tEXPECT")]+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	expectAll(t, run(t, ipptool, "-tv", printer, file), "[PASS]", "server-error-busy")
}

func TestMosquittoAgainstBroker(t *testing.T) {
	sub, pub := tool(t, "mosquitto_sub", "mosquitto-clients"), tool(t, "mosquitto_pub", "mosquitto-clients")
	l := New(Options{})
	defer l.Close()
	for _, spec := range []BrokerSpec{{Place: Place{Name: "open"}}, {Place: Place{Name: "private"}, Private: true}} {
		if _, err := l.AddBroker(spec); err != nil {
			t.Fatal(err)
		}
	}
	ports, err := l.ServeLoopback(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	at := func(i int, more ...string) []string {
		return append([]string{"-V", "mqttv311", "-h", "127.0.0.1", "-p", fmt.Sprint(ports[i].Real.Port())}, more...)
	}
	out := run(t, sub, at(0, "-v", "-C", "2", "-W", "10", "-t", "$SYS/broker/version", "-t", "house/door/front")...)
	expectAll(t, out, "$SYS/broker/version mosquitto version 2.0.11", "house/door/front open")
	run(t, pub, at(0, "-t", "house/door/front", "-m", "shut", "--will-topic", "gone", "--will-payload", "yes")...)
	for _, name := range [][]string{nil, {"-u", "anna", "-P", "guess"}} {
		said, err := exec.CommandContext(t.Context(), sub, at(1, append(name, "-C", "1", "-W", "10", "-t", "x")...)...).CombinedOutput()
		if want := [...]string{"not authorised", "bad user name or password"}[len(name)/4]; err == nil || !contains(string(said), want) {
			t.Errorf("a private broker and %v: %v, %s; want %s", name, err, said, want)
		}
	}
}

// TestFFProbeAgainstPrivateCamera answers the challenge of a stream, request for request, as an independent client does.
func TestFFProbeAgainstPrivateCamera(t *testing.T) {
	ffprobe := tool(t, "ffprobe", "ffmpeg")
	l := New(Options{})
	defer l.Close()
	if _, err := l.AddCamera(CameraSpec{Place: Place{Name: "cam"}, Private: true}); err != nil {
		t.Fatal(err)
	}
	ports, err := l.ServeLoopback(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	at := ports[slices.IndexFunc(ports, func(m PortMapping) bool { return m.Virtual.Port() == 554 })].Real.String()
	args := []string{"-v", "error", "-rtsp_transport", "tcp", "-show_entries", "stream=codec_name", "-of", "flat"}
	expectAll(t, run(t, ffprobe, append(args, "rtsp://root:"+CameraPassword+"@"+at+"/axis-media/media.amp")...), `codec_name="h264"`)
	out, err := exec.CommandContext(t.Context(), ffprobe, append(args, "rtsp://root:wrong@"+at+"/axis-media/media.amp")...).CombinedOutput()
	if err == nil || !contains(string(out), "401 Unauthorized") {
		t.Errorf("with a wrong password: %v\n%s", err, out)
	}
}

func TestPlugFetchesFromLoopback(t *testing.T) {
	l, real := onLoopback(t, ScaledClock(time.Now(), 1000))
	image := small("1.4.4")
	served := make(chan struct{})
	files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write(image)
		close(served)
	}))
	defer files.Close()
	res, err := http.Get("http://" + real("192.168.20.11:80") + "/rpc/Shelly.Update?url=" + files.URL)
	if err != nil || res.StatusCode != 200 {
		t.Fatal(res, err)
	}
	res.Body.Close()
	select {
	case <-served:
	case <-time.After(10 * time.Second):
		t.Fatal("the plug never fetched its image")
	}
	d, _ := l.Device("plug-1")
	if got := lastFlash(d); got.DeliveryPath != PathPull {
		t.Errorf("flash: %+v", got)
	}
	// Only loopback is reached by real sockets; any other address is one of the lab's network.
	if _, err := d.dial(t.Context(), "tcp", "192.168.20.12:81"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dial a closed port of plug-2: %v", err)
	}
}

func TestLoopbackShowsFaults(t *testing.T) {
	l, real := onLoopback(t, nil)
	d, _ := l.Device("cam-1")
	d.mu.Lock()
	d.running["rtsp"]()
	d.mu.Unlock()
	c, err := net.Dial("tcp", real("10.40.0.11:554"))
	if err == nil {
		_, err = c.Read(make([]byte, 1))
		c.Close()
	}
	if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dead service: %v", err)
	}
	if err := l.Fault("cam-2", FaultSilent); err != nil {
		t.Fatal(err)
	}
	if c, err = net.Dial("tcp", real("10.40.0.12:80")); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "GET / HTTP/1.0\r\n\r\n")
	c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("silent device: %v", err)
	}
}

func TestPortMap(t *testing.T) {
	l, err := Standard(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	base := probe.Addr().(*net.TCPAddr).Port
	if _, err := l.ServeLoopback(t.Context(), base); err == nil {
		t.Error("served on a port that is taken")
	}
	probe.Close()
	ports, err := l.ServeLoopback(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(ports[0])
	want := fmt.Sprintf(`{"device":"cam-1","network":"tcp","virtual":"10.40.0.11:80","real":"%s","mac":"%s"}`, ports[0].Real, ports[0].MAC)
	if string(text) != want || err != nil {
		t.Errorf("JSON %s, want %s, %v", text, want, err)
	}
	lines := strings.Split(ports.String(), "\n")
	if len(lines) != len(ports)+2 || strings.Index(lines[0], "REAL") != strings.Index(lines[1], "127.0.0.1") {
		t.Errorf("table:\n%s", ports)
	}
	res := httptest.NewRecorder()
	l.ControlHandler().ServeHTTP(res, httptest.NewRequest("GET", "http://localhost:1/lab/portmap", nil))
	var again PortMap
	if err := json.Unmarshal(res.Body.Bytes(), &again); err != nil || len(again) != len(ports) {
		t.Errorf("%d ports from the control, %v", len(again), err)
	}
}

func TestControl(t *testing.T) {
	l, err := Standard(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	h := l.ControlHandler()
	for _, c := range []struct {
		method, url, body string
		status            int
		want              string
	}{
		{"GET", "http://127.0.0.1:1/lab/devices", "", 200, `"name":"pump-2"`},
		{"GET", "http://localhost/lab/devices/cam-5", "", 200, `"hardwareRev":"7B0"`},
		{"GET", "http://[::1]:9/lab/devices/toaster", "", 404, "plug-g3-1"},
		{"GET", "http://evil.example/lab/devices", "", 403, "loopback"},
		{"GET", "http://localhost/lab/faults", "", 200, FaultDrip},
		{"POST", "http://localhost/lab/devices/cam-5/faults", `{"fault":"silent"}`, 200, `"faults":["silent"]`},
		{"POST", "http://localhost/lab/devices/cam-5/faults", `{"fault":"gremlins"}`, 400, "unknown fault"},
		{"POST", "http://localhost/lab/devices/cam-5/faults", `{`, 400, "error"},
		{"DELETE", "http://localhost/lab/devices/cam-5/faults", "", 200, `"faults":[]`},
		{"POST", "http://localhost/lab/devices/pump-1/install", `{"version":"12.1"}`, 200, `"installedVersion":"12.1"`},
		{"POST", "http://localhost/lab/devices/cam-1/install", `{"version":"12.1"}`, 400, "no such way"},
		{"POST", "http://localhost/lab/devices/plug-1/battery", `{"percent":22,"external":true}`, 200, `"battery":22,"external":true`},
		{"POST", "http://localhost/lab/devices/plug-1/battery", `{"external":true}`, 400, "percent is missing"},
		{"POST", "http://localhost/lab/devices/plug-1/signal", `{"dBm":-84}`, 200, `"signal":-84`},
		{"POST", "http://localhost/lab/devices/plug-1/signal", `{"dBm":84}`, 400, "84 dBm is none"},
		{"POST", "http://localhost/lab/devices/cam-1/power-cycle", "", 200, `"powered":false`},
	} {
		res := httptest.NewRecorder()
		h.ServeHTTP(res, httptest.NewRequest(c.method, c.url, strings.NewReader(c.body)))
		body, _ := io.ReadAll(res.Body)
		if res.Code != c.status || !contains(string(body), c.want) {
			t.Errorf("%s %s: %d %.200s", c.method, c.url, res.Code, body)
		}
	}
}

// elsewhere opens the sockets that are asked for on loopback, all but one.
type elsewhere struct {
	net.ListenConfig
	taken string
	real  map[string]string // "tcp 192.168.20.30:80" → where it is
}

func (e *elsewhere) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	if address == e.taken {
		return nil, syscall.EADDRINUSE
	}
	l, err := e.ListenConfig.Listen(ctx, network, "127.0.0.1:0")
	if err == nil {
		e.real[network+" "+address] = l.Addr().String()
	}
	return l, err
}

func TestServeOn(t *testing.T) {
	l, err := Standard(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	nas, _ := l.Device("nas-1")
	sockets := &elsewhere{taken: "192.168.20.30:445", real: map[string]string{}}
	if err := nas.ServeOn(t.Context(), sockets); !errors.Is(err, syscall.EADDRINUSE) || !contains(err.Error(), "tcp 192.168.20.30:445 of nas-1") {
		t.Errorf("a port that is taken: %v", err)
	}
	first := sockets.real["tcp 192.168.20.30:80"]
	deadline := time.Now().Add(5 * time.Second)
	for c, err := net.Dial("tcp", first); err == nil; c, err = net.Dial("tcp", first) { // it closes beside this test
		c.Close()
		if time.Now().After(deadline) {
			t.Fatal("the first socket stays open although the second could not be opened")
		}
	}
	sockets.taken = ""
	if err := nas.ServeOn(t.Context(), sockets); err != nil {
		t.Fatal(err)
	}
	res, err := http.Get("http://" + sockets.real["tcp 192.168.20.30:80"] + "/xml/info.xml")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	if !contains(string(body), "<ip>192.168.20.30</ip><device>DNS-320L</device>") || nas.Facts().Ports["tcp/80"].Conns == 0 {
		t.Errorf("%s\n%+v", body, nas.Facts().Ports)
	}
}
