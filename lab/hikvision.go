package lab

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// HikvisionSpec describes a Hikvision network camera.
type HikvisionSpec struct {
	Place
	Model    string // DS-2CD2143G2-I if empty
	Platform string // which images it takes, as it says in firmwareVersionInfo: B-R-G5-0 if empty; "-": it does not tell
	Version  string // with its build: "V5.7.3 build 220112" if empty
	Password string // of user admin; lab-hik-secret if empty
	Server   string // how its web server calls itself: App-webs/ if empty, DNVRS-Webs on older ones
	Restarts bool   // it restarts by itself after an update; else it waits to be told
}

// HikvisionPassword is that of a Hikvision camera that was given none.
const HikvisionPassword = "lab-hik-secret"

// hikvision is a Hikvision camera. It has one slot and no way back. Its state is guarded by the device's mutex.
type hikvision struct {
	*Device
	auth     *digestAuth
	server   string
	restarts bool

	began, ends time.Time // of the image that is being written
	written     func()    // puts what was written to work; nil: nothing waits for a restart
}

const (
	hikvisionBoot   = 70 * time.Second
	hikvisionWrite  = 1 << 20 // bytes per second
	hikvisionStream = "/Streaming/Channels/"
	hikvisionSpace  = "http://www.hikvision.com/ver20/XMLSchema"
)

// AddHikvision adds a Hikvision camera and boots it.
func (l *Lab) AddHikvision(spec HikvisionSpec) (*Device, error) {
	spec.Version = or(spec.Version, "V5.7.3 build 220112")
	d, err := l.add("ip-camera", spec.Place, []byte{0x44, 0x19, 0xb6}, false, spec.Version) // Hangzhou Hikvision
	if err != nil {
		return nil, err
	}
	c := &hikvision{Device: d, server: or(spec.Server, "App-webs/"), restarts: spec.Restarts}
	d.model, d.hardware, d.bootTime = or(spec.Model, "DS-2CD2143G2-I"), or(spec.Platform, "B-R-G5-0"), hikvisionBoot
	mac := d.host.ifaces[0].mac
	d.serial = fmt.Sprintf("%s20220301AAWRJ%02d%02d%02d%03d", d.model, mac[3]%100, mac[4]%100, mac[5]%100, mac[5])
	c.auth = newDigestAuth("IP Camera("+strings.ToUpper(fmt.Sprintf("%x", mac[4:]))+")", "MD5",
		map[string]string{"admin": or(spec.Password, HikvisionPassword)}, l.clock.Now, d.random('n'))
	d.services = []service{
		{name: "http", network: "tcp", port: 80, stream: d.serveHTTP(c.handler())},
		{name: "rtsp", network: "tcp", port: 554, main: true, stream: d.serveConns(func(ctx context.Context, conn net.Conn) {
			d.rtspConn(ctx, conn, hikvisionStream, c.auth)
		})},
	}
	d.onBoot = func() {
		c.ends = time.Time{}
		if c.written != nil { // it was switched off before it was told to restart
			c.written()
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.boot()
	return d, nil
}

func (c *hikvision) handler() http.Handler {
	isapi := http.NewServeMux()
	isapi.HandleFunc("GET /ISAPI/System/deviceInfo", c.serveInfo)
	isapi.HandleFunc("GET /ISAPI/System/upgradeStatus", c.serveUpgradeStatus)
	isapi.HandleFunc("PUT /ISAPI/System/updateFirmware", c.serveUpdate)
	isapi.HandleFunc("PUT /ISAPI/System/reboot", c.serveReboot)
	isapi.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { answerISAPI(w, r, isapiNotSupported) })
	mux := http.NewServeMux()
	mux.HandleFunc("/ISAPI/", func(w http.ResponseWriter, r *http.Request) {
		if c.auth.allow(w, r) {
			isapi.ServeHTTP(w, r)
		}
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		writePage(w, http.StatusOK, "<!DOCTYPE html>\n<html>\n<head>\n<title></title>\n<meta http-equiv=\"X-UA-Compatible\" content=\"IE=edge\" >\n</head>\n<body>\n</body>\n<script>\n"+
			"window.location.href = \"/doc/page/login.asp?_\" + (new Date()).getTime();\n</script>\n</html>\n")
	})
	mux.HandleFunc("GET /doc/page/login.asp", func(w http.ResponseWriter, _ *http.Request) {
		writePage(w, http.StatusOK, "<!DOCTYPE html>\n<html>\n<head><title>Login</title></head>\n<body ng-controller=\"loginController\"></body>\n</html>\n")
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", c.server)
		mux.ServeHTTP(w, r)
	})
}

// isapiStatus is the answer to everything that is no question.
type isapiStatus struct {
	XMLName xml.Name `xml:"ResponseStatus"`
	Version string   `xml:"version,attr"`
	Space   string   `xml:"xmlns,attr"`
	URL     string   `xml:"requestURL"`
	Code    int      `xml:"statusCode"`
	Text    string   `xml:"statusString"`
	Sub     string   `xml:"subStatusCode"`

	http int
}

// What a camera says. Of an image for another model it says that the content is invalid, and only the sub-code tells why.
var (
	isapiOK           = isapiStatus{Code: 1, Text: "OK", Sub: "ok", http: 200}
	isapiBusy         = isapiStatus{Code: 2, Text: "Device Busy", Sub: "upgrading", http: 503}
	isapiNotSupported = isapiStatus{Code: 4, Text: "Invalid Operation", Sub: "notSupport", http: 403}
	isapiNoXML        = isapiStatus{Code: 5, Text: "Invalid XML Format", Sub: "badXmlFormat", http: 400}
	isapiOtherModel   = isapiStatus{Code: 6, Text: "Invalid XML Content", Sub: "badDevType", http: 400}
	isapiNoImage      = isapiStatus{Code: 6, Text: "Invalid XML Content", Sub: "fileFormatError", http: 400}
	isapiReboot       = isapiStatus{Code: 7, Text: "Reboot Required", Sub: "rebootRequired", http: 200}
)

func answerISAPI(w http.ResponseWriter, r *http.Request, s isapiStatus) {
	s.Version, s.Space, s.URL = "2.0", hikvisionSpace, r.URL.Path
	writeXML(w, s.http, s)
}

func writeXML(w http.ResponseWriter, status int, v any) {
	body, err := xml.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	writeBody(w, status, "application/xml", xml.Header+string(body)+"\n")
}

func (c *hikvision) serveInfo(w http.ResponseWriter, _ *http.Request) {
	c.mu.Lock()
	version, build, _ := strings.Cut(c.version(), " ")
	platform := c.reportedHardware()
	c.mu.Unlock()
	if strings.HasPrefix(platform, "-") {
		platform = ""
	}
	writeXML(w, http.StatusOK, struct {
		XMLName         xml.Name `xml:"DeviceInfo"`
		Version         string   `xml:"version,attr"`
		Space           string   `xml:"xmlns,attr"`
		Name            string   `xml:"deviceName"`
		ID              string   `xml:"deviceID"`
		Description     string   `xml:"deviceDescription"`
		Model           string   `xml:"model"`
		Serial          string   `xml:"serialNumber"`
		MAC             string   `xml:"macAddress"`
		Firmware        string   `xml:"firmwareVersion"`
		Released        string   `xml:"firmwareReleasedDate"`
		Encoder         string   `xml:"encoderVersion"`
		EncoderReleased string   `xml:"encoderReleasedDate"`
		Hardware        string   `xml:"hardwareVersion"`
		Type            string   `xml:"deviceType"`
		Platform        string   `xml:"firmwareVersionInfo,omitempty"`
	}{
		Version: "2.0", Space: hikvisionSpace, Name: c.name, ID: "88", Description: "IPCamera", Model: c.model, Serial: c.serial,
		MAC: c.host.ifaces[0].mac.String(), Firmware: version, Released: build, Encoder: "V7.3", EncoderReleased: "build 210628",
		Hardware: "0x0", Type: "IPCamera", Platform: platform,
	})
}

func (c *hikvision) serveUpgradeStatus(w http.ResponseWriter, _ *http.Request) {
	c.mu.Lock()
	running, percent := c.busy || c.has(FaultBusy), 0
	if now := c.clock().Now(); c.written != nil {
		percent = 100
	} else if c.ends.After(c.began) {
		percent = int(100 * min(now.Sub(c.began), c.ends.Sub(c.began)) / c.ends.Sub(c.began))
	}
	c.mu.Unlock()
	writeXML(w, http.StatusOK, struct {
		XMLName   xml.Name `xml:"upgradeStatus"`
		Version   string   `xml:"version,attr"`
		Space     string   `xml:"xmlns,attr"`
		Upgrading bool     `xml:"upgrading"`
		Percent   int      `xml:"percent"`
	}{Version: "2.0", Space: hikvisionSpace, Upgrading: running, Percent: percent})
}

// serveReboot restarts, into what was written if something was.
func (c *hikvision) serveReboot(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	busy := c.busy
	c.mu.Unlock()
	if busy {
		answerISAPI(w, r, isapiBusy)
		return
	}
	answerISAPI(w, r, isapiOK)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.powered {
		c.after(soon, c.restart)
	}
}

// restart needs mu.
func (c *hikvision) restart() {
	if c.written != nil {
		c.written()
		return
	}
	c.reboot(c.bootTime)
}

// serveUpdate takes in a bare image, writes it and answers that a restart is needed.
func (c *hikvision) serveUpdate(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Content-Type") != "application/octet-stream" { // everything else is read as XML
		_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, maxImage))
		answerISAPI(w, r, isapiNoXML)
		return
	}
	c.mu.Lock()
	running, pretend, power, flash := c.busy || c.written != nil || c.has(FaultBusy), c.has(FaultAcceptedAndNothing), c.power, -1
	if !running && !pretend {
		c.busy, flash = true, c.beginFlash(PathPush)
	}
	c.mu.Unlock()
	img, err := readImage(r.Body)
	switch {
	case running:
		answerISAPI(w, r, isapiBusy)
		return
	case pretend:
		answerISAPI(w, r, c.success())
		return
	}
	c.mu.Lock()
	// An older version is taken too: nothing that the interface says speaks against it.
	outcome, strange := c.judge(flash, img, err, true, c.model)
	takes := writeTime(img.bytes, hikvisionWrite)
	c.busy = outcome == OutcomeWriting
	c.began = c.clock().Now()
	c.ends = c.began.Add(takes)
	c.mu.Unlock()
	switch {
	case err != nil && !errors.Is(err, errInvalidImage):
		return // the upload broke off
	case outcome == OutcomeInvalid:
		answerISAPI(w, r, isapiNoImage)
		return
	case outcome != OutcomeWriting:
		answerISAPI(w, r, isapiOtherModel)
		return
	}
	if !c.write(power, flash, takes) {
		return
	}
	c.mu.Lock()
	c.busy = false
	c.written = func() {
		c.written = nil
		c.activate(img, flash, strange)
	}
	if c.restarts {
		c.after(soon, c.restart)
	}
	c.mu.Unlock()
	answerISAPI(w, r, c.success())
}

func (c *hikvision) success() isapiStatus {
	if c.restarts {
		return isapiOK
	}
	return isapiReboot
}
