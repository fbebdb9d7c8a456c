package lab

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"time"
)

// WLEDSpec describes a light controller that runs WLED.
type WLEDSpec struct {
	Place
	Release string // name of the build, as images carry it too; ESP32 if empty
	Arch    string // esp32 if empty; an esp8266 has one slot and no way back
	Version string // 0.15.0 if empty
	PIN     string // of its settings; empty: they are open
	OTALock bool   // takes no update over the network
}

// light is a controller with WLED. Its state is guarded by the device's mutex.
type light struct {
	*Device
	release, arch string
	pin           string
	locked        bool // OTA lock
	unlocked      bool // the PIN was told since it started
	files         map[string][]byte
	on            bool
}

const (
	lightBoot  = 8 * time.Second
	lightWrite = 128 << 10 // bytes per second
	wledBuild  = 2412100
)

// AddWLED adds a light controller and boots it.
func (l *Lab) AddWLED(spec WLEDSpec) (*Device, error) {
	release, arch := or(spec.Release, "ESP32"), or(spec.Arch, "esp32")
	d, err := l.add("light", spec.Place, []byte{0x24, 0x6f, 0x28}, arch != "esp8266", or(spec.Version, "0.15.0")) // Espressif
	if err != nil {
		return nil, err
	}
	c := &light{Device: d, release: release, arch: arch, pin: spec.PIN, locked: spec.OTALock, on: true}
	d.model, d.hardware, d.bootTime = "WLED "+release, arch, lightBoot
	d.serial = c.mac()
	d.vital.signal = -61
	c.files = c.factory(d.name)
	d.onBoot, d.setUp = func() { c.unlocked = c.pin == ""; c.configure() }, c.set
	d.services = []service{{name: "http", network: "tcp", port: 80, main: true, stream: d.serveHTTP(c.handler())}}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.boot()
	return d, nil
}

// mac is the hardware address as WLED prints it: lower case, without colons.
func (c *light) mac() string { return strings.ReplaceAll(c.host.ifaces[0].mac.String(), ":", "") }

func (c *light) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		writePacked(w, http.StatusOK, "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>WLED</title></head><body></body></html>\n")
	})
	page := func(path string, what func() any) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			c.mu.Lock()
			v := what()
			c.mu.Unlock()
			writeJSON(w, http.StatusOK, v)
		})
	}
	page("/json/info", func() any { return c.info() })
	page("/json/state", func() any { return c.state() })
	page("/json/si", func() any { return map[string]any{"state": c.state(), "info": c.info()} })
	mux.HandleFunc("POST /json/state", c.serveState)
	mux.HandleFunc("GET /update", c.serveUpdatePage)
	mux.HandleFunc("POST /update", c.serveUpdate)
	mux.HandleFunc("POST /upload", c.serveUpload)
	mux.HandleFunc("/", c.serveFile)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		mux.ServeHTTP(w, r)
	})
}

// wledInfo is what /json/info tells, in WLED's order.
type wledInfo struct {
	Version  string         `json:"ver"`
	Build    int            `json:"vid"`
	Codename string         `json:"cn"`
	Release  string         `json:"release"`
	LEDs     map[string]any `json:"leds"`
	Name     string         `json:"name"`
	UDPPort  int            `json:"udpport"`
	Live     bool           `json:"live"`
	Effects  int            `json:"fxcount"`
	WiFi     map[string]any `json:"wifi"`
	Arch     string         `json:"arch"`
	Core     string         `json:"core"`
	Heap     int            `json:"freeheap"`
	Uptime   int64          `json:"uptime"`
	Time     string         `json:"time"`
	Options  int            `json:"opt"`
	Brand    string         `json:"brand"`
	Product  string         `json:"product"`
	MAC      string         `json:"mac"`
	IP       string         `json:"ip"`
}

// info needs mu, as does state.
func (c *light) info() wledInfo {
	return wledInfo{
		Version: c.version(), Build: wledBuild, Codename: "Kōsen", Release: c.release,
		LEDs: map[string]any{"count": 60, "pwr": 312, "fps": 42, "maxpwr": 850, "maxseg": 32, "rgbw": false},
		Name: c.called(), UDPPort: 21324, Effects: 187,
		WiFi: c.wifi(),
		Arch: c.reportedHardware(), Core: "v3.3.6", Heap: 172_000, Uptime: int64(c.clock().Now().Sub(c.upSince).Seconds()),
		Time: c.now().UTC().Format("2006-1-2, 15:04:05"), Options: 79, Brand: "WLED", Product: "FOSS",
		MAC: c.mac(), IP: c.host.ifaces[0].addr.String(),
	}
}

// wifi is what /json/info says of the radio. One that is not in use is not left out: an ESP32 says 0 then, an ESP8266 31.
func (c *light) wifi() map[string]any {
	rssi := c.vital.signal
	switch {
	case rssi < 0:
		return map[string]any{"bssid": "02:00:00:00:00:01", "rssi": rssi, "signal": quality(rssi), "channel": 6, "ap": false}
	case c.arch == "esp8266":
		rssi = 31
	}
	return map[string]any{"bssid": "", "rssi": rssi, "signal": 100, "channel": 0, "ap": false}
}

func (c *light) state() map[string]any {
	return map[string]any{"on": c.on, "bri": 128, "transition": 7, "ps": -1, "pl": -1, "mainseg": 0, "seg": []any{map[string]any{"id": 0, "start": 0, "stop": 60}}}
}

// serveState takes the light's switch and the PIN. A wrong PIN is answered like the right one.
func (c *light) serveState(w http.ResponseWriter, r *http.Request) {
	var q struct {
		On  *bool  `json:"on"`
		PIN string `json:"pin"`
	}
	if err := decode(r.Body, &q); err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]int{"error": 9})
		return
	}
	c.mu.Lock()
	if q.On != nil {
		c.on = *q.On
	}
	if q.PIN != "" {
		c.unlocked = q.PIN == c.pin
	}
	c.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]bool{"success": true})
}

// serveUpdatePage shows the form, says that updates are locked, or goes back to the version before (?revert).
func (c *light) serveUpdatePage(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	_, asked := r.URL.Query()["revert"]
	why := c.closed()
	back := why == "" && asked && len(c.slots) == 2 && c.slots[1-c.active].Version != ""
	if back {
		c.after(soon, c.goBack)
	}
	c.mu.Unlock()
	switch {
	case why != "":
		writeMessage(w, http.StatusUnauthorized, "Access Denied", why)
	case back:
		writeMessage(w, http.StatusOK, "Reverted to previous version!", "Rebooting now...")
	default:
		writePacked(w, http.StatusOK, "<!DOCTYPE html><html><head><title>WLED Update</title></head><body><form method=POST action=/update></form></body></html>\n")
	}
}

// goBack reboots into the other slot. It needs mu.
func (c *light) goBack() {
	c.active = 1 - c.active
	if n := len(c.flashes); n > 0 && c.flashes[n-1].Outcome == OutcomeInstalled {
		c.flashes[n-1].Outcome = OutcomeRolledBack
	}
	c.reboot(c.bootTime)
}

// closed says why no update is taken, or nothing. It needs mu.
func (c *light) closed() string {
	switch {
	case c.locked:
		return "Please unlock OTA in security settings!"
	case !c.unlocked:
		return "Please unlock settings using PIN code!"
	}
	return ""
}

// serveUpdate takes in a file, writes it, answers and reboots. The answer comes when the file was sent to its end.
func (c *light) serveUpdate(w http.ResponseWriter, r *http.Request) {
	file, err := firstFile(r)
	if err != nil {
		writeMessage(w, http.StatusInternalServerError, "Update failed!", "Internal server fault")
		return
	}
	c.mu.Lock()
	why, running, pretend, power, flash := c.closed(), c.busy || c.has(FaultBusy), c.has(FaultAcceptedAndNothing), c.power, -1
	if why == "" && !running && !pretend {
		c.busy, flash = true, c.beginFlash(PathPush)
	}
	c.mu.Unlock()
	img, err := readImage(file)
	if err != nil && !errors.Is(err, errInvalidImage) {
		c.abandon(flash, img, err)
		return
	}
	switch {
	case why != "":
		writeMessage(w, http.StatusUnauthorized, "Access Denied", why)
		return
	case running:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case pretend:
		writeMessage(w, http.StatusOK, "Update successful!", "Rebooting now...")
		return
	}
	c.mu.Lock()
	outcome, strange := c.judge(flash, img, err, true, c.model, c.release)
	c.busy = outcome == OutcomeWriting
	c.mu.Unlock()
	if outcome != OutcomeWriting {
		writeMessage(w, http.StatusInternalServerError, "Update failed!", wledRefusal(outcome))
		return
	}
	if !c.write(power, flash, writeTime(img.bytes, lightWrite)) {
		return
	}
	writeMessage(w, http.StatusOK, "Update successful!", "Rebooting now...")
	c.mu.Lock()
	defer c.mu.Unlock()
	if power.Err() == nil {
		c.after(soon, func() { c.activate(img, flash, strange) })
	}
}

// abandon closes the record of an upload that broke off.
func (c *light) abandon(flash int, img receivedImage, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if flash >= 0 {
		c.judge(flash, img, err, true)
		c.busy = false
	}
}

// wledRefusal is what WLED says of an image that it does not take: one of another build can be forced by a person.
func wledRefusal(outcome string) string {
	if outcome == OutcomeWrongModel {
		return "Firmware release name mismatch. Enable 'Ignore firmware validation' to proceed anyway."
	}
	return "This firmware file is missing compatibility metadata. Enable 'Ignore firmware validation' to proceed anyway."
}

// firstFile finds the first file of a form.
func firstFile(r *http.Request) (io.Reader, error) {
	form, err := r.MultipartReader()
	if err != nil {
		return nil, fmt.Errorf("read upload: %w", err)
	}
	var part *multipart.Part
	for part, err = form.NextPart(); err == nil && part.FileName() == ""; {
		part, err = form.NextPart()
	}
	if err != nil {
		return nil, fmt.Errorf("read upload: %w", err)
	}
	return part, nil
}

func writeMessage(w http.ResponseWriter, status int, head, sub string) {
	writePage(w, status, "<!DOCTYPE html><html><head><title>WLED Message</title></head><body><h2>"+head+"</h2>"+sub+"</body></html>\n")
}

// writePage answers and hands the bytes to the network before it returns, as writeJSON does.
func writePage(w http.ResponseWriter, status int, page string) {
	writeBody(w, status, "text/html", page)
}

// writePacked sends a page as the device keeps it: packed, whether the client asked for that or not.
func writePacked(w http.ResponseWriter, status int, page string) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = io.WriteString(z, page)
	_ = z.Close()
	w.Header().Set("Content-Encoding", "gzip")
	writePage(w, status, packed.String())
}
