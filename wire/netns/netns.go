// Package netns builds networks out of network namespaces of this host: real kernels, real packets, and no
// way from them to any network of this machine. The demo and the tests stand in such; firmward itself makes none.
//
// A namespace starts with nothing but a loopback interface. It is joined only to others made here, by veth
// pairs whose ends are made inside them; no end ever stands in the machine's own namespace. Names carry the id
// of the process that made them, so that two at once do not meet and the next one removes what a killed one
// left behind.
package netns

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/wire"
)

// Prefix begins the name of every namespace made here: fwlab-PROCESS-NUMBER-ROLE.
const Prefix = "fwlab-"

const (
	handles = "/run/netns" // where ip netns keeps its names
	limit   = 10 * time.Second
)

var count atomic.Int64

// Space is one namespace.
type Space struct {
	wire.Netns
	ip    string
	links int
}

// New makes a namespace. role is a short word of its name, for people. Where none can be made it gives
// NotSupported and says why.
func New(ctx context.Context, role string) (*Space, error) {
	if runtime.GOOS != "linux" {
		return nil, firmward.Errorf(firmward.NotSupported, "only Linux has network namespaces")
	}
	if os.Geteuid() != 0 {
		return nil, firmward.Errorf(firmward.NotSupported, "network namespaces need root")
	}
	ip, err := Program("ip", "iproute2")
	if err != nil {
		return nil, err
	}
	removeLeftovers(ctx, ip)
	s := &Space{Netns: wire.Netns{Name: fmt.Sprintf("%s%d-%d-%s", Prefix, os.Getpid(), count.Add(1), role)}, ip: ip}
	if _, err := os.Lstat(s.handle()); err == nil {
		return nil, firmward.Errorf(firmward.Conflict, "the network namespace "+s.Name+" exists already")
	}
	err = run(ctx, ip, "netns", "add", s.Name)
	if err == nil {
		err = s.IP(ctx, "link", "set", "lo", "up")
	}
	if err != nil {
		_ = s.Remove() // what is half made; the first error says what happened
		return nil, &firmward.Error{Code: firmward.NotSupported, Message: "no network namespace can be made here", Err: err}
	}
	return s, nil
}

func (s *Space) handle() string { return filepath.Join(handles, s.Name) }

// Remove takes the namespace away: with it go its interfaces, routes and rules, as soon as its last socket is
// closed. To remove it twice is no error.
func (s *Space) Remove() error { return remove(context.Background(), s.ip, s.Name) }

func remove(ctx context.Context, ip, name string) (err error) {
	for range 3 { // Ctrl-C, once more: it may hit ip before ip has left our process group
		err = run(ctx, ip, "netns", "del", name)
		if _, gone := os.Lstat(filepath.Join(handles, name)); errors.Is(gone, os.ErrNotExist) {
			return nil
		}
	}
	return err
}

// removeLeftovers removes namespaces of processes that are gone. What stays is looked at again next time.
func removeLeftovers(ctx context.Context, ip string) {
	found, _ := filepath.Glob(filepath.Join(handles, Prefix+"*")) // the pattern is sound
	for _, path := range found {
		owner, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(path), Prefix), "-")
		if _, err := strconv.Atoi(owner); err != nil {
			continue
		}
		if _, err := os.Stat(filepath.Join("/proc", owner)); errors.Is(err, os.ErrNotExist) {
			_ = remove(ctx, ip, filepath.Base(path))
		}
	}
}

// Program finds a program in PATH and where only root's PATH leads.
func Program(name, debianPackage string) (string, error) {
	for _, at := range [...]string{name, filepath.Join("/usr/sbin", name), filepath.Join("/sbin", name)} {
		if path, err := exec.LookPath(at); err == nil {
			return path, nil
		}
	}
	return "", firmward.Errorf(firmward.NotSupported, "the program "+name+" is not installed: run apt install "+debianPackage)
}

// run starts ip and lets it end even when ctx does: half a step would leave something behind.
func run(ctx context.Context, ip string, args ...string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, ip, args...)
	detach(cmd)
	out, err := cmd.CombinedOutput()
	if said := strings.TrimSpace(string(out)); err != nil && said != "" {
		err = errors.New(said) // says more than the exit status
	}
	if err != nil {
		return fmt.Errorf("ip %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// IP runs ip(8) with args inside the namespace.
func (s *Space) IP(ctx context.Context, args ...string) error {
	return run(ctx, s.ip, append([]string{"-n", s.Name}, args...)...)
}

// Link joins two namespaces with a cable. An end may have several addresses, of both families. The
// interfaces of a namespace are called e0, e1 … in the order in which they are made.
func (s *Space) Link(ctx context.Context, mine []string, other *Space, theirs []string) error {
	end := s.plug()
	if err := s.cable(ctx, end, other, theirs); err != nil {
		return err
	}
	return s.up(ctx, end, mine)
}

func (s *Space) plug() string {
	s.links++
	return "e" + strconv.Itoa(s.links-1)
}

func (s *Space) up(ctx context.Context, link string, addrs []string) error {
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a)
		if err != nil {
			return fmt.Errorf("address of %s in %s: %w", link, s.Name, err)
		}
		args := []string{"addr", "add", a, "dev", link}
		if p.Addr().Is6() {
			args = append(args, "nodad") // usable at once
		}
		if err := s.IP(ctx, args...); err != nil {
			return err
		}
	}
	return s.IP(ctx, "link", "set", link, "up")
}

// Switch makes the namespace a switch and plugs the others into it, each with its addresses.
func (s *Space) Switch(ctx context.Context, ports map[*Space][]string) error {
	if err := s.IP(ctx, "link", "add", "br0", "type", "bridge"); err != nil {
		return err
	}
	if err := s.IP(ctx, "link", "set", "br0", "up"); err != nil {
		return err
	}
	for p, addrs := range ports {
		mine := s.plug()
		if err := s.cable(ctx, mine, p, addrs); err != nil {
			return err
		}
		if err := s.IP(ctx, "link", "set", mine, "master", "br0"); err != nil {
			return err
		}
	}
	return nil
}

// cable joins an end of a given name that gets no address with another namespace.
func (s *Space) cable(ctx context.Context, mine string, other *Space, theirs []string) error {
	b := other.plug()
	if err := s.IP(ctx, "link", "add", mine, "type", "veth", "peer", "name", b, "netns", other.Name); err != nil {
		return err
	}
	if err := s.up(ctx, mine, nil); err != nil {
		return err
	}
	return other.up(ctx, b, theirs)
}

// Route sends everything without a better route to via, for both families.
func (s *Space) Route(ctx context.Context, via ...string) error {
	for _, v := range via {
		if err := s.IP(ctx, "route", "add", "default", "via", v); err != nil {
			return err
		}
	}
	return nil
}

// Forward makes the namespace a router for both families.
func (s *Space) Forward() error {
	return errors.Join(s.Sysctl("net/ipv4/ip_forward", "1"), s.Sysctl("net/ipv6/conf/all/forwarding", "1"))
}

// Sysctl sets a value below /proc/sys of the namespace.
func (s *Space) Sysctl(name, value string) error {
	err := s.Do(func() error { return os.WriteFile("/proc/sys/"+name, []byte(value), 0) })
	if err != nil {
		return fmt.Errorf("set %s in %s: %w", name, s.Name, err)
	}
	return nil
}
