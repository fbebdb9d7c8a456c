package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/audit"
	"github.com/firmward/firmward/catalog"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/depot"
	"github.com/firmward/firmward/discover/probes"
	"github.com/firmward/firmward/driver/drivers"
	"github.com/firmward/firmward/enforce"
	"github.com/firmward/firmward/feed/overrides"
	"github.com/firmward/firmward/feed/sources"
	"github.com/firmward/firmward/feed/starter"
	"github.com/firmward/firmward/httpapi"
	"github.com/firmward/firmward/policy"
	"github.com/firmward/firmward/secrets"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/web"
	"github.com/firmward/firmward/wire"
)

// The files of a data directory.
const (
	fileDB      = "firmward.db"
	fileAudit   = "audit.key"
	fileSecrets = "secrets.key"
	fileSocket  = "firmward.sock"
	dirDepot    = "depot"
	dirTmp      = "tmp"
)

// houseConfig says how to open a data directory and what stands around it. Only Dir is required.
type houseConfig struct {
	Dir       string
	DB        string // postgres URL, or "memory:"; empty: an SQLite file in Dir
	Policies  string // policy file; empty: those that firmward ships
	Network   wire.Network
	Clock     control.Clock
	Lab       bool           // Network is simulated
	DepotAddr netip.AddrPort // where devices fetch images
	Self      []netip.Addr
	Witness   []enforce.Vantage
	Enforcers []enforce.Enforcer
	Hosts     []string // names of the server beside loopback
	Log       *slog.Logger
}

// house is everything, wired: opened, but not running yet.
type house struct {
	Store   *store.Store
	Control *control.Control
	API     *httpapi.API
	Signer  *audit.Signer
	FirstUp bool // the data directory was empty
	ended   atomic.Pointer[error]
	closers []func() error
}

// openHouse locks the data directory, opens or makes what lies in it and wires all rooms together. The
// house does nothing by itself until run is called, and is given back with Close.
func openHouse(ctx context.Context, cfg houseConfig) (*house, error) {
	h := &house{}
	if err := h.open(ctx, cfg); err != nil {
		_ = h.Close() // the first error says what happened
		return nil, err
	}
	return h, nil
}

func (h *house) open(ctx context.Context, cfg houseConfig) error {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if err := makeDir(cfg.Dir); err != nil {
		return err
	}
	unlock, err := store.LockDir(cfg.Dir)
	if err != nil {
		return err
	}
	h.closers = append(h.closers, unlock)
	if cfg.DB == "" {
		cfg.DB = filepath.Join(cfg.Dir, fileDB)
	}
	if h.Store, err = store.Open(ctx, store.Options{URL: cfg.DB, Log: cfg.Log}); err != nil {
		return err
	}
	h.closers = append(h.closers, h.Store.Close)
	files, err := depot.Open(filepath.Join(cfg.Dir, dirDepot))
	if err != nil {
		return err
	}
	h.closers = append(h.closers, files.Close)
	box, err := secrets.Open(filepath.Join(cfg.Dir, fileSecrets))
	if err != nil {
		return err
	}
	signer, first, err := openSigner(filepath.Join(cfg.Dir, fileAudit))
	if err != nil {
		return err
	}
	h.FirstUp, h.Signer = first, signer
	families, err := catalog.Embedded()
	if err != nil {
		return err
	}
	policies, err := readPolicies(cfg.Policies, cfg.Log)
	if err != nil {
		return err
	}
	if cfg.Network == nil {
		cfg.Network = &wire.OS{}
		if cfg.Self == nil {
			if cfg.Self, err = ownAddrs(); err != nil {
				return err
			}
		}
	}
	tmp := filepath.Join(cfg.Dir, dirTmp)
	h.Control, err = control.New(control.Config{
		Store: h.Store, Network: cfg.Network, Catalog: families, Policies: policies, Probes: probes.All(), Drivers: drivers.All(),
		Sources: sources.All(), Enforcers: cfg.Enforcers, Depot: files, Serve: cfg.DepotAddr, Self: cfg.Self, Witness: cfg.Witness,
		Secrets: box, Signer: signer, KeyFiles: []string{filepath.Join(cfg.Dir, fileAudit), filepath.Join(cfg.Dir, fileSecrets)}, Clock: cfg.Clock, Log: cfg.Log, Lab: cfg.Lab, Scratch: tmp, Version: version(),
	})
	if err != nil {
		return err
	}
	if err := errors.Join(os.RemoveAll(tmp), os.Mkdir(tmp, 0o700)); err != nil {
		return fmt.Errorf("make directory for uploads: %w", err)
	}
	if err := h.firstKnowledge(ctx, tmp); err != nil {
		return err
	}
	h.API = httpapi.New(httpapi.Deps{
		Control: h.Control, Store: h.Store, Log: cfg.Log, Version: version(), Origin: signer.Origin(), Hosts: cfg.Hosts, TempDir: tmp,
		Alive: h.alive, Commands: commands(), App: web.App(),
	})
	return nil
}

// run runs the loops until ctx ends.
func (h *house) run(ctx context.Context) error {
	err := h.Control.Run(ctx)
	if err == nil {
		err = errors.New("the loops have ended")
	}
	h.ended.Store(&err)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// alive says why the loops ended, or nil.
func (h *house) alive() error {
	if err := h.ended.Load(); err != nil {
		return *err
	}
	return nil
}

// Close gives everything back, in reverse order.
func (h *house) Close() error {
	var errs []error
	for i := len(h.closers) - 1; i >= 0; i-- {
		errs = append(errs, h.closers[i]())
	}
	h.closers = nil
	return errors.Join(errs...)
}

// firstKnowledge imports what the program brings: the starter set once, and firmward's own corrections again when the
// program has newer ones.
func (h *house) firstKnowledge(ctx context.Context, tmp string) error {
	for _, k := range []struct {
		feed, name string
		document   io.Reader
		newest     time.Time
	}{
		{"starter", starter.Name, starter.Document(), time.Time{}},
		{overrides.OwnName, overrides.OwnName + ".json", overrides.Document(), overrides.Dated()},
	} {
		s, err := h.Store.FeedStatus(ctx, k.feed)
		switch {
		case err == nil && !s.Dated.Before(k.newest):
			continue
		case err != nil && firmward.CodeOf(err) != firmward.NotFound:
			return err
		}
		path := filepath.Join(tmp, k.name)
		doc, err := io.ReadAll(k.document)
		if err == nil {
			err = os.WriteFile(path, doc, 0o600)
		}
		if err == nil {
			_, err = h.Control.ImportFeed(ctx, firmward.Person{Name: "firmward", Role: firmward.Admin}, k.feed, path, k.name)
		}
		if err != nil {
			return fmt.Errorf("import %s, which the program brings: %w", k.name, err)
		}
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}

func makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return &firmward.Error{Code: firmward.Unavailable, Message: "the data directory cannot be made: choose another with --data", Err: err}
	}
	return nil
}

// openSigner reads the audit key; it is made when it is missing.
func openSigner(path string) (s *audit.Signer, made bool, err error) {
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		private, _, err := audit.GenerateKey(store.NewID("house"))
		if err != nil {
			return nil, false, fmt.Errorf("make audit key: %w", err)
		}
		key, made = []byte(private), true
		if err := os.WriteFile(path, append(key, '\n'), 0o600); err != nil {
			return nil, false, fmt.Errorf("write audit key: %w", err)
		}
	} else if err != nil {
		return nil, false, fmt.Errorf("read audit key: %w", err)
	}
	s, err = audit.NewSigner(strings.TrimSpace(string(key)))
	if err != nil {
		return nil, false, &firmward.Error{Code: firmward.Invalid, Message: "the key file " + path + " is damaged: restore it from a backup. Without it a new history begins (move it away)", Err: err}
	}
	return s, made, nil
}

// readPolicies reads a policy file. A freeze that is over by now is logged and no error: a restart must not fail because a
// day has passed.
func readPolicies(path string, log *slog.Logger) (policy.File, error) {
	if path == "" {
		return policy.Builtin()
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return policy.File{}, fmt.Errorf("read policies: %w", err)
	}
	f, err := policy.Parse(b, filepath.Base(path))
	if err != nil {
		return f, err
	}
	if _, err := policy.ParseAt(b, filepath.Base(path), time.Now()); err != nil {
		log.Warn("the policy file names what is past", "error", err)
	}
	return f.Complete()
}

// labNetwork reaches the simulated devices of a port map.
func labNetwork(path string) (wire.Network, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open port map: %w", err)
	}
	defer f.Close()
	return wire.ReadPortMap(f)
}
