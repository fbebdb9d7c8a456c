// Package notice says what people are told, and when: a digest at a quiet hour, and at once only what cannot wait.
//
// A message counts; it names devices, models and versions only for a recipient that may be told them, since it leaves the house.
// It groups by piece of work, says every matter once, and ends with one thing to do. A digest with nothing to do is sent all the
// same: silence then means that something is broken.
package notice

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firmward/firmward"
)

// House is what a digest rests on.
type House struct {
	Buckets  map[string]int // devices by bucket of their next step
	Steps    []firmward.NextStep
	Rollouts []firmward.Rollout // that wait for a person
	Overdue  int                // open work orders past their day
	Events   []firmward.Event   // since the last digest
	Stopped  bool               // the red button is pressed
	Stale    []string           // feeds that are older than they may be
	Name     func(device string) string
}

// maxLines bounds what a message lists.
const maxLines = 12

// Digest tells how things stand.
func Digest(h House, r firmward.Recipient, now time.Time) firmward.Notice {
	n := firmward.Notice{At: now}
	say := func(count int, one, many string) {
		if count == 1 {
			n.Lines = append(n.Lines, "1 "+one)
		} else if count > 1 {
			n.Lines = append(n.Lines, fmt.Sprintf("%d %s", count, many))
		}
	}
	if h.Stopped {
		n.Lines = append(n.Lines, "The red button is pressed: nothing starts anywhere.")
	}
	say(len(h.Rollouts), "rollout waits for a person", "rollouts wait for a person")
	say(h.Buckets["act-now"], "device needs something now", "devices need something now")
	say(h.Buckets["plan"], "device can be planned for", "devices can be planned for")
	say(h.Overdue, "work order is past its day", "work orders are past their day")
	say(count(h.Events, " changed by itself"), "device changed its firmware by itself", "devices changed their firmware by themselves")
	say(count(h.Events, "a new device at "), "device is new", "devices are new")
	if len(h.Stale) > 0 {
		n.Lines = append(n.Lines, "What is known of weaknesses is old ("+strings.Join(h.Stale, ", ")+"): few findings are no good news.")
	}
	switch {
	case len(h.Rollouts) > 0:
		n.Title, n.Action = "firmward: a decision is waited for", "Decide on the rollout that waits (page Rollouts, or: firmward rollout list)."
	case h.Buckets["act-now"] > 0:
		n.Title, n.Action = fmt.Sprintf("firmward: %d to do now", h.Buckets["act-now"]), "Do the first step on the list (page Today, or: firmward next)."
	case h.Overdue > 0:
		n.Title, n.Action = "firmward: work is overdue", "Do the oldest work order, or give it to somebody (firmward workorders)."
	case h.Buckets["plan"] > 0:
		n.Title, n.Action = "firmward: nothing urgent", "Plan one step from the list when there is time (page Today, or: firmward next)."
	default:
		n.Title, n.Action = "firmward: all is well", "Nothing is to be done."
		n.Lines = append(n.Lines, "No device needs anything, by what is known.")
	}
	if r.Details {
		n.Lines = append(n.Lines, work(h)...)
	}
	return n
}

// work lists what is to be done, a line for each piece of work, the riskiest first.
func work(h House) []string {
	type piece struct {
		text    string
		risk    int
		devices []string
	}
	var all []*piece
	byText := map[string]*piece{}
	for _, s := range h.Steps {
		text := s.Now.Action
		if s.Fix != nil {
			text = "bring " + s.Fix.Model + " to " + s.Fix.Version
		}
		p := byText[text]
		if p == nil {
			p = &piece{text: text}
			byText[text], all = p, append(all, p)
		}
		p.risk = max(p.risk, s.Risk)
		p.devices = append(p.devices, h.Name(s.DeviceID))
	}
	slices.SortStableFunc(all, func(a, b *piece) int { return cmp.Compare(b.risk, a.risk) })
	var out []string
	for i, p := range all {
		if i == maxLines {
			return append(out, fmt.Sprintf("… and %d more", len(all)-i))
		}
		slices.Sort(p.devices)
		who := p.devices[0]
		if more := len(p.devices) - 1; more > 0 {
			who = fmt.Sprintf("%s and %d more", who, more)
		}
		out = append(out, "• "+who+": "+p.text)
	}
	return out
}

func count(events []firmward.Event, words string) int {
	who := map[string]bool{}
	for _, e := range events {
		if e.Kind == "device" && strings.Contains(e.Text, words) {
			who[e.Subject] = true
		}
	}
	return len(who)
}

// The matters that cannot wait.
const (
	Attacked = "attacked" // reachable from the internet, and exploited
	Halted   = "halted"   // a rollout stopped itself
	Undone   = "undone"   // a wall undid itself
	Blind    = "blind"    // a followed feed gives nothing new
)

// Pressing reports whether a step cannot wait for a digest.
func Pressing(s firmward.NextStep) bool {
	return s.Now.Rule == "policy-exploited-exposed" ||
		slices.ContainsFunc(s.Clocks, func(c firmward.Clock) bool { return c.Rule == "policy-exploited-exposed" })
}

// Matter is something that cannot wait.
type Matter struct {
	Kind string
	Name string // of the device, or what the rollout carries
	Text string // what happened, in words
}

// Alarm tells of matters, each once.
func Alarm(matters []Matter, r firmward.Recipient, now time.Time) firmward.Notice {
	n := firmward.Notice{At: now, Urgent: true}
	kinds := map[string]int{}
	for _, m := range matters {
		kinds[m.Kind]++
	}
	for _, k := range []struct{ kind, one, many string }{
		{Attacked, "device is reachable from the internet and has a weakness that is being exploited", "devices are reachable from the internet and have weaknesses that are being exploited"},
		{Halted, "rollout stopped itself", "rollouts stopped themselves"},
		{Undone, "device is no longer cut off", "devices are no longer cut off"},
		{Blind, "feed gives nothing new: newer weaknesses are not seen", "feeds give nothing new: newer weaknesses are not seen"},
	} {
		switch c := kinds[k.kind]; {
		case c == 1:
			n.Lines = append(n.Lines, "1 "+k.one)
		case c > 1:
			n.Lines = append(n.Lines, fmt.Sprintf("%d %s", c, k.many))
		}
	}
	if r.Details {
		for i, m := range matters {
			if i == maxLines {
				n.Lines = append(n.Lines, fmt.Sprintf("… and %d more", len(matters)-i))
				break
			}
			n.Lines = append(n.Lines, "• "+m.Name+": "+m.Text)
		}
	}
	switch {
	case kinds[Attacked] > 0:
		n.Title, n.Action = "firmward: exposed and exploited", "Take it off the internet now, then do its next step (page Today, or: firmward next)."
	case kinds[Undone] > 0:
		n.Title, n.Action = "firmward: a wall is down", "Look why it is no longer cut off (page Today, or: firmward next)."
	case kinds[Blind] > 0 && kinds[Halted] == 0:
		n.Title, n.Action = "firmward: a feed is dead", "Look why it cannot be fetched, or import its newest document (firmward feeds)."
	default:
		n.Title, n.Action = "firmward: a rollout stopped itself", "Look at what failed, then go on or stop it (page Rollouts, or: firmward rollout list)."
	}
	return n
}

// Quiet is the least time between two messages at once to one recipient: what comes meanwhile is told together.
const Quiet = 10 * time.Minute

// NextDigest is when a recipient gets its next digest after a time, which must be in the recipient's time zone; zero when it gets
// none. Where the clocks skip the hour, it comes an hour later.
func NextDigest(r firmward.Recipient, after time.Time) time.Time {
	if r.Digest == firmward.DigestOff || r.Digest == "" {
		return time.Time{}
	}
	for days := range 9 {
		at := time.Date(after.Year(), after.Month(), after.Day()+days, r.Hour, 0, 0, 0, after.Location())
		if at.After(after) && (r.Digest == firmward.DigestDaily || at.Weekday() == time.Monday) {
			return at
		}
	}
	return time.Time{}
}

// Since is from when on a digest tells what happened: the time of the last one.
func Since(r firmward.Recipient, now time.Time) time.Time {
	last := now.AddDate(0, 0, -1)
	if r.Digest == firmward.DigestWeekly {
		last = now.AddDate(0, 0, -7)
	}
	if r.Created.After(last) {
		return r.Created
	}
	return last
}

// Backoff is how long to wait after so many tries in a row that failed: a minute, doubled each time, at most six hours.
func Backoff(failures int) time.Duration {
	return min(time.Minute<<min(max(0, failures-1), 12), 6*time.Hour)
}
