package depot_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/depot"
)

func openDepot(t *testing.T) (*depot.Depot, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "depot")
	d, err := depot.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d, dir
}

func put(t *testing.T, d *depot.Depot, text string) depot.Info {
	t.Helper()
	info, err := d.Put(t.Context(), strings.NewReader(text), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func files(t *testing.T, dir string) (out []string) {
	t.Helper()
	err := filepath.Walk(dir, func(path string, st os.FileInfo, err error) error {
		if err == nil && st.Mode().IsRegular() {
			out = append(out, filepath.Base(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func wantCode(t *testing.T, err error, want firmward.Code) {
	t.Helper()
	if err == nil || firmward.CodeOf(err) != want {
		t.Errorf("error %v, want code %s", err, want)
	}
}

func TestPut(t *testing.T) {
	d, dir := openDepot(t)
	const sum = "6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d"
	info := put(t, d, "image")
	if info.Size != 5 || info.SHA256 != sum {
		t.Errorf("info %+v", info)
	}
	if again := put(t, d, "image"); again != info {
		t.Errorf("the same content again: %+v", again)
	}
	if got := files(t, dir); len(got) != 1 || got[0] != info.SHA256 {
		t.Errorf("files %v", got)
	}
	f, err := d.Open(info.SHA256, 5)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if b, err := io.ReadAll(f); err != nil || string(b) != "image" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := d.Verify(t.Context(), info.SHA256); err != nil {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Read(b []byte) (int, error) { return copy(b, "part"), f.err }

func TestRefusedPutLeavesNothing(t *testing.T) {
	d, dir := openDepot(t)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx  context.Context
		r    io.Reader
		code firmward.Code
	}{
		"too large": {t.Context(), strings.NewReader("123456"), firmward.TooLarge}, "empty": {t.Context(), strings.NewReader(""), firmward.Invalid},
		"disk full": {t.Context(), failing{&os.PathError{Op: "write", Err: syscall.ENOSPC}}, firmward.DiskFull}, "broken": {t.Context(), failing{errors.New("cut")}, firmward.Internal},
		"cancelled": {cancelled, strings.NewReader("1"), firmward.Internal},
	} {
		_, err := d.Put(c.ctx, c.r, 5)
		wantCode(t, err, c.code)
		if left := files(t, dir); len(left) != 0 {
			t.Errorf("%s left %v", name, left)
		}
	}
}

func TestDamaged(t *testing.T) {
	d, dir := openDepot(t)
	info := put(t, d, "image")
	path := filepath.Join(dir, info.SHA256[:2], info.SHA256)
	if err := os.WriteFile(path, []byte("imagf"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := d.Verify(t.Context(), info.SHA256)
	wantCode(t, err, firmward.Conflict)
	_, err = d.Open(info.SHA256, 6)
	wantCode(t, err, firmward.Conflict)
	if err := d.Remove(info.SHA256); err != nil {
		t.Error(err)
	}
	wantCode(t, d.Remove(info.SHA256), firmward.NotFound)
	_, err = d.Open(info.SHA256, 5)
	wantCode(t, err, firmward.NotFound)
	for _, bad := range []string{"", "..", "../../etc/passwd", strings.Repeat("Z", 64), strings.Repeat("/", 64)} {
		_, err = d.Open(bad, -1)
		wantCode(t, err, firmward.Invalid)
	}
}

func TestCrashLeftovers(t *testing.T) {
	d, dir := openDepot(t)
	if err := errors.Join(d.Close(), os.WriteFile(filepath.Join(dir, "incoming-X"), []byte("half"), 0o600)); err != nil {
		t.Fatal(err)
	}
	d, err := depot.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if left := files(t, dir); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

type world struct {
	s     *depot.Server
	depot *depot.Depot
	now   time.Time
	log   []depot.Served
}

func serve(t *testing.T) (*world, depot.Info) {
	d, _ := openDepot(t)
	w := &world{depot: d, now: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	w.s = depot.NewServer(d, func() time.Time { return w.now }, func(s depot.Served) { w.log = append(w.log, s) })
	return w, put(t, d, "0123456789")
}

func (w *world) get(t *testing.T, path, from string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	r.RemoteAddr = from
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	w.s.ServeHTTP(rec, r)
	return rec
}

func TestServe(t *testing.T) {
	w, info := serve(t)
	end := w.now.Add(time.Hour)
	path, err := w.s.Grant(info.SHA256, "9.bin", netip.MustParseAddr("10.0.0.5"), end)
	if err != nil || !strings.HasSuffix(path, "/9.bin") || len(path) < 30 {
		t.Fatal(path, err)
	}
	if rec := w.get(t, path, "[::ffff:10.0.0.5]:4711"); rec.Code != 200 || rec.Body.String() != "0123456789" {
		t.Errorf("%d %q", rec.Code, rec.Body)
	}
	if rec := w.get(t, path, "10.0.0.5:4711", "Range", "bytes=4-6"); rec.Code != 206 || rec.Body.String() != "456" {
		t.Errorf("%d %q", rec.Code, rec.Body)
	}
	if last := w.log[1]; last.Bytes != 3 || last.Status != 206 || last.Range != "bytes=4-6" || last.Addr.String() != "10.0.0.5" || last.SHA256 != info.SHA256 {
		t.Errorf("log %+v", last)
	}
	for name, c := range map[string][]string{
		"another device": {path, "10.0.0.6:1"}, "guessed": {"/f/AAAA/9.bin", "10.0.0.5:1"}, "another name": {strings.Replace(path, "9.bin", "x.bin", 1), "10.0.0.5:1"},
		"no path": {"/", "10.0.0.5:1"}, "no address": {path, "unix"}, "several ranges": {path, "10.0.0.5:1", "Range", "bytes=0-1,2-3"},
	} {
		if rec := w.get(t, c[0], c[1], c[2:]...); rec.Code != 404 || rec.Body.Len() != 0 {
			t.Errorf("%s: %d %q", name, rec.Code, rec.Body)
		}
		if last := w.log[len(w.log)-1]; last.Why == "" || last.Status != 404 {
			t.Errorf("%s: log %+v", name, last)
		}
	}
	sent := 13
	for range 5 {
		sent += w.get(t, path, "10.0.0.5:4711").Body.Len()
	}
	if sent != 30 {
		t.Errorf("%d bytes were sent under one grant, want three times the file", sent)
	}
	path, err = w.s.Grant(info.SHA256, "9.bin", netip.MustParseAddr("10.0.0.5"), end)
	if err != nil {
		t.Fatal(err)
	}
	w.now = end
	if rec := w.get(t, path, "10.0.0.5:4711"); rec.Code != 404 {
		t.Errorf("after its end: %d", rec.Code)
	}
}

func TestGrantRefuses(t *testing.T) {
	w, info := serve(t)
	a, end := netip.MustParseAddr("10.0.0.5"), w.now.Add(time.Hour)
	for i, f := range []func() (string, error){
		func() (string, error) { return w.s.Grant(info.SHA256, "a b.bin", a, end) },
		func() (string, error) { return w.s.Grant(info.SHA256, "..", a, end) },
		func() (string, error) { return w.s.Grant(info.SHA256, "a.bin", netip.Addr{}, end) },
		func() (string, error) { return w.s.Grant(info.SHA256, "a.bin", a, w.now) },
	} {
		if _, err := f(); firmward.CodeOf(err) != firmward.Invalid {
			t.Errorf("case %d: %v", i, err)
		}
	}
	_, err := w.s.Grant(fmt.Sprintf("%064d", 0), "a.bin", a, end)
	wantCode(t, err, firmward.NotFound)
	path, err := w.s.Grant(info.SHA256, "a.bin", a, end)
	if err != nil {
		t.Fatal(err)
	}
	// After a restart the same path works again for the same device.
	w.s = depot.NewServer(w.depot, func() time.Time { return w.now }, nil)
	if rec := w.get(t, path, "10.0.0.5:1"); rec.Code != 404 {
		t.Errorf("a new server knows the grant: %d", rec.Code)
	}
	if err := w.s.Resume(path, info.SHA256, a, end); err != nil {
		t.Fatal(err)
	}
	if rec := w.get(t, path, "10.0.0.5:1"); rec.Code != 200 || rec.Body.String() != "0123456789" {
		t.Errorf("resumed: %d %q", rec.Code, rec.Body)
	}
	if rec := w.get(t, path, "10.0.0.6:1"); rec.Code != 404 {
		t.Errorf("resumed for another device: %d", rec.Code)
	}
	wantCode(t, w.s.Resume(path, info.SHA256, a, w.now), firmward.Invalid)
	w.s.Revoke(path)
	if rec := w.get(t, path, "10.0.0.5:1"); rec.Code != 404 {
		t.Errorf("revoked: %d", rec.Code)
	}
}

// TestResume fetches over a real connection in two parts, as a device does that lost its first one.
func TestResume(t *testing.T) {
	d, _ := openDepot(t)
	content := bytes.Repeat([]byte("firmware"), 1<<16)
	info, err := d.Put(t.Context(), bytes.NewReader(content), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	s := depot.NewServer(d, time.Now, nil)
	server := httptest.NewServer(s)
	defer server.Close()
	path, err := s.Grant(info.SHA256, "fw.bin", netip.MustParseAddr("127.0.0.1"), time.Now().Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	var got []byte
	for _, part := range []string{"bytes=0-99999", "bytes=100000-"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Range", part)
		res, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(res.Body)
		if err := errors.Join(err, res.Body.Close()); err != nil {
			t.Fatal(err)
		}
		got = append(got, b...)
	}
	if !bytes.Equal(got, content) {
		t.Error("the parts do not make the file")
	}
}
