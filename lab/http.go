package lab

import (
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"time"
)

// maxHuge is how much the fault huge-answer sends.
const maxHuge = 1 << 30

// serveHTTP runs a handler as a service, with the faults that hold for every web server.
func (d *Device) serveHTTP(h http.Handler, tune ...func(*http.Server)) func(net.Listener) func() {
	return func(l net.Listener) func() {
		srv := &http.Server{Handler: d.faultyHTTP(h), ErrorLog: log.New(io.Discard, "", 0)}
		for _, f := range tune {
			f(srv)
		}
		d.lab.wg.Go(func() { _ = srv.Serve(l) })
		return func() {
			_ = l.Close() // the server may not have taken the listener over yet
			_ = srv.Close()
		}
	}
}

func (d *Device) faultyHTTP(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		now, elsewhere, huge, full := d.now(), d.has(FaultRedirect), d.has(FaultHugeAnswer), d.has(FaultOverloaded)
		d.mu.Unlock()
		w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
		switch {
		case elsewhere:
			http.Redirect(w, r, "http://198.51.100.7/", http.StatusFound)
		case huge:
			w.Header().Set("Content-Type", "text/html")
			writeHuge(w)
		case full:
			w.Header().Set("Retry-After", "60")
			http.Error(w, "Service Unavailable", http.StatusServiceUnavailable)
		default:
			h.ServeHTTP(w, r)
		}
	})
}

// writeHuge sends maxHuge bytes, or as many as the other side bears.
func writeHuge(w io.Writer) {
	chunk := make([]byte, 64<<10)
	for i := range chunk {
		chunk[i] = 'a' + byte(i%26)
	}
	for sent := 0; sent < maxHuge; sent += len(chunk) {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

// writeJSON answers and hands the bytes to the network before it returns, so that a reboot cannot overtake them.
func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	writeBody(w, status, "application/json", string(body))
}

// writeBody answers as writeJSON does, with any content.
func writeBody(w http.ResponseWriter, status int, contentType, body string) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
	_ = http.NewResponseController(w).Flush()
}

// soon is how long after an answer a device starts to reboot, in house time.
const soon = time.Second
