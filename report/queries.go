package report

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

// add puts one thing that was found into the list.
type add func(ref string, at time.Time, format string, args ...any)

// query answers one question from the records. run gives a summary of all that it found, or "" when there is nothing; none says
// what is then missing.
type query struct {
	none string
	run  func(s *seeker, ctx context.Context, c Clause, found add) (summary string, err error)
}

// queries are what a pack may ask for.
var queries = map[string]*query{
	"deadlines":   {"no weakness of high or critical severity was ever found", (*seeker).deadlines},
	"exceptions":  {"no exception was ever recorded", (*seeker).exceptions},
	"staging":     {"no release was ever tested, or found to be untested", (*seeker).staging},
	"changes":     {"no rollout was ever planned", (*seeker).changes},
	"origin":      {"no firmware file was ever imported", (*seeker).origin},
	"support":     {"no device is known", (*seeker).support},
	"unsupported": {"no device is known whose support ended", (*seeker).unsupported},
	"containment": {"no device was ever cut off, or asked to be", (*seeker).containment},
	"automatic":   {"of no device is known whether it updates itself", (*seeker).automatic},
	"coverage":    {"no network was named", (*seeker).coverage},
	"inventory":   {"no device is known", (*seeker).inventory},
	"sources":     {"nothing was imported about weaknesses", (*seeker).sources},
	"work":        {"no work order was ever written", (*seeker).work},
	"integrity":   {"the audit log is empty", (*seeker).integrity},
}

// deadlines sorts weaknesses of high or critical severity, and those that are exploited, by whether they were closed in time.
// Time counts from the moment at which a finding was opened here. Late ones are listed.
func (s *seeker) deadlines(ctx context.Context, c Clause, found add) (string, error) {
	var met, late, running, over int
	within := time.Duration(c.Days) * 24 * time.Hour
	for f, err := range store.All(func(p store.Page) ([]firmward.Finding, string, error) {
		return s.r.Findings(ctx, store.FindingFilter{}, p)
	}) {
		if err != nil {
			return "", err
		}
		if f.Score < 7 && !f.Exploited {
			continue
		}
		due := f.OpenedAt.Add(within)
		switch {
		case f.Open() && s.now.Before(due):
			running++
		case f.Open():
			over++
			found(f.DeviceID, f.OpenedAt, "%s: %s (%s) is open since %s, %d days", s.name(ctx, f.DeviceID), f.AdvisoryID, f.Verdict, date(f.OpenedAt), days(s.now.Sub(f.OpenedAt)))
		case f.ClosedAt.After(due):
			late++
			found(f.DeviceID, f.ClosedAt, "%s: %s was closed after %d days, by %s", s.name(ctx, f.DeviceID), f.AdvisoryID, days(f.ClosedAt.Sub(f.OpenedAt)), f.ClosedBy)
		default:
			met++
		}
	}
	if met+late+running+over == 0 {
		return "", nil
	}
	return fmt.Sprintf("Weaknesses of high or critical severity or exploited, against %d days from the day on which they were opened here: %d closed within it, %d closed later, %d open within it, %d open past it.",
		c.Days, met, late, running, over), nil
}

func (s *seeker) exceptions(ctx context.Context, _ Clause, found add) (string, error) {
	count := map[firmward.ExceptionState]int{}
	for e, err := range store.All(func(p store.Page) ([]firmward.Exception, string, error) {
		return s.r.Exceptions(ctx, store.ExceptionFilter{}, p)
	}) {
		if err != nil {
			return "", err
		}
		state := e.State(s.now)
		count[state]++
		end := map[firmward.ExceptionState]string{
			firmward.ExceptionInForce: "until " + date(e.Expires), firmward.ExceptionAwaiting: "waits for a second person, until " + date(e.Expires),
			firmward.ExceptionExpired: "expired " + date(e.Expires), firmward.ExceptionFallen: "ended " + date(e.FellAt) + " because " + e.FellWhy,
		}[state]
		about := "every device"
		if e.DeviceID != "" {
			about = s.name(ctx, e.DeviceID)
		}
		by := e.Author
		if e.Approver != "" {
			by += ", approved by " + e.Approver
		}
		found(e.ID, e.Created, "%s %s for %s, by %s, %s: %s", e.Kind, cmp.Or(e.Advisory, "every weakness"), about, by, end, e.Reason)
	}
	if len(count) == 0 {
		return "", nil
	}
	return fmt.Sprintf("Recorded decisions to differ, each with reason, author and end: %d in force, %d waiting for a second person, %d expired, %d ended as their premise no longer held.",
		count[firmward.ExceptionInForce], count[firmward.ExceptionAwaiting], count[firmward.ExceptionExpired], count[firmward.ExceptionFallen]), nil
}

func (s *seeker) releases(ctx context.Context, f func(firmward.Release) error) error {
	for r, err := range store.All(func(p store.Page) ([]firmward.Release, string, error) {
		return s.r.Releases(ctx, store.ReleaseFilter{}, p)
	}) {
		if err == nil {
			err = f(r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *seeker) staging(ctx context.Context, _ Clause, found add) (string, error) {
	n := map[string]int{}
	err := s.releases(ctx, func(r firmward.Release) error {
		verdicts, err := s.r.StagingsOf(ctx, r.SHA256)
		for _, v := range verdicts {
			n[v.Result]++
			found(r.ID, v.At, "%s for %s %s: %s (%s)", r.Version, v.Model, v.Hardware, v.Result, v.Why)
		}
		return err
	})
	if err != nil || len(n) == 0 {
		return "", err
	}
	return fmt.Sprintf("Verdicts of tests, each bound to the file's hash, the way it is delivered, model and hardware: %d passed, %d failed, %d said not to be tested.",
		n["passed"], n["failed"], n["not-staged"]), nil
}

func (s *seeker) changes(ctx context.Context, _ Clause, found add) (string, error) {
	var n, approved, alone int
	for r, err := range store.All(func(p store.Page) ([]firmward.Rollout, string, error) {
		return s.r.Rollouts(ctx, store.RolloutFilter{}, p)
	}) {
		if err != nil {
			return "", err
		}
		if r.Rehearsal {
			continue
		}
		n++
		who := "nobody"
		if len(r.Approvals) > 0 {
			approved++
			who = strings.Join(each(r.Approvals, func(a firmward.Approval) string { return a.Actor + " on " + date(a.At) }), ", ")
		} else if r.Started > 0 {
			alone++
		}
		found(r.ID, r.Created, "%s to %s, planned by %s, approved by %s (policy %s asks for %d): %s; %d succeeded, %d failed",
			r.ReleaseID, plural(r.Total, "device", "devices"), r.Author, who, cmp.Or(r.Policy.Name, "unnamed"), r.Policy.Approvals, r.State, r.Succeeded, r.Failed)
	}
	if n == 0 {
		return "", nil
	}
	return fmt.Sprintf("Rollouts: %d, of which %d were approved by somebody other than their author, %d ran without an approval.", n, approved, alone), nil
}

func (s *seeker) origin(ctx context.Context, _ Clause, found add) (string, error) {
	var n, said, gone int
	err := s.releases(ctx, func(r firmward.Release) error {
		n++
		if r.Origin != "" {
			said++
		}
		if !r.Withdrawn.IsZero() {
			gone++
		}
		found(r.ID, r.At, "%s %s, SHA-256 %s, from %s, imported by %s, signed by its maker: %s", strings.Join(r.Models, ", "), r.Version, r.SHA256, cmp.Or(r.Origin, "nobody said where"), r.By, cmp.Or(r.Signed, "unknown"))
		return nil
	})
	if err != nil || n == 0 {
		return "", err
	}
	return fmt.Sprintf("Firmware files: %d, kept by their hash; for %d a person said where it came from; %d withdrawn.", n, said, gone), nil
}

// steps calls f with the next step of every device.
func (s *seeker) steps(ctx context.Context, f func(firmward.NextStep) error) error {
	for step, err := range store.All(func(p store.Page) ([]firmward.NextStep, string, error) {
		return s.r.NextSteps(ctx, store.StepFilter{}, p)
	}) {
		if err == nil {
			err = f(step)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *seeker) support(ctx context.Context, _ Clause, found add) (string, error) {
	n := map[string]int{}
	all := 0
	err := s.steps(ctx, func(step firmward.NextStep) error {
		all++
		n[step.Support.State]++
		if step.Support.State != "supported" {
			end := "end unknown"
			if !step.Support.End.IsZero() {
				end = date(step.Support.End)
			}
			found(step.DeviceID, step.Support.End, "%s: support %s, %s (%s)", s.name(ctx, step.DeviceID), cmp.Or(step.Support.State, "unknown"), end, cmp.Or(step.Support.Source, "no source"))
		}
		return nil
	})
	if err != nil || all == 0 {
		return "", err
	}
	return fmt.Sprintf("Devices: %d supported, %d whose support ends soon, %d whose support ended, %d of which nobody knows.", n["supported"], n["ending"], n["ended"], all-n["supported"]-n["ending"]-n["ended"]), nil
}

func (s *seeker) unsupported(ctx context.Context, _ Clause, found add) (string, error) {
	n := 0
	err := s.steps(ctx, func(step firmward.NextStep) error {
		if step.Support.State == "ended" {
			n++
			found(step.DeviceID, step.Support.End, "%s: next step: %s, by %s; held up: %s", s.name(ctx, step.DeviceID), step.Now.Action, date(step.Now.By), cmp.Or(step.Blocker, "nothing"))
		}
		return nil
	})
	if err != nil || n == 0 {
		return "", err
	}
	return plural(n, "device whose support ended, with its next step.", "devices whose support ended, each with its next step."), nil
}

func (s *seeker) containment(ctx context.Context, _ Clause, found add) (string, error) {
	n := map[firmward.ContainState]int{}
	for h, err := range store.All(func(p store.Page) ([]firmward.Containment, string, error) {
		return s.r.Containments(ctx, store.ContainmentFilter{}, p)
	}) {
		if err != nil {
			return "", err
		}
		n[h.State]++
		found(h.ID, h.Created, "%s: %s, %s, asked for by %s (%s)", s.name(ctx, h.DeviceID), h.State, plural(len(h.Proof), "path was tried by packets", "paths were tried by packets"), h.By, cmp.Or(h.Why, "no reason"))
	}
	if len(n) == 0 {
		return "", nil
	}
	return fmt.Sprintf("Containments: %d stand, proven by packets; %d asked for that do not stand; %d ended.",
		n[firmward.ContainContained], n[firmward.ContainOpen]+n[firmward.ContainRefused]+n[firmward.ContainApplied], n[firmward.ContainReleased]+n[firmward.ContainUndone]), nil
}

func (s *seeker) devices(ctx context.Context, f func(firmward.Device) error) error {
	for d, err := range store.All(func(p store.Page) ([]firmward.Device, string, error) {
		return s.r.Devices(ctx, store.DeviceFilter{}, p)
	}) {
		if err == nil && !d.Retired {
			err = f(d)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *seeker) automatic(ctx context.Context, _ Clause, found add) (string, error) {
	n := map[string]int{}
	all := 0
	err := s.devices(ctx, func(d firmward.Device) error {
		all++
		id, err := s.r.Identity(ctx, d.ID)
		if err != nil {
			return err
		}
		if c, ok := id.Best(firmward.FieldAuto); ok {
			n[c.Value]++
			found(d.ID, c.At, "%s: its own updates are %s (observation %s)", d.Name, c.Value, cmp.Or(c.Observation, "by a person"))
		}
		return nil
	})
	if err != nil || len(n) == 0 {
		return "", err
	}
	return fmt.Sprintf("Devices that a probe asked whether they update themselves: %d on, %d off; %d others do not say.", n["on"], n["off"], all-n["on"]-n["off"]), nil
}

func (s *seeker) coverage(ctx context.Context, _ Clause, found add) (string, error) {
	n, never := 0, 0
	for w, err := range store.All(func(p store.Page) ([]firmward.Network, string, error) { return s.r.Networks(ctx, "", p) }) {
		if err != nil {
			return "", err
		}
		n++
		when := "never scanned"
		if w.Scanned.IsZero() {
			never++
		} else {
			when = "last scanned " + date(w.Scanned)
		}
		found(w.Prefix.String(), w.Scanned, "%s at %s (%s), probes up to %s: %s", w.Prefix, w.Site, w.Profile, w.Allowed, when)
	}
	if n == 0 {
		return "", nil
	}
	return fmt.Sprintf("Networks that a person named: %d, of which %d were never scanned. firmward looks nowhere else.", n, never), nil
}

func (s *seeker) inventory(ctx context.Context, _ Clause, found add) (string, error) {
	var n, owner, model, version, serial int
	err := s.devices(ctx, func(d firmward.Device) error {
		n++
		var lacks []string
		for _, f := range []struct {
			name, value string
			count       *int
		}{{"owner", d.Owner, &owner}, {"model", d.Model, &model}, {"firmware version", d.Firmware, &version}, {"serial number", d.Serial, &serial}} {
			if f.value == "" {
				lacks = append(lacks, f.name)
			} else {
				*f.count++
			}
		}
		if len(lacks) > 0 {
			found(d.ID, d.LastSeen, "%s: not known: %s", d.Name, strings.Join(lacks, ", "))
		}
		return nil
	})
	if err != nil || n == 0 {
		return "", err
	}
	return fmt.Sprintf("Devices: %d. Known are: the owner of %d, the model of %d, the firmware version of %d, the serial number of %d. Each change of a field is kept with time, source and person.",
		n, owner, model, version, serial), nil
}

func (s *seeker) sources(_ context.Context, _ Clause, found add) (string, error) {
	n, stale := 0, 0
	for _, f := range s.feeds {
		if f.Records == 0 {
			continue
		}
		n++
		state := ""
		if f.Stale {
			stale++
			state = ", older than it may be"
		}
		found(f.Name, f.Imported, "%s (%s): %d records of %s, imported %s%s", f.Name, f.Kind, f.Records, date(f.Dated), date(f.Imported), state)
	}
	if n == 0 {
		return "", nil
	}
	return fmt.Sprintf("Sources in use: %d, of which %d are older than they may be.", n, stale), nil
}

func (s *seeker) work(ctx context.Context, _ Clause, found add) (string, error) {
	var done, open, overdue int
	for w, err := range store.All(func(p store.Page) ([]firmward.WorkOrder, string, error) {
		return s.r.WorkOrders(ctx, store.WorkOrderFilter{}, p)
	}) {
		if err != nil {
			return "", err
		}
		switch {
		case w.State == firmward.WorkDone:
			done++
		case w.State == firmward.WorkVoid:
		default:
			open++
			late := ""
			if !w.Due.IsZero() && w.Due.Before(s.now) {
				overdue++
				late = ", overdue"
			}
			found(w.ID, w.Created, "%s: %s, with %s, due %s%s", s.name(ctx, w.DeviceID), w.Title, cmp.Or(w.Assignee, "nobody"), date(w.Due), late)
		}
	}
	if done+open == 0 {
		return "", nil
	}
	return fmt.Sprintf("Work orders: %d done and seen by a probe, %d open, of which %d are overdue.", done, open, overdue), nil
}

func (s *seeker) integrity(ctx context.Context, _ Clause, found add) (string, error) {
	points, err := s.r.Checkpoints(ctx, 1)
	if err != nil || len(points) == 0 {
		return "", err
	}
	p := points[0]
	found(p.Origin, p.At, "checkpoint over %d records, root %s", p.Size, p.Root)
	return fmt.Sprintf("Audit log: %d records in a Merkle tree, signed on %s. Verify it offline: firmward audit export, firmward audit verify, against a checkpoint that was kept outside.", p.Size, date(p.At)), nil
}

func date(t time.Time) string {
	if t.IsZero() {
		return "an unknown day"
	}
	return t.UTC().Format(time.DateOnly)
}

func days(d time.Duration) int { return int(d / (24 * time.Hour)) }
