package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firmward/firmward"
)

// RefuseHeld is the code of what Pick holds back because its release is too young.
const RefuseHeld = "held-back"

// Held is what a policy's hold-back means for one device and one release. The zero value holds nothing back.
type Held struct {
	Until   time.Time // nothing starts before
	Why     string    // for people
	Release bool      // and only while its owner has released it
	Hurried string    // why the wait is shorter than usual; empty: it is not
}

// HoldBack says how long a device waits for a release to mature. exploited are advisories that the release closes on it and that are
// being exploited: they shorten the wait to what the policy says for that, never for a device in clinical or process use or one that keeps
// people alive: there exploitation hastens containment.
func HoldBack(rel firmward.Release, p firmward.RolloutPolicy, d firmward.Device, exploited []string) Held {
	at := slices.IndexFunc(p.HoldBacks, func(h firmward.HoldBack) bool { return h.Select.Match(d) })
	if at < 0 {
		return Held{}
	}
	h := p.HoldBacks[at]
	out := Held{Release: h.Release}
	from, since := rel.Published, "published"
	if from.IsZero() {
		from, since = rel.At, "imported, and nobody says when it was published,"
	}
	wait := h.Wait
	if len(exploited) > 0 && h.Exploited != nil && *h.Exploited < wait && !d.Careful() {
		out.Hurried = fmt.Sprintf("it waited %s in place of %s, because attackers use %s", days(*h.Exploited), days(wait), strings.Join(exploited, ", "))
		wait = *h.Exploited
	}
	if wait > 0 {
		out.Until = from.Add(wait)
		out.Why = fmt.Sprintf("policy %s lets releases for %s mature for %s; this one was %s on %s", p.Name, heldName(h), days(wait), since, from.Format(time.DateOnly))
	}
	return out
}

func heldName(h firmward.HoldBack) string {
	if h.Source == "" {
		return "every device"
	}
	return h.Source
}

// matures reports whether a policy's own hold-back rules a device.
func matures(p *firmward.RolloutPolicy, d *firmward.Device) bool {
	return slices.ContainsFunc(p.HoldBacks, func(h firmward.HoldBack) bool { return h.Select.Match(*d) })
}

// mustBeReleased reports whether a device is touched only while its owner has released it.
func mustBeReleased(c *Candidate) bool {
	return c.Device.Zone.InUse() || c.Held.Release || c.Device.Updates == firmward.UpdatesAsk
}
