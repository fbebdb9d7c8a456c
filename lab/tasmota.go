package lab

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// TasmotaSpec describes a relay that runs Tasmota.
type TasmotaSpec struct {
	Place
	Build    string // what is built into it, the word in brackets behind the version; tasmota if empty
	Chip     string // ESP8266EX if empty
	Version  string // 14.2.0 if empty
	Password string // of its web page, user admin; empty: it is open
	FlashKiB int    // of the whole chip; 4096 if zero. In 1024 a whole build has no room beside the running one
	OTAURL   string // where it fetches images from unless told otherwise; Tasmota's own server if empty
}

// relay is a switch with Tasmota. Its state is guarded by the device's mutex. It keeps one image: what an ESP32 has
// beside it (safeboot) can fetch an image, and is no version to go back to.
type relay struct {
	*Device
	build, password string
	flashKiB        int
	otaURL          string
	on              bool
	fetching        *timer // it was told to update and will begin
}

const (
	relayBoot  = 8 * time.Second
	relayWrite = 64 << 10 // bytes per second
	// relayBegins is how long after the command the update begins; until then a further command begins it anew.
	relayBegins  = 3 * time.Second
	relayProgram = 640 // KiB of the running image
)

// AddTasmota adds a relay and boots it.
func (l *Lab) AddTasmota(spec TasmotaSpec) (*Device, error) {
	d, err := l.add("relay", spec.Place, []byte{0xa4, 0xcf, 0x12}, false, or(spec.Version, "14.2.0")) // Espressif
	if err != nil {
		return nil, err
	}
	c := &relay{
		Device: d, build: or(spec.Build, "tasmota"), password: spec.Password, flashKiB: spec.FlashKiB, on: true,
		otaURL: or(spec.OTAURL, "http://ota.tasmota.com/tasmota/release/tasmota.bin.gz"),
	}
	if c.flashKiB == 0 {
		c.flashKiB = 4096
	}
	d.model, d.hardware, d.bootTime = "Tasmota "+c.build, or(spec.Chip, "ESP8266EX"), relayBoot
	d.serial = strings.ToUpper(d.host.ifaces[0].mac.String())
	d.vital.signal = -66
	d.onBoot = func() { c.fetching = nil }
	d.services = []service{{name: "http", network: "tcp", port: 80, main: true, stream: d.serveHTTP(c.handler())}}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.boot()
	return d, nil
}

func (c *relay) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		if !c.knows(r) {
			w.Header().Set("WWW-Authenticate", `Basic realm="Login Required"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		c.sign(w)
		writePage(w, http.StatusOK, "<!DOCTYPE html><html lang=\"en\" class=\"\"><head><meta charset='utf-8'><title>"+c.name+" - Main Menu</title></head><body></body></html>\n")
	})
	mux.HandleFunc("GET /cm", c.serveCommand)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		c.sign(w)
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprintf(w, "File Not Found\n\nURI: %s\nMethod: %s\n", r.URL.Path, r.Method)
	})
	return mux
}

// sign puts the names of software and chip into the head of an answer. A challenge is sent without them.
func (c *relay) sign(w http.ResponseWriter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w.Header().Set("Server", fmt.Sprintf("Tasmota/%s (%s)", c.version(), c.reportedHardware()))
	w.Header().Set("Cache-Control", "no-cache, no-store, must-revalidate")
}

// knows tells whether a request bears the password, in its head or in its query.
func (c *relay) knows(r *http.Request) bool {
	is := func(user, password string) bool {
		return user == "admin" && subtle.ConstantTimeCompare([]byte(password), []byte(c.password)) == 1
	}
	user, password, _ := r.BasicAuth()
	q := r.URL.Query()
	return c.password == "" || is(user, password) || is(q.Get("user"), q.Get("password"))
}

// serveCommand does one command. Who does not know the password is told so without a challenge.
func (c *relay) serveCommand(w http.ResponseWriter, r *http.Request) {
	c.sign(w)
	if !c.knows(r) {
		writeJSON(w, http.StatusUnauthorized, json.RawMessage(`{"WARNING":"Need user=<username>&password=<password>"}`))
		return
	}
	c.mu.Lock()
	answer := c.command(r.URL.Query().Get("cmnd"))
	c.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", fmt.Sprint(len(answer)))
	_, _ = w.Write([]byte(answer))
	_ = http.NewResponseController(w).Flush()
}

// command does a command and gives what is said to it. It needs mu, as do the following.
func (c *relay) command(line string) string {
	name, arg, _ := strings.Cut(strings.TrimSpace(line), " ")
	arg = strings.TrimSpace(arg)
	switch strings.ToLower(name) {
	case "":
		return `{"WARNING":"Enter command cmnd="}`
	case "status":
		return c.status(arg)
	case "otaurl":
		if arg != "" {
			c.otaURL = arg
		}
		return `{"OtaUrl":` + quoted(c.otaURL) + `}`
	case "upgrade":
		if arg != "1" {
			return fmt.Sprintf(`{"Upgrade":"1 or >%s to upgrade"}`, c.version())
		}
		c.upgrade()
		return `{"Upgrade":` + quoted(fmt.Sprintf("Version %s from %.150s", c.version(), c.otaURL)) + `}`
	case "power":
		switch strings.ToLower(arg) {
		case "0", "off":
			c.on = false
		case "1", "on":
			c.on = true
		case "2", "toggle":
			c.on = !c.on
		}
		return `{"POWER":"` + map[bool]string{true: "ON", false: "OFF"}[c.on] + `"}`
	case "backlog": // its commands run later, one by one; the answer says nothing of them
		for part := range strings.SplitSeq(arg, ";") {
			c.command(part)
		}
		return `{}`
	}
	return `{"Command":"Unknown"}`
}

// status answers "Status" with a number; 0 is all of them.
func (c *relay) status(which string) string {
	up := c.clock().Now().Sub(c.upSince)
	all := []struct{ number, text string }{
		{"", fmt.Sprintf(`"Status":{"Module":1,"DeviceName":%s,"FriendlyName":[%[1]s],"Topic":"tasmota","ButtonTopic":"0","Power":"%d"}`, quoted(c.name), map[bool]int{true: 1}[c.on])},
		{"1", fmt.Sprintf(`"StatusPRM":{"Baudrate":115200,"SerialConfig":"8N1","GroupTopic":"tasmotas","OtaUrl":%s,"RestartReason":"Power On","Uptime":"0T%02d:%02d:%02d"}`,
			quoted(c.otaURL), int(up.Hours()), int(up.Minutes())%60, int(up.Seconds())%60)},
		{"2", fmt.Sprintf(`"StatusFWR":{"Version":"%s(release-%s)","BuildDateTime":"2024-08-14T12:37:18","Boot":31,"Core":"2_7_7","SDK":"2.2.2-dev(38a443e)","CpuFrequency":80,"Hardware":"%s","CR":"372/699"}`,
			c.version(), c.build, c.reportedHardware())},
		{"4", fmt.Sprintf(`"StatusMEM":{"ProgramSize":%d,"Free":%d,"Heap":25,"ProgramFlashSize":%d,"FlashSize":%[3]d,"FlashChipId":"1640EF","FlashFrequency":40,"FlashMode":"DOUT"}`,
			relayProgram, c.free(), c.flashKiB)},
		{"5", fmt.Sprintf(`"StatusNET":{"Hostname":"tasmota-%s","IPAddress":"%s","Gateway":"0.0.0.0","Subnetmask":"255.255.255.0","DNSServer1":"0.0.0.0","DNSServer2":"0.0.0.0","Mac":"%s","Webserver":2,"HTTP_API":1,"WifiConfig":4,"WifiPower":17.0}`,
			strings.ReplaceAll(c.serial[9:], ":", ""), c.host.ifaces[0].addr, c.serial)},
		{"11", fmt.Sprintf(`"StatusSTS":{"Time":"%s","Uptime":"0T%02d:%02d:%02d","UptimeSec":%d,"Heap":25,"SleepMode":"Dynamic","Sleep":50,"LoadAvg":19,"MqttCount":0,"POWER":"%s"%s}`,
			c.now().UTC().Format("2006-01-02T15:04:05"), int(up.Hours()), int(up.Minutes())%60, int(up.Seconds())%60, int(up.Seconds()), map[bool]string{true: "ON", false: "OFF"}[c.on], c.wifi())},
	}
	var said []string
	for _, s := range all {
		if which == "0" || which == s.number {
			said = append(said, s.text)
		}
	}
	return "{" + strings.Join(said, ",") + "}"
}

// wifi is what Status 11 says of the radio: RSSI is a percentage there, and Signal is in dBm. One that is not in use is left out.
func (c *relay) wifi() string {
	if c.vital.signal == 0 {
		return ""
	}
	return fmt.Sprintf(`,"Wifi":{"AP":1,"SSId":"lab","BSSId":"02:00:00:00:00:01","Channel":6,"Mode":"11n","RSSI":%d,"Signal":%d,"LinkCount":1,"Downtime":"0T00:00:05"}`, quality(c.vital.signal), c.vital.signal)
}

// free is the room for an image, in KiB: beside the running one on an ESP8266, which can use 2 MiB at most; on an
// ESP32 what its place has left over.
func (c *relay) free() int {
	if strings.HasPrefix(c.hardware, "ESP32") {
		return 2880 - relayProgram
	}
	return min(c.flashKiB, 2048) - relayProgram - 32
}

// room is the size of the largest image that it can take, in bytes.
func (c *relay) room() int64 {
	kib := c.free()
	if strings.HasPrefix(c.hardware, "ESP32") {
		kib += relayProgram
	}
	return int64(kib) << 10
}

// upgrade lets an update begin soon. A further command begins it anew: Tasmota never says that it is busy.
func (c *relay) upgrade() {
	if c.has(FaultAcceptedAndNothing) || c.power.Err() != nil {
		return
	}
	c.cancel(c.fetching)
	url := c.otaURL
	c.fetching = c.after(relayBegins, func() {
		c.stopWeb()
		flash, power := c.beginFlash(PathPull), c.power
		c.lab.wg.Go(func() { c.update(power, url, flash) })
	})
}

// stopWeb closes the web server, as Tasmota does while it fetches an image.
func (c *relay) stopWeb() {
	if end := c.running["http"]; end != nil {
		end()
		delete(c.running, "http")
	}
}

// update fetches the image, writes it and restarts. Where that fails the web server opens again and all is as before.
// What is built into an image Tasmota does not look at: only its chip must fit.
func (c *relay) update(ctx context.Context, url string, flash int) {
	img, err := c.download(ctx, url)
	c.mu.Lock()
	name := c.model
	if strings.HasPrefix(img.Model, "Tasmota ") {
		name = img.Model
	}
	if err == nil && img.bytes > c.room() {
		err = fmt.Errorf("%w: no room for %d bytes", errInvalidImage, img.bytes)
	}
	outcome, strange := c.judge(flash, img, err, true, name)
	gone := ctx.Err() != nil
	switch {
	case gone:
		c.flashes[flash].Outcome = OutcomePowerCut
	case outcome != OutcomeWriting && c.running["http"] == nil && !c.dead(c.services[0]):
		c.running["http"] = c.start(c.services[0])
	}
	c.mu.Unlock()
	if gone || outcome != OutcomeWriting || !c.write(ctx, flash, writeTime(img.bytes, relayWrite)) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	c.activate(img, flash, strange)
	if c.flashes[flash].Outcome == OutcomeInstalled {
		c.model, c.build = name, strings.TrimPrefix(name, "Tasmota ")
	}
}

// quoted is a text as JSON, with the signs of an address as they are.
func quoted(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic(err) // a text always can
	}
	return strings.TrimSuffix(b.String(), "\n")
}
