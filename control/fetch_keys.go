package control

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/feed"
)

// pinnedKeys are those by which an operator wants a feed's documents to be signed; none when that is not asked for.
func pinnedKeys(row firmward.FeedFetch) (feed.Keys, error) {
	if row.OpenPGP == "" {
		return feed.Keys{}, nil
	}
	k, err := feed.ReadKeys([]byte(row.OpenPGP))
	if err != nil {
		return k, fmt.Errorf("OpenPGP keys of %s: %w", row.Name, err)
	}
	return k, nil
}

// pinned are pinnedKeys of a feed, which may never have been fetched.
func (c *Control) pinned(ctx context.Context, name string) (feed.Keys, error) {
	row, err := c.Store.FeedFetch(ctx, name)
	if err != nil && firmward.CodeOf(err) != firmward.NotFound {
		return feed.Keys{}, err
	}
	return pinnedKeys(row)
}

// mayComeAlone refuses a document without its signature where there must be one.
func (c *Control) mayComeAlone(ctx context.Context, name, document string) error {
	keys, err := c.pinned(ctx, name)
	if err != nil || keys.Empty() {
		return err
	}
	return firmward.Errorf(firmward.Refused, fmt.Sprintf("documents of %s must be signed by %s: import a folder or an archive in which %s.asc stands beside it",
		name, strings.Join(keys.Fingerprints(), " or "), document))
}

// pinnedFacts checks keys that are to be pinned, and names them for the record.
func pinnedFacts(armored *string) (string, error) {
	if armored == nil || *armored == "" {
		return "none", nil
	}
	k, err := feed.ReadKeys([]byte(*armored))
	if err != nil {
		return "", &firmward.Error{Code: firmward.Invalid, Message: "want public OpenPGP keys, armored", Err: err}
	}
	return strings.Join(k.Fingerprints(), " "), nil
}

// Fingerprints names keys that were pinned.
func Fingerprints(armored string) []string {
	k, err := feed.ReadKeys([]byte(armored))
	if err != nil {
		return nil // none are
	}
	return k.Fingerprints()
}

// signedBy tells how many documents each key signed.
func signedBy(n map[string]int) string {
	var out []string
	for _, print := range slices.Sorted(maps.Keys(n)) {
		out = append(out, fmt.Sprintf("%d by %s", n[print], print))
	}
	return strings.Join(out, ", ")
}
