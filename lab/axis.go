package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// CameraSpec describes an Axis network camera.
type CameraSpec struct {
	Place
	Model       string // P3265-LV if empty; without the word AXIS
	HardwareRev string // the HardwareID; 7A2 if empty
	Version     string // 10.12.206 if empty
	Password    string // of user root; lab-cam-secret if empty
	Private     bool   // the stream wants the password too
}

// camera is an Axis camera. Its state is guarded by the device's mutex.
type camera struct {
	*Device
	auth *digestAuth

	lastUpgrade  time.Time // zero: never
	autoCommit   string    // boot, started, never
	autoRollback int       // minutes; 0: never
	rollbackAt   time.Time // zero: no timer runs
	rollback     *timer
}

const (
	cameraBoot  = 120 * time.Second
	cameraWrite = 3 << 20 // bytes per second
	// cameraStarted is how long after boot all services count as started.
	cameraStarted = 60 * time.Second
	// defaultRollback is autoRollback "default", in minutes.
	defaultRollback = 10
)

// AddCamera adds an Axis camera and boots it.
func (l *Lab) AddCamera(spec CameraSpec) (*Device, error) {
	spec.Model = or(spec.Model, "P3265-LV")
	spec.HardwareRev = or(spec.HardwareRev, "7A2")
	spec.Version = or(spec.Version, "10.12.206")
	spec.Password = or(spec.Password, "lab-cam-secret")
	spec.Site = or(spec.Site, "clinic")
	d, err := l.add("camera", spec.Place, []byte{0xac, 0xcc, 0x8e}, true, spec.Version) // Axis Communications AB
	if err != nil {
		return nil, err
	}
	c := &camera{Device: d}
	d.model, d.hardware, d.bootTime = spec.Model, spec.HardwareRev, cameraBoot
	d.serial = strings.ToUpper(strings.ReplaceAll(d.host.ifaces[0].mac.String(), ":", ""))
	c.auth = newDigestAuth("AXIS_"+d.serial, "MD5", map[string]string{"root": spec.Password}, l.clock.Now, d.random('n'))
	d.services = []service{
		{name: "http", network: "tcp", port: 80, stream: d.serveHTTP(c.handler())},
		{name: "rtsp", network: "tcp", port: 554, main: true, stream: d.serveConns(func(ctx context.Context, conn net.Conn) {
			var auth *digestAuth
			if spec.Private {
				auth = c.auth
			}
			d.rtspConn(ctx, conn, "", auth)
		})},
	}
	d.onBoot = c.booted
	d.mu.Lock()
	defer d.mu.Unlock()
	d.boot()
	return d, nil
}

func (c *camera) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /axis-cgi/basicdeviceinfo.cgi", c.serveInfo)
	mux.HandleFunc("POST /axis-cgi/firmwaremanagement.cgi", func(w http.ResponseWriter, r *http.Request) {
		if c.allow(w, r) {
			c.serveFirmware(w, r)
		}
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!DOCTYPE html><html><head><title>AXIS</title></head><body>AXIS</body></html>\n")
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "Apache")
		mux.ServeHTTP(w, r)
	})
}

// allow tells whether a request is authenticated, and has answered if not. After a factory default the camera has no
// user until somebody sets it up, which the lab has not.
func (c *camera) allow(w http.ResponseWriter, r *http.Request) bool {
	c.mu.Lock()
	if c.slots[c.active].defaulted {
		r.Header.Del("Authorization")
	}
	c.mu.Unlock()
	return c.auth.allow(w, r)
}

// vapixRequest is the JSON envelope of both CGIs.
type vapixRequest struct {
	APIVersion string          `json:"apiVersion"`
	Context    string          `json:"context"`
	Method     string          `json:"method"`
	Params     json.RawMessage `json:"params"`
}

type vapixResponse struct {
	APIVersion string      `json:"apiVersion"`
	Context    string      `json:"context,omitempty"`
	Method     string      `json:"method,omitempty"`
	Data       any         `json:"data,omitempty"`
	Error      *vapixError `json:"error,omitempty"`
}

type vapixError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// answer sends data or an error; an error too is HTTP 200.
func (q vapixRequest) answer(w http.ResponseWriter, data any, fail *vapixError) {
	version := q.APIVersion
	if version == "" {
		version = "1.0"
	}
	res := vapixResponse{APIVersion: version, Context: q.Context, Method: q.Method, Data: data, Error: fail}
	writeJSON(w, http.StatusOK, res)
}

// restricted lists the properties that need a password.
var restricted = []string{"Architecture", "Soc", "SocSerialNumber"}

// properties needs mu.
func (c *camera) properties() map[string]string {
	return map[string]string{
		"Architecture": "aarch64", "Brand": "AXIS", "BuildDate": "Jan 15 2024 10:00",
		"HardwareID": c.reportedHardware(), "ProdFullName": "AXIS " + c.model + " Dome Camera", "ProdNbr": c.model,
		"ProdShortName": "AXIS " + c.model, "ProdType": "Dome Camera", "ProdVariant": "",
		"SerialNumber": c.serial, "Soc": "Axis Artpec-8",
		"SocSerialNumber": "00000000-00000000-" + c.serial[4:] + "-4C414200", "Version": c.version(),
		"WebURL": "http://www.axis.com",
	}
}

func (c *camera) serveInfo(w http.ResponseWriter, r *http.Request) {
	var q vapixRequest
	if err := decode(r.Body, &q); err != nil {
		q.answer(w, nil, &vapixError{4000, "Invalid JSON"})
		return
	}
	c.mu.Lock()
	all := c.properties()
	c.mu.Unlock()
	switch q.Method {
	case "getAllUnrestrictedProperties":
		for _, name := range restricted {
			delete(all, name)
		}
	case "getSupportedVersions":
		if c.allow(w, r) {
			q.answer(w, map[string]any{"apiVersions": []string{"1.3"}}, nil)
		}
		return
	case "getAllProperties", "getProperties":
		if !c.allow(w, r) {
			return
		}
		if q.Method == "getAllProperties" {
			break
		}
		var p struct {
			PropertyList []string `json:"propertyList"`
		}
		if json.Unmarshal(q.Params, &p) != nil || p.PropertyList == nil {
			q.answer(w, nil, &vapixError{4002, "Required parameter missing or invalid"})
			return
		}
		for name := range all {
			if !slices.Contains(p.PropertyList, name) {
				delete(all, name)
			}
		}
	default:
		q.answer(w, nil, &vapixError{4003, "Method not supported"})
		return
	}
	q.answer(w, map[string]any{"propertyList": all}, nil)
}

// booted decides what becomes of firmware that was not committed yet. It needs mu.
func (c *camera) booted() {
	c.rollback, c.rollbackAt = nil, time.Time{}
	if c.committed {
		return
	}
	if c.autoRollback > 0 {
		wait := time.Duration(c.autoRollback) * time.Minute
		c.rollbackAt = c.clock().Now().Add(wait)
		c.rollback = c.after(wait, c.fallBack)
	}
	if slices.Contains(c.slots[c.active].flaws, FlawBootLoop) {
		// The firmware crashes before it answers; only the watchdog with the timer lives.
		c.host.setPower(false, false)
		for name, end := range c.running {
			end()
			delete(c.running, name)
		}
		return
	}
	switch c.autoCommit {
	case "boot":
		c.commit()
	case "started":
		c.after(cameraStarted, func() {
			if !c.committed && c.running["rtsp"] != nil {
				c.commit()
			}
		})
	}
}

// commit keeps the running firmware for good. It needs mu.
func (c *camera) commit() {
	c.committed = true
	c.stopTimer()
}

// stopTimer ends the dead-man timer. It needs mu.
func (c *camera) stopTimer() {
	c.cancel(c.rollback)
	c.rollback, c.rollbackAt = nil, time.Time{}
}

// fallBack reboots into the other slot. It needs mu.
func (c *camera) fallBack() {
	c.stopTimer()
	if c.committed { // asked for by a person: the record of the last flash tells it too
		c.active = 1 - c.active
		if n := len(c.flashes); n > 0 && c.flashes[n-1].Outcome == OutcomeInstalled {
			c.flashes[n-1].Outcome = OutcomeRolledBack
		}
	} else {
		c.loseUncommitted()
	}
	c.reboot(c.bootTime)
}
