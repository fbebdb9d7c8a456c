package control

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/audit"
	"github.com/firmward/firmward/store"
)

// Find gives the one device that a person means by an id, name, address, serial number or MAC address.
// Conflict when it could be several.
func (c *Control) Find(ctx context.Context, ref string) (firmward.Device, error) {
	return c.find(ctx, ref)
}

// RunScans carries out the scans that were asked for and returns when none is left. It is for a command
// that lives only as long as its scan; Run does the same for a server, so never call both.
func (c *Control) RunScans(ctx context.Context) {
	ears, end := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer end()
	wg.Go(func() { _ = c.listen(ears) }) // a loop that ends with its context and no error
	for s := c.nextScan(); s != nil && ctx.Err() == nil; s = c.nextScan() {
		c.runScan(ctx, s)
	}
}

// Settle assesses and decides every device that is marked and seals the audit leaves, then returns. It
// touches no device. Like RunScans it takes the place of Run.
func (c *Control) Settle(ctx context.Context) error {
	if _, err := c.decideStep(ctx); err != nil {
		return err
	}
	_, err := c.auditStep(ctx)
	return err
}

// personName is what a token may be called: it stands on audit leaves and in two-person rules.
var personName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$`)

// TokenPrefix begins every token, so that a leaked one can be recognised.
const TokenPrefix = "fw_"

// HashToken is how a token is stored and looked up.
func HashToken(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// AddToken makes a token for a person and gives it once: only its hash is kept. expires zero means never.
func (c *Control) AddToken(ctx context.Context, who firmward.Person, name string, role firmward.Role, expires time.Time) (string, store.Token, error) {
	now := c.Clock.Now()
	switch {
	case !personName.MatchString(name) || strings.EqualFold(name, self):
		return "", store.Token{}, firmward.Errorf(firmward.Invalid, "a token is named after a person: letters, digits and . _ @ - only, and not "+self)
	case !role.Valid():
		return "", store.Token{}, firmward.Errorf(firmward.Invalid, "role must be viewer, operator, approver or admin")
	case !expires.IsZero() && !expires.After(now):
		return "", store.Token{}, firmward.Errorf(firmward.Invalid, "the token would have expired already")
	}
	raw := make([]byte, 32)
	rand.Read(raw)
	secret := TokenPrefix + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw))
	t := store.Token{
		ID: store.NewID("tok"), Hash: HashToken(secret), Person: firmward.Person{Name: name, Role: role}, Created: now, Expires: expires, By: who.Name,
	}
	err := c.Store.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.PutToken(ctx, t); err != nil {
			return err
		}
		return c.leaf(ctx, tx, who.Name, "token-add", t.ID, map[string]string{"name": name, "role": string(role)})
	})
	if err != nil {
		return "", store.Token{}, err
	}
	return secret, t, nil
}

// RemoveToken makes a token worthless at once.
func (c *Control) RemoveToken(ctx context.Context, who firmward.Person, id string) error {
	return c.Store.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.DeleteToken(ctx, id); err != nil {
			return err
		}
		return c.leaf(ctx, tx, who.Name, "token-remove", id, nil)
	})
}

// ExportAudit seals what waits and writes the whole log as a bundle for audit.Verify.
func (c *Control) ExportAudit(ctx context.Context, w io.Writer) error {
	if _, err := c.auditStep(ctx); err != nil {
		return err
	}
	return c.Store.ExportAudit(ctx, w)
}

// Backup records who took it and writes everything that the store holds into w, encrypted with the passphrase; with the key
// files, so that a restored firmward opens its credentials and goes on signing its record, unless they are to be left out.
func (c *Control) Backup(ctx context.Context, who firmward.Person, w io.Writer, passphrase string, withKeys bool) error {
	files := map[string][]byte{}
	if withKeys {
		for _, path := range c.KeyFiles {
			b, err := os.ReadFile(path)
			if err != nil {
				return fmt.Errorf("read key file: %w", err)
			}
			files[filepath.Base(path)] = b
		}
	}
	if err := c.Store.Tx(ctx, func(tx *store.Tx) error {
		return c.leaf(ctx, tx, who.Name, "backup", "store", map[string]string{"keys": strconv.FormatBool(len(files) > 0)})
	}); err != nil {
		return err
	}
	enc, err := store.Encrypt(w, passphrase)
	if err != nil {
		return fmt.Errorf("encrypt backup: %w", err)
	}
	if len(files) > 0 {
		if err := store.WriteKeys(enc, files); err != nil {
			return err
		}
	}
	if err := c.Store.Dump(ctx, enc); err != nil {
		return err
	}
	return enc.Close()
}

// Seal gives every audit leaf that waits its place in the log, and signs.
func (c *Control) Seal(ctx context.Context) error {
	_, err := c.auditStep(ctx)
	return err
}

// Attest records that a person wrote a report about a thing and gives the leaf's place in the log. detail tells the
// report's digest under "sha256".
func (c *Control) Attest(ctx context.Context, who firmward.Person, action, subject string, detail map[string]string) (seq int64, err error) {
	if err := c.Store.Tx(ctx, func(tx *store.Tx) error {
		return c.leaf(ctx, tx, who.Name, action, subject, detail)
	}); err != nil {
		return 0, err
	}
	if err := c.Seal(ctx); err != nil {
		return 0, err
	}
	for l, err := range store.All(func(p store.Page) ([]audit.Leaf, string, error) {
		return c.Store.FindLeaves(ctx, store.LeafFilter{Subject: subject, Action: action}, p)
	}) {
		if err != nil {
			return 0, err
		}
		if l.Seq >= 0 && l.Detail["sha256"] == detail["sha256"] {
			return l.Seq, nil
		}
	}
	return 0, firmward.Errorf(firmward.Internal, "a leaf that was just written is not in the audit log")
}
