package wire

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/firmward/firmward"
)

// namespaces is where ip netns keeps its handles.
const namespaces = "/run/netns"

// inNamespace runs f on a thread of its own that stands in the namespace. A thread that cannot go home
// stays locked to its goroutine, so that the runtime ends it with the goroutine.
func inNamespace(name string, f func() error) error {
	if name == "" || name != filepath.Base(name) || name == "." || name == ".." {
		return firmward.Errorf(firmward.Invalid, fmt.Sprintf("%q is no name of a network namespace", name))
	}
	there, err := os.Open(filepath.Join(namespaces, name))
	if errors.Is(err, os.ErrNotExist) {
		return firmward.Errorf(firmward.NotFound, "there is no network namespace "+name+" (ip netns add "+name+")")
	}
	if err != nil {
		return fmt.Errorf("open network namespace: %w", err)
	}
	defer there.Close()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		done <- visit(there, f)
	}()
	return <-done
}

// visit unlocks the thread only when it is home again.
func visit(there *os.File, f func() error) error {
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return fmt.Errorf("open this thread's network namespace: %w", err)
	}
	defer home.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		if errors.Is(err, unix.EPERM) {
			return &firmward.Error{Code: firmward.NotSupported, Message: "to work in another network namespace needs root", Err: err}
		}
		return fmt.Errorf("enter network namespace %s: %w", there.Name(), err)
	}
	worked := f()
	if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err == nil {
		runtime.UnlockOSThread()
	}
	return worked
}
