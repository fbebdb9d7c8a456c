package control_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/audit"
	"github.com/firmward/firmward/catalog"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/depot"
	"github.com/firmward/firmward/discover/probes"
	"github.com/firmward/firmward/driver/drivers"
	"github.com/firmward/firmward/feed/sources"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/policy"
	"github.com/firmward/firmward/secrets"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/wire"
)

// killScale is how much faster than the wall the house and its lab live in this test.
const killScale = 120

const killPolicy = `
rollout-policies:
  - name: quick
    waves: [50, 100]
    canary-soak: 1m
    wave-soak: 1m
    max-in-flight: 3
    canary-in-flight: 2
    failure-budget-percent: 50
    failure-floor: 5
    approvals: 0
    deadline: 120m
    commit-within: 80m
    window: always
    require-owner: false
risk-policies:
  - {name: r, exploited-and-exposed: 1d, exploited: 1d, critical: 1d, high: 1d, other: 1d, contain-within: 1d, replace-within: 1d, look-every: 7d}
`

// killHouse opens the firmward that is killed.
func killHouse(ctx context.Context, dir string, start time.Time) (*control.Control, *store.Store, error) {
	return loopHouse(ctx, dir, killPolicy, control.Clock{Base: start, Start: start, Scale: killScale})
}

// loopHouse opens a firmward on a data directory whose devices are reached through a port map.
func loopHouse(ctx context.Context, dir, policies string, clock control.Clock) (*control.Control, *store.Store, error) {
	st, err := store.Open(ctx, store.Options{URL: filepath.Join(dir, "firmward.db")})
	if err != nil {
		return nil, nil, err
	}
	cat, err := catalog.Embedded()
	if err != nil {
		return nil, nil, err
	}
	pol, err := policy.Parse([]byte(policies), "policies.yaml")
	if err != nil {
		return nil, nil, err
	}
	dep, err := depot.Open(filepath.Join(dir, "depot"))
	if err != nil {
		return nil, nil, err
	}
	box, err := secrets.Open(filepath.Join(dir, "secrets.key"))
	if err != nil {
		return nil, nil, err
	}
	key, err := os.ReadFile(filepath.Join(dir, "audit.key"))
	if err != nil {
		return nil, nil, err
	}
	signer, err := audit.NewSigner(string(key))
	if err != nil {
		return nil, nil, err
	}
	f, err := os.Open(filepath.Join(dir, "map.json"))
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	network, err := wire.ReadPortMap(f)
	if err != nil {
		return nil, nil, err
	}
	at, err := os.ReadFile(filepath.Join(dir, "serve"))
	if err != nil {
		return nil, nil, err
	}
	serve, err := netip.ParseAddrPort(string(at))
	if err != nil {
		return nil, nil, err
	}
	c, err := control.New(control.Config{
		Store: st, Network: network, Catalog: byApp(cat), Policies: pol, Probes: probes.All(), Drivers: drivers.All(), Sources: sources.All(),
		Depot: dep, Serve: serve, Secrets: box, Signer: signer, Lab: true, Lease: 2 * time.Second,
		Clock: clock,
		Log:   slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	return c, st, err
}

// TestMain lets the test binary be the server that is killed.
func TestMain(m *testing.M) {
	dir := os.Getenv("FIRMWARD_KILL_DIR")
	if dir == "" {
		os.Exit(m.Run())
	}
	nanos, err := strconv.ParseInt(os.Getenv("FIRMWARD_KILL_START"), 10, 64)
	if err == nil {
		var c *control.Control
		if c, _, err = killHouse(context.Background(), dir, time.Unix(0, nanos)); err == nil {
			fmt.Println("running")
			err = c.Run(context.Background())
		}
	}
	fmt.Fprintln(os.Stderr, "child:", err)
	os.Exit(1)
}

// TestKillNine ends a server without warning at 50 random points (FIRMWARD_KILLS=200 for as many) of a running rollout. Afterwards no
// device was flashed more often than it was told to, none is lost, and what was in doubt is resolved.
func TestKillNine(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server fifty times")
	}
	t.Parallel()
	dir, start := t.TempDir(), time.Now()
	l := killLab(t, dir, start)
	ids := killPlan(t, dir, start)
	random := rand.New(rand.NewPCG(1, uint64(start.UnixNano())))
	kills, over, points := 0, false, killPoints()
	for kills < points && !over {
		child := killStart(t, dir, start)
		wait := time.NewTimer(time.Duration(20+random.IntN(700)) * time.Millisecond)
		<-wait.C
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		child.Wait() // the error is the kill itself
		kills++
		over = killOver(t, dir, ids)
	}
	if over {
		t.Logf("the rollout was over after %d kills", kills)
	}
	child := killStart(t, dir, start)
	defer func() { child.Process.Kill(); child.Wait() }()
	deadline := time.NewTimer(4 * time.Minute)
	look := time.NewTicker(300 * time.Millisecond)
	defer look.Stop()
	for !killOver(t, dir, ids) {
		select {
		case <-deadline.C:
			killReport(t, dir, ids, l)
			t.Fatal("the rollout did not end")
		case <-look.C:
		}
	}
	doubt := killReport(t, dir, ids, l)
	t.Logf("%d kills, %d commands were in doubt", kills, doubt)
	if kills < points && doubt == 0 {
		t.Error("no kill ever hit an installation: the test proves nothing")
	}
}

// killPoints is how often the server is killed: fifty times, fewer with the race detector, with which each start takes seconds, or as
// often as FIRMWARD_KILLS says.
func killPoints() int {
	if n, err := strconv.Atoi(os.Getenv("FIRMWARD_KILLS")); err == nil && n > 0 {
		return n
	}
	if raceOn {
		return 20
	}
	return 50
}

// killDevices is the number of devices of each kind: enough for the rollouts to outlast the kills.
func killDevices() int { return max(12, killPoints()*12/50) }

// killNetwork has room for them.
func killNetwork() netip.Prefix {
	if killDevices() > 24 {
		return netip.MustParsePrefix("192.168.20.0/24")
	}
	return netip.MustParsePrefix("192.168.20.0/26")
}

func killLab(t *testing.T, dir string, start time.Time) *lab.Lab {
	t.Helper()
	l := lab.New(lab.Options{Clock: lab.ScaledClock(start, killScale), Net: lab.NewNet()})
	t.Cleanup(func() { l.Close() })
	l.AddSite("home", netip.MustParsePrefix("192.168.20.0/24"))
	for i := range killDevices() {
		if _, err := l.AddPlug(lab.PlugSpec{Place: lab.Place{Name: fmt.Sprintf("plug-%d", i), Site: "home"}}); err != nil {
			t.Fatal(err)
		}
		if _, err := l.AddCamera(lab.CameraSpec{Place: lab.Place{Name: fmt.Sprintf("cam-%d", i), Site: "home"}}); err != nil {
			t.Fatal(err)
		}
	}
	serveLab(t, l, dir)
	return l
}

// labs counts the labs of this process.
var labs atomic.Int32

// serveLab opens the sockets of a lab and writes what loopHouse needs into a directory.
func serveLab(t *testing.T, l *lab.Lab, dir string) {
	t.Helper()
	ports, err := l.ServeLoopback(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(ports)
	if err != nil {
		t.Fatal(err)
	}
	private, _, err := audit.GenerateKey("kill")
	if err != nil {
		t.Fatal(err)
	}
	// An address of its own for each process and lab: a port that is free now is another test's in a moment.
	pid := os.Getpid()
	serve := fmt.Sprintf("127.%d.%d.%d:8390", 1+pid>>8&0x7f, pid&0xff, 1+labs.Add(1)%250)
	for name, content := range map[string][]byte{"map.json": b, "audit.key": []byte(private), "serve": []byte(serve)} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// killPlan names the network, scans it and starts two rollouts: plugs that fetch their image and cameras
// that are sent theirs. Then it closes the house again.
func killPlan(t *testing.T, dir string, start time.Time) []string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	c, st, err := killHouse(ctx, dir, start)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	if _, err := c.NameNetwork(ctx, anna, control.AddNetwork{Prefix: killNetwork(), Site: "home", Profile: firmward.ProfileHome}); err != nil {
		t.Fatal(err)
	}
	if err := c.SetCredential(ctx, anna, control.Credential{Family: "axis", Site: "home", User: "root", Password: lab.CameraPassword}); err != nil {
		t.Fatal(err)
	}
	scan, err := c.StartScan(ctx, anna, killNetwork())
	if err != nil {
		t.Fatal(err)
	}
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for scan.Ended.IsZero() {
		<-look.C
		if scan, err = c.ScanByID(scan.ID); err != nil {
			t.Fatal(err)
		}
	}
	var ids []string
	for _, r := range []struct {
		firmward.Release
		image []byte
	}{
		{firmward.Release{Vendor: "Shelly", Models: []string{"SNPL-00112EU"}, Hardware: []string{"gen2"}, Version: "1.4.4", FileName: "p.zip", Origin: "test"}, lab.PlugImage("1.4.4")},
		{firmward.Release{Vendor: "Axis", Models: []string{"AXIS P3265-LV"}, Hardware: []string{"7A2"}, Version: "10.12.262", FileName: "c.bin", Origin: "test"}, lab.CameraImage("10.12.262")},
	} {
		rel, err := c.ImportRelease(ctx, anna, r.Release, bytes.NewReader(r.image))
		if err != nil {
			t.Fatal(err)
		}
		p, err := c.PlanRollout(ctx, anna, rel.ID, "quick", firmward.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Targets) != killDevices() {
			t.Fatalf("%d targets, scan %+v, refusals %+v", len(p.Targets), scan, p.Refusals)
		}
		if _, err := c.SteerRollout(ctx, anna, p.Rollout.ID, "start", ""); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, p.Rollout.ID)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	return ids
}

func killStart(t *testing.T, dir string, start time.Time) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(exe)
	child.Env = append(os.Environ(), "FIRMWARD_KILL_DIR="+dir, "FIRMWARD_KILL_START="+strconv.FormatInt(start.UnixNano(), 10))
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("running\n"))); err != nil {
		t.Fatalf("the server did not start: %v", err)
	}
	return child
}

// killOver looks into the database beside the (dead or living) server.
func killOver(t *testing.T, dir string, ids []string) bool {
	t.Helper()
	st, err := store.Open(t.Context(), store.Options{URL: filepath.Join(dir, "firmward.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for _, id := range ids {
		r, err := st.Rollout(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if r.State != firmward.RolloutFinished {
			return false
		}
	}
	return true
}

// killReport compares every target with the lab and counts commands that were in doubt.
func killReport(t *testing.T, dir string, ids []string, l *lab.Lab) (doubt int) {
	t.Helper()
	st, err := store.Open(t.Context(), store.Options{URL: filepath.Join(dir, "firmward.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	var targets []firmward.Target
	for _, id := range ids {
		some, _, err := st.Targets(t.Context(), id, store.TargetFilter{}, store.Page{Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		targets = append(targets, some...)
	}
	for _, g := range targets {
		if g.State == firmward.TargetRefused {
			continue
		}
		d, err := st.Device(t.Context(), g.DeviceID)
		if err != nil {
			t.Fatal(err)
		}
		for _, ld := range l.Devices() {
			f := ld.Facts()
			if f.Addrs[0] != d.Addrs[0] {
				continue
			}
			sent, before := 0, doubt
			for n := 1; n <= g.Seq; n++ {
				cmd, err := st.Command(t.Context(), fmt.Sprintf("%s.%s.%d", g.RolloutID, g.DeviceID, n))
				if err != nil {
					t.Fatal(err)
				}
				if cmd.Kind == "install" && !cmd.Sent.IsZero() {
					sent++
					if cmd.State == store.CommandInDoubt {
						doubt++
					}
				}
			}
			if len(f.Flashes) > sent {
				t.Errorf("%s was flashed %d times by %d commands", f.Name, len(f.Flashes), sent)
			}
			switch {
			case g.State == firmward.TargetSucceeded && f.InstalledVersion == g.Want:
			case g.Code == "old-version" && f.InstalledVersion == g.From && (f.Kind == "plug" || doubt > before):
				// It said yes and then found nobody to fetch the image from, or each image broke off with its sender: told as what it is.
				t.Logf("%s: %s; lab: %+v", f.Name, g.Why, f.Flashes)
			default:
				t.Errorf("%s: target %s (%s), lab runs %s with %d flashes", f.Name, g.State, g.Why, f.InstalledVersion, len(f.Flashes))
			}
		}
	}
	return doubt
}
