package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// build makes the program as people get it and gives its path.
func build(b *testing.B, env ...string) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "firmward")
	cmd := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-o", path, ".")
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0"), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return path
}

// BenchmarkColdBuild builds with an empty cache. Wanted: at most 4 minutes on two idle cores, 60 MB.
func BenchmarkColdBuild(b *testing.B) {
	for b.Loop() {
		began := time.Now()
		path := build(b, "GOCACHE="+filepath.Join(b.TempDir(), "cache"))
		b.ReportMetric(time.Since(began).Seconds(), "s-build")
		st, err := os.Stat(path)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(st.Size())/1e6, "MB-binary")
	}
}

// BenchmarkServe starts a server on an empty directory. Wanted: /healthz answers within 300 ms; 80 MB of memory when
// idle, a second later.
func BenchmarkServe(b *testing.B) {
	path := build(b)
	var start time.Duration
	var rss float64
	n := 0
	for b.Loop() {
		took, mb := serveOnce(b, path)
		start, rss, n = start+took, max(rss, mb), n+1
	}
	b.ReportMetric(float64(start.Milliseconds())/float64(n), "ms-to-healthz")
	b.ReportMetric(rss, "MB-idle-RSS")
}

var servesAt = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

func serveOnce(b *testing.B, path string) (took time.Duration, rss float64) {
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "serve", "--data", b.TempDir(), "--listen", "127.0.0.1:0")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { cancel(); _ = cmd.Wait() }()
	url := ""
	lines := bufio.NewScanner(out)
	for url == "" && lines.Scan() {
		url = servesAt.FindString(lines.Text())
	}
	go func() {
		for lines.Scan() { // nobody waits for the pipe
		}
	}()
	if url == "" {
		b.Fatal("the server did not say where it listens")
	}
	healthy := func() bool {
		resp, err := http.Get(url + "/healthz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}
	for !healthy() {
		if ctx.Err() != nil || time.Since(began) > 30*time.Second {
			b.Fatal("the server never became healthy")
		}
	}
	took = time.Since(began)
	<-time.After(time.Second)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	if err != nil {
		b.Skipf("no memory figures on this system: %v", err)
	}
	for line := range bytes.Lines(status) {
		if kb, ok := strings.CutPrefix(string(line), "VmRSS:"); ok {
			n, err := strconv.ParseFloat(strings.Fields(kb)[0], 64)
			if err != nil {
				b.Fatal(err)
			}
			rss = n / 1e3
		}
	}
	return took, rss
}
