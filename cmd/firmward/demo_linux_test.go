package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/firmward/firmward/wire/netns"
	"github.com/firmward/firmward/wire/wiretest"
)

// onText calls do when a text was written, once.
type onText struct {
	bytes.Buffer
	text string
	do   func()
}

func (w *onText) Write(b []byte) (int, error) {
	n, err := w.Buffer.Write(b)
	if w.do != nil && strings.Contains(w.String(), w.text) {
		w.do()
		w.do = nil
	}
	return n, err
}

// TestDemoReader: a browser that closes its connection early brings a SIGPIPE and ends nothing; a reader of the
// story that goes away ends the demo, and nothing of it is left.
func TestDemoReader(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var said bytes.Buffer
	out := &leaving{onText: onText{text: "anna names", do: func() {
		if err := syscall.Kill(os.Getpid(), syscall.SIGPIPE); err != nil {
			t.Error(err)
		}
	}}, last: "not one byte beyond"}
	if code := run(t.Context(), []string{"demo", "--listen", "127.0.0.1:0", "--lab", "127.0.0.2:0"}, strings.NewReader(""), out, &said); code != exitError {
		t.Errorf("exit code %d: %s", code, said.String())
	}
	if !out.left {
		t.Error("the demo ended before its reader went away")
	}
	if files, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(files) > 0 {
		t.Errorf("left behind: %v, %v", files, err)
	}
}

// leaving is a reader that goes away once it has seen a text.
type leaving struct {
	onText
	last string
	left bool
}

func (w *leaving) Write(b []byte) (int, error) {
	if w.left = w.left || strings.Contains(w.String(), w.last); w.left {
		return 0, syscall.EPIPE
	}
	return w.onText.Write(b)
}

// TestInterruptedDemo: Ctrl-C in the middle of the story, and nothing of it is left: no namespace, no file.
func TestInterruptedDemo(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	mine := fmt.Sprintf("/run/netns/%s%d-*", netns.Prefix, os.Getpid())
	ctx, cancel := context.WithCancel(t.Context())
	var during []string
	out := &onText{text: "anna names", do: func() {
		during, _ = filepath.Glob(mine)
		cancel()
	}}
	var said bytes.Buffer
	if code := run(ctx, []string{"demo", "--listen", "127.0.0.1:0", "--lab", "127.0.0.2:0"}, strings.NewReader(""), out, &said); code != exitError {
		t.Errorf("exit code %d: %s", code, said.String())
	}
	if strings.Contains(said.String(), "end of the demo") {
		t.Error(said.String())
	}
	files, err := os.ReadDir(os.Getenv("TMPDIR"))
	if err != nil || len(files) > 0 {
		t.Errorf("left behind: %v, %v", files, err)
	}
	if left, _ := filepath.Glob(mine); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	for line := range strings.Lines(out.String()) {
		if strings.Contains(line, "none can stand here") && len(during) == 0 {
			wiretest.Missing(t, "the rest needs a wall: "+strings.TrimSpace(line))
		}
	}
	if len(during) != 3 {
		t.Errorf("namespaces during the story: %v", during)
	}
}
