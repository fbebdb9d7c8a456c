// Package control is the loop: the only place where decisions meet I/O.
//
// One file per stage. Each loop is short and level-triggered: it reads the store, asks a pure decision,
// writes rows, audit leaves and commands in one transaction, and only then acts. No decision is taken
// here: an if about devices belongs to the rooms below.
//
// Everything in memory is a hint that may be lost: which devices to weigh again, when to wake. After a
// restart the store alone says what goes on.
package control

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/audit"
	"github.com/firmward/firmward/catalog"
	"github.com/firmward/firmward/depot"
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/driver"
	"github.com/firmward/firmward/enforce"
	"github.com/firmward/firmward/feed"
	"github.com/firmward/firmward/policy"
	"github.com/firmward/firmward/secrets"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/twin"
	"github.com/firmward/firmward/wire"
)

// Config is all that the loop needs. It is checked once, by New.
type Config struct {
	Store     *store.Store
	Network   wire.Network
	Catalog   *catalog.Catalogue
	Policies  policy.File
	Probes    []discover.Probe
	Drivers   []driver.Driver
	Sources   []feed.Source
	Enforcers []enforce.Enforcer
	Twins     []twin.Twin // places for rehearsals that are no ordinary network; their prefixes are named like others
	Depot     *depot.Depot
	// Serve is where devices that fetch their image reach the depot, an address of this host that they
	// can route to. Zero: devices that pull are refused with the reason.
	Serve    netip.AddrPort
	Self     []netip.Addr      // firmward's own addresses: stay reachable for contained devices
	Witness  []enforce.Vantage // places from which packets prove a containment
	Secrets  *secrets.Box
	Signer   *audit.Signer
	KeyFiles []string // paths of the keys of both, for backups
	Clock    Clock
	Log      *slog.Logger
	Scratch  string        // folder for what does not fit into memory; the system's when empty
	Lab      bool          // the network is simulated
	Version  string        // of the program: kept with each verdict, and told to the servers of feeds
	Lease    time.Duration // real time a crashed owner keeps a command; 60 s when 0
}

// Control is the running loop. Its exported methods are what faces may ask for.
type Control struct {
	Config
	owner string // name under which commands are leased
	pacer *wire.Pacer
	grant *depot.Server

	mu       sync.Mutex
	dirty    map[string]bool // devices to assess and decide again
	turned   map[string]bool // rollouts whose devices are to be decided again
	all      bool            // every device is dirty
	scans    map[string]*Scan
	weighed  time.Time // when every device was weighed last
	wakes    map[string]chan struct{}
	ears     map[netip.Prefix]error // networks that are listened to; an error says why one is not
	byProbe  map[string]discover.Probe
	byDriver map[string]driver.Driver
	matcher  matcher
	eyes     func(context.Context, firmward.Device) (seenNow, error) // look, or what stands for it in a test
	inbox    inbox                                                   // outcomes on their way into the store
	sending  marks                                                   // commands that are about to be sent
	edges    edges                                                   // what hangs on what
	joined   map[string]time.Time                                    // when a rollout last looked for late devices; of loopDeploy alone
	rounds   map[string]round                                        // how far those who wait in a rollout were asked; of loopDeploy alone
	wokenAt  map[targetKey]time.Time                                 // when a target that slept was last told that it was seen; of loopDeploy alone
	sleepers atomic.Bool                                             // a rollout waits until a device is seen
	woken    atomic.Int64                                            // how often loopDeploy was woken
	imports  sync.Map                                                // *importing: imports of many documents that are under way
	atOnce   int                                                     // devices that one transaction of restate writes at most
	fetches  sync.Map                                                // names of feeds that are being fetched
	walls    sync.Mutex                                              // one change of the desired state of walls at a time
	stale    atomic.Bool                                             // something was imported that not all findings reflect; the store knows it anyhow
	presses  atomic.Int64                                            // of the red button in this process
	halted   atomic.Int64                                            // the press that the store has not learned yet; 0: there is none
	unsealed atomic.Bool                                             // leaves were written since the last sealing
	untold   atomic.Bool                                             // events were emitted since recipients were last looked at
	deaf     atomic.Bool                                             // it was said that the right to listen is missing
	paces    paces                                                   // how long updates took
	falls    falls                                                   // devices that were well and are not any more
	made     []twin.Twin                                             // places that were made while this runs, beside Twins
}

// New checks the configuration.
func New(cfg Config) (*Control, error) {
	for name, missing := range map[string]bool{
		"store": cfg.Store == nil, "network": cfg.Network == nil, "catalogue": cfg.Catalog == nil, "depot": cfg.Depot == nil,
		"secrets": cfg.Secrets == nil, "signer": cfg.Signer == nil, "probes": len(cfg.Probes) == 0, "policies": len(cfg.Policies.Rollout) == 0 || len(cfg.Policies.Risk) == 0,
	} {
		if missing {
			return nil, fmt.Errorf("control: no %s", name)
		}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Lease == 0 {
		cfg.Lease = time.Minute
	}
	cfg.Clock = cfg.Clock.orReal()
	c := &Control{
		Config: cfg, owner: store.NewID("owner"), pacer: wire.NewPacer(),
		dirty: map[string]bool{}, turned: map[string]bool{}, rounds: map[string]round{}, joined: map[string]time.Time{}, wokenAt: map[targetKey]time.Time{}, all: true, atOnce: restateAtOnce, scans: map[string]*Scan{}, wakes: map[string]chan struct{}{}, ears: map[netip.Prefix]error{},
		byProbe: map[string]discover.Probe{}, byDriver: map[string]driver.Driver{},
	}
	c.eyes = c.look
	c.inbox.waiting, c.inbox.busy = map[string][]happening{}, map[string]bool{}
	for _, p := range cfg.Probes {
		c.byProbe[p.Info().Name] = p
	}
	for _, d := range cfg.Drivers {
		c.byDriver[d.Info().Name] = d
	}
	for _, name := range []string{loopObserve, loopDecide, loopDeploy, loopDispatch, loopContain, loopAudit, loopNotify, loopListen, loopFetch, loopStage} {
		c.wakes[name] = make(chan struct{}, 1)
	}
	c.grant = depot.NewServer(cfg.Depot, c.Clock.Now, c.served)
	return c, nil
}

// The loops.
const (
	loopObserve  = "observe"
	loopDecide   = "decide"
	loopDeploy   = "deploy"
	loopDispatch = "dispatch"
	loopContain  = "contain"
	loopAudit    = "audit"
	loopNotify   = "notify"
	loopListen   = "listen"
	loopFetch    = "fetch"
	loopStage    = "stage"
)

// Run runs the loops until ctx ends. It takes over what an earlier run of the same data left behind.
func (c *Control) Run(ctx context.Context) error {
	if err := c.recover(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	for name, step := range map[string]func(context.Context) (time.Time, error){
		loopDecide: c.decideStep, loopDeploy: c.deployStep, loopStage: c.stageStep,
		loopContain: c.containStep, loopAudit: c.auditStep, loopNotify: c.notifyStep,
	} {
		g.Go(func() error { return c.loop(ctx, name, step) })
	}
	g.Go(func() error { return c.observe(ctx) })
	g.Go(func() error { return c.dispatch(ctx) })
	g.Go(func() error { return c.listen(ctx) })
	g.Go(func() error { return c.follow(ctx) })
	g.Go(func() error { return c.hearOthers(ctx) })
	if c.Serve.IsValid() {
		g.Go(func() error { return c.serveDepot(ctx) })
	}
	if err := g.Wait(); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// idle is how long a loop that nothing is due for waits before it looks all the same: where servers share a database, no longer than
// what another one left behind stays leased, which nobody tells.
func (c *Control) idle() time.Duration {
	if c.Store.Shared() {
		return c.Clock.Real(c.Lease)
	}
	return time.Hour
}

// loop calls step whenever it is woken or due. An error is logged once per change of its text and
// tried again a little later: a loop never ends because one turn failed.
func (c *Control) loop(ctx context.Context, name string, step func(context.Context) (time.Time, error)) error {
	last := ""
	for {
		due, err := step(ctx)
		if ctx.Err() != nil {
			return nil
		}
		now := c.Clock.Now()
		if err != nil {
			if err.Error() != last {
				c.Log.ErrorContext(ctx, "loop failed; it will be tried again", "loop", name, "error", err)
				last = err.Error()
			}
			due = now.Add(c.Clock.Real(2 * time.Second))
		} else {
			last = ""
		}
		wait := c.idle()
		if !due.IsZero() {
			wait = min(wait, max(0, due.Sub(now)))
		}
		timer := c.Clock.Timer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-c.wakes[name]:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// wake asks loops to look now.
func (c *Control) wake(names ...string) {
	for _, name := range names {
		if name == loopDeploy {
			c.woken.Add(1)
		}
		select {
		case c.wakes[name] <- struct{}{}:
		default:
		}
	}
}

// touch marks devices as changed: they are assessed and decided again.
func (c *Control) touch(devices ...string) {
	c.mu.Lock()
	for _, d := range devices {
		c.dirty[d] = true
	}
	c.mu.Unlock()
	c.wake(loopDecide)
}

// touchAll marks every device as changed.
func (c *Control) touchAll() {
	c.mu.Lock()
	c.all = true
	c.mu.Unlock()
	c.wake(loopDecide)
}

// auditStep seals new leaves. A leaf that is being committed while it runs is sealed by the turn that
// follows a second later.
func (c *Control) auditStep(ctx context.Context) (time.Time, error) {
	again := c.unsealed.Swap(false)
	if _, _, err := c.Store.Sequence(ctx, c.Clock.Now(), c.Signer); err != nil {
		c.unsealed.Store(true)
		return time.Time{}, fmt.Errorf("seal audit leaves: %w", err)
	}
	if !again {
		return time.Time{}, nil
	}
	return c.Clock.Now().Add(c.Clock.Real(time.Second)), nil
}

// leaf writes an audit leaf in the transaction of its change.
func (c *Control) leaf(ctx context.Context, tx *store.Tx, actor, action, subject string, detail map[string]string) error {
	c.unsealed.Store(true)
	c.wake(loopAudit)
	return tx.Record(ctx, audit.Leaf{At: c.Clock.Now(), Actor: actor, Action: action, Subject: subject, Detail: detail})
}

// emit shows a change to whoever watches.
func (c *Control) emit(ctx context.Context, tx *store.Tx, kind, subject, text string) error {
	c.untold.Store(true)
	c.wake(loopNotify)
	return tx.Emit(ctx, firmward.Event{At: c.Clock.Now(), Kind: kind, Subject: subject, Text: text})
}

// self is the actor of acts that a rule and not a person caused.
const self = "firmward"
