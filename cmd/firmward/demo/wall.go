package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/firmward/firmward/enforce"
	"github.com/firmward/firmward/enforce/enforcers"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/wire"
	"github.com/firmward/firmward/wire/netns"
)

// Self are firmward's own addresses in the story, one in each place.
var Self = []netip.Addr{netip.MustParseAddr("192.168.20.2"), netip.MustParseAddr("10.40.0.2")}

// box is the device that a wall is for.
const box = "nas-1"

// The guests' segment is on the other side of the wall.
const (
	guestRouter = "192.168.21.1"
	guestLaptop = "192.168.21.9"
	guestPort   = "8080" // something on the laptop that the storage box might call
)

// Wall is a real network around one device of the lab. The storage box answers in a network namespace of its
// own, behind a router in another on which firmward stands, and where its wall can; a guest's laptop in a third
// tries what gets through. Everybody else stays in memory.
type Wall struct {
	router, box, laptop *netns.Space
	addr                netip.Addr // of the storage box
	listener            net.Listener
	cancel              context.CancelFunc
}

// Build makes the network and lets the storage box answer there. Where that cannot be, the error says why and
// nothing is left behind.
func Build(ctx context.Context, l *lab.Lab) (*Wall, error) {
	w := &Wall{}
	if err := w.build(ctx, l); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

func (w *Wall) build(ctx context.Context, l *lab.Lab) (err error) {
	for _, s := range []struct {
		space **netns.Space
		role  string
	}{{&w.router, "router"}, {&w.box, box}, {&w.laptop, "laptop"}} {
		if *s.space, err = netns.New(ctx, s.role); err != nil {
			return err
		}
	}
	device, ok := l.Device(box)
	if !ok {
		return fmt.Errorf("the lab has no %s", box)
	}
	facts, own := device.Facts(), Self[0].String()
	w.addr = facts.Addrs[0]
	for _, lay := range []func() error{
		func() error {
			return w.router.Link(ctx, []string{own + "/24"}, w.box, []string{w.addr.String() + "/24"})
		},
		func() error { return w.box.IP(ctx, "link", "set", "dev", "e0", "address", facts.MACs[0]) },
		func() error { return w.box.Route(ctx, own) },
		func() error {
			return w.router.Link(ctx, []string{guestRouter + "/24"}, w.laptop, []string{guestLaptop + "/24"})
		},
		func() error { return w.laptop.Route(ctx, guestRouter) },
		w.router.Forward,
		func() error { return w.Enforcers()[0].Ready(ctx) },
	} {
		if err := lay(); err != nil {
			return err
		}
	}
	if w.listener, err = w.laptop.Listen(ctx, "tcp", guestLaptop+":"+guestPort); err != nil {
		return err
	}
	go hangUp(w.listener)
	ctx, w.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return device.ServeOn(ctx, w.box)
}

// hangUp takes calls and ends them.
func hangUp(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_ = c.Close()
	}
}

// Close takes the network away. To close it twice is no error.
func (w *Wall) Close() error {
	if w.cancel != nil {
		w.cancel()
	}
	if w.listener != nil {
		_ = w.listener.Close() // it may be closed already
	}
	var errs []error
	for _, s := range []*netns.Space{w.laptop, w.box, w.router} {
		if s != nil {
			errs = append(errs, s.Remove())
		}
	}
	return errors.Join(errs...)
}

// Enforcers are the walls that can stand on the router.
func (w *Wall) Enforcers() []enforce.Enforcer {
	return enforcers.All(enforcers.Config{Namespace: w.router.Name})
}

// Witness are the places from which firmward proves the wall.
func (w *Wall) Witness() []enforce.Vantage {
	return []enforce.Vantage{
		{Name: "laptop " + guestLaptop, Network: w.laptop},
		{Name: "firmward " + Self[0].String(), Network: w.router, Allowed: true},
	}
}

// Network is inMemory, but for the storage box: firmward reaches that one from the router.
func (w *Wall) Network(inMemory *lab.Stack) wire.Network {
	return &partReal{Stack: inMemory, real: w.router, addr: w.addr}
}

type partReal struct {
	*lab.Stack
	real *netns.Space
	addr netip.Addr
}

// DialContext connects for real to the address that is real.
func (n *partReal) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if to, err := netip.ParseAddrPort(address); err == nil && to.Addr() == n.addr {
		return n.real.DialContext(ctx, network, address)
	}
	return n.Stack.DialContext(ctx, network, address)
}

// Neighbors knows the real one from the router's own neighbour table.
func (n *partReal) Neighbors(ctx context.Context, prefix netip.Prefix) (map[netip.Addr]net.HardwareAddr, error) {
	seen, err := n.Stack.Neighbors(ctx, prefix)
	if err != nil {
		return nil, err
	}
	delete(seen, n.addr)
	really, err := n.real.Neighbors(ctx, prefix)
	if mac, ok := really[n.addr]; ok {
		seen[n.addr] = mac
	}
	return seen, err
}

// Try is a command by which a viewer can look at the storage box from the other side of the wall.
func (w *Wall) Try() string {
	return fmt.Sprintf("ip netns exec %s curl -m 2 http://%s/", w.laptop.Name, w.addr)
}

// passage is what gets through between the storage box and others.
type passage struct {
	page, files bool // from the laptop to its web page and its files
	out         bool // from it to the laptop
	firmward    bool // from firmward to it
}

var (
	allOpen   = passage{page: true, files: true, out: true, firmward: true}
	contained = passage{firmward: true}
)

func (p passage) String() string {
	word := map[bool]string{true: "open", false: "cut"}
	return fmt.Sprintf("laptop → %s: web page %s, files %s; %[1]s → laptop: %[4]s; firmward → %[1]s: %[5]s", box, word[p.page], word[p.files], word[p.out], word[p.firmward])
}

// tryLimit is how long the story waits for an answer that may never come, in real time.
const tryLimit = 2 * time.Second

// try sends packets from all sides. Firmward is not asked, nor any of its code that proves walls.
func (w *Wall) try(ctx context.Context) (p passage) {
	ctx, cancel := context.WithTimeout(ctx, tryLimit)
	defer cancel()
	at := func(port string) string { return net.JoinHostPort(w.addr.String(), port) }
	var all sync.WaitGroup
	all.Go(func() { p.page = page(ctx, w.laptop, at("80")) })
	all.Go(func() { p.files = connects(ctx, w.laptop, at("445")) })
	all.Go(func() { p.out = connects(ctx, w.box, guestLaptop+":"+guestPort) })
	all.Go(func() { p.firmward = page(ctx, w.router, at("80")) })
	all.Wait()
	return p
}

func connects(ctx context.Context, from *netns.Space, to string) bool {
	c, err := from.DialContext(ctx, "tcp", to)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

// page reports whether the storage box of the lab shows its web page.
func page(ctx context.Context, from *netns.Space, at string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at+"/", nil)
	if err != nil {
		return false
	}
	client := &http.Client{Transport: &http.Transport{DialContext: from.DialContext, DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	return err == nil && strings.Contains(string(b), "ShareCenter by D-Link")
}
