package lab

import (
	"errors"
	"net"
	"net/http"
)

// ControlHandler serves the lab's controls as JSON. It has no authentication: serve it on loopback only. Requests
// whose Host is not a loopback name are refused with 403, so that a web page cannot reach it through DNS.
//
//	GET    /lab/devices                      Facts of every device
//	GET    /lab/devices/{name}               Facts of one
//	POST   /lab/devices/{name}/faults        {"fault":"silent"}: inject
//	DELETE /lab/devices/{name}/faults        clear all
//	POST   /lab/devices/{name}/install       {"version":"1.2.3"}: the person at the device, see [Device.InstallByHand]
//	POST   /lab/devices/{name}/battery       {"percent":22,"external":false}: see [Device.SetBattery]
//	POST   /lab/devices/{name}/signal        {"dBm":-84}: see [Device.SetSignal]
//	POST   /lab/devices/{name}/power-cycle   take the power away and give it back
//	GET    /lab/faults                       the known faults
//	GET    /lab/portmap                      the sockets of [Lab.ServeLoopback]
//
// Errors are {"error":"…"}: 404 for an unknown device, 400 for the rest. What changes a device answers with its Facts.
func (l *Lab) ControlHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /lab/devices", func(w http.ResponseWriter, _ *http.Request) {
		facts := []Facts{}
		for _, d := range l.Devices() {
			facts = append(facts, d.Facts())
		}
		writeJSON(w, http.StatusOK, facts)
	})
	mux.HandleFunc("GET /lab/faults", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, Faults())
	})
	mux.HandleFunc("GET /lab/portmap", func(w http.ResponseWriter, _ *http.Request) {
		l.mu.Lock()
		ports := append(PortMap{}, l.ports...)
		l.mu.Unlock()
		writeJSON(w, http.StatusOK, ports)
	})
	type order struct {
		Fault   string `json:"fault"`
		Version string `json:"version"`
		Percent *int   `json:"percent"`
		OnPower bool   `json:"external"`
		DBm     *int   `json:"dBm"`
	}
	// on answers a request about one device: do changes it, then its facts are told.
	on := func(pattern string, body bool, do func(d *Device, o order) error) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			d, ok := l.Device(r.PathValue("name"))
			if !ok {
				writeError(w, http.StatusNotFound, l.unknown(r.PathValue("name")))
				return
			}
			var o order
			if body {
				if err := decode(r.Body, &o); err != nil {
					writeError(w, http.StatusBadRequest, err)
					return
				}
			}
			if err := do(d, o); err != nil {
				writeError(w, http.StatusBadRequest, err)
				return
			}
			writeJSON(w, http.StatusOK, d.Facts())
		})
	}
	on("GET /lab/devices/{name}", false, func(*Device, order) error { return nil })
	on("POST /lab/devices/{name}/faults", true, func(d *Device, o order) error { return l.Fault(d.name, o.Fault) })
	on("DELETE /lab/devices/{name}/faults", false, func(d *Device, _ order) error { return l.ClearFaults(d.name) })
	on("POST /lab/devices/{name}/install", true, func(d *Device, o order) error { return d.InstallByHand(o.Version) })
	on("POST /lab/devices/{name}/battery", true, func(d *Device, o order) error {
		if o.Percent == nil {
			return errors.New("percent is missing")
		}
		return d.SetBattery(*o.Percent, o.OnPower)
	})
	on("POST /lab/devices/{name}/signal", true, func(d *Device, o order) error {
		if o.DBm == nil {
			return errors.New("dBm is missing")
		}
		return d.SetSignal(*o.DBm)
	})
	on("POST /lab/devices/{name}/power-cycle", false, func(d *Device, _ order) error { d.PowerCycle(); return nil })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := r.Host
		if h, _, err := net.SplitHostPort(name); err == nil {
			name = h
		}
		if ip := net.ParseIP(name); name != "localhost" && name != "[::1]" && (ip == nil || !ip.IsLoopback()) {
			writeJSON(w, http.StatusForbidden, map[string]string{"error": "the lab answers to loopback names only"})
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func writeError(w http.ResponseWriter, status int, err error) {
	writeJSON(w, status, map[string]string{"error": err.Error()})
}
