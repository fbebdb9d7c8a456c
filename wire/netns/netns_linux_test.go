package netns_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/firmward/firmward/wire/netns"
	"github.com/firmward/firmward/wire/wiretest"
)

func stands(name string) bool {
	_, err := os.Lstat("/run/netns/" + name)
	return err == nil
}

// TestLeftovers: what a killed process left behind goes, what others still use stays.
func TestLeftovers(t *testing.T) {
	first := wiretest.New(t, "first") // skips without root
	ip := wiretest.Tool(t, "ip", "iproute2")
	ended := exec.CommandContext(t.Context(), ip, "-V")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	left := fmt.Sprintf("%s%d-1-left", netns.Prefix, ended.ProcessState.Pid())
	used := fmt.Sprintf("%s%d-1-used", netns.Prefix, os.Getppid())
	named := netns.Prefix + "by-hand"
	for _, name := range []string{left, used, named} {
		if out, err := exec.CommandContext(t.Context(), ip, "netns", "add", name).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
		t.Cleanup(func() { _ = exec.Command(ip, "netns", "del", name).Run() })
	}
	second, err := netns.New(t.Context(), "second")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{left: false, used: true, named: true, first.Name: true, second.Name: true} {
		if stands(name) != want {
			t.Errorf("%s stands: %t, want %t", name, stands(name), want)
		}
	}
	for range 2 {
		if err := second.Remove(); err != nil {
			t.Error(err)
		}
	}
	if stands(second.Name) {
		t.Errorf("%s was removed and stands", second.Name)
	}
}
