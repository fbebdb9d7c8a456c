package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"
)

// PortMapping says on which loopback socket a service of a device is reached.
type PortMapping struct {
	Device  string         `json:"device"`
	Network string         `json:"network"` // tcp or udp
	Virtual netip.AddrPort `json:"virtual"` // on the lab's network
	Real    netip.AddrPort `json:"real"`    // on 127.0.0.1
	MAC     string         `json:"mac"`     // of the device's interface: a loopback socket has none
}

// PortMap lists the loopback sockets, sorted by device.
type PortMap []PortMapping

// String is an aligned table with a heading.
func (m PortMap) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "DEVICE\tNETWORK\tVIRTUAL\tREAL")
	for _, p := range m {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", p.Device, p.Network, p.Virtual, p.Real)
	}
	_ = w.Flush()
	return b.String()
}

// bridge is the host of the lab's network in whose name clients of real sockets come. Its address is from the range
// for shared address space (RFC 6598), which no site of the lab uses.
func (l *Lab) bridge() *Stack {
	return l.net.Attach(netip.AddrFrom4([4]byte{100, 64, 0, 1}), net.HardwareAddr{0x02, 0x46, 0x57, 0, 0, 1})
}

// Sockets opens sockets of the kernel: [net.ListenConfig] on this host, a network namespace in its own network.
type Sockets interface {
	Listen(ctx context.Context, network, address string) (net.Listener, error)
	ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error)
}

const (
	udpIdle    = 60 * time.Second
	udpClients = 256
	halfClosed = 5 * time.Minute
)

// ServeLoopback opens a 127.0.0.1 socket for each service of each device, on basePort, basePort+1 …, in the order of
// device names; with basePort 0 the system chooses. The sockets close when ctx ends or the lab is closed. Bytes are
// carried to the lab's network, so counters and faults are those of the devices; the devices see all clients come from
// 100.64.0.1. A socket cannot drop a SYN: where a device is off or silent, the connection is accepted and never
// answered; where its port is closed, the connection is reset at once. From now on devices can also fetch files from
// loopback addresses. An error names the socket that could not be opened; then none stays open.
func (l *Lab) ServeLoopback(ctx context.Context, basePort int) (PortMap, error) {
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(l.ctx, cancel)
	via := l.bridge()
	var ports PortMap
	for _, d := range l.Devices() {
		for _, i := range d.host.ifaces {
			for _, s := range d.services {
				if s.network == "" || s.opened {
					continue
				}
				m := PortMapping{Device: d.name, Network: s.network, Virtual: netip.AddrPortFrom(i.addr, s.port), MAC: i.mac.String()}
				want := fmt.Sprintf("127.0.0.1:%d", basePort)
				if basePort != 0 {
					basePort++
				}
				at, err := l.serveReal(ctx, via, m, &net.ListenConfig{}, want)
				if err != nil {
					cancel()
					return nil, fmt.Errorf("serve %s %s of %s on loopback: %w", s.network, m.Virtual, d.name, err)
				}
				m.Real = netip.MustParseAddrPort(at.String())
				ports = append(ports, m)
			}
		}
	}
	l.loopback.Store(true)
	l.mu.Lock()
	l.ports = ports
	l.mu.Unlock()
	return ports, nil
}

// ServeOn lets a device answer at its own addresses and ports on real sockets too: where on opens them, these addresses
// must exist. A port that only a flawed image opens is opened with it. All else is as with [Lab.ServeLoopback]. The sockets close when ctx ends or the lab is closed. An error
// names the socket that could not be opened; then none stays open.
func (d *Device) ServeOn(ctx context.Context, on Sockets) error {
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(d.lab.ctx, cancel)
	via := d.lab.bridge()
	for _, i := range d.host.ifaces {
		for _, s := range d.services {
			if s.network == "" {
				continue
			}
			m := PortMapping{Device: d.name, Network: s.network, Virtual: netip.AddrPortFrom(i.addr, s.port)}
			if s.opened {
				d.opensWith(ctx, via, on, s.name, m)
				continue
			}
			if _, err := d.lab.serveReal(ctx, via, m, on, m.Virtual.String()); err != nil {
				cancel()
				return fmt.Errorf("serve %s %s of %s: %w", s.network, m.Virtual, d.name, err)
			}
		}
	}
	return nil
}

// opensWith lets a real socket be there for as long as the service runs.
func (d *Device) opensWith(ctx context.Context, via *Stack, on Sockets, name string, m PortMapping) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.outside == nil {
		d.outside = map[string]func() func(){}
	}
	d.outside[name] = func() func() {
		ctx, shut := context.WithCancel(ctx)
		if _, err := d.lab.serveReal(ctx, via, m, on, m.Virtual.String()); err != nil {
			shut() // the port stays closed outside; whoever looks for it finds that
		}
		return shut
	}
}

func (l *Lab) serveReal(ctx context.Context, via *Stack, m PortMapping, on Sockets, want string) (net.Addr, error) {
	if m.Network == "udp" {
		p, err := on.ListenPacket(ctx, "udp", want)
		if err != nil {
			return nil, err
		}
		l.wg.Go(func() { l.carryPackets(ctx, via, m, p) })
		return p.LocalAddr(), nil
	}
	listener, err := on.Listen(ctx, "tcp", want)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	l.wg.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
					return
				}
				_ = l.clock.Wait(ctx, time.Second) // out of file descriptors: try again later
				continue
			}
			l.wg.Go(func() { l.carry(ctx, via, m, c.(*net.TCPConn)) })
		}
	})
	return listener.Addr(), nil
}

// carry joins a real connection with one on the lab's network.
func (l *Lab) carry(ctx context.Context, via *Stack, m PortMapping, outside *net.TCPConn) {
	inside, err := via.DialContext(ctx, "tcp", m.Virtual.String())
	if err != nil {
		if errors.Is(err, syscall.ECONNREFUSED) {
			_ = outside.SetLinger(0) // a reset, not a polite end
		}
		_ = outside.Close()
		return
	}
	stop := context.AfterFunc(ctx, func() {
		_ = inside.Close()
		_ = outside.Close()
	})
	defer stop()
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = io.Copy(inside, outside)
		_ = inside.(*conn).CloseWrite()
		_ = inside.SetReadDeadline(time.Now().Add(halfClosed))
	})
	both.Go(func() {
		_, err := io.Copy(outside, inside)
		if errors.Is(err, syscall.ECONNRESET) {
			_ = outside.SetLinger(0)
			_ = outside.Close()
			return
		}
		_ = outside.CloseWrite()
		if inside.(*conn).in.isLeft() {
			_ = outside.CloseRead()
		}
	})
	both.Wait()
	_ = inside.Close()
	_ = outside.Close()
}

// carryPackets gives every client of a real UDP socket its own socket on the lab's network.
func (l *Lab) carryPackets(ctx context.Context, via *Stack, m PortMapping, outside net.PacketConn) {
	stop := context.AfterFunc(ctx, func() { _ = outside.Close() })
	defer stop()
	defer outside.Close()
	var mu sync.Mutex
	clients := map[string]net.Conn{}
	defer func() {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range clients {
			_ = c.Close()
		}
	}()
	b := make([]byte, 64<<10)
	for {
		n, from, err := outside.ReadFrom(b)
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			continue
		}
		mu.Lock()
		c, full := clients[from.String()], len(clients) >= udpClients
		if c == nil && !full {
			if c, err = via.DialContext(ctx, "udp", m.Virtual.String()); err != nil {
				mu.Unlock()
				continue
			}
			clients[from.String()] = c
			l.wg.Go(func() {
				answers := make([]byte, 64<<10)
				for {
					_ = c.SetReadDeadline(time.Now().Add(udpIdle))
					n, err := c.Read(answers)
					if err != nil {
						break
					}
					_, _ = outside.WriteTo(answers[:n], from)
				}
				mu.Lock()
				delete(clients, from.String())
				mu.Unlock()
				_ = c.Close()
			})
		}
		mu.Unlock()
		if c != nil {
			_, _ = c.Write(b[:n])
		}
	}
}
