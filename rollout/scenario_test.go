package rollout_test

import (
	"bufio"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/calendar"
	"github.com/firmward/firmward/policy"
	"github.com/firmward/firmward/rollout/sim"
	"github.com/firmward/firmward/topology"
)

var update = flag.Bool("update", false, "write the traces of testdata/*.txt anew")

// monday is day 1 of every scenario.
var monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// TestScenarios plays the specification: each file of testdata says who is there and what people do,
// and below the line what must come out of it. See testdata/README.md for the words.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d scenarios, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			head, want, ok := strings.Cut(string(b), "\n----\n")
			if !ok && !*update {
				t.Fatal("the file has no line ---- with a trace below it")
			}
			s := &scenario{w: sim.New(monday, 1), policy: usual}
			s.w.Check = true
			if err := s.read(strings.TrimSuffix(head, "\n----")); err != nil {
				t.Fatal(err)
			}
			got, err := s.play()
			if err != nil {
				t.Error(err)
			}
			if *update {
				if err := os.WriteFile(file, []byte(strings.TrimSuffix(head, "\n----")+"\n----\n"+got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if d := gocmp.Diff(want, got); d != "" {
				t.Errorf("the trace differs (-want +got):\n%s", d)
			}
		})
	}
}

var usual = firmward.RolloutPolicy{
	Name: "usual", Waves: firmward.Percents(100), CanarySoak: time.Hour, WaveSoak: 30 * time.Minute, MaxInFlight: 10, CanaryInFlight: 2,
	FailureBudget: 25, Deadline: 30 * time.Minute, CommitWithin: 15 * time.Minute,
}

type order struct {
	at    time.Time
	words []string
}

type scenario struct {
	w         *sim.World
	policy    firmward.RolloutPolicy
	relations []firmward.Relation
	devices   []string
	models    []string
	runs      map[string]*sim.Run
	orders    []order
	end       time.Time
	release   firmward.Release
}

func (s *scenario) read(text string) error {
	in := bufio.NewScanner(strings.NewReader(text))
	for n := 1; in.Scan(); n++ {
		line, _, _ := strings.Cut(in.Text(), "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if err := s.line(words); err != nil {
			return fmt.Errorf("line %d: %s: %w", n, line, err)
		}
	}
	return nil
}

func (s *scenario) line(words []string) (err error) {
	switch words[0] {
	case "policy":
		return setPolicy(&s.policy, words[1], strings.Join(words[2:], " "))
	case "device":
		return s.addDevice(words[1], words[2:])
	case "release":
		err = say(&s.release, words[1:])
	case "flaw":
		var f sim.Flaw
		f, err = s.flaw(words[1:])
		s.w.Flaws = append(s.w.Flaws, f)
	case "depot":
		r := firmward.Release{ID: "rel-" + words[1], Family: "f", Models: []string{"M1"}, Hardware: []string{"*"}, Version: words[1]}
		err = say(&r, words[2:])
		s.w.Depot = append(s.w.Depot, r)
	case "allow":
		s.w.Allowed = append(s.w.Allowed, firmward.Allowance{Risk: words[1], Why: strings.Join(words[2:], " ")})
	case "link":
		s.relations = append(s.relations, firmward.Relation{From: words[1], Kind: firmward.RelationKind(words[2]), To: words[3]})
	case "at":
		var at time.Time
		at, err = s.clock(words[1], words[2])
		s.orders = append(s.orders, order{at, words[3:]})
	case "zone":
		s.w.Zone, err = time.LoadLocation(words[1])
	case "until":
		s.end, err = s.clock(words[1], words[2])
	default:
		return fmt.Errorf("unknown word %q", words[0])
	}
	return err
}

// say adds what is said of the ways to a release.
func say(r *firmward.Release, words []string) error {
	for _, w := range words {
		switch key, value, _ := strings.Cut(w, "="); key {
		case "version":
			r.Version = value
		case "models":
			r.Models = strings.Split(value, ",")
		case "min-from":
			r.MinFrom = value
		case "max-from":
			r.MaxFrom = value
		case "variant":
			r.Variant = value
		case "over":
			r.FromVariants = append(r.FromVariants, value)
		case "part":
			r.Part = value
		case "needs":
			part, least, _ := strings.Cut(value, "/")
			r.Needs = append(r.Needs, firmward.Need{Part: part, AtLeast: least})
		case "closes":
			r.Fixes = strings.Split(value, ",")
		case "wipes":
			r.WipesConfig = true
		default:
			return fmt.Errorf("unknown release word %q", w)
		}
	}
	return nil
}

// flaw reads "model=M1 path=pull bricks" or "dies d9 12:00".
func (s *scenario) flaw(words []string) (f sim.Flaw, err error) {
	for i, w := range words {
		key, value, _ := strings.Cut(w, "=")
		switch key {
		case "version":
			f.Version = value
		case "model":
			f.Model = value
		case "hardware":
			f.Hardware = value
		case "path":
			f.Path = value
		case "dies-on":
			f.Dies, err = s.clock(value, words[i+1])
			return f, err
		default:
			h, ok := sim.ParseHabit(w)
			if !ok {
				return f, fmt.Errorf("unknown flaw %q", w)
			}
			f.Habit |= h
		}
	}
	return f, nil
}

// clock reads "d2 14:30" by the clock of the site.
func (s *scenario) clock(day, at string) (time.Time, error) {
	n, err := strconv.Atoi(strings.TrimPrefix(day, "d"))
	if err != nil {
		return time.Time{}, err
	}
	c, err := time.Parse("15:04", at)
	if err != nil {
		return time.Time{}, err
	}
	y, m, d := monday.Date()
	return time.Date(y, m, d+n-1, c.Hour(), c.Minute(), 0, 0, s.zone()), nil
}

func (s *scenario) zone() *time.Location {
	if s.w.Zone == nil {
		return time.UTC
	}
	return s.w.Zone
}

// day counts from monday on by the clock of the site.
func (s *scenario) day(now time.Time) int {
	y, m, d := now.Date()
	return 1 + int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Sub(monday)/(24*time.Hour))
}

func setPolicy(p *firmward.RolloutPolicy, key, value string) (err error) {
	number := map[string]*int{
		"max-in-flight": &p.MaxInFlight, "canary-in-flight": &p.CanaryInFlight, "per-model": &p.PerModelInFlight,
		"budget": &p.FailureBudget, "floor": &p.FailureFloor, "approvals": &p.Approvals, "confidence": &p.Confidence, "soak-min": &p.SoakMin,
		"per-site": &p.PerSite, "per-domain": &p.PerDomain, "min-battery": &p.MinBattery, "min-signal": &p.MinSignal,
	}
	limit := map[string]**int{"failures": &p.FailureCount, "silent": &p.SilenceCount, "inconclusive": &p.Inconclusive}
	span := map[string]*time.Duration{
		"canary-soak": &p.CanarySoak, "wave-soak": &p.WaveSoak, "deadline": &p.Deadline, "commit-within": &p.CommitWithin, "approval-valid": &p.ApprovalValid, "emergency-soak": &p.EmergencySoak,
		"work-orders": &p.WorkOrders, "wake-within": &p.WakeWithin, "low-for": &p.LowFor,
	}
	switch {
	case key == "waves":
		p.Waves = nil
		for text := range strings.SplitSeq(value, ",") {
			w, err := wave(strings.TrimSpace(text))
			if err != nil {
				return err
			}
			p.Waves = append(p.Waves, w)
		}
	case key == "window":
		p.Window, err = policy.ParseWindow(value)
	case key == "windows":
		var w firmward.WindowRule
		w, err = rule(strings.Fields(value))
		p.Windows = append(p.Windows, w)
	case key == "freeze":
		p.Freezes = append(p.Freezes, freeze("", strings.Fields(value)))
		err = calendar.CheckFreeze(p.Freezes[len(p.Freezes)-1])
	case key == "ask-restore":
		p.AskRestore = true
	case key == "approve-waves":
		p.ApproveWaves = true
	case key == "require-staged":
		p.RequireStaged = true
	case key == "name":
		p.Name = value
	case key == "ramp":
		_, err = fmt.Sscanf(value, "start %d double-every %d max %d", &p.Ramp.Start, &p.Ramp.DoubleEvery, &p.Ramp.Max)
	case limit[key] != nil:
		var n int
		n, err = strconv.Atoi(value)
		*limit[key] = &n
	case number[key] != nil:
		*number[key], err = strconv.Atoi(value)
	case span[key] != nil:
		*span[key], err = policy.ParseDuration(value)
	default:
		return fmt.Errorf("unknown policy word %q", key)
	}
	return err
}

// wave reads "10", "count 3" or "select EXPR".
func wave(text string) (w firmward.Wave, err error) {
	key, value, _ := strings.Cut(text, " ")
	switch key {
	case "count":
		w.Count, err = strconv.Atoi(value)
	case "select":
		w.Source = value
		w.Select, err = policy.Selector(value)
	default:
		w.Percent, err = strconv.Atoi(text)
	}
	return w, err
}

// rule reads "FREQ=DAILY 02:00 3h Europe/Berlin"; the zone may be left out.
func rule(words []string) (w firmward.WindowRule, err error) {
	at, err := time.Parse("15:04", words[1])
	if err != nil {
		return w, err
	}
	w = firmward.WindowRule{RRule: words[0], Start: at.Hour()*60 + at.Minute(), Zone: strings.Join(words[3:], "")}
	if w.Duration, err = policy.ParseDuration(words[2]); err != nil {
		return w, err
	}
	return w, calendar.CheckRule(w)
}

// freeze reads "NAME FROM TO WHY".
func freeze(by string, words []string) firmward.Freeze {
	return firmward.Freeze{Name: words[0], From: words[1], To: words[2], Why: strings.Join(words[3:], " "), By: by}
}

func (s *scenario) addDevice(name string, words []string) error {
	d := &sim.Device{Facts: firmward.Device{
		ID: name, Name: name, Model: "M1", Hardware: "h1", Firmware: "1.0", Network: "192.0.2.0/24", Family: "f", Zone: firmward.ZoneHome,
	}}
	for i := range words {
		key, value, has := strings.Cut(words[i], "=")
		switch key {
		case "model":
			d.Facts.Model = value
		case "hardware":
			d.Facts.Hardware = value
		case "firmware":
			d.Facts.Firmware = value
		case "site":
			d.Facts.Site = value
		case "family":
			d.Facts.Family = value
		case "path":
			d.Path = value
		case "staged":
			d.Verdict = firmward.StagingVerdict{Result: "passed", Path: value}
		case "policy":
			d.Policy = value
		case "variant":
			d.Runs.Variant = value
		case "criticality":
			d.Facts.Criticality, _ = strconv.Atoi(value)
		case "open":
			d.Open = strings.Split(value, ",")
		case "battery", "signal":
			n, err := strconv.Atoi(value)
			if err != nil {
				return err
			}
			if key == "battery" {
				d.Says.Battery = &n
			} else {
				d.Says.Signal = &n
			}
		case "external-power":
			d.Says.External = true
		case "lab":
			d.Facts.Lab = true
		case "clinical":
			d.Facts.Zone = firmward.ZoneClinical
		case "crash-before", "crash-after", "twice", "late":
			d.Script = append(d.Script, key+" "+value)
		default:
			if m, ok := sim.ParseManner(key); ok {
				d.Manner |= m
				continue
			}
			h, ok := sim.ParseHabit(key)
			if !ok || has {
				return fmt.Errorf("unknown device word %q", words[i])
			}
			d.Habit |= h
		}
	}
	s.devices = append(s.devices, name)
	if d.Facts.Family == "f" {
		s.models = append(s.models, d.Facts.Model)
	}
	s.w.Put(d)
	return nil
}

// play plans the release, 2.0 unless it says otherwise, for everybody, lets people act, and gives the trace.
func (s *scenario) play() (string, error) {
	var out strings.Builder
	last := ""
	s.w.Trace = func(who, what, why string) {
		now := s.w.Now.In(s.zone())
		at := fmt.Sprintf("d%d %s", s.day(now), now.Format("15:04:05"))
		shown := at
		if at == last {
			shown = strings.Repeat(" ", len(at))
		}
		last = at
		fmt.Fprintln(&out, strings.TrimRight(fmt.Sprintf("%-11s  %-5s %-12s %s", shown, who, what, why), " "))
	}
	s.w.Topo = topology.New(s.relations)
	s.release.Version = cmp.Or(s.release.Version, "2.0")
	s.plan("ro", "anna", s.release, s.policy)
	var broken error
	for _, o := range s.orders {
		s.w.At(o.at, func() { broken = errors.Join(broken, s.act(o.words)) })
	}
	err := errors.Join(s.w.Run(s.end), broken)
	for _, id := range slices.Sorted(maps.Keys(s.runs)) {
		r, name := s.runs[id], "end"
		if len(s.runs) > 1 {
			name = id
		}
		fmt.Fprintf(&out, "%s: %s, wave %d of %d, %d started, %d succeeded, %d failed, %d in flight\n",
			name, r.State, r.Wave, r.Waves, r.Started, r.Succeeded, r.Failed, r.InFlight)
	}
	touched, lost := s.w.Toll()
	fmt.Fprintf(&out, "fleet: of %d devices %d touched, %d lost\n", len(s.devices), touched, lost)
	return out.String(), err
}
