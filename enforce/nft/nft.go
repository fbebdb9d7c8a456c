// Package nft is the wall of a Linux router: contained devices are cut off by nftables on the machine
// that carries their packets.
//
// # What it does
//
// firmward owns one table, inet firmward, and never reads or writes another. A drop there is final
// whatever other tables accept, and whatever they drop stays dropped. Its chains hang at forward (packets
// that pass through this machine), input and output (packets between this machine and the device), behind
// connection tracking and destination NAT, before the usual filter chains. Every packet from or to a
// contained address is dropped unless a rule allows it. No rule lets established connections through as
// such, so those end too.
//
// A rule names who may begin: "from" the device or "to" it; the answers of an exchange that may begin pass
// the other way. The direction is that of connection tracking. Neighbour discovery between the device and
// this machine stays open as ARP does: without it nothing allowed could be reached.
//
// # How it undoes itself
//
// There are two layers of sets: standing (confirmed, elements without an end) and trial (elements with
// a timeout). Apply fills the trial layer and opens the gate, a set of two elements with the timeout confirmBy;
// while they live every packet is judged by the trial layer alone, else by the standing one. When nobody
// confirms, the kernel lets the gate's elements expire and judges by the standing layer again within the
// same tick: the state before Apply. Nothing has to run for that, not even firmward. The other trial elements live
// a moment longer, so that no packet ever sees half a layer, and then vanish too. Confirm moves the trial layer
// into the standing one and closes the gate in one transaction that fails as a whole when the gate is shut
// already or when a later Apply took its place. Nothing that is cut passes while rules are swapped; an allowed
// exchange may lose a packet, because the kernel publishes sets of ranges a moment after the rest.
//
// All of it is one text per transaction, fed to "nft -f -" without a shell. The text is made of addresses
// and numbers only: nothing that a device or a person wrote can reach it.
//
// # What it does not do
//
// Devices of one segment talk to each other without passing this machine. Flow tables that another program set
// up carry established connections past the forward hook. So before anybody calls a device contained, packets
// from elsewhere must prove it (control); a witness on this machine itself proves the output hook alone. A
// machine that does not route is no wall at all, and Ready refuses it. A rule's MAC is not used: several devices
// may share one behind a wireless bridge, and cutting a neighbour is worse than losing sight of a device that
// changes its address.
//
// After a restart of the machine the kernel has forgotten; whoever holds the desired state must Apply it again.
package nft

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/enforce"
	"github.com/firmward/firmward/wire"
)

// Wall implements enforce.Enforcer. The zero Wall works on this machine.
type Wall struct {
	// Namespace is the network namespace of the router, as ip netns names it; empty: that of this process.
	Namespace string
}

// Info declares the enforcer.
func (*Wall) Info() enforce.Info {
	return enforce.Info{
		Name: "nft", Title: "Linux firewall (nftables) on this router",
		Needs:  "root, or CAP_NET_ADMIN, on the machine that routes between the device and the others; the program nft",
		Undoes: "kernel timer",
	}
}

// Ready has the kernel check a whole rule set without taking it, and makes sure that this machine
// routes: else the wall would cut this machine's own packets only, and a packet test sent from here
// would be fooled by that.
func (w *Wall) Ready(ctx context.Context) error {
	sample, err := parse(sampleRules)
	if err != nil {
		return err
	}
	if _, err := w.run(ctx, applyText(sample, 1, time.Minute), "--check", "--file", "-"); err != nil {
		return err
	}
	routes := false
	look := func() (err error) {
		routes, err = forwards(os.DirFS("/proc/sys/net"))
		return err
	}
	if w.Namespace == "" {
		err = look()
	} else {
		err = (&wire.Netns{Name: w.Namespace}).Do(look)
	}
	if err != nil {
		return fmt.Errorf("see whether this machine routes: %w", err)
	}
	if !routes {
		return firmward.Errorf(firmward.NotSupported, "this machine does not route (ip_forward is off), so no device's packets pass it: run firmward on the router")
	}
	return nil
}

// forwards reports whether any interface of the namespace hands packets on. sys is /proc/sys/net.
func forwards(sys fs.FS) (bool, error) {
	for _, pattern := range [...]string{"ipv4/conf/*/forwarding", "ipv6/conf/*/forwarding"} {
		found, err := fs.Glob(sys, pattern)
		if err != nil {
			return false, err
		}
		for _, path := range found {
			b, err := fs.ReadFile(sys, path)
			if errors.Is(err, fs.ErrNotExist) {
				continue // the interface went away meanwhile
			}
			if err != nil {
				return false, err
			}
			name := strings.Split(path, "/")[2]
			if name != "lo" && name != "default" && strings.TrimSpace(string(b)) != "0" {
				return true, nil
			}
		}
	}
	return false, nil
}

// token is what Confirm needs to know; it is kept by whoever keeps Applied.
type token struct {
	Generation uint32                `json:"generation"` // 0: everything was removed
	Want       []firmward.AccessRule `json:"want,omitempty"`
}

// Apply puts want on trial until confirmBy. An empty want removes the table at once and for good: a
// network without containments is what firmward found, and nothing needs to undo that.
func (w *Wall) Apply(ctx context.Context, want []firmward.AccessRule, confirmBy time.Time) (enforce.Applied, error) {
	p, err := parse(want)
	if err != nil {
		return enforce.Applied{}, err
	}
	tok, text := token{Want: bare(want)}, removeText
	if len(want) > 0 {
		left := time.Until(confirmBy)
		if left < time.Second || left > 24*time.Hour {
			return enforce.Applied{}, firmward.Errorf(firmward.Invalid, fmt.Sprintf("confirm-by is %s from now: want a second to a day", left.Round(time.Millisecond)))
		}
		if tok.Generation, err = newGeneration(); err != nil {
			return enforce.Applied{}, err
		}
		text = applyText(p, tok.Generation, left)
	}
	kept, err := json.Marshal(tok)
	if err != nil {
		return enforce.Applied{}, fmt.Errorf("keep the rules: %w", err)
	}
	if _, err := w.run(ctx, text, "--file", "-"); err != nil {
		return enforce.Applied{}, fmt.Errorf("set the rules: %w", err)
	}
	return enforce.Applied{Token: string(kept), ConfirmBy: confirmBy, Shown: text}, nil
}

// Confirm makes what a set the standing state. It gives Conflict when that has undone itself or was
// replaced; then nothing changes. To confirm twice is no error.
func (w *Wall) Confirm(ctx context.Context, a enforce.Applied) error {
	var tok token
	if err := json.Unmarshal([]byte(a.Token), &tok); err != nil {
		return &firmward.Error{Code: firmward.Invalid, Message: "this was not applied by nft", Err: err}
	}
	if len(tok.Want) == 0 {
		return nil
	}
	p, err := parse(tok.Want)
	if err != nil {
		return err
	}
	_, err = w.run(ctx, confirmText(p, tok.Generation), "--file", "-")
	if firmward.CodeOf(err) == firmward.NotFound {
		return &firmward.Error{Code: firmward.Conflict, Message: "too late to confirm: the change has undone itself or was replaced", Err: err}
	}
	if err != nil {
		return fmt.Errorf("confirm the rules: %w", err)
	}
	return nil
}

// Dropped gives how many packets the wall has cut since its table stands.
func (w *Wall) Dropped(ctx context.Context) (enforce.Dropped, error) {
	out, err := w.run(ctx, "", "--json", "list", "counters", "table", family, table)
	if firmward.CodeOf(err) == firmward.NotFound {
		return enforce.Dropped{}, nil // no table, nothing dropped
	}
	if err != nil {
		return enforce.Dropped{}, fmt.Errorf("read the counters: %w", err)
	}
	return counters(out)
}

func counters(listed []byte) (enforce.Dropped, error) {
	var list struct {
		Nftables []struct {
			Counter struct {
				Name    string `json:"name"`
				Packets uint64 `json:"packets"`
			} `json:"counter"`
		} `json:"nftables"`
	}
	if err := json.Unmarshal(listed, &list); err != nil {
		return enforce.Dropped{}, fmt.Errorf("read the counters: %w", err)
	}
	var d enforce.Dropped
	for _, each := range list.Nftables {
		switch each.Counter.Name {
		case counterFrom:
			d.From = each.Counter.Packets
		case counterTo:
			d.To = each.Counter.Packets
		}
	}
	return d, nil
}

func newGeneration() (uint32, error) {
	var b [4]byte
	if _, err := rand.Read(b[:]); err != nil {
		return 0, fmt.Errorf("name the change: %w", err)
	}
	return binary.NativeEndian.Uint32(b[:]) | 1, nil
}

// bare leaves out of the rules what the wall does not use.
func bare(rules []firmward.AccessRule) []firmward.AccessRule {
	out := make([]firmward.AccessRule, len(rules))
	for i, r := range rules {
		r.MAC, r.Why = "", ""
		out[i] = r
	}
	return out
}

// Listing gives the table as the kernel holds it, for people; empty when there is none.
func (w *Wall) Listing(ctx context.Context) (string, error) {
	out, err := w.run(ctx, "", "list", "table", family, table)
	if firmward.CodeOf(err) == firmward.NotFound {
		return "", nil
	}
	return strings.TrimSpace(string(out)), err
}
