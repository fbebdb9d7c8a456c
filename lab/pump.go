package lab

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// PumpSpec describes an infusion pump in the manner of a BD Alaris 8015.
type PumpSpec struct {
	Place
	Model   string // BD Alaris 8015 if empty
	Version string // 9.33.1 if empty
}

// pump is fragile: it freezes when it is handled in a way that its web server was never tested with.
type pump struct {
	*Device
	open        int // connections; guarded by mu, as the following
	lastRequest time.Time
	closedPorts []time.Time
}

type pumpConn struct{ asked atomic.Bool }

type pumpConnKey struct{}

const (
	pumpBoot    = 60 * time.Second
	pumpRest    = 10 * time.Second // one request at most in this house time
	pumpMinute  = time.Minute
	pumpKnocks  = 3 // connects to closed ports that it bears within pumpMinute
	pumpPageFmt = `<!DOCTYPE html>
<html><head><title>Alaris PC Unit</title></head><body>
<h1>Alaris PC Unit</h1>
<table>
<tr><td>Model</td><td>%s</td></tr>
<tr><td>Serial Number</td><td>%s</td></tr>
<tr><td>Hardware Revision</td><td>%s</td></tr>
<tr><td>Software Version</td><td>%s</td></tr>
</table>
</body></html>
`
)

// AddPump adds an infusion pump and boots it. It freezes (see Facts.Frozen), and is silent from then on, at: a second
// connection at the same time, a request for an unknown path, a connection closed without a request, more than one
// request in 10 s of house time, or a fourth connect to a closed port within a minute.
func (l *Lab) AddPump(spec PumpSpec) (*Device, error) {
	spec.Version = or(spec.Version, "9.33.1")
	spec.Site = or(spec.Site, "clinic")
	d, err := l.add("pump", spec.Place, []byte{0xf8, 0xc6, 0x78}, false, spec.Version) // CareFusion
	if err != nil {
		return nil, err
	}
	p := &pump{Device: d}
	d.model, d.hardware, d.bootTime, d.byHand = or(spec.Model, "BD Alaris 8015"), "rev 4", pumpBoot, true
	d.serial = fmt.Sprint(14_000_000 + d.random('s').IntN(1_000_000))
	d.services = []service{
		{name: "http", network: "tcp", port: 80, main: true, stream: d.serveHTTP(http.HandlerFunc(p.serve), p.watch)},
	}
	d.onBoot = func() { p.open, p.closedPorts, p.lastRequest = 0, nil, time.Time{} }
	d.host.refused = p.knocked
	d.mu.Lock()
	defer d.mu.Unlock()
	d.boot()
	return d, nil
}

// watch sees connections come and go.
func (p *pump) watch(srv *http.Server) {
	srv.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, pumpConnKey{}, p.arrived(c))
	}
	srv.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			p.left(c)
		}
	}
}

func (p *pump) arrived(c net.Conn) *pumpConn {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open++; p.open > 1 {
		p.freeze("a second connection at the same time")
	}
	state := &pumpConn{}
	if c, ok := c.(*conn); ok {
		c.state = state
	}
	return state
}

func (p *pump) left(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open--
	if c, ok := c.(*conn); ok && c.state != nil && !c.state.asked.Load() {
		p.freeze("a connection closed without a request")
	}
}

// knocked is told about a connect to a closed port.
func (p *pump) knocked(uint16) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock().Now()
	recent := p.closedPorts[:0]
	for _, at := range append(p.closedPorts, now) {
		if now.Sub(at) < pumpMinute {
			recent = append(recent, at)
		}
	}
	if p.closedPorts = recent; len(recent) > pumpKnocks {
		p.freeze("more than three connects to closed ports within a minute")
	}
}

func (p *pump) serve(w http.ResponseWriter, r *http.Request) {
	if state, ok := r.Context().Value(pumpConnKey{}).(*pumpConn); ok {
		state.asked.Store(true)
	}
	p.mu.Lock()
	now := p.clock().Now()
	tooSoon := !p.lastRequest.IsZero() && now.Sub(p.lastRequest) < pumpRest
	p.lastRequest = now
	switch {
	case tooSoon:
		p.freeze("more than one request in 10 s")
	case r.URL.Path != "/" || r.Method != http.MethodGet:
		p.freeze("an unknown request: " + r.Method + " " + r.URL.Path)
	}
	frozen := p.frozenBy != ""
	page := fmt.Sprintf(pumpPageFmt, p.model, p.serial, p.reportedHardware(), p.version())
	p.mu.Unlock()
	if frozen {
		return
	}
	w.Header().Set("Server", "Allegro-Software-RomPager/4.34")
	w.Header().Set("Content-Type", "text/html")
	w.Header().Set("Connection", "close")
	fmt.Fprint(w, page)
}
