package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/twin/vm"
)

// TestTwinMissing: what is missing for a machine is said, with what to do, before anything is opened.
func TestTwinMissing(t *testing.T) {
	t.Setenv("FIRMWARD_TWIN_KERNEL", "") // so that it is set again afterwards
	if err := os.Unsetenv("FIRMWARD_TWIN_KERNEL"); err != nil {
		t.Fatal(err)
	}
	say := func(args ...string) string {
		var out bytes.Buffer
		if code := run(t.Context(), append([]string{"--data", t.TempDir(), "staging", "twin", "rel-0123456789ab"}, args...), nil, &out, &out); code == 0 {
			t.Errorf("%v: it went on", args)
		}
		return out.String()
	}
	want := func(said, words string) {
		t.Helper()
		if !strings.Contains(strings.Join(strings.Fields(said), " "), words) {
			t.Errorf("%q, want %q", said, words)
		}
	}
	want(say(), "missing flags: --for")
	want(say("--for", "strip", "--server", "https://patch.example:8099"), "leave out --server")
	if os.Geteuid() != 0 {
		want(say("--for", "strip", "--kernel", t.TempDir()), "need root: run it with sudo")
		return
	}
	want(say("--for", "strip"), "--kernel is missing: unpack Debian's kernel into a folder, as docs/staging.md says")
	t.Setenv("PATH", t.TempDir())
	want(say("--for", "strip", "--kernel", t.TempDir()), "the program busybox is not installed: run apt install busybox-static")
}

// TestTwinFits: a machine stands for what it can, and runs what was made for it.
func TestTwinFits(t *testing.T) {
	i, err := vm.Of(firmward.Device{Name: "strip", Model: "WLED ESP32", Hardware: "esp32", Firmware: "0.15.0"})
	if err != nil || i.Version != "0.15.0" || i.Build != "ESP32" {
		t.Errorf("%+v, %v", i, err)
	}
	for _, d := range []firmward.Device{{Name: "hall", Model: "SNPL-00112EU", Hardware: "gen2"}, {Name: "old", Model: "WLED ESP8266", Hardware: "esp8266"}} {
		if _, err := vm.Of(d); firmward.CodeOf(err) != firmward.NotSupported || !strings.Contains(err.Error(), d.Name) {
			t.Errorf("%s: %v", d.Name, err)
		}
	}
	b, err := vm.Image{Version: "0.15.1", Size: 300_000}.Bytes()
	if err != nil || len(b) < 300_000 {
		t.Fatal(len(b), err)
	}
	if i, err := vm.Runs(bytes.NewReader(b)); err != nil || i.Version != "0.15.1" || i.Build != "ESP32" {
		t.Errorf("%+v, %v", i, err)
	}
	for _, other := range [][]byte{nil, []byte("\xe9\x05\x02\x2f"), bytes.Repeat([]byte{0xe9}, 4096)} {
		if _, err := vm.Runs(bytes.NewReader(other)); firmward.CodeOf(err) != firmward.NotSupported || !strings.Contains(err.Error(), "staging image") {
			t.Errorf("%d bytes: %v", len(other), err)
		}
	}
}
