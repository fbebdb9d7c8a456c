package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/httpapi"
	"github.com/firmward/firmward/store"
)

// keepApart is said after a backup: what it deliberately does not hold.
const keepApart = "Not in it: the key files audit.key and secrets.key of the data directory, and the firmware files in depot. Keep copies of the keys, apart from the backup."

// minPassphrase is the shortest passphrase of a backup, in bytes; the server insists on it too.
const minPassphrase = 12

// BackupCmd writes a backup.
type BackupCmd struct {
	File string `arg:"" help:"File to write; it must not exist."`
}

// Help gives examples.
func (BackupCmd) Help() string {
	return "The passphrase is asked for without echo, or read from the first line of the input. " + keepApart + "\n\n" +
		examples("firmward backup firmward-2026-11-22.age")
}

// Run carries it out.
func (c *BackupCmd) Run(ctx context.Context, a *app) error {
	pass, err := a.hidden(ctx, "Passphrase for the backup (at least 12 characters): ")
	if err != nil {
		return err
	}
	if len(pass) < minPassphrase {
		return firmward.Errorf(firmward.Invalid, "a backup needs a passphrase of at least 12 characters: type it, or give it as the first line of the input")
	}
	if err := newFile(c.File, func(f *os.File) error {
		return a.client.do(ctx, call{
			method: http.MethodGet, path: "/backup", header: http.Header{httpapi.PassphraseHeader: {url.QueryEscape(pass)}}, out: f,
		})
	}); err != nil {
		return err
	}
	fmt.Fprintln(a.out, "The backup is in", c.File+".")
	a.para(0, keepApart)
	return nil
}

// RestoreCmd reads a backup.
type RestoreCmd struct {
	File string `arg:"" type:"existingfile" help:"Backup."`
}

// Help gives examples.
func (RestoreCmd) Help() string {
	return "The data directory must hold no database. Put the key files there first, if you have them.\n\n" +
		examples("firmward restore firmward-2026-11-22.age --data /srv/firmward-new")
}

// Run carries it out.
func (c *RestoreCmd) Run(ctx context.Context, a *app) (err error) {
	if a.Server != "" {
		return usageError("restore works on a data directory, not on a server")
	}
	if err := makeDir(a.Data); err != nil {
		return err
	}
	unlock, err := store.LockDir(a.Data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	db := a.DB
	if db == "" {
		db = filepath.Join(a.Data, fileDB)
		if _, err := os.Stat(db); err == nil {
			return firmward.Errorf(firmward.Conflict, a.Data+" holds a database already: choose an empty --data directory")
		}
	}
	f, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer f.Close()
	pass, err := a.hidden(ctx, "Passphrase of the backup: ")
	if err != nil {
		return err
	}
	plain, err := store.Decrypt(f, pass)
	if err != nil {
		return err
	}
	s, err := store.Open(ctx, store.Options{URL: db})
	if err != nil {
		return err
	}
	if err = s.Load(ctx, plain); err == nil {
		err = s.DoubtAll(ctx, time.Now()) // devices are asked before anything is sent
	}
	err = errors.Join(err, s.Close())
	if err != nil {
		if a.DB == "" { // this command made it, and it holds nothing
			for _, end := range []string{"", "-wal", "-shm"} {
				os.Remove(db + end)
			}
		}
		return err
	}
	fmt.Fprintln(a.out, "The backup is restored into", a.Data+".")
	for _, key := range []string{fileAudit, fileSecrets} {
		if _, err := os.Stat(filepath.Join(a.Data, key)); err != nil {
			a.para(0, key+" is missing there: put your copy in place before you go on, else a new one is made.")
		}
	}
	return nil
}
