package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firmward/firmward/wire/wiretest"
)

// TestUnits: systemd understands the units, the server has no capability and the helper two.
func TestUnits(t *testing.T) {
	analyze := wiretest.Tool(t, "systemd-analyze", "systemd")
	dir, units := t.TempDir(), []string{"firmward.service", "firmward-helper.service", "firmward-helper.socket"}
	args := []string{"verify"}
	for _, name := range units {
		b, err := os.ReadFile(filepath.Join("../../packaging", name))
		if err != nil {
			t.Fatal(err)
		}
		rights := map[string]string{}
		for line := range strings.Lines(string(b)) {
			if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && strings.Contains(key, "Capabilit") {
				rights[key] += value
			}
		}
		switch two := "CAP_NET_RAW CAP_NET_ADMIN"; {
		case name == "firmward.service" && (rights["AmbientCapabilities"] != "" || rights["CapabilityBoundingSet"] != ""),
			name == "firmward-helper.service" && (rights["AmbientCapabilities"] != two || rights["CapabilityBoundingSet"] != two):
			t.Errorf("%s has the rights %v", name, rights)
		}
		text := strings.ReplaceAll(string(b), "/usr/bin/firmward ", "/bin/true ") // it must be there to be verified
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	if out, err := exec.CommandContext(t.Context(), analyze, args...).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	for _, name := range units[:2] {
		out, err := exec.CommandContext(t.Context(), analyze, "security", "--offline=yes", "--threshold=20", filepath.Join(dir, name)).CombinedOutput()
		if err != nil {
			t.Errorf("%s is exposed more than 2.0: %v\n%s", name, err, out)
		}
	}
}
