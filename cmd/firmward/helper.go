package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/user"
	"strconv"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/enforce/nft"
	"github.com/firmward/firmward/privilege"
	"github.com/firmward/firmward/wire"
)

// HelperCmd runs the process that holds the rights of the system, so that the server needs none.
type HelperCmd struct {
	User   string   `help:"User of the server: nobody else is served." default:"firmward" placeholder:"NAME"`
	Socket string   `help:"Where it listens, unless systemd hands a socket over." default:"/run/firmward-helper.sock" placeholder:"PATH"`
	Never  []string `help:"Address or network that is never cut, whatever the server wants; may be repeated." placeholder:"CIDR"`
	Cap    int      `help:"How many addresses may be cut anew within an hour." default:"100" placeholder:"N"`
}

// Help gives examples.
func (HelperCmd) Help() string {
	return "It listens to ARP and DHCP, sweeps by ARP and sets walls for a server without rights: give that one --helper PATH.\n\n" +
		examples("firmward helper --user firmward", "firmward helper --user firmward --never 10.40.0.0/28 --cap 20")
}

// Run carries it out.
func (c *HelperCmd) Run(ctx context.Context, a *app) error {
	uid, err := userID(c.User)
	if err != nil {
		return err
	}
	never, err := prefixes(c.Never)
	if err != nil {
		return err
	}
	l, err := c.listen(ctx, uid)
	if err != nil {
		return err
	}
	defer l.Close()
	fmt.Fprintf(a.out, "firmward helps user %s at %s\n", c.User, l.Addr())
	h := privilege.Helper{
		UID: uid, Network: &wire.OS{}, Wall: &nft.Wall{}, Own: ownAddrs, Never: never, Cap: c.Cap, Log: slog.New(slog.NewTextHandler(a.err, nil)),
	}
	return h.Serve(ctx, l)
}

// userID finds a user by name or number.
func userID(name string) (int, error) {
	if uid, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(uid), nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return 0, usageError("no user is called " + name + ": give --user the one that runs the server")
	}
	return strconv.Atoi(u.Uid)
}

// prefixes reads addresses and networks.
func prefixes(texts []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, t := range texts {
		p, err := netip.ParsePrefix(t)
		if a, notPrefix := netip.ParseAddr(t); notPrefix == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			return nil, usageError("--never wants an address or a network, not " + t)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// handedOver is the first descriptor that systemd hands over (sd_listen_fds(3)).
const handedOver = 3

// listen takes the socket that systemd hands over, or opens its own, for one user only.
func (c *HelperCmd) listen(ctx context.Context, uid int) (net.Listener, error) {
	if os.Getenv("LISTEN_PID") == strconv.Itoa(os.Getpid()) && os.Getenv("LISTEN_FDS") == "1" {
		f := os.NewFile(handedOver, "socket")
		defer f.Close()
		l, err := net.FileListener(f)
		if err != nil {
			return nil, fmt.Errorf("take the socket of systemd: %w", err)
		}
		return l, nil
	}
	// One that another helper serves is left to it.
	if conn, err := (&net.Dialer{}).DialContext(ctx, "unix", c.Socket); err == nil {
		conn.Close()
		return nil, firmward.Errorf(firmward.Locked, "another helper listens at "+c.Socket)
	}
	l, err := listenSocket(ctx, c.Socket)
	if err != nil {
		return nil, err
	}
	if err := os.Chown(c.Socket, uid, -1); err != nil {
		return nil, errors.Join(fmt.Errorf("give the socket to the server's user: %w", err), l.Close())
	}
	return l, nil
}
