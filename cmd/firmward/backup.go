package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/audit"
	"github.com/firmward/firmward/httpapi"
	"github.com/firmward/firmward/store"
)

// What is said after a backup: what it holds, and what it does not.
const (
	withKeys    = "In it: the database and the keys that open its credentials and sign its record. Who has the file and its passphrase has all of that. Not in it: the firmware files in depot."
	withoutKeys = "Not in it: the key files audit.key and secrets.key of the data directory, and the firmware files in depot. Keep copies of the keys, apart from the backup: without them credentials must be entered anew."
	tryIt       = "Prove that it can be restored: firmward restore --try "
)

// BackupCmd writes a backup.
type BackupCmd struct {
	File        string `arg:"" help:"File to write; it must not exist."`
	WithoutKeys bool   `help:"Leave the key files out; keep copies of them elsewhere."`
}

// Help gives examples.
func (BackupCmd) Help() string {
	return "The passphrase is asked for without echo, or read from the first line of the input. " + withKeys + "\n\n" +
		examples("firmward backup firmward-2026-11-22.age", "firmward restore --try firmward-2026-11-22.age  # prove that it works",
			"firmward backup --without-keys firmward-2026-11-22.age")
}

// Run carries it out.
func (c *BackupCmd) Run(ctx context.Context, a *app) error {
	pass, err := a.hidden(ctx, "Passphrase for the backup (at least 12 characters): ")
	if err != nil {
		return err
	}
	if len([]rune(pass)) < httpapi.MinPassphrase {
		return firmward.Errorf(firmward.Invalid, "a backup needs a passphrase of at least 12 characters: type it, or give it as the first line of the input")
	}
	if err := newFile(c.File, func(f *os.File) error {
		return a.client.do(ctx, call{
			method: http.MethodGet, path: "/backup", query: values("keys", strconv.FormatBool(!c.WithoutKeys)), header: http.Header{httpapi.PassphraseHeader: {url.QueryEscape(pass)}}, out: f,
		})
	}); err != nil {
		return err
	}
	if done, err := a.asJSON(madeBackup{c.File, !c.WithoutKeys}); done {
		return err
	}
	fmt.Fprintln(a.out, "The backup is in", c.File+".")
	if c.WithoutKeys {
		a.para(0, withoutKeys)
	} else {
		a.para(0, withKeys)
	}
	fmt.Fprintln(a.out, tryIt+c.File)
	return nil
}

// What backup and restore print as JSON.
type (
	madeBackup struct {
		File string `json:"file"`
		Keys bool   `json:"keys"` // the backup holds them
	}
	restored struct {
		Data    string   `json:"data"`
		Missing []string `json:"missing"` // key files that are to be put in place
	}
	tried struct {
		Devices int          `json:"devices"`
		Keys    []string     `json:"keys"`
		Record  audit.Report `json:"record"`
	}
)

// RestoreCmd reads a backup.
type RestoreCmd struct {
	File string `arg:"" type:"existingfile" help:"Backup."`
	Try  bool   `help:"Only prove that it can be restored: into a temporary database that is removed again."`
}

// Help gives examples.
func (RestoreCmd) Help() string {
	return "The data directory must hold no database. Keys that the backup holds are put there too; keys that are there already must be the same. " +
		"Commands that were under way are in doubt afterwards: devices are asked before anything is sent.\n\n" +
		examples("firmward restore firmward-2026-11-22.age --data /srv/firmward-new", "firmward restore --try firmward-2026-11-22.age")
}

// Run carries it out.
func (c *RestoreCmd) Run(ctx context.Context, a *app) error {
	switch {
	case a.Server != "":
		return usageError("restore works on a data directory, not on a server")
	case c.Try:
		return c.try(ctx, a)
	}
	if err := makeDir(a.Data); err != nil {
		return err
	}
	unlock, err := store.LockDir(a.Data)
	if err != nil {
		return err
	}
	db := a.DB
	if db == "" {
		db = filepath.Join(a.Data, fileDB)
		if _, err := os.Stat(db); err == nil {
			return errors.Join(firmward.Errorf(firmward.Conflict, a.Data+" holds a database already: choose an empty --data directory"), unlock())
		}
	}
	if err := errors.Join(c.restore(ctx, a, db), unlock()); err != nil {
		return err
	}
	made := restored{Data: a.Data, Missing: []string{}}
	for _, key := range []string{fileAudit, fileSecrets} {
		if _, err := os.Stat(filepath.Join(a.Data, key)); err != nil {
			made.Missing = append(made.Missing, key)
		}
	}
	if done, err := a.asJSON(made); done {
		return err
	}
	fmt.Fprintln(a.out, "The backup is restored into", a.Data+".")
	for _, key := range made.Missing {
		a.para(0, key+" is missing there, and the backup holds none: put your copy in place before you go on, else a new one is made.")
	}
	return nil
}

// open asks for the passphrase and gives the keys and the dump of the backup.
func (c *RestoreCmd) open(ctx context.Context, a *app) (keys map[string][]byte, dump io.Reader, end func(), err error) {
	f, err := os.Open(c.File)
	if err != nil {
		return nil, nil, nil, err
	}
	pass, err := a.hidden(ctx, "Passphrase of the backup: ")
	if err == nil {
		dump, err = store.Decrypt(f, pass)
	}
	if err == nil {
		keys, dump, err = store.ReadKeys(dump)
	}
	if err != nil {
		f.Close()
		return nil, nil, nil, err
	}
	return keys, dump, func() { f.Close() }, nil
}

// restore fills the database and puts the keys beside it. What it made is removed when something fails.
func (c *RestoreCmd) restore(ctx context.Context, a *app, db string) (err error) {
	keys, dump, end, err := c.open(ctx, a)
	if err != nil {
		return err
	}
	defer end()
	var made []string
	defer func() {
		if err != nil {
			for _, path := range made {
				os.Remove(path)
			}
		}
	}()
	for _, name := range []string{fileAudit, fileSecrets} {
		path, key := filepath.Join(a.Data, name), keys[name]
		if len(key) == 0 {
			continue
		}
		switch have, err := os.ReadFile(path); {
		case err == nil && !bytes.Equal(have, key):
			return firmward.Errorf(firmward.Conflict, path+" is another key than the one in the backup: move it away, or choose an empty --data directory")
		case err == nil:
			continue
		}
		if err := os.WriteFile(path, key, 0o600); err != nil {
			return fmt.Errorf("write key file: %w", err)
		}
		made = append(made, path)
	}
	if a.DB == "" { // this command makes it, and it holds nothing
		made = append(made, db, db+"-wal", db+"-shm")
	}
	s, err := store.Open(ctx, store.Options{URL: db})
	if err != nil {
		return err
	}
	if err = s.Load(ctx, dump); err == nil {
		err = s.DoubtAll(ctx, time.Now()) // devices are asked before anything is sent
	}
	return errors.Join(err, s.Close())
}

// try restores into a database that ends with the command, and verifies the record in it.
func (c *RestoreCmd) try(ctx context.Context, a *app) error {
	keys, dump, end, err := c.open(ctx, a)
	if err != nil {
		return err
	}
	defer end()
	s, err := store.Open(ctx, store.Options{URL: "memory:"})
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Load(ctx, dump); err != nil {
		return err
	}
	counts, err := s.CountDevices(ctx)
	if err != nil {
		return err
	}
	found := tried{Keys: slices.AppendSeq([]string{}, maps.Keys(keys))}
	slices.Sort(found.Keys)
	for _, n := range counts {
		found.Devices += n.N
	}
	if found.Record, err = verifyRecord(ctx, s); err != nil {
		return err
	}
	if err := found.print(a); err != nil {
		return err
	}
	if !found.Record.OK {
		return exitWith(exitError)
	}
	return nil
}

func (t tried) print(a *app) error {
	if done, err := a.asJSON(t); done {
		return err
	}
	fmt.Fprintln(a.out, "The backup can be restored:", plural(t.Devices, "device", "devices")+".")
	if len(t.Keys) == 0 {
		a.para(0, "It holds no keys: keep audit.key and secrets.key elsewhere.")
	} else {
		fmt.Fprintln(a.out, "It holds the keys", join(t.Keys)+".")
	}
	for _, line := range t.Record.Statements {
		a.para(0, line)
	}
	return nil
}

// verifyRecord checks the audit log of a store as it stands.
func verifyRecord(ctx context.Context, s *store.Store) (audit.Report, error) {
	r, w := io.Pipe()
	go func() { w.CloseWithError(s.ExportAudit(ctx, w)) }()
	report, err := audit.Verify(r, audit.Options{})
	r.Close()
	if firmward.CodeOf(err) == firmward.NotFound {
		return audit.Report{OK: true, Statements: []string{"Its record was not sealed yet."}}, nil
	}
	return report, err
}
