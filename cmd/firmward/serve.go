package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/enforce"
	"github.com/firmward/firmward/enforce/enforcers"
	"github.com/firmward/firmward/enforce/nft"
	"github.com/firmward/firmward/httpapi"
	"github.com/firmward/firmward/privilege"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/wire"
)

// ServeCmd runs the server.
type ServeCmd struct {
	Listen        string   `help:"Address of API and web app." default:"127.0.0.1:8099" placeholder:"ADDR"`
	TLSCert       string   `name:"tls-cert" help:"Certificate; needed for any address but loopback." type:"existingfile" and:"tls" placeholder:"FILE"`
	TLSKey        string   `name:"tls-key" help:"Its key." type:"existingfile" and:"tls" placeholder:"FILE"`
	TLSSelfSigned bool     `name:"tls-self-signed" help:"Make a certificate in the data directory and show its fingerprint."`
	Host          []string `help:"Name under which the server is reached, beside its address; may be repeated." placeholder:"NAME"`
	Policies      string   `help:"Policy file; for a list that it lacks the policies that firmward ships hold." type:"existingfile" placeholder:"FILE"`
	DepotAddr     string   `help:"Address of this machine at which devices fetch their images." placeholder:"IP:PORT"`
	Witness       []string `help:"Second address of this machine, in another segment than the devices: packets from it prove that a contained device is cut off. Needs root and nftables on the router." placeholder:"IP"`
	Helper        string   `help:"Socket of firmward helper, which listens and sets walls for this server." placeholder:"PATH"`
	LogJSON       bool     `name:"log-json" help:"Write the log as JSON."`
}

// Help gives examples.
func (ServeCmd) Help() string {
	return examples("firmward serve", "firmward serve --listen 0.0.0.0:8099 --host patch.example \\", "    --tls-cert cert.pem --tls-key key.pem",
		"firmward serve --depot-addr 192.168.1.5:8090", "firmward serve --lab-map lab.json --data ./try")
}

// Run carries it out.
func (c *ServeCmd) Run(ctx context.Context, a *app) error {
	if a.Server != "" {
		return usageError("serve runs the server itself: leave out --server")
	}
	if err := c.checkListen(); err != nil {
		return err
	}
	var handler slog.Handler = slog.NewTextHandler(a.err, nil)
	if c.LogJSON {
		handler = slog.NewJSONHandler(a.err, nil)
	}
	cfg := houseConfig{Dir: a.Data, DB: a.DB, Policies: c.Policies, Hosts: c.names(), Log: slog.New(handler)}
	if err := c.around(a, &cfg); err != nil {
		return err
	}
	h, err := openHouse(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() {
		if err := h.Close(); err != nil {
			cfg.Log.Error("not closed cleanly", "error", err)
		}
	}()
	return c.serve(ctx, a, h, cfg.Log)
}

// around sets what stands around the house: the network, the address for images.
func (c *ServeCmd) around(a *app, cfg *houseConfig) (err error) {
	if a.LabMap != "" {
		if cfg.Network, err = labNetwork(a.LabMap); err != nil {
			return err
		}
		cfg.Lab = true
	}
	if c.DepotAddr != "" {
		if cfg.DepotAddr, err = netip.ParseAddrPort(c.DepotAddr); err != nil || cfg.DepotAddr.Addr().IsUnspecified() {
			return usageError("--depot-addr wants an address of this machine that the devices can reach, with a port: 192.168.1.5:8090")
		}
	}
	if cfg.Self, err = ownAddrs(); err != nil {
		return err
	}
	return c.walls(cfg)
}

// walls sets the enforcers and the places from which packets prove them: firmward's own addresses must be
// let through, the witnesses must not.
func (c *ServeCmd) walls(cfg *houseConfig) error {
	cfg.Enforcers = enforcers.All(enforcers.Config{})
	if c.Helper != "" {
		helper := privilege.Client{Socket: c.Helper}
		if cfg.Network == nil {
			cfg.Network = &privilege.OS{Helper: helper}
		}
		cfg.Enforcers = []enforce.Enforcer{&privilege.Remote{Helper: helper, Wall: (&nft.Wall{}).Info()}}
	}
	for _, w := range c.Witness {
		addr, err := netip.ParseAddr(w)
		if err != nil || !slices.Contains(cfg.Self, addr) {
			return usageError("--witness wants an address of this machine, not " + w)
		}
		cfg.Self = slices.DeleteFunc(cfg.Self, func(a netip.Addr) bool { return a == addr })
		cfg.Witness = append(cfg.Witness, enforce.Vantage{Name: w, Network: &wire.OS{Local: addr}})
	}
	if len(c.Witness) > 0 {
		cfg.Witness = append(cfg.Witness, enforce.Vantage{Name: "firmward", Network: &wire.OS{}, Allowed: true})
	}
	return nil
}

// names are the names under which the server is reached: those that were given, and the address at which it
// listens, or every own one when it listens at all.
func (c *ServeCmd) names() []string {
	names := lower(c.Host)
	host, _, _ := net.SplitHostPort(c.Listen) // checked by checkListen
	if addr, err := netip.ParseAddr(host); host != "" && (err != nil || !addr.IsUnspecified()) {
		return append(names, strings.ToLower(host))
	}
	own, _ := ownAddrs() // without them the names that were given remain
	for _, a := range own {
		names = append(names, a.String())
	}
	return names
}

// ownAddrs lists the addresses of this machine: firmward does not look at itself.
func ownAddrs() ([]netip.Addr, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("list own addresses: %w", err)
	}
	var out []netip.Addr
	for _, ia := range all {
		if p, err := netip.ParsePrefix(ia.String()); err == nil {
			out = append(out, p.Addr().Unmap())
		}
	}
	return out, nil
}

func (c *ServeCmd) secure() bool { return c.TLSCert != "" || c.TLSSelfSigned }

// checkListen refuses to talk openly on a network.
func (c *ServeCmd) checkListen() error {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return usageError("--listen wants an address with a port: 127.0.0.1:8099")
	}
	if c.TLSCert != "" && c.TLSSelfSigned {
		return usageError("--tls-cert and --tls-self-signed exclude each other")
	}
	if loopbackName(host) || c.secure() {
		return nil
	}
	return firmward.Errorf(firmward.Refused, c.Listen+" can be reached by others, and passwords and tokens would travel openly: "+
		"give --tls-cert and --tls-key, or --tls-self-signed, or listen on 127.0.0.1")
}

// firstToken makes the first administrator's token and shows it once.
func (c *ServeCmd) firstToken(ctx context.Context, a *app, h *house) error {
	tokens, _, err := h.Store.Tokens(ctx, store.Page{Limit: 1})
	if err != nil || len(tokens) > 0 {
		return err
	}
	secret, t, err := h.Control.AddToken(ctx, localPerson(), "admin", firmward.Admin, time.Time{})
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "Token of %s, shown this once:\n%s\n", t.Person.Name, secret)
	return nil
}

// shutdownTime is how long requests may take to end.
const shutdownTime = 5 * time.Second

// serve opens the listeners, runs the loops and ends all of it together.
func (c *ServeCmd) serve(ctx context.Context, a *app, h *house, log *slog.Logger) error {
	tcp, err := c.listen(ctx, a)
	if err != nil {
		return err
	}
	defer tcp.Close()
	socket, err := listenSocket(ctx, filepath.Join(a.Data, fileSocket))
	if err != nil {
		return err
	}
	defer socket.Close()
	if err := c.firstToken(ctx, a, h); err != nil { // after all that can fail: it is shown once
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	servers := []*http.Server{newServer(ctx, h, log), newServer(ctx, h, log)}
	servers[1].ConnContext = localConn
	for i, ln := range []net.Listener{tcp, socket} {
		g.Go(func() error {
			if err := servers[i].Serve(ln); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve %s: %w", ln.Addr(), err)
			}
			return nil
		})
	}
	g.Go(func() error { return h.run(ctx) })
	g.Go(func() error {
		<-ctx.Done()
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
		defer cancel()
		for _, s := range servers {
			if err := s.Shutdown(end); err != nil {
				s.Close()
			}
		}
		return nil
	})
	scheme := "http"
	if c.secure() {
		scheme = "https"
	}
	fmt.Fprintf(a.out, "firmward serves %s://%s from %s\n", scheme, tcp.Addr(), a.Data)
	err = g.Wait()
	log.Info("stopped")
	return err
}

// newServer makes a server whose requests end with ctx: event streams must not hold up the shutdown.
func newServer(ctx context.Context, h *house, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h.API.Handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx }, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

func (c *ServeCmd) listen(ctx context.Context, a *app) (net.Listener, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return nil, &firmward.Error{Code: firmward.Unavailable, Message: c.Listen + " cannot be used: choose another --listen address", Err: err}
	}
	if !c.secure() {
		return ln, nil
	}
	cert, key := c.TLSCert, c.TLSKey
	if c.TLSSelfSigned {
		own, err := selfSigned(a.Data, c.names())
		if err != nil {
			ln.Close()
			return nil, err
		}
		cert, key = own.cert, own.key
		fmt.Fprintln(a.out, "Fingerprint of the certificate (SHA-256):", own.fingerprint)
		if own.anew != "" {
			fmt.Fprintf(a.out, "It is a new certificate: the one before %s. Whoever compared that one compares again.\n", own.anew)
		}
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		ln.Close()
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	return tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}), nil
}

// localConn names who is at the other end of a unix socket: this user or root, with the role of an admin.
func localConn(ctx context.Context, conn net.Conn) context.Context {
	if uid, ok := privilege.PeerUID(conn); ok && (uid == os.Geteuid() || uid == 0) {
		return httpapi.LocalPerson(ctx, personOf(uid))
	}
	return ctx
}

// maxSocket is the longest path that a unix socket may have everywhere, in bytes.
const maxSocket = 100

// listenSocket opens the socket of the command line, for this user only. The data directory is locked, so
// a socket that lies there already belongs to nobody.
func listenSocket(ctx context.Context, path string) (net.Listener, error) {
	if len(path) > maxSocket {
		return nil, firmward.Errorf(firmward.Invalid, "the path of the data directory is too long for a socket: choose a shorter --data")
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove old socket: %w", err)
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("open socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		ln.Close()
		return nil, fmt.Errorf("close socket to others: %w", err)
	}
	return ln, nil
}

func lower(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = strings.ToLower(n)
	}
	return out
}
