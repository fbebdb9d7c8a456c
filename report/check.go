package report

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/audit"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/remedy"
	"github.com/firmward/firmward/store"
)

const (
	maxTasks = 5 // what a family or a small practice gets done in one sitting
	maxNames = 4 // devices that a task names; more are counted
	month    = 30 * 24 * time.Hour
)

// Check is the monthly check: what a person should do, in the order of package remedy, and what went well.
type Check struct {
	At        time.Time `json:"at"`
	Since     time.Time `json:"since" doc:"what went well counts from here"`
	Site      string    `json:"site,omitempty" doc:"absent: all sites"`
	Devices   int       `json:"devices" doc:"that have a next step"`
	Tasks     []Task    `json:"tasks" doc:"at most five, the most urgent first"`
	More      int       `json:"more" doc:"tasks beyond those"`
	Running   int       `json:"running" doc:"devices that firmward is busy with by itself"`
	Minutes   int       `json:"minutes" doc:"of the tasks listed, as far as known"`
	Well      []string  `json:"well" doc:"what went well since then"`
	Knowledge string    `json:"knowledge" doc:"how deep the knowledge behind it is: without tasks is not without risk"`
}

// Task is one piece of work: all devices that the same act helps.
type Task struct {
	What    string            `json:"what"`
	Why     string            `json:"why"`
	Devices []string          `json:"devices" doc:"names"`
	Minutes int               `json:"minutes,omitempty" doc:"absent when not known"`
	By      time.Time         `json:"by,omitzero" doc:"absent when no clock runs"`
	Steps   []string          `json:"steps" doc:"for a person; empty when the command does it"`
	Never   string            `json:"never,omitempty" doc:"what not to do"`
	Command string            `json:"command" doc:"what to run, or where to look on"`
	Page    string            `json:"page" doc:"page of the web app"`
	Waits   string            `json:"waits,omitempty" doc:"what holds it up"`
	Kind    firmward.StepKind `json:"kind"`
	Action  string            `json:"action" doc:"the next step as the house says it"`
	Risk    int               `json:"risk" doc:"of the device that needs it most, 0 to 100"`
}

// MonthlyCheck gathers the check for one site, or for all. It prints the answers of package remedy and takes no decision of
// its own: which devices, what and in which order stands in the store.
func MonthlyCheck(ctx context.Context, c *control.Control, site string) (Check, error) {
	now := c.Clock.Now().UTC()
	out := Check{At: now, Since: now.Add(-month), Site: site, Tasks: []Task{}, Well: []string{}}
	err := c.Store.Snapshot(ctx, func(r store.Reader) error {
		groups, err := out.groups(ctx, r)
		if err != nil {
			return err
		}
		for _, g := range groups {
			if len(out.Tasks) == maxTasks {
				out.More++
				continue
			}
			t, err := task(ctx, r, g)
			if err != nil {
				return err
			}
			out.Tasks = append(out.Tasks, t)
			out.Minutes += t.Minutes
		}
		return out.well(ctx, r)
	})
	if err != nil {
		return out, err
	}
	feeds, err := c.FeedStatuses(ctx)
	out.Knowledge = remedy.Depth(feeds)
	return out, err
}

// groups puts steps that are one piece of work together, in the order of their most urgent device: the same fix, or else the
// same words.
func (c *Check) groups(ctx context.Context, r store.Reader) ([][]firmward.NextStep, error) {
	var keys []string
	byKey := map[string][]firmward.NextStep{}
	for s, err := range store.All(func(p store.Page) ([]firmward.NextStep, string, error) {
		return r.NextSteps(ctx, store.StepFilter{Site: c.Site}, p)
	}) {
		if err != nil {
			return nil, err
		}
		c.Devices++
		switch bucket := s.Bucket(); {
		case bucket == "watch", bucket == "accept", s.Now.Kind == firmward.StepRetire:
			continue
		case s.Now.Kind == firmward.StepPatch && s.Ref != "" && (s.Blocker == "" || s.BlockerCode == "waits-its-turn"):
			c.Running++
			continue
		}
		key := string(s.Now.Kind) + " " + s.Now.Action
		if s.Fix != nil {
			key = string(s.Now.Kind) + " " + s.Fix.Model + " " + s.Fix.Version
		}
		if s.Now.Kind == firmward.StepPatch {
			key += " " + s.BlockerCode // what a person does next differs: plan, start, approve
		}
		if byKey[key] == nil {
			keys = append(keys, key)
		}
		byKey[key] = append(byKey[key], s)
	}
	return each(keys, func(k string) []firmward.NextStep { return byKey[k] }), nil
}

// task says one piece of work in plain words; the first step is the most urgent one.
func task(ctx context.Context, r store.Reader, steps []firmward.NextStep) (Task, error) {
	first := steps[0]
	t := Task{Kind: first.Now.Kind, Action: first.Now.Action, Risk: first.Risk, By: first.Now.By, Waits: first.Blocker, Steps: []string{}}
	for _, s := range steps {
		d, err := r.Device(ctx, s.DeviceID)
		if err != nil {
			return t, err
		}
		t.Devices = append(t.Devices, d.Name)
		if s.Fix != nil {
			t.Minutes += s.Fix.Minutes
		}
		if !s.Now.By.IsZero() && (t.By.IsZero() || s.Now.By.Before(t.By)) {
			t.By = s.Now.By
		}
	}
	names := listed(t.Devices)
	t.What = whatText(first, names)
	var err error
	if t.Why, err = plainWhy(ctx, r, first); err != nil {
		return t, err
	}
	t.Command, t.Page = where(first, t.Devices[0])
	open := true
	work, _, err := r.WorkOrders(ctx, store.WorkOrderFilter{Device: first.DeviceID, Open: &open}, store.Page{})
	if err != nil {
		return t, err
	}
	for _, w := range work {
		if w.ID != first.Ref {
			continue
		}
		if t.Command = "firmward workorders done " + w.ID; len(steps) > 1 {
			t.Command = "firmward workorders" // lists one for each of them
		}
		t.Page, t.Steps, t.Never = "Today", append([]string{}, w.Instruction.Steps...), w.Instruction.Never
		if first.Fix == nil {
			t.Minutes = w.Instruction.Minutes * len(steps)
		}
	}
	return t, nil
}

// listed names a few devices and counts the others.
func listed(names []string) string {
	if n := len(names); n > maxNames {
		return strings.Join(names[:maxNames-1], ", ") + fmt.Sprintf(" and %d more", n-maxNames+1)
	}
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return names[0]
}

func whatText(s firmward.NextStep, names string) string {
	switch s.Now.Kind {
	case firmward.StepPatch:
		if s.Fix != nil {
			return fmt.Sprintf("Bring %s to version %s.", names, s.Fix.Version)
		}
	case firmward.StepContain:
		return fmt.Sprintf("Cut %s off from everything that it does not need.", names)
	case firmward.StepReplace:
		return fmt.Sprintf("Replace %s.", names)
	}
	return names + ": " + s.Now.Action + "."
}

// plainWhy says why, without a number that only specialists know.
func plainWhy(ctx context.Context, r store.Reader, s firmward.NextStep) (string, error) {
	findings, err := r.FindingsOf(ctx, s.DeviceID)
	if err != nil {
		return "", err
	}
	open, attacked, sure := 0, false, false
	for _, f := range findings {
		if f.Open() {
			open++
			attacked = attacked || f.Exploited
			sure = sure || f.Verdict == firmward.Affected || f.Verdict == firmward.Likely
		}
	}
	var why []string
	holes := plural(open, "known hole", "known holes")
	switch {
	case attacked && sure:
		why = append(why, "attackers use a hole that it has")
	case attacked:
		why = append(why, "attackers use a hole that it may have")
	case sure:
		why = append(why, "it has "+holes)
	case open > 0:
		why = append(why, "it may have "+holes)
	}
	switch s.Support.State {
	case "ended":
		why = append(why, "its maker mends it no more")
	case "ending":
		why = append(why, "its maker will mend it only until "+s.Support.End.Format(time.DateOnly))
	}
	if len(why) == 0 {
		why = s.Why
	}
	if len(why) == 0 {
		why = []string{"without that nobody can tell whether it is safe"}
		if s.Fix != nil {
			why[0] = "there is something newer for it"
		}
	}
	return sentence(strings.Join(why, "; ")), nil
}

// sentence begins with a capital and ends with a full stop.
func sentence(s string) string {
	first, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[n:] + "."
}

// where says what to run, and on which page of the web app the same is done.
func where(s firmward.NextStep, name string) (command, page string) {
	quoted := shellName(name)
	if strings.HasPrefix(name, "-") { // it would be read as an option
		quoted = s.DeviceID
	}
	switch {
	case s.BlockerCode == "not-planned" && s.Fix != nil:
		return "firmward rollout plan " + s.Fix.Release, "Rollouts"
	case s.BlockerCode == "rollout-awaiting-approval":
		return "firmward rollout approve " + s.Ref, "Rollouts"
	case s.BlockerCode == "rollout-planned":
		return "firmward rollout start " + s.Ref, "Rollouts"
	case strings.HasPrefix(s.BlockerCode, "rollout-"):
		return "firmward rollout show " + s.Ref, "Rollouts"
	case s.BlockerCode == "no-release":
		return "firmward releases import FILE", "Devices"
	case s.Now.Kind == firmward.StepContain && s.Ref == "":
		return "firmward contain " + quoted + " --why 'monthly check'", "Devices"
	}
	return "firmward device " + quoted, "Devices"
}

// shellName quotes a name for a shell where it needs that. What a device calls itself never ends the quotes.
func shellName(name string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.:", r)
	}
	if name != "" && strings.IndexFunc(name, func(r rune) bool { return !plain(r) }) < 0 {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}

// well tells what went well, from the record.
func (c *Check) well(ctx context.Context, r store.Reader) error {
	for _, w := range []struct {
		actions   []string
		one, many string
		devices   bool // count devices, not records
	}{
		{[]string{"target-succeeded"}, "device was updated, and a look at it confirmed that", "devices were updated, and a look at them confirmed that", true},
		{[]string{"changed-by-itself"}, "device updated itself", "devices updated themselves", true},
		{[]string{"workorder-done"}, "piece of work was done, and a look confirmed it", "pieces of work were done, and a look confirmed it", false},
		{[]string{"finding-close"}, "known hole was closed", "known holes were closed", false},
		{[]string{"containment-contained"}, "device was cut off, proven by packets", "devices were cut off, proven by packets", true},
		{[]string{"device-found", "device-add"}, "device is new: make sure that you know it", "devices are new: make sure that you know them", true},
	} {
		n, who := 0, map[string]bool{}
		for _, action := range w.actions {
			for l, err := range store.All(func(p store.Page) ([]audit.Leaf, string, error) {
				return r.FindLeaves(ctx, store.LeafFilter{Action: action}, p)
			}) {
				if err != nil {
					return err
				}
				if l.At.Before(c.Since) {
					break
				}
				device := l.Subject
				if d := l.Detail["device"]; d != "" {
					device = d
				}
				here, err := c.here(ctx, r, device)
				if err != nil {
					return err
				}
				if here {
					n++
					who[device] = true
				}
			}
		}
		if w.devices {
			n = len(who)
		}
		if n > 0 {
			c.Well = append(c.Well, plural(n, w.one, w.many)+".")
		}
	}
	return nil
}

// here reports whether a device is one of the site that was asked for.
func (c *Check) here(ctx context.Context, r store.Reader, device string) (bool, error) {
	if c.Site == "" {
		return true, nil
	}
	d, err := r.Device(ctx, device)
	if firmward.CodeOf(err) == firmward.NotFound { // it turned out to be another one
		return false, nil
	}
	return d.Site == c.Site, err
}
