package privilege_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/contain"
	"github.com/firmward/firmward/enforce"
	"github.com/firmward/firmward/enforce/enforcetest"
	"github.com/firmward/firmward/enforce/nft"
	"github.com/firmward/firmward/privilege"
	"github.com/firmward/firmward/wire"
	"github.com/firmward/firmward/wire/wiretest"
)

// asServer names the helper's socket to a copy of this program that plays the server without rights.
const asServer = "FIRMWARD_TEST_HELPER"

func TestMain(m *testing.M) {
	if socket := os.Getenv(asServer); socket != "" {
		if err := serverPart(socket); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var (
	segment = netip.MustParsePrefix("10.99.9.0/28")
	nasAddr = netip.MustParseAddr("10.99.9.9")
	self    = netip.MustParseAddr("10.99.9.1")
)

// serverPart does all that the server wants of the helper, and says what it is itself.
func serverPart(socket string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	for line := range strings.SplitSeq(string(status), "\n") {
		if strings.HasPrefix(line, "Uid:") || strings.HasPrefix(line, "Cap") || strings.HasPrefix(line, "NoNewPrivs") {
			fmt.Println(line)
		}
	}
	if err := (&wire.OS{}).Overhear(ctx, segment, func([]byte) {}); !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("by itself it listens: %w", err)
	}
	helper := privilege.Client{Socket: socket}
	n, wall := &privilege.OS{Helper: helper}, &privilege.Remote{Helper: helper, Wall: (&nft.Wall{}).Info()}
	seen, err := n.Sweep(ctx, segment)
	if err != nil || seen[nasAddr] == nil {
		return fmt.Errorf("sweep: %v, %w", seen, err)
	}
	fmt.Println("swept", len(seen))
	heard, end := context.WithCancel(ctx)
	if err := n.Overhear(heard, segment, func(frame []byte) {
		if len(frame) >= 42 && netip.AddrFrom4([4]byte(frame[28:32])) == nasAddr {
			end()
		}
	}); err != nil || ctx.Err() != nil {
		return fmt.Errorf("overhear: %w", errors.Join(err, ctx.Err()))
	}
	fmt.Println("heard", nasAddr)
	if err := wall.Ready(ctx); err != nil {
		return fmt.Errorf("ready: %w", err)
	}
	a, err := wall.Apply(ctx, contain.Rules(firmward.Device{Addrs: []netip.Addr{nasAddr}}, []netip.Addr{self}, nil), time.Now().Add(contain.UndoAfter))
	if err != nil {
		return fmt.Errorf("apply: %w", err)
	}
	if err := wall.Confirm(ctx, a); err != nil {
		return fmt.Errorf("confirm: %w", err)
	}
	fmt.Println("contained", nasAddr)
	return nil
}

// world is a router, on which firmward stands, between a segment with two devices and one with a peer.
func world(t *testing.T) (enforcetest.World, *wiretest.Space) {
	t.Helper()
	wiretest.Tool(t, "nft", "nftables")
	router, sw := wiretest.New(t, "router"), wiretest.New(t, "sw")
	nas, lamp, peer := wiretest.New(t, "nas"), wiretest.New(t, "lamp"), wiretest.New(t, "peer")
	sw.Switch(map[*wiretest.Space][]string{router: {"10.99.9.1/28"}, nas: {"10.99.9.9/28"}, lamp: {"10.99.9.8/28"}})
	router.Link([]string{"10.99.10.1/24"}, peer, []string{"10.99.10.9/24"})
	router.Forward()
	nas.Route("10.99.9.1")
	lamp.Route("10.99.9.1")
	peer.Route("10.99.10.1")
	place := func(name string, s *wiretest.Space, addr string) enforcetest.Place {
		return enforcetest.Place{Name: name, Network: s, Addrs: []netip.Addr{netip.MustParseAddr(addr)}}
	}
	return enforcetest.World{
		Device: place("nas", nas, "10.99.9.9"), Other: place("lamp", lamp, "10.99.9.8"),
		Peer: place("peer", peer, "10.99.10.9"), Self: place("router", router, "10.99.9.1"),
	}, router
}

// help runs a helper for a user in a router's namespace until the test ends, and gives its socket.
func help(t *testing.T, uid int, router *wiretest.Space, change func(*privilege.Helper)) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "fw") // a path short enough for a socket, and open to another user
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(socket, 0o666); err != nil { // so that the kernel's word about the peer is all that counts
		t.Fatal(err)
	}
	h := &privilege.Helper{
		UID: uid, Network: router, Wall: &nft.Wall{Namespace: router.Name}, Cap: 100, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Own: func() (own []netip.Addr, err error) {
			err = router.Do(func() error {
				all, err := net.InterfaceAddrs()
				for _, a := range all {
					own = append(own, netip.MustParsePrefix(a.String()).Addr())
				}
				return err
			})
			return own, err
		},
	}
	if change != nil {
		change(h)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return socket
}

// TestServerWithoutRights: as user 65534 and without any capability the server part sweeps, listens and contains through
// the helper; another user gets nothing; a table of somebody else stays as it was.
func TestServerWithoutRights(t *testing.T) {
	w, router := world(t)
	ip, setpriv, program := wiretest.Tool(t, "ip", "iproute2"), wiretest.Tool(t, "setpriv", "util-linux"), wiretest.Tool(t, "nft", "nftables")
	foreign := func(args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), ip, append([]string{"netns", "exec", router.Name, program}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("nft %v: %v: %s", args, err, out)
		}
		return string(out)
	}
	foreign("add table inet theirs")
	foreign("add chain inet theirs in { type filter hook input priority 0; policy accept; }")
	before := foreign("list table inet theirs")

	socket := help(t, 65534, router, nil)
	own := filepath.Join(filepath.Dir(socket), "server")
	b, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = os.WriteFile(own, b, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	as := func(uid string) (string, error) {
		cmd := exec.CommandContext(t.Context(), ip, "netns", "exec", router.Name, setpriv, "--reuid", uid, "--regid", uid, "--clear-groups",
			"--inh-caps=-all", "--bounding-set=-all", "--no-new-privs", own)
		cmd.Env = append(os.Environ(), asServer+"="+socket)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	speaks, quiet := context.WithCancel(t.Context()) // the storage box asks for somebody who is not there, again and again
	defer quiet()
	go func() {
		for speaks.Err() == nil {
			if c, err := w.Device.Network.DialContext(speaks, "tcp", "10.99.9.7:9"); err == nil {
				c.Close()
			}
		}
	}()
	said, err := as("65534")
	t.Log(said)
	if err != nil || !strings.Contains(said, "CapEff:\t0000000000000000") || !strings.Contains(said, "contained 10.99.9.9") {
		t.Errorf("the server part: %v", err)
	}
	if l, err := (&nft.Wall{Namespace: router.Name}).Listing(t.Context()); err != nil || !strings.Contains(l, "10.99.9.9") {
		t.Errorf("the wall: %v\n%s", err, l)
	}
	if said, err := as("65533"); err == nil || !strings.Contains(said, "the helper serves another user") {
		t.Errorf("another user: %v: %s", err, said)
	}
	if err := (&privilege.Remote{Helper: privilege.Client{Socket: socket}}).Ready(t.Context()); firmward.CodeOf(err) != firmward.Forbidden {
		t.Errorf("root is another user too: %v", err)
	}
	if after := foreign("list table inet theirs"); after != before {
		t.Errorf("a table of somebody else was\n%s\nand is\n%s", before, after)
	}
}

// TestConformance: a wall that the helper builds is a wall.
func TestConformance(t *testing.T) {
	w, router := world(t)
	socket := help(t, os.Geteuid(), router, nil)
	enforcetest.Run(t, func(*testing.T) enforce.Enforcer {
		return &privilege.Remote{Helper: privilege.Client{Socket: socket}, Wall: (&nft.Wall{}).Info()}
	}, w)
}

// TestHelperRefuses: what a server that was taken over might ask for.
func TestHelperRefuses(t *testing.T) {
	_, router := world(t)
	socket := help(t, os.Geteuid(), router, func(h *privilege.Helper) {
		h.Never, h.Cap = []netip.Prefix{netip.MustParsePrefix("10.99.9.8/32")}, 3
	})
	wall := &privilege.Remote{Helper: privilege.Client{Socket: socket}}
	cut := func(addrs ...string) (want []firmward.AccessRule) {
		for _, a := range addrs {
			want = append(want, contain.Rules(firmward.Device{Addrs: []netip.Addr{netip.MustParseAddr(a)}}, nil, nil)...)
		}
		return want
	}
	soon := func() time.Time { return time.Now().Add(time.Minute) }
	for what, tc := range map[string]struct {
		want []firmward.AccessRule
		by   time.Time
	}{
		"itself":            {cut("10.99.9.1"), soon()},
		"itself, disguised": {cut("::ffff:10.99.9.1"), soon()},
		"what is listed":    {cut("10.99.9.9", "10.99.9.8"), soon()},
		"too long a trial":  {cut("10.99.9.9"), time.Now().Add(time.Hour)},
		"too many at once":  {cut("10.99.9.9", "10.99.9.10", "10.99.9.11", "10.99.9.12"), soon()},
	} {
		if _, err := wall.Apply(t.Context(), tc.want, tc.by); firmward.CodeOf(err) != firmward.Refused {
			t.Errorf("%s: %v", what, err)
		}
	}
	if l, err := (&nft.Wall{Namespace: router.Name}).Listing(t.Context()); err != nil || l != "" {
		t.Errorf("something was set: %v\n%s", err, l)
	}
	first, err := wall.Apply(t.Context(), cut("10.99.9.9", "10.99.9.10"), soon())
	if err != nil {
		t.Fatal(err)
	}
	forged := enforce.Applied{Token: strings.ReplaceAll(first.Token, "10.99.9.9", "10.99.9.8")}
	if err := wall.Confirm(t.Context(), forged); forged.Token == first.Token || firmward.CodeOf(err) != firmward.Conflict {
		t.Errorf("other rules under the same token: %v", err)
	}
	if err := wall.Confirm(t.Context(), first); err != nil {
		t.Error(err)
	}
	if _, err := wall.Apply(t.Context(), cut("10.99.9.9", "10.99.9.10", "10.99.9.11"), soon()); err != nil {
		t.Errorf("a third within the hour: %v", err)
	}
	if _, err := wall.Apply(t.Context(), cut("10.99.9.12"), soon()); firmward.CodeOf(err) != firmward.Refused {
		t.Errorf("a fourth within the hour: %v", err)
	}
	if _, err := wall.Apply(t.Context(), cut("10.99.9.9"), soon()); err != nil {
		t.Errorf("one of the three again: %v", err)
	}
	if _, err := wall.Apply(t.Context(), nil, time.Time{}); err != nil {
		t.Errorf("all down: %v", err)
	}
	if _, err := (&privilege.OS{Helper: privilege.Client{Socket: socket}}).Sweep(t.Context(), netip.MustParsePrefix("10.99.0.0/16")); firmward.CodeOf(err) != firmward.NotSupported {
		t.Errorf("a sweep of a /16: %v", err)
	}
	gone := privilege.Client{Socket: socket + "-not-there"}
	if err := (&privilege.OS{Helper: gone}).Overhear(t.Context(), segment, nil); firmward.CodeOf(err) != firmward.Unavailable || !strings.Contains(err.Error(), "firmward-helper.socket") {
		t.Errorf("no helper: %v", err)
	}
}
