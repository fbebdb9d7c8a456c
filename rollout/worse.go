package rollout

import (
	"strconv"
	"time"

	"github.com/firmward/firmward"
)

// The codes of a device that runs the new version and is worse for it.
const (
	serviceDead  = "service-dead"
	behindSilent = "behind-silent" // one that stands behind it and answered before
)

// Asked is when a device, and those directly behind it, were asked how they are before its update. A person who is asked to update it may begin
// without a word.
func Asked(r *firmward.Rollout, t *firmward.Target) time.Time {
	if t.StartedAt.IsZero() && !t.WaitsTo.IsZero() {
		return t.WaitsTo.Add(-r.Policy.WorkOrders)
	}
	return t.StartedAt
}

// loss is what answered before an update and does not now; the zero value is nothing.
type loss struct{ what, how, code string }

// worse names the first that answered before and does not now.
func worse(before, after []firmward.ServiceState) loss {
	next := 0 // after the place of the one before: mostly both lists have the same order
	for i := range before {
		was, ok := &before[i], false
		if !was.OK {
			continue
		}
		if was.Behind == "" {
			if ok = serves(was.Probe, after); !ok {
				return loss{was.Probe, "dead", serviceDead}
			}
			continue
		}
		if next, ok = answers(was.Behind, after, next); !ok {
			return loss{was.Probe, "silent", behindSilent}
		}
	}
	return loss{}
}

// serves reports whether a probe was answered, by its last word. There are few: looking through them costs no memory.
func serves(probe string, services []firmward.ServiceState) bool {
	ok := false
	for i := range services {
		if services[i].Probe == probe && services[i].Behind == "" {
			ok = services[i].OK
		}
	}
	return ok
}

// answers reports whether a device behind answered. The search begins at a place; next is the one after where it was found.
func answers(device string, services []firmward.ServiceState, from int) (next int, ok bool) {
	for n := range services {
		if at := (from + n) % len(services); services[at].Behind == device {
			return at + 1, services[at].OK
		}
	}
	return from, false
}

// works says of a device that is as before what answers.
func (in *Input) works() string {
	behind := 0
	for i := range in.Target.Baseline {
		if s := &in.Target.Baseline[i]; s.OK && s.Behind != "" {
			behind++
		}
	}
	if behind == 0 {
		return "services answer as before"
	}
	return "services and " + devices(behind) + " behind it answer as before"
}

// unasked says how many devices behind one nobody can vouch for, or "".
func (in *Input) unasked() string {
	if in.Target.Unasked == 0 {
		return ""
	}
	return "; " + strconv.Itoa(in.Target.Unasked) + " more behind it were not asked, there are too many"
}
