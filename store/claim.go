package store

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/firmward/firmward"
)

// The kinds of claim. A device and a redundancy group are held by one device at a time, a site and a transport domain by several.
const (
	ClaimDevice = "device"
	ClaimGroup  = "group"
	ClaimSite   = "site"
	ClaimDomain = "domain"
)

// Share is a place where only so many devices may be changed at one time, whatever rollouts change them.
type Share struct {
	Kind string // ClaimSite or ClaimDomain
	Name string
	Most int // 0: counted, not capped
}

// Claim reserves a device, and its redundancy group unless group is empty, for a rollout. Conflict says who holds
// them. Claiming again for the same rollout is no error.
func (t *Tx) Claim(ctx context.Context, device, group, rollout string) error {
	if err := t.claim(ctx, ClaimDevice, device, device, rollout); err != nil || group == "" {
		return err
	}
	return t.claim(ctx, ClaimGroup, group, device, rollout)
}

func (t *Tx) claim(ctx context.Context, kind, name, device, rollout string) error {
	n, err := t.exec(ctx, "INSERT INTO claim (kind, name, rollout, device) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING", kind, name, rollout, device)
	if err != nil || n == 1 {
		return err
	}
	var holder, by string
	if _, err := t.row(ctx, "SELECT rollout, device FROM claim WHERE kind = $1 AND name = $2", args(kind, name), &holder, &by); err != nil {
		return err
	}
	if holder == rollout && by == device {
		return nil
	}
	return firmward.Errorf(firmward.Conflict, fmt.Sprintf("%s %s is held by device %s in rollout %s: it is free when that has ended", kind, name, by, holder))
}

// Share takes a place of a share for a device. Conflict says that all are held. Every start takes one, also where no cap holds: others
// count it. Counting is enough, since write transactions run one after another on both engines.
func (t *Tx) Share(ctx context.Context, device, rollout string, s Share) error {
	prefix := url.PathEscape(s.Name) + "/"
	held, err := list(ctx, t.Reader, texts, "SELECT device FROM claim WHERE kind = $1 AND name >= $2 AND name < $3", s.Kind, prefix, url.PathEscape(s.Name)+"0")
	if err != nil || slices.Contains(held, device) {
		return err
	}
	if s.Most > 0 && len(held) >= s.Most {
		return firmward.Errorf(firmward.Conflict, fmt.Sprintf("%s %s: %d devices are being changed, that is the limit: there is room when one has ended", s.Kind, s.Name, len(held)))
	}
	return t.put(ctx, "INSERT INTO claim (kind, name, rollout, device) VALUES ($1, $2, $3, $4)", s.Kind, prefix+device, rollout, device)
}

// Unclaim frees what a device holds for a rollout.
func (t *Tx) Unclaim(ctx context.Context, device, rollout string) error {
	return t.put(ctx, "DELETE FROM claim WHERE device = $1 AND rollout = $2", device, rollout)
}

// Claim is what a device holds for a rollout.
type Claim struct {
	Kind    string
	Name    string // device id, redundancy group, site or transport domain
	Rollout string
	Device  string
}

// ClaimsOf gives all claims of a rollout, or of every one when rollout is empty, sorted by kind and name. A site or a domain is
// there once for each device that it is held by.
func (r Reader) ClaimsOf(ctx context.Context, rollout string) ([]Claim, error) {
	var f filter
	f.is("rollout", rollout)
	return list(ctx, r, func(s scan) (c Claim, err error) {
		if err = s(&c.Kind, &c.Name, &c.Rollout, &c.Device); err == nil && (c.Kind == ClaimSite || c.Kind == ClaimDomain) {
			c.Name, err = url.PathUnescape(c.Name[:strings.IndexByte(c.Name, '/')])
		}
		return c, err
	}, "SELECT kind, name, rollout, device FROM claim"+f.where()+" ORDER BY kind, name", f.args...)
}
