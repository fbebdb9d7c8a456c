package lab

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

// NASSpec describes an abandoned storage box.
type NASSpec struct {
	Place
	Model   string // DNS-320L if empty
	Version string // 1.11 if empty
}

// AddNAS adds a D-Link storage box and boots it. It tells what it is and has no way to be updated. Its SMB port
// accepts connections and closes them.
func (l *Lab) AddNAS(spec NASSpec) (*Device, error) {
	spec.Version = or(spec.Version, "1.11")
	d, err := l.add("nas", spec.Place, []byte{0x28, 0x10, 0x7b}, false, spec.Version) // D-Link International
	if err != nil {
		return nil, err
	}
	d.model, d.hardware, d.bootTime = or(spec.Model, "DNS-320L"), "A1", 60*time.Second
	d.serial = fmt.Sprintf("Q%012d", d.random('s').Int64N(1_000_000_000_000))
	d.services = []service{
		{name: "http", network: "tcp", port: 80, main: true, stream: d.serveHTTP(d.nasPages())},
		{name: "smb", network: "tcp", port: 445, stream: d.serveConns(func(context.Context, net.Conn) {})},
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.boot()
	return d, nil
}

func (d *Device) nasPages() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<!DOCTYPE html><html><head><title>ShareCenter by D-Link %s</title></head><body>%[1]s</body></html>\n",
			d.model)
	})
	mux.HandleFunc("GET /xml/info.xml", func(w http.ResponseWriter, _ *http.Request) {
		d.mu.Lock()
		version, hardware := d.version(), d.reportedHardware()
		d.mu.Unlock()
		w.Header().Set("Content-Type", "text/xml")
		fmt.Fprintf(w, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<info>\n<ip>%s</ip><device>%s</device>"+
			"<hw_ver>%s</hw_ver><version>%s</version><serial>%s</serial><mac>%s</mac>\n</info>\n",
			d.host.ifaces[0].addr, d.model, hardware, version, d.serial, d.host.ifaces[0].mac)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "lighttpd/1.4.28")
		mux.ServeHTTP(w, r)
	})
}
