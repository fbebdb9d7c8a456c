package control_test

import (
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/store/pgtest"
)

// TestRedButton presses the red button in the middle of a rollout at full speed: what starts afterwards is nothing, long before five
// seconds are over, and what is freed goes on to its end.
func TestRedButton(t *testing.T) {
	p := newPlugs(t)
	c := openFleet(t, fleetFile(t), 500, p)
	c.Weighed()
	running(t, c)
	r := startFleet(t, c)
	last := press(t, c, p, r.ID, 50, 500*time.Millisecond)
	if last > time.Second {
		t.Errorf("the last start was %v after the button was pressed", last)
	}
	if err := c.StopAll(t.Context(), anna, false, "go on"); err != nil {
		t.Fatal(err)
	}
	wait(t, func() bool {
		r, err := c.Store.Rollout(t.Context(), r.ID)
		return err == nil && r.State == firmward.RolloutFinished && r.Succeeded == 500
	})
	p.once(t, 500)
}

// press presses the red button once at least so many devices were started, watches for a while, and gives how long after the press the
// last device was started or its image sent; 0 when none was.
func press(t testing.TB, c *control.Control, p *plugs, id string, started int, watch time.Duration) time.Duration {
	t.Helper()
	edition := func() int64 {
		n, err := c.Store.Edition(t.Context(), store.EditionClaims)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	deadline := time.Now().Add(10 * time.Minute)
	for {
		r, err := c.Store.Rollout(t.Context(), id)
		if err != nil || r.State == firmward.RolloutFinished || time.Now().After(deadline) {
			t.Fatalf("the button could not be pressed in time: %s, %d started, %v", r.State, r.Started, err)
		}
		if r.Started >= started {
			break
		}
	}
	begun := time.Now()
	if err := c.StopAll(t.Context(), anna, true, "enough"); err != nil {
		t.Fatal(err)
	}
	recorded := time.Since(begun)
	was, at := edition(), begun.Add(recorded)
	for time.Since(begun) < watch {
		if now := edition(); now != was {
			was, at = now, time.Now()
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	last := max(0, at.Sub(begun), p.last.Sub(begun))
	t.Logf("recorded after %v; the last start came within %v, the last image %v after the press", recorded.Round(time.Millisecond), at.Sub(begun).Round(time.Millisecond), p.last.Sub(begun).Round(time.Millisecond))
	return last
}

// BenchmarkRedButton presses the red button five times in a rollout of a whole fleet, and gives the longest time until the last start.
func BenchmarkRedButton(b *testing.B) { benchButton(b, fleetFile(b)) }

// BenchmarkRedButtonPostgres does the same in PostgreSQL with fsync on.
func BenchmarkRedButtonPostgres(b *testing.B) {
	benchButton(b, pgtest.Start(b, "fsync=on").Database(b))
}

func benchButton(b *testing.B, url string) {
	n := fleetSize(b)
	p := newPlugs(b)
	c := openFleet(b, url, n, p)
	c.Weighed()
	running(b, c)
	r := startFleet(b, c)
	begun, ended := time.Now(), 0
	var worst, watched time.Duration
	for b.Loop() {
		for i := range 5 {
			worst = max(worst, press(b, c, p, r.ID, (i+1)*n/40, 8*time.Second))
			watched += 8 * time.Second
			if err := c.StopAll(b.Context(), anna, false, "go on"); err != nil {
				b.Fatal(err)
			}
		}
	}
	now, err := c.Store.Rollout(b.Context(), r.ID)
	if err != nil {
		b.Fatal(err)
	}
	ended = now.Succeeded
	b.ReportMetric(worst.Seconds(), "s-last-start")
	b.ReportMetric(float64(ended)/(time.Since(begun)-watched).Seconds(), "devices/s")
	p.once(b, n)
}
