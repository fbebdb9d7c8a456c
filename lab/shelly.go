package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// PlugSpec describes a Shelly plug with the RPC interface of the second and third generation.
type PlugSpec struct {
	Place
	Model       string // SNPL-00112EU if empty
	App         string // PlusPlugS if empty
	Gen         int    // 2 if zero
	HardwareRev string // gen2 if empty; not reported by the protocol except through gen
	Version     string // 1.0.3 if empty
	Password    string // of user admin; empty: no authentication
	SingleSlot  bool   // no second firmware slot: a power cut while flashing bricks it
}

// plug is a Shelly plug. Its state is guarded by the device's mutex.
type plug struct {
	*Device
	app      string
	gen      int
	password string
	auth     *digestAuth
	on       bool
}

const (
	plugBoot  = 30 * time.Second
	plugWrite = 512 << 10 // bytes per second
	// plugAsks is how long after boot the plug knows what its maker offers.
	plugAsks = 10 * time.Second
)

// AddPlug adds a Shelly plug and boots it.
func (l *Lab) AddPlug(spec PlugSpec) (*Device, error) {
	spec.Model = or(spec.Model, "SNPL-00112EU")
	spec.App = or(spec.App, "PlusPlugS")
	spec.HardwareRev = or(spec.HardwareRev, "gen2")
	spec.Version = or(spec.Version, "1.0.3")
	if spec.Gen == 0 {
		spec.Gen = 2
	}
	d, err := l.add("plug", spec.Place, []byte{0xa8, 0x03, 0x2a}, !spec.SingleSlot, spec.Version) // Espressif
	if err != nil {
		return nil, err
	}
	p := &plug{Device: d, app: spec.App, gen: spec.Gen, password: spec.Password, on: true}
	d.model, d.hardware, d.bootTime, d.byHand = spec.Model, spec.HardwareRev, plugBoot, true
	d.vital.signal = -58
	d.serial = p.mac()
	p.auth = newDigestAuth(p.id(), "SHA-256", map[string]string{"admin": spec.Password}, l.clock.Now, d.random('n'))
	d.services = []service{
		{name: "http", network: "tcp", port: 80, stream: d.serveHTTP(p.handler())},
		d.announce(p.announced),
		{name: "switch", main: true},
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.boot()
	return d, nil
}

// announced is what the plug tells by multicast DNS.
func (p *plug) announced() []mdnsService {
	txt := []string{fmt.Sprint("gen=", p.gen), "app=" + p.app, "ver=" + p.version()}
	return []mdnsService{{"_http._tcp", p.id(), 80, []string{fmt.Sprint("gen=", p.gen)}}, {"_shelly._tcp", p.id(), 80, txt}}
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// mac is the hardware address as Shelly prints it: upper case, without colons.
func (p *plug) mac() string {
	return strings.ToUpper(strings.ReplaceAll(p.host.ifaces[0].mac.String(), ":", ""))
}

// id is the device id, which is also the realm: shelly, app and hardware address in lower case.
func (p *plug) id() string {
	return strings.ToLower("shelly" + p.app + "-" + p.mac())
}

func (p *plug) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /shelly", func(w http.ResponseWriter, _ *http.Request) {
		p.mu.Lock()
		info := p.deviceInfo()
		p.mu.Unlock()
		writeJSON(w, http.StatusOK, info)
	})
	mux.HandleFunc("POST /rpc", p.serveFrame)
	mux.HandleFunc("GET /rpc/{method}", p.serveGet)
	mux.HandleFunc("POST /rpc/{method}", p.servePost)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		if !p.allow(w, r, "") {
			return
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<!DOCTYPE html><html><head><title>%s</title></head><body>Shelly</body></html>\n", p.id())
	})
	server := http.Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "ShellyHTTP/1.0.0")
		server.ServeHTTP(w, r)
	})
}

// allow tells whether a method may be called, and has answered if not. Who it is, a plug tells everybody.
func (p *plug) allow(w http.ResponseWriter, r *http.Request, method string) bool {
	return p.password == "" || strings.EqualFold(method, "Shelly.GetDeviceInfo") || p.auth.allow(w, r)
}

// deviceInfo needs mu.
func (p *plug) deviceInfo() map[string]any {
	gen := p.gen
	if p.has(FaultWrongHardware) {
		gen++
	}
	info := map[string]any{
		"name": nil, "id": p.id(), "mac": p.mac(), "slot": p.active, "model": p.model, "gen": gen,
		"fw_id": p.firmwareID(p.version()), "ver": p.version(), "app": p.app,
		"auth_en": p.password != "", "auth_domain": nil,
	}
	if p.password != "" {
		info["auth_domain"] = p.id()
	}
	return info
}

// firmwareID is a build name in Shelly's form, made up from the version.
func (p *plug) firmwareID(version string) string {
	sum := uint32(2166136261)
	for _, b := range []byte(p.app + version) {
		sum = (sum ^ uint32(b)) * 16777619
	}
	return fmt.Sprintf("20240101-120000/%s-g%07x", version, sum>>4)
}

// startUpdate takes an update on and answers at once; the work goes on by itself. It needs mu.
func (p *plug) startUpdate(url string) *rpcError {
	path, offered := PathPull, p.offer
	if url == "" {
		path = PathVendor
		if offered == nil {
			return noStage("stable")
		}
	}
	if p.busy || p.has(FaultBusy) {
		return &rpcError{codePrecondition, "Already in progress!"}
	}
	if p.has(FaultAcceptedAndNothing) || p.power.Err() != nil {
		return nil
	}
	p.busy = true
	flash, power := p.beginFlash(path), p.power
	p.lab.wg.Go(func() { p.update(power, url, offered, flash) })
	return nil
}

// update fetches the image, writes it and reboots. It ends when the power goes.
func (p *plug) update(ctx context.Context, url string, offered *offer, flash int) {
	var img receivedImage
	var err error
	if url != "" {
		img, err = p.download(ctx, url)
	} else {
		img, err = readImage(bytes.NewReader(offered.image))
	}
	p.mu.Lock()
	outcome, strange := p.judge(flash, img, err, false, p.model, p.app)
	gone := ctx.Err() != nil
	if gone {
		p.flashes[flash].Outcome = OutcomePowerCut
	} else if outcome != OutcomeWriting {
		p.busy = false // ota_error: all is as before
	}
	p.mu.Unlock()
	if gone || outcome != OutcomeWriting {
		return
	}
	if p.write(ctx, flash, writeTime(img.bytes, plugWrite)) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if ctx.Err() == nil {
			p.activate(img, flash, strange)
		}
	}
}

// decode reads one JSON value of at most 64 KiB.
func decode(r io.Reader, v any) error {
	return json.NewDecoder(io.LimitReader(r, 64<<10)).Decode(v)
}
