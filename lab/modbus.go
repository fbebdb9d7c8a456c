package lab

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"time"
)

// PLCSpec describes a controller that says who it is by Modbus.
type PLCSpec struct {
	Place
	Vendor  string // Schneider Electric if empty
	Model   string // BMX P34 2020 if empty
	Version string // v2.8 if empty
}

// plc is fragile: it has four sockets and freezes when a fifth connection comes, and when a connection ends without a
// request, as many controllers do after a half-open scan.
type plc struct {
	*Device
	vendor string
	open   int // connections; guarded by mu
}

const plcSockets = 4

// AddPLC adds a controller and boots it. It answers Read Device Identification, and nothing else, on port 502.
func (l *Lab) AddPLC(spec PLCSpec) (*Device, error) {
	spec.Version = or(spec.Version, "v2.8")
	d, err := l.add("plc", spec.Place, []byte{0x00, 0x80, 0xf4}, false, spec.Version) // Telemecanique
	if err != nil {
		return nil, err
	}
	p := &plc{Device: d, vendor: or(spec.Vendor, "Schneider Electric")}
	d.model, d.hardware, d.bootTime = or(spec.Model, "BMX P34 2020"), "1", 20*time.Second
	d.services = []service{{name: "modbus", network: "tcp", port: 502, main: true, stream: d.serveConns(p.serve)}}
	d.onBoot = func() { p.open = 0 }
	d.mu.Lock()
	defer d.mu.Unlock()
	d.boot()
	return d, nil
}

func (p *plc) serve(_ context.Context, c net.Conn) {
	p.mu.Lock()
	if p.open++; p.open > plcSockets {
		p.freeze("a fifth connection at the same time")
	}
	p.mu.Unlock()
	asked := false
	for {
		head := make([]byte, 7)
		if _, err := io.ReadFull(c, head); err != nil {
			break
		}
		length := int(binary.BigEndian.Uint16(head[4:]))
		if head[2] != 0 || head[3] != 0 || length < 2 || length > 254 {
			break
		}
		pdu := make([]byte, length-1)
		if _, err := io.ReadFull(c, pdu); err != nil {
			break
		}
		asked = true
		answer := p.answer(pdu)
		head[4], head[5] = 0, byte(len(answer)+1)
		if _, err := c.Write(append(head, answer...)); err != nil {
			break
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open--; !asked && p.powered {
		p.freeze("a connection closed without a request")
	}
}

// answer is the response to one message: objects 0 to 2 for the basic code, 4 and 5 too for the regular one.
func (p *plc) answer(pdu []byte) []byte {
	if len(pdu) < 4 || pdu[0] != 0x2b || pdu[1] != 0x0e {
		return []byte{pdu[0] | 0x80, 1} // illegal function
	}
	code, from := pdu[2], pdu[3]
	if code != 1 && code != 2 {
		return []byte{pdu[0] | 0x80, 3} // illegal data value
	}
	p.mu.Lock()
	objects := []struct {
		id   byte
		text string
	}{{0, p.vendor}, {1, p.model}, {2, p.version()}, {4, "Modicon"}, {5, p.model}}
	p.mu.Unlock()
	out := []byte{0x2b, 0x0e, code, 0x82, 0, 0, 0}
	for _, o := range objects {
		if o.id >= from && (o.id < 3 || code == 2) {
			out = append(append(out, o.id, byte(len(o.text))), o.text...)
			out[6]++
		}
	}
	return out
}
