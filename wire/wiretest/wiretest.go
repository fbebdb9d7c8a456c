//go:build linux

// Package wiretest gives tests networks made of network namespaces: those of netns, which end with the test.
package wiretest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/wire/netns"
	"github.com/firmward/firmward/wire/wiretest/needs"
)

// Missing is needs.Missing, for tests that need more of this package too.
func Missing(t testing.TB, why string) {
	t.Helper()
	needs.Missing(t, why)
}

// Tool finds a program, also where only root's PATH leads.
func Tool(t testing.TB, name, debianPackage string) string {
	t.Helper()
	path, err := netns.Program(name, debianPackage)
	if err != nil {
		Missing(t, err.Error())
	}
	return path
}

// Space is a namespace of a test: what cannot be done fails it.
type Space struct {
	*netns.Space
	t testing.TB
}

// New makes a namespace. role is a short word of its name, for people.
func New(t testing.TB, role string) *Space {
	t.Helper()
	made, err := netns.New(t.Context(), role)
	if firmward.CodeOf(err) == firmward.NotSupported {
		Missing(t, err.Error())
	}
	s := &Space{made, t}
	s.must(err)
	t.Cleanup(func() { s.must(made.Remove()) })
	return s
}

func (s *Space) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// IP runs ip(8) with args inside the namespace.
func (s *Space) IP(args ...string) {
	s.t.Helper()
	s.must(s.Space.IP(s.t.Context(), args...))
}

// Link joins two namespaces with a cable, as netns does.
func (s *Space) Link(mine []string, other *Space, theirs []string) {
	s.t.Helper()
	s.must(s.Space.Link(s.t.Context(), mine, other.Space, theirs))
}

// Switch makes the namespace a switch and plugs the others into it, each with its addresses.
func (s *Space) Switch(ports map[*Space][]string) {
	s.t.Helper()
	plugged := map[*netns.Space][]string{}
	for p, addrs := range ports {
		plugged[p.Space] = addrs
	}
	s.must(s.Space.Switch(s.t.Context(), plugged))
}

// Route sends everything without a better route to via, for both families.
func (s *Space) Route(via ...string) {
	s.t.Helper()
	s.must(s.Space.Route(s.t.Context(), via...))
}

// Forward makes the namespace a router for both families.
func (s *Space) Forward() {
	s.t.Helper()
	s.must(s.Space.Forward())
}

// Start runs a daemon inside the namespace until the test ends; it must stay in the foreground. What it
// wrote is logged when the test has failed.
func (s *Space) Start(env []string, program string, args ...string) {
	s.t.Helper()
	ip := Tool(s.t, "ip", "iproute2")
	cmd := exec.CommandContext(context.WithoutCancel(s.t.Context()), ip, append([]string{"netns", "exec", s.Name, program}, args...)...)
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
