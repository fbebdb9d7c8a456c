package store

import (
	"context"
	"fmt"
	"net/url"
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

// Claimant is a device that is about to be changed and what it holds meanwhile.
type Claimant struct {
	Device string
	Group  string  // redundancy group, empty when it has none
	Shares []Share // places that it takes; also where no cap holds, since others count them
}

// Claim reserves devices for a rollout, in order, each with its redundancy group and a place of each of its shares. The answer has
// an error for each claimant: nil, or a Conflict that says who holds what it wants; then it holds nothing. Claiming again for the
// same rollout is no error. Counting is enough, since write transactions run one after another on both engines.
func (t *Tx) Claim(ctx context.Context, rollout string, claimants ...Claimant) ([]error, error) {
	held, err := t.heldBy(ctx, claimants)
	if err != nil {
		return nil, err
	}
	refused := make([]error, len(claimants))
	rows := load{table: "claim", columns: []string{"kind", "name", "rollout", "device"}, keys: 2, once: true}
	for i, c := range claimants {
		again, why := held.refuse(rollout, c)
		if refused[i] = why; why != nil || again {
			continue
		}
		rows.rows = append(rows.rows, held.take(rollout, c)...)
	}
	if len(rows.rows) == 0 {
		return refused, nil
	}
	if err := t.fold(ctx, rows); err != nil {
		return nil, err
	}
	return refused, t.grow(ctx, EditionClaims)
}

// holding is what is claimed of all that some claimants want.
type holding struct {
	by     map[[2]string]Claim // device and group claims by kind and name
	places map[[2]string]int   // places taken of each share
}

func (t *Tx) heldBy(ctx context.Context, claimants []Claimant) (holding, error) {
	h := holding{by: map[[2]string]Claim{}, places: map[[2]string]int{}}
	var devices, groups []string
	for _, c := range claimants {
		devices = append(devices, c.Device)
		if c.Group != "" {
			groups = append(groups, c.Group)
		}
	}
	for kind, names := range map[string][]string{ClaimDevice: devices, ClaimGroup: groups} {
		if len(names) == 0 {
			continue
		}
		some, err := list(ctx, t.Reader, claimRow, "SELECT kind, name, rollout, device FROM claim WHERE kind = $1 AND name IN ("+t.d.elements("$2")+")", kind, js{names})
		if err != nil {
			return h, err
		}
		for _, c := range some {
			h.by[[2]string{c.Kind, c.Name}] = c
		}
	}
	for _, c := range claimants {
		for _, s := range c.Shares {
			key := [2]string{s.Kind, s.Name}
			if _, counted := h.places[key]; counted || s.Most == 0 {
				continue
			}
			var n int
			name := url.PathEscape(s.Name)
			if _, err := t.row(ctx, "SELECT COUNT(*) FROM claim WHERE kind = $1 AND name >= $2 AND name < $3", args(s.Kind, name+"/", name+"0"), &n); err != nil {
				return h, err
			}
			h.places[key] = n
		}
	}
	return h, nil
}

// refuse says why a claimant cannot have what it wants. again: it has it already.
func (h holding) refuse(rollout string, c Claimant) (again bool, err error) {
	for _, key := range [][2]string{{ClaimDevice, c.Device}, {ClaimGroup, c.Group}} {
		by, taken := h.by[key]
		switch {
		case !taken || key[1] == "":
		case by.Rollout == rollout && by.Device == c.Device:
			again = true
		default:
			return false, firmward.Errorf(firmward.Conflict, fmt.Sprintf("%s %s is held by device %s in rollout %s: it is free when that has ended", key[0], key[1], by.Device, by.Rollout))
		}
	}
	if again {
		return true, nil
	}
	for _, s := range c.Shares {
		if n := h.places[[2]string{s.Kind, s.Name}]; s.Most > 0 && n >= s.Most {
			return false, firmward.Errorf(firmward.Conflict, fmt.Sprintf("%s %s: %d devices are being changed, that is the limit: there is room when one has ended", s.Kind, s.Name, n))
		}
	}
	return false, nil
}

// take notes what a claimant holds from now on and gives its rows.
func (h holding) take(rollout string, c Claimant) [][]any {
	rows := [][]any{{ClaimDevice, c.Device, rollout, c.Device}}
	h.by[[2]string{ClaimDevice, c.Device}] = Claim{Rollout: rollout, Device: c.Device}
	if c.Group != "" {
		rows = append(rows, []any{ClaimGroup, c.Group, rollout, c.Device})
		h.by[[2]string{ClaimGroup, c.Group}] = Claim{Rollout: rollout, Device: c.Device}
	}
	for _, s := range c.Shares {
		rows = append(rows, []any{s.Kind, url.PathEscape(s.Name) + "/" + c.Device, rollout, c.Device})
		h.places[[2]string{s.Kind, s.Name}]++
	}
	return rows
}

// Unclaim frees what devices hold for a rollout.
func (t *Tx) Unclaim(ctx context.Context, rollout string, devices ...string) error {
	if len(devices) == 0 {
		return nil
	}
	return t.put(ctx, "DELETE FROM claim WHERE rollout = $1 AND device IN ("+t.d.elements("$2")+")", rollout, js{devices})
}

// Claim is what a device holds for a rollout.
type Claim struct {
	Kind    string
	Name    string // device id, redundancy group, site or transport domain
	Rollout string
	Device  string
}

func claimRow(s scan) (c Claim, err error) {
	if err = s(&c.Kind, &c.Name, &c.Rollout, &c.Device); err == nil && (c.Kind == ClaimSite || c.Kind == ClaimDomain) {
		c.Name, err = url.PathUnescape(c.Name[:strings.IndexByte(c.Name, '/')])
	}
	return c, err
}

// ClaimsOf gives all claims of a rollout, or of every one when rollout is empty, sorted by kind and name. A site or a domain is
// there once for each device that it is held by.
func (r Reader) ClaimsOf(ctx context.Context, rollout string) ([]Claim, error) {
	var f filter
	f.is("rollout", rollout)
	return list(ctx, r, claimRow, "SELECT kind, name, rollout, device FROM claim"+f.where()+" ORDER BY kind, name", f.args...)
}

// ClaimedModels counts the devices that are claimed and not of the lab by model.
func (r Reader) ClaimedModels(ctx context.Context) (map[string]int, error) {
	type count struct {
		model string
		n     int
	}
	rows, err := list(ctx, r, func(s scan) (c count, err error) {
		err = s(&c.model, &c.n)
		return c, err
	}, "SELECT d.model, COUNT(*) FROM claim c JOIN device d ON d.id = c.device WHERE c.kind = $1 AND d.lab = 0 GROUP BY d.model", ClaimDevice)
	out := make(map[string]int, len(rows))
	for _, c := range rows {
		out[c.model] = c.n
	}
	return out, err
}
