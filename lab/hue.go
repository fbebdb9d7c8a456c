package lab

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// HueSpec describes a bridge with lamps behind it that its maker updates over the cloud.
type HueSpec struct {
	Place
	Version string // swversion, 1935144040 if empty
	Key     string // the application key that an owner has made; empty: nobody may read more than who it is
	Manual  bool   // automatic updates are off
	Lamps   []HueLamp
}

// HueLamp is a lamp behind a bridge.
type HueLamp struct {
	Name    string
	Model   string // LCT015 if empty
	Product string // Hue color lamp if empty
	Version string // 1.50.2_r30933 if empty
}

// HueLampFacts is the truth about a lamp behind a bridge.
type HueLampFacts struct {
	Name, Model, UniqueID, Version string
	Reachable                      bool
}

// hue is a bridge. Its state is guarded by the device's mutex.
type hue struct {
	*Device
	key   string
	auto  bool
	night string // "T03:00:00", when it installs what its maker offers
	last  time.Time
	lamps []*hueLamp
	alarm *timer
}

type hueLamp struct {
	HueLamp
	uniqueID string
	dark     bool
}

const (
	hueBoot  = 90 * time.Second
	hueNight = "T03:00:00"
)

// AddHue adds a bridge and boots it. What [Device.Offer] sets, it installs in the night when its automatic updates are on.
func (l *Lab) AddHue(spec HueSpec) (*Device, error) {
	d, err := l.add("hue", spec.Place, []byte{0x00, 0x17, 0x88}, false, or(spec.Version, "1935144040")) // Philips Lighting
	if err != nil {
		return nil, err
	}
	h := &hue{Device: d, key: spec.Key, auto: !spec.Manual, night: hueNight, last: l.clock.Now().AddDate(0, -2, 0)}
	d.model, d.hardware, d.bootTime = "BSB002", "2", hueBoot
	mac := strings.ToUpper(strings.ReplaceAll(d.host.ifaces[0].mac.String(), ":", ""))
	d.serial = mac[:6] + "FFFE" + mac[6:]
	for i, lamp := range spec.Lamps {
		lamp.Model, lamp.Product = or(lamp.Model, "LCT015"), or(lamp.Product, "Hue color lamp")
		lamp.Version = or(lamp.Version, "1.50.2_r30933")
		zigbee := l.newMAC([]byte{0x01, 0x02, 0x03}, fmt.Sprint(d.name, "/lamp-", i)).String()
		h.lamps = append(h.lamps, &hueLamp{HueLamp: lamp, uniqueID: "00:17:88:01:" + zigbee[6:] + "-0b"})
	}
	page := d.serveHTTP(h.handler())
	d.services = []service{
		{name: "http", network: "tcp", port: 80, main: true, stream: page},
		d.announce(func() []mdnsService {
			return []mdnsService{{kind: "_hue._tcp", instance: "Hue Bridge - " + d.serial[10:], port: 443, txt: []string{"bridgeid=" + strings.ToLower(d.serial), "modelid=BSB002"}}}
		}),
	}
	d.onBoot, d.onOffer, d.lamps = h.wait, h.wait, h.lampFacts
	d.mu.Lock()
	defer d.mu.Unlock()
	d.boot()
	return d, nil
}

// wait sets the alarm for the night in which an offer is installed. It needs mu.
func (h *hue) wait() {
	h.cancel(h.alarm)
	if h.ready() && h.auto {
		h.alarm = h.after(h.untilNight(), h.install)
	}
}

// untilNight is how long it is to the time of day at which updates are installed. It needs mu.
func (h *hue) untilNight() time.Duration {
	now := h.now()
	at, err := time.Parse("T15:04:05", h.night)
	if err != nil {
		return 24 * time.Hour
	}
	next := time.Date(now.Year(), now.Month(), now.Day(), at.Hour(), at.Minute(), at.Second(), 0, now.Location())
	if !next.After(now) {
		next = next.AddDate(0, 0, 1)
	}
	return next.Sub(now)
}

// ready tells whether the maker's cloud has offered something newer. It needs mu.
func (h *hue) ready() bool {
	return h.offer != nil && h.offer.version != h.version()
}

// install takes what the maker offers to the bridge. It needs mu.
func (h *hue) install() {
	if !h.ready() {
		return
	}
	version := h.offer.version
	h.last = h.now()
	h.activate(receivedImage{imageHeader: imageHeader{Model: h.model, Version: version}}, h.beginFlash(PathVendor), false)
}

func (h *hue) lampFacts() []HueLampFacts {
	var out []HueLampFacts
	for _, l := range h.lamps {
		out = append(out, HueLampFacts{l.Name, l.Model, l.uniqueID, l.Version, !l.dark})
	}
	return out
}

// Lamps tells about the lamps behind a bridge; nil for other devices.
func (d *Device) Lamps() []HueLampFacts {
	if d.lamps == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lamps()
}

func (h *hue) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		writePage(w, http.StatusOK, "<!DOCTYPE html><html><head><title>hue personal wireless lighting</title></head><body></body></html>\n")
	})
	config := func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		v := h.config(h.known(r.PathValue("key")))
		h.mu.Unlock()
		writeJSON(w, http.StatusOK, v)
	}
	mux.HandleFunc("GET /api/config", config)
	mux.HandleFunc("GET /api/{key}/config", config)
	mux.HandleFunc("GET /api/{key}/lights", h.guarded(func(*http.Request) any { return h.lights() }))
	mux.HandleFunc("PUT /api/{key}/config", h.guarded(h.set))
	mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, hueError(4, r.URL.Path, "method, "+r.Method+", not available for resource, "+r.URL.Path))
	})
	return mux
}

// known needs mu.
func (h *hue) known(key string) bool { return h.key != "" && key == h.key }

// guarded answers with mu held to those who have a key. A refusal comes with status 200, as all of this interface.
func (h *hue) guarded(answer func(*http.Request) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		var v any = hueError(1, "/", "unauthorized user")
		if h.known(r.PathValue("key")) {
			v = answer(r)
		}
		h.mu.Unlock()
		writeJSON(w, http.StatusOK, v)
	}
}

func hueError(kind int, address, description string) any {
	return []any{map[string]any{"error": map[string]any{"type": kind, "address": address, "description": description}}}
}

// config needs mu. Strangers are told who it is.
func (h *hue) config(known bool) map[string]any {
	v := map[string]any{
		"name": "Hue Bridge", "datastoreversion": "103", "swversion": h.version(), "apiversion": "1.35.0", "mac": h.host.ifaces[0].mac.String(),
		"bridgeid": h.serial, "factorynew": false, "replacesbridgeid": nil, "modelid": h.model, "starterkitid": "",
	}
	if !known {
		return v
	}
	state := "noupdates"
	if h.ready() {
		state = "allreadytoinstall"
	}
	v["ipaddress"], v["timezone"] = h.host.ifaces[0].addr.String(), "Europe/Berlin"
	v["UTC"] = h.now().UTC().Format("2006-01-02T15:04:05")
	v["swupdate2"] = map[string]any{
		"checkforupdate": false, "lastchange": h.last.UTC().Format("2006-01-02T15:04:05"), "state": state,
		"bridge":      map[string]string{"state": state, "lastinstall": h.last.UTC().Format("2006-01-02T15:04:05")},
		"autoinstall": map[string]any{"updatetime": h.night, "on": h.auto},
	}
	v["whitelist"] = map[string]any{h.key: map[string]string{"name": "firmward#house", "create date": "2019-01-01T00:00:00"}}
	return v
}

// lights needs mu.
func (h *hue) lights() map[string]any {
	v := map[string]any{}
	for i, l := range h.lamps {
		v[strconv.Itoa(i+1)] = map[string]any{
			"state": map[string]any{"on": false, "bri": 254, "mode": "homeautomation", "reachable": !l.dark}, "type": "Extended color light",
			"swupdate": map[string]string{"state": "noupdates", "lastinstall": h.last.UTC().Format("2006-01-02T15:04:05")},
			"name":     l.Name, "modelid": l.Model, "manufacturername": "Signify Netherlands B.V.", "productname": l.Product,
			"uniqueid": l.uniqueID, "swversion": l.Version,
		}
	}
	return v
}

// set takes changes of the update settings. It runs with mu held.
func (h *hue) set(r *http.Request) any {
	var q struct {
		Update *struct {
			Check   *bool `json:"checkforupdate"`
			Install *bool `json:"install"`
			Auto    *struct {
				On   *bool   `json:"on"`
				Time *string `json:"updatetime"`
			} `json:"autoinstall"`
		} `json:"swupdate2"`
	}
	if err := decode(r.Body, &q); err != nil {
		return hueError(2, "/config", "body contains invalid json")
	}
	if q.Update == nil {
		return hueError(6, "/config", "parameter, not available")
	}
	if a := q.Update.Auto; a != nil && !h.has(FaultAcceptedAndNothing) {
		if a.On != nil {
			h.auto = *a.On
		}
		if a.Time != nil {
			h.night = *a.Time
		}
		h.wait()
	}
	if i := q.Update.Install; i != nil && *i && !h.has(FaultAcceptedAndNothing) {
		h.after(soon, h.install)
	}
	return []any{map[string]any{"success": map[string]any{"/config/swupdate2": "updated"}}}
}
