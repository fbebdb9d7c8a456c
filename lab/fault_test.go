package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

func TestFaultsOfEveryDevice(t *testing.T) {
	const url = plug1 + "/shelly"
	bubble(t, func(t *testing.T, h *house) {
		took := func(f func()) time.Duration { start := time.Now(); f(); return time.Since(start) }
		h.client.Timeout = 20 * time.Second
		unreachable := func(when string) {
			t.Helper()
			var n net.Error
			if _, _, err := h.get(h.client, url); !errors.As(err, &n) || !n.Timeout() {
				t.Errorf("%s: %v", when, err)
			}
		}
		reachable := func(when string) {
			t.Helper()
			if err := h.ClearFaults("plug-1"); err != nil {
				t.Error(err)
			}
			h.pass(31 * time.Second)
			if status, _, err := h.get(h.client, url); status != 200 {
				t.Errorf("%s: %d %v", when, status, err)
			}
		}
		h.fault("plug-1", FaultSilent)
		unreachable("silent")
		reachable("no longer silent")
		h.fault("plug-1", FaultOffline)
		unreachable("offline")
		if h.device("plug-1").Facts().Powered {
			t.Error("powered while offline")
		}
		reachable("no longer offline")

		h.fault("plug-1", FaultSlow)
		if d := took(func() { h.get(h.client, url) }); d < time.Second || d > 5*time.Second {
			t.Errorf("slow took %v", d)
		}
		reachable("no longer slow")
		h.fault("plug-1", FaultDrip)
		h.client.Timeout = time.Hour
		_, body, _ := h.get(h.client, url)
		if d := took(func() { h.get(h.client, url) }); d < time.Duration(len(body))*time.Second {
			t.Errorf("drip took %v for %d bytes", d, len(body))
		}
		reachable("no longer dripping")

		h.fault("plug-1", FaultRedirect)
		res, err := h.client.Get(url)
		if err != nil || res.StatusCode != 302 || res.Header.Get("Location") != "http://198.51.100.7/" {
			t.Errorf("redirect: %v %v", res, err)
		}
		res.Body.Close()
		reachable("no longer redirecting")

		h.fault("plug-1", FaultClockWrong)
		res, err = h.client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		said, err := http.ParseTime(res.Header.Get("Date"))
		if want := time.Now().AddDate(-1, 0, 0); err != nil || said.Sub(want).Abs() > time.Minute {
			t.Errorf("the device says %v, want %v", said, want)
		}
		reachable("clock right again")

		h.fault("plug-1", FaultHugeAnswer)
		res, err = h.client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		n, _ := io.Copy(io.Discard, io.LimitReader(res.Body, 64<<20))
		res.Body.Close()
		if n != 64<<20 {
			t.Errorf("huge answer gave %d bytes", n)
		}

		if err := h.Fault("plug-1", "gremlins"); err == nil || !contains(err.Error(), FaultDrip) {
			t.Errorf("unknown fault: %v", err)
		}
		if err := h.Fault("toaster", FaultDrip); err == nil || !contains(err.Error(), "plug-g3-2") {
			t.Errorf("unknown device: %v", err)
		}
		if err := h.ClearFaults("toaster"); err == nil {
			t.Error("cleared the faults of an unknown device")
		}
	})
}

func TestScaledClock(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		base := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
		c := ScaledClock(base, 60)
		start := time.Now()
		fired := make(chan time.Time, 1)
		c.AfterFunc(2*time.Minute, func() { fired <- c.Now() })
		if err := c.Wait(t.Context(), time.Hour); err != nil {
			t.Error(err)
		}
		if real := time.Since(start); real != time.Minute || !c.Now().Equal(base.Add(time.Hour)) {
			t.Errorf("an hour took %v, now %v", real, c.Now())
		}
		if at := <-fired; !at.Equal(base.Add(2 * time.Minute)) {
			t.Errorf("fired at %v", at)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Wait(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("wait: %v", err)
		}
	})
}

func TestImages(t *testing.T) {
	spec := ImageSpec{Family: "x", Model: "m", Version: "1", Size: 70_001}
	a := BuildImage(spec)
	if len(a) != spec.Size || !bytes.Equal(a, makeImage(spec, fmt.Sprintf("%q %q %q %q %d %q", "x", "m", "", "1", spec.Size, []string(nil)))) {
		t.Errorf("%d bytes, or not the same twice", len(a))
	}
	img, err := readImage(bytes.NewReader(a))
	if err != nil || img.Version != "1" || img.bytes != int64(len(a)) {
		t.Errorf("%+v %v", img, err)
	}
	for i, want := range []int{8 << 20, 10 << 20, 30_000_000} {
		if got := len([][]byte{PlugImage("9"), PlugG3Image("9"), CameraImage("9")}[i]); got != want {
			t.Errorf("standard image %d has %d bytes", i, got)
		}
	}
}

func BenchmarkBuildImage(b *testing.B) {
	for b.Loop() {
		makeImage(ImageSpec{Family: FamilyCamera}, "seed")
	}
}

// TestCloseAmidWork closes the lab while it downloads, uploads, streams and waits; the bubble fails if a goroutine
// outlives it.
func TestCloseAmidWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := Standard(Options{})
		if err != nil {
			t.Fatal(err)
		}
		h := newHouse(t, l)
		h.fault("plug-3", FaultDrip)
		h.fault("plug-4", FaultSilent)
		url, _ := h.serveImage(PlugImage("1.4.4"))
		h.update(url)
		for _, busy := range []func(){
			func() { h.upload(cam1, CameraImage("11.0.0"), nil) },
			func() { h.get(h.client, "http://192.168.20.13/shelly") },
			func() { h.get(h.client, "http://192.168.20.14/shelly") },
			func() { h.get(h.client, "http://192.168.20.99/nobody") },
		} {
			go busy()
		}
		stream, err := l.Attach("clinic").DialContext(t.Context(), "tcp", "10.40.0.12:554")
		if err != nil {
			t.Fatal(err)
		}
		random := h.device("cam-2").random('r')
		fmt.Fprintf(stream, "SETUP x RTSP/1.0\r\nCSeq: 1\r\nTransport: RTP/AVP/TCP\r\n\r\nPLAY x RTSP/1.0\r\nSession: %08X\r\n\r\n", random.Uint32())
		h.pass(4 * time.Second)
		if f := h.device("cam-1").Facts(); lastFlash(h.device("cam-1")).Outcome != OutcomeWriting {
			t.Errorf("cam-1 is not busy: %+v", f)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if _, err := l.Attach("home").DialContext(t.Context(), "tcp", "192.168.20.11:80"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("dial after close: %v", err)
		}
		if _, err := l.AddPlug(PlugSpec{Place: Place{Name: "late"}}); err == nil {
			t.Error("added a device to a closed lab")
		}
	})
}
