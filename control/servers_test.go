package control_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/policy"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/store/pgtest"
)

// TestServers: several servers on one PostgreSQL.
func TestServers(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	t.Run("share", func(t *testing.T) { serversShare(t, server.Database(t)) })
	t.Run("one dies", func(t *testing.T) { serverDies(t, server.Database(t)) })
	t.Run("hear each other", func(t *testing.T) { serversHear(t, server.Database(t), false) })
	t.Run("hear again", func(t *testing.T) { serversHear(t, server.Database(t), true) })
}

// serversHear: the red button holds on all servers and is freed on all, whoever does it. When one frees it the other goes on at once,
// though its loops look by themselves only once a minute; also when the connection on which it hears was cut just before.
func serversHear(t *testing.T, url string, cut bool) {
	p := newPlugs(t)
	a := openFleet(t, url, 40, p, slowly)
	b := fleetIn(t, url, p, slowly)
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	press := func(c *control.Control, on bool) {
		t.Helper()
		if err := c.StopAll(t.Context(), anna, on, "test"); err != nil {
			t.Fatal(err)
		}
	}
	ear := func() (pid int) {
		t.Helper()
		wait(t, func() bool {
			return db.QueryRowContext(t.Context(), "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query = 'LISTEN firmward'").Scan(&pid) == nil
		})
		return pid
	}
	b.Weighed()
	running(t, b)
	pid := ear()
	press(a, true)
	press(b, true)
	r := startFleet(t, a)
	if cut {
		if _, err := db.ExecContext(t.Context(), "SELECT pg_terminate_backend($1)", pid); err != nil {
			t.Fatal(err)
		}
	}
	if now, err := a.Store.Rollout(t.Context(), r.ID); err != nil || now.Started > 0 {
		t.Fatalf("%d started though the button was pressed, %v", now.Started, err)
	}
	press(a, false)
	begun := time.Now()
	wait(t, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return !p.first.IsZero()
	})
	took := time.Since(begun)
	t.Logf("a device was asked %v after the button was freed on the other server", took.Round(time.Millisecond))
	if took > 10*time.Second { // less than one on a machine that has nothing else to do
		t.Errorf("a device was asked %v after the button was freed on the other server: that was not heard", took)
	}
	if again := ear(); cut == (again == pid) {
		t.Errorf("the connection %d became %d", pid, again)
	}
}

// slowly is a clock that is real, so that what is due by itself is due in a minute.
func slowly(cfg *control.Config) { cfg.Clock = control.Clock{} }

// serversShare: two servers take one rollout to its end together. Both look at devices, none is sent two images, never are more in
// flight than the policy takes, and the header counts what its targets say.
func serversShare(t *testing.T, url string) {
	const n = 80
	p := newPlugs(t)
	p.slow = 600 * time.Millisecond // so that there is work left for the second
	a := openFleet(t, url, n, p, quickly(time.Now()))
	b := fleetIn(t, url, p, quickly(a.Clock.Start))
	var mu sync.Mutex
	looks := map[*control.Control]int{}
	r := startFleet(t, a)
	for _, c := range []*control.Control{a, b} {
		c.Weighed()
		c.SetEyes(func(ctx context.Context, d firmward.Device) (rollout.Seen, error) {
			mu.Lock()
			looks[c]++
			mu.Unlock()
			return p.look(ctx, d)
		})
		running(t, c)
	}
	most := 0
	wait(t, func() bool {
		now, err := b.Store.Rollout(t.Context(), r.ID)
		if err != nil {
			t.Fatal(err)
		}
		most = max(most, now.InFlight)
		return now.State == firmward.RolloutFinished
	})
	mu.Lock()
	defer mu.Unlock()
	t.Logf("looks of the two: %d and %d; at most %d in flight", looks[a], looks[b], most)
	if looks[a] == 0 || looks[b] == 0 || most > r.Policy.MaxInFlight {
		t.Error("one server did all the work, or more were in flight than the policy takes")
	}
	fleetEnded(t, b, r.ID, n, p)
}

// quickly is a clock by which an hour is a second, and leases of a second.
func quickly(start time.Time) func(*control.Config) {
	return func(cfg *control.Config) {
		cfg.Clock, cfg.Lease = control.Clock{Base: start, Start: start, Scale: 3600}, time.Second
		pol, err := policy.Parse([]byte(strings.Replace(fleetPolicy, "deadline: 600m", "deadline: 60m", 1)), "fleet.yaml")
		if err != nil {
			panic(err)
		}
		cfg.Policies = pol
	}
}

// fleetEnded checks that each of n devices succeeded and was sent one image.
func fleetEnded(t *testing.T, c *control.Control, id string, n int, p *plugs) {
	t.Helper()
	states, err := c.Store.CountTargets(t.Context(), id)
	r, err2 := c.Store.Rollout(t.Context(), id)
	if err != nil || err2 != nil || states[firmward.TargetSucceeded] != n || r.Succeeded != n || r.InFlight != 0 {
		t.Errorf("%d succeeded and %d in flight by the header, targets say %v; %v, %v", r.Succeeded, r.InFlight, states, err, err2)
	}
	if held, err := c.Store.ClaimsOf(t.Context(), ""); err != nil || len(held) > 0 {
		t.Errorf("still held: %v, %v", held, err)
	}
	p.once(t, n)
}

// serverDies: of two servers the one that does the work is killed without warning. The other takes over what it
// had leased once the lease is over, and looks what became of what it had sent: no device gets a second image.
func serverDies(t *testing.T, url string) {
	const n = 24
	p := newPlugs(t)
	c := openFleet(t, url, n, p, quickly(time.Now()))
	c.Weighed()
	r := startFleet(t, c)
	child := exec.Command(os.Args[0], "-test.run", "^TestServerChild$", "-test.v")
	child.Env = append(os.Environ(), "FIRMWARD_CHILD_URL="+url, "FIRMWARD_CHILD_DIR="+p.dir, fmt.Sprint("FIRMWARD_CHILD_START=", c.Clock.Start.UnixNano()))
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Process.Kill()
	go func() { // nobody else reads what it says
		for lines := bufio.NewScanner(out); lines.Scan(); {
		}
	}()
	sent := func() []store.Command {
		some, _, err := c.Store.Commands(t.Context(), store.CommandSent, r.ID, store.Page{Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		return some
	}
	wait(t, func() bool { return len(sent()) >= 8 })
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	child.Wait() // the error is the kill itself
	left := sent()
	if len(left) == 0 {
		t.Fatal("nothing was under way when the server was killed")
	}
	flashed := 0
	for i := range n {
		flashed += int(p.sent(fleetAddr(i)))
	}
	running(t, c)
	wait(t, func() bool {
		now, err := c.Store.Rollout(t.Context(), r.ID)
		return err == nil && now.State == firmward.RolloutFinished
	})
	for _, cmd := range left {
		if now, err := c.Store.Command(t.Context(), cmd.ID); err != nil || now.State != store.CommandInDoubt {
			t.Errorf("command %s, sent and not answered, is %s, %v", cmd.ID, now.State, err)
		}
	}
	t.Logf("killed with %d devices flashed; %d commands were sent and not answered", flashed, len(left))
	fleetEnded(t, c, r.ID, n, p)
}

// TestServerChild is the server that serverDies kills. By itself it does nothing.
func TestServerChild(t *testing.T) {
	url := os.Getenv("FIRMWARD_CHILD_URL")
	if url == "" {
		return
	}
	start, err := strconv.ParseInt(os.Getenv("FIRMWARD_CHILD_START"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	c := fleetIn(t, url, &plugs{dir: os.Getenv("FIRMWARD_CHILD_DIR"), slow: 400 * time.Millisecond}, quickly(time.Unix(0, start)))
	c.Weighed()
	if err := c.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}
