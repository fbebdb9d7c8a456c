//go:build linux

// Package wiretest builds networks for tests out of network namespaces: real kernels, real packets,
// and no way from them to any network of this machine.
//
// A namespace starts with nothing but a loopback interface. It is joined only to other namespaces of
// the same test, by veth pairs whose ends are made inside them; no end ever stands in the machine's own
// namespace. Everything is removed when the test ends. Names carry the test process's id, so that the
// next test removes what a killed one left behind.
package wiretest

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firmward/firmward/wire"
)

// prefix begins the name of every namespace of a test.
const prefix = "fwtest-"

var (
	count   atomic.Int64
	cleaned sync.Once
)

// Missing skips the test, or fails it where FIRMWARD_REQUIRE_DAEMONS=1 demands that everything is there.
func Missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("FIRMWARD_REQUIRE_DAEMONS") == "1" {
		t.Fatal(why + "; FIRMWARD_REQUIRE_DAEMONS=1 asks for it")
	}
	t.Skip(why)
}

// Tool finds a program, also where only root's PATH leads.
func Tool(t testing.TB, name, debianPackage string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, dir := range [...]string{"/usr/sbin", "/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path
		}
	}
	Missing(t, name+" is not installed: Debian package "+debianPackage)
	return ""
}

// Space is one namespace.
type Space struct {
	wire.Netns
	t     testing.TB
	ip    string
	links int
}

// New makes a namespace. role is a short word of its name, for people.
func New(t testing.TB, role string) *Space {
	t.Helper()
	if os.Geteuid() != 0 {
		Missing(t, "network namespaces need root: run the test as root")
	}
	ip := Tool(t, "ip", "iproute2")
	cleaned.Do(func() { removeLeftovers(t, ip) })
	s := &Space{Netns: wire.Netns{Name: fmt.Sprintf("%s%d-%d-%s", prefix, os.Getpid(), count.Add(1), role)}, t: t, ip: ip}
	if out, err := exec.CommandContext(t.Context(), ip, "netns", "add", s.Name).CombinedOutput(); err != nil {
		Missing(t, "no network namespace can be made here: "+strings.TrimSpace(string(out)))
	}
	t.Cleanup(func() { remove(t, ip, s.Name) })
	s.IP("link", "set", "lo", "up")
	return s
}

func remove(t testing.TB, ip, name string) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if out, err := exec.CommandContext(ctx, ip, "netns", "del", name).CombinedOutput(); err != nil {
		t.Errorf("remove namespace %s: %v: %s", name, err, out)
	}
}

// removeLeftovers removes namespaces of test processes that are gone.
func removeLeftovers(t testing.TB, ip string) {
	found, err := filepath.Glob("/run/netns/" + prefix + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		owner, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(path), prefix), "-")
		if pid, err := strconv.Atoi(owner); err == nil && syscall.Kill(pid, 0) == syscall.ESRCH {
			remove(t, ip, filepath.Base(path))
		}
	}
}

// IP runs ip(8) with args inside the namespace.
func (s *Space) IP(args ...string) {
	s.t.Helper()
	if out, err := exec.CommandContext(s.t.Context(), s.ip, append([]string{"-n", s.Name}, args...)...).CombinedOutput(); err != nil {
		s.t.Fatalf("ip -n %s %s: %v: %s", s.Name, strings.Join(args, " "), err, out)
	}
}

// Link joins two namespaces with a cable. An end may have several addresses, of both families.
func (s *Space) Link(mine []string, other *Space, theirs []string) {
	s.t.Helper()
	end := s.plug()
	s.cable(end, other, theirs)
	s.up(end, mine)
}

func (s *Space) plug() string {
	s.links++
	return "e" + strconv.Itoa(s.links-1)
}

func (s *Space) up(link string, addrs []string) {
	s.t.Helper()
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a)
		if err != nil {
			s.t.Fatal(err)
		}
		args := []string{"addr", "add", a, "dev", link}
		if p.Addr().Is6() {
			args = append(args, "nodad") // usable at once
		}
		s.IP(args...)
	}
	s.IP("link", "set", link, "up")
}

// Switch makes the namespace a switch and plugs the others into it, each with its addresses.
func (s *Space) Switch(ports map[*Space][]string) {
	s.t.Helper()
	s.IP("link", "add", "br0", "type", "bridge")
	s.IP("link", "set", "br0", "up")
	for p, addrs := range ports {
		mine := s.plug()
		s.cable(mine, p, addrs)
		s.IP("link", "set", mine, "master", "br0")
	}
}

// cable joins an end of a given name that gets no address with another namespace.
func (s *Space) cable(mine string, other *Space, theirs []string) {
	s.t.Helper()
	b := other.plug()
	s.IP("link", "add", mine, "type", "veth", "peer", "name", b, "netns", other.Name)
	s.up(mine, nil)
	other.up(b, theirs)
}

// Route sends everything without a better route to via, for both families.
func (s *Space) Route(via ...string) {
	s.t.Helper()
	for _, v := range via {
		s.IP("route", "add", "default", "via", v)
	}
}

// Forward makes the namespace a router for both families.
func (s *Space) Forward() {
	s.t.Helper()
	s.Sysctl("net/ipv4/ip_forward", "1")
	s.Sysctl("net/ipv6/conf/all/forwarding", "1")
}

// Sysctl sets a value below /proc/sys of the namespace.
func (s *Space) Sysctl(name, value string) {
	s.t.Helper()
	if err := s.Do(func() error { return os.WriteFile("/proc/sys/"+name, []byte(value), 0) }); err != nil {
		s.t.Fatal(err)
	}
}

// Start runs a daemon inside the namespace until the test ends; it must stay in the foreground. What it
// wrote is logged when the test has failed.
func (s *Space) Start(env []string, program string, args ...string) {
	s.t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(s.t.Context()), s.ip, append([]string{"netns", "exec", s.Name, program}, args...)...)
	var out bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), env...), &out, &out
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		s.t.Fatalf("start %s: %v", program, err)
	}
	s.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		err := cmd.Wait()
		if s.t.Failed() {
			s.t.Logf("%s ended with %v: %s", program, err, out.Bytes()[:min(out.Len(), 4<<10)])
		}
	})
}

// Await polls until ready says yes, and fails the test after limit. what completes "waiting for …".
func Await(t testing.TB, limit time.Duration, what string, ready func() bool) time.Duration {
	t.Helper()
	start := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ready() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waiting for %s: not within %s", what, limit)
		}
	}
	return time.Since(start)
}

// Without runs f on a thread whose programs lack a capability, root though they are. Goroutines that f
// starts keep it. Nothing to skip: what cannot be dropped is not there.
func Without(capability uintptr, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread ends with this goroutine
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0); err != nil {
			done <- fmt.Errorf("drop capability %d: %w", capability, err)
			return
		}
		done <- f()
	}()
	return <-done
}
