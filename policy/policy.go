// Package policy reads policy files, checks them and compiles their selectors.
//
// There are two kinds with two names: RolloutPolicy (how a release reaches devices) and RiskPolicy
// (how soon something must happen). Selectors are written in CEL, checked for types when the file is
// read, and compiled to a firmward.Filter that both Go and SQL can answer; what a filter cannot
// express is an error with its position, never a silent full scan.
package policy

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/firmward/firmward"
)

// File is a checked policy file.
type File struct {
	Rollout []Rollout
	Risk    []Risk
}

// Rollout is a rollout policy with the devices that it is for.
type Rollout struct {
	firmward.RolloutPolicy
	Select firmward.Filter
	Source string // the selector as it was written
}

//go:embed builtin.yaml
var builtin []byte

// Builtin gives the policies that firmward ships.
func Builtin() (File, error) { return Parse(builtin, "builtin.yaml") }

// Complete takes a list that the file lacks from the policies that firmward ships.
func (f File) Complete() (File, error) {
	shipped, err := Builtin()
	if len(f.Rollout) == 0 {
		f.Rollout = shipped.Rollout
	}
	if len(f.Risk) == 0 {
		f.Risk = shipped.Risk
	}
	return f, err
}

// Find gives the rollout policy of a name.
func (f File) Find(name string) (Rollout, bool) {
	for _, p := range f.Rollout {
		if p.Name == name {
			return p, true
		}
	}
	return Rollout{}, false
}

// For gives the first rollout policy whose selector matches the device.
func (f File) For(d firmward.Device) (Rollout, bool) {
	for _, p := range f.Rollout {
		if p.Select.Match(d) {
			return p, true
		}
	}
	return Rollout{}, false
}

type document struct {
	Rollout []rolloutYAML `yaml:"rollout-policies"`
	Risk    []riskYAML    `yaml:"risk-policies"`
}

type rolloutYAML struct {
	Name           string       `yaml:"name"`
	Select         yaml.Node    `yaml:"select"`
	Waves          []wave       `yaml:"waves"`
	CanarySoak     duration     `yaml:"canary-soak"`
	WaveSoak       duration     `yaml:"wave-soak"`
	MaxInFlight    int          `yaml:"max-in-flight"`
	CanaryInFlight int          `yaml:"canary-in-flight"`
	FailureBudget  int          `yaml:"failure-budget-percent"`
	FailureFloor   int          `yaml:"failure-floor"`
	Confidence     int          `yaml:"confidence"`
	FailureCount   *int         `yaml:"failure-budget-count"`
	SilenceCount   *int         `yaml:"silence-budget-count"`
	Inconclusive   *int         `yaml:"inconclusive-limit"`
	SoakMin        int          `yaml:"soak-min-devices"`
	PerModel       *int         `yaml:"per-model"`
	PerSite        int          `yaml:"per-site"`
	PerDomain      int          `yaml:"per-domain"`
	Ramp           *rampYAML    `yaml:"ramp"`
	Approvals      int          `yaml:"approvals"`
	ApproveWaves   bool         `yaml:"approve-waves"`
	ApprovalValid  *duration    `yaml:"approval-valid"`
	Deadline       duration     `yaml:"deadline"`
	CommitWithin   duration     `yaml:"commit-within"`
	Window         window       `yaml:"window"`
	Windows        []windowYAML `yaml:"windows"`
	Freezes        []freezeYAML `yaml:"freezes"`
	RequireOwner   *bool        `yaml:"require-owner"`
	RequireStaged  bool         `yaml:"require-staged"`
	StagingValid   duration     `yaml:"staging-valid"`
	HoldCore       *bool        `yaml:"hold-core-network"`
	HoldBack       []holdYAML   `yaml:"hold-back"`
	LateJoin       bool         `yaml:"late-joiners"`
	WorkOrders     duration     `yaml:"work-orders"`
	WakeWithin     duration     `yaml:"wake-within"`
	Restore        string       `yaml:"restore"`
	Channels       []string     `yaml:"channels"`
	EmergencySoak  duration     `yaml:"emergency-soak"`
	MinBattery     *charge      `yaml:"min-battery"`
	MinSignal      *signal      `yaml:"min-signal"`
	LowFor         *duration    `yaml:"low-for"`
}

// commitWithin is the dead-man time where a policy does not say: enough to boot and be looked at.
const commitWithin = 15 * time.Minute

// leastWork is the shortest time that a work order has.
const leastWork = time.Hour

// approvalValid is how long an approval holds where a policy does not say: who approved a plan should still remember it.
const approvalValid = 7 * 24 * time.Hour

// Parse reads a policy file. Errors name the file and the line.
func Parse(b []byte, name string) (File, error) { return ParseAt(b, name, time.Time{}) }

// ParseAt reads a policy file as a person writes it at a time: what lies in the past for good is an error too. A file
// that is read again later, as at a start of the server, must not fail for that.
func ParseAt(b []byte, name string, now time.Time) (File, error) {
	var doc document
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		return File{}, wrap(name, err)
	}
	if err := dec.Decode(new(document)); !errors.Is(err, io.EOF) {
		return File{}, wrap(name, errors.New("one document a file"))
	}
	var out File
	seen := map[string]bool{}
	for _, in := range doc.Rollout {
		p, err := in.policy(now)
		if err == nil && seen[p.Name] {
			err = fmt.Errorf("policy %q stands twice", p.Name)
		}
		if err != nil {
			return File{}, wrap(name, err)
		}
		seen[p.Name] = true
		out.Rollout = append(out.Rollout, p)
	}
	if what := checkReach(out.Rollout); what != "" {
		return File{}, wrap(name, errors.New(what))
	}
	for _, in := range doc.Risk {
		p, err := in.policy()
		if err != nil {
			return File{}, wrap(name, err)
		}
		out.Risk = append(out.Risk, p)
	}
	if n := len(out.Risk); n > 0 && out.Risk[n-1].Source != "" {
		return File{}, wrap(name, fmt.Errorf("risk policy %q is the last and has a selector: some devices would have no clock", out.Risk[n-1].Name))
	}
	return out, nil
}

// unknownKey is how the YAML library says that a key is not known.
var unknownKey = regexp.MustCompile(`field (\S+) not found in type \S+`)

func wrap(name string, err error) error {
	if t, ok := errors.AsType[*yaml.TypeError](err); ok {
		err = errors.New(unknownKey.ReplaceAllString(strings.Join(t.Errors, "; "), `unknown key "$1"`))
	}
	return &firmward.Error{Code: firmward.Invalid, Message: "policy file " + name, Err: err}
}

func (in rolloutYAML) policy(now time.Time) (Rollout, error) {
	p := Rollout{RolloutPolicy: firmward.RolloutPolicy{
		Name: in.Name, Waves: waves(in.Waves), CanarySoak: time.Duration(in.CanarySoak), WaveSoak: time.Duration(in.WaveSoak),
		MaxInFlight: in.MaxInFlight, CanaryInFlight: in.CanaryInFlight, PerModelInFlight: 1,
		FailureBudget: in.FailureBudget, FailureFloor: in.FailureFloor, Approvals: in.Approvals, ApproveWaves: in.ApproveWaves,
		Deadline: time.Duration(in.Deadline), CommitWithin: time.Duration(in.CommitWithin), Window: in.Window.Window,
		LateJoin: in.LateJoin, WorkOrders: time.Duration(in.WorkOrders), WakeWithin: time.Duration(in.WakeWithin), AskRestore: in.Restore == "ask",
		RequireOwner: in.RequireOwner == nil || *in.RequireOwner, RequireStaged: in.RequireStaged, StagingValid: time.Duration(in.StagingValid),
		HoldCore: in.HoldCore == nil || *in.HoldCore, ApprovalValid: approvalValid,
		Channels: in.Channels, EmergencySoak: time.Duration(in.EmergencySoak),
		Confidence: in.Confidence, FailureCount: in.FailureCount, SilenceCount: in.SilenceCount, Inconclusive: in.Inconclusive, SoakMin: in.SoakMin,
		PerSite: in.PerSite, PerDomain: in.PerDomain, Ramp: in.Ramp.ramp(in.MaxInFlight),
	}}
	if !slices.Contains([]string{"", "auto", "ask"}, in.Restore) {
		return p, fmt.Errorf("policy %q: restore %q: want auto, or ask for a person's word", in.Name, in.Restore)
	}
	if in.PerModel != nil {
		p.PerModelInFlight = *in.PerModel
	}
	if p.CommitWithin == 0 {
		p.CommitWithin = commitWithin
	}
	in.vitals(&p.RolloutPolicy)
	if in.ApprovalValid != nil {
		p.ApprovalValid = time.Duration(*in.ApprovalValid)
	}
	if in.Select.Kind != 0 {
		p.Source = in.Select.Value
		f, err := Selector(in.Select.Value)
		if err != nil {
			return p, fmt.Errorf("line %d: selector of %q: %w", in.Select.Line, in.Name, err)
		}
		p.Select = f
	}
	for _, h := range in.HoldBack {
		held, err := h.hold()
		if err != nil {
			return p, fmt.Errorf("policy %q: hold-back: %w", in.Name, err)
		}
		p.HoldBacks = append(p.HoldBacks, held)
	}
	if what := checkHolds(p.HoldBacks); what != "" {
		return p, fmt.Errorf("policy %q: %s", in.Name, what)
	}
	if err := in.hours(&p.RolloutPolicy, now); err != nil {
		return p, err
	}
	return p, checkRollout(p.RolloutPolicy)
}

func checkRollout(p firmward.RolloutPolicy) error {
	bad := func(what string) error { return fmt.Errorf("policy %q: %s", p.Name, what) }
	switch {
	case p.Name == "":
		return errors.New("a rollout policy needs a name")
	case p.MaxInFlight < 1:
		return bad("max-in-flight must be at least 1")
	case p.Deadline <= 0:
		return bad("deadline must be positive: silence must become failure at some time")
	case p.FailureBudget < 0 || p.FailureBudget > 100 || p.FailureFloor < 0 || p.Approvals < 0 || p.CanaryInFlight < 0:
		return bad("counts must not be negative and the failure budget is a percentage")
	case p.ApprovalValid <= 0:
		return bad("approval-valid must be positive: nobody's word holds for ever")
	case p.CanarySoak <= 0:
		return bad("canary-soak must be positive: a canary that is not watched proves nothing")
	case p.StagingValid < 0:
		return bad("staging-valid must not be negative: leave it out for 30 days")
	case p.WorkOrders > 0 && p.WorkOrders < leastWork:
		return bad(fmt.Sprintf("work-orders %s is too short for a person who has other work too: give a day or more, or leave it out", p.WorkOrders))
	case p.WorkOrders > 0 && p.RequireStaged:
		return bad("work-orders with require-staged: what a person brings cannot be staged, so no work order would ever open; give those devices a policy of their own")
	case p.EmergencySoak > p.CanarySoak:
		return bad("emergency-soak must not be longer than canary-soak: it has to be shorter")
	}
	for _, c := range p.Channels {
		if !slices.Contains([]string{"stable", "lts", "early-access"}, c) {
			return bad(fmt.Sprintf("channel %q: want stable, lts or early-access", c))
		}
	}
	for _, what := range []string{checkWaves(p.Waves), checkCaps(p), checkBudgets(p), checkVitals(p)} {
		if what != "" {
			return bad(what)
		}
	}
	return nil
}

// duration is a Go duration that also knows days: "14d", "36h", "90m".
type duration time.Duration

func (d duration) duration() time.Duration { return time.Duration(d) }

// UnmarshalYAML reads the text form.
func (d *duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := ParseDuration(n.Value)
	if err != nil {
		return fmt.Errorf("line %d: %w", n.Line, err)
	}
	*d = duration(v)
	return nil
}

// ParseDuration reads a Go duration or a whole number of days such as "14d".
func ParseDuration(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var n int
		if _, err := fmt.Sscanf(days, "%d", &n); err != nil || fmt.Sprint(n) != days || n < 0 || n > 36500 {
			return 0, fmt.Errorf("%q is no duration: want for example 14d, 36h or 90m", s)
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	v, err := time.ParseDuration(s)
	if err != nil || v < 0 {
		return 0, fmt.Errorf("%q is no duration: want for example 14d, 36h or 90m", s)
	}
	return v, nil
}
