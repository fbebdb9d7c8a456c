package rollout_test

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout/sim"
)

// plan plans a release for everybody.
func (s *scenario) plan(id, who string, rel firmward.Release, p firmward.RolloutPolicy) {
	rel.ID, rel.Family, rel.Hardware = "rel-"+strings.TrimSuffix(rel.Version, ".0"), "f", []string{"*"}
	if rel.Models == nil {
		rel.Models = s.models
	}
	if s.runs == nil {
		s.runs = map[string]*sim.Run{}
	}
	s.runs[id] = s.w.Plan(id, who, rel, p, s.devices)
}

// act carries out what the script says that somebody does.
func (s *scenario) act(words []string) error {
	r := s.runs["ro"]
	if words[1] == "on" {
		r, words = s.runs[words[2]], slices.Delete(slices.Clone(words), 1, 3)
	}
	who, order, rest := words[0], words[1], strings.Join(words[2:], " ")
	named := func(d firmward.Device) bool {
		return slices.Contains(words[2:], d.Model) || slices.Contains(words[2:], d.Family) || slices.Contains(words[2:], d.ID)
	}
	switch order {
	case "plan": // ID VERSION KEY=VALUE …
		p := s.policy
		for _, w := range words[4:] {
			key, value, _ := strings.Cut(w, "=")
			if err := setPolicy(&p, key, value); err != nil {
				return err
			}
		}
		rel := firmward.Release{Version: words[3], Models: s.release.Models}
		for _, d := range s.w.Depot {
			if d.Version == words[3] {
				rel = d
			}
		}
		s.plan(words[2], who, rel, p)
	case "strikes": // MODEL, FAMILY or ID …
		s.w.Strike(who, named)
	case "pushes": // VERSION MODEL, FAMILY or ID …
		s.w.Push(who, words[2], named)
	case "mends":
		s.w.Mend(who, named)
	case "withdraws": // VERSION WHY
		s.w.Withdraw(who, words[2], strings.Join(words[3:], " "))
	case "approve":
		wave, _ := strconv.Atoi(cmp.Or(rest, "0"))
		s.w.Approve(r, who, wave)
	case "now-runs", "runs-unseen":
		s.w.Drift(who, order == "runs-unseen", func(d *firmward.Device) { d.Firmware = rest })
	case "now-is":
		s.w.Drift(who, false, func(d *firmward.Device) { d.Model = rest })
	case "stop-one": // DEVICE WHY
		s.w.StopOne(r, who, words[2], strings.Join(words[3:], " "))
	case "stop-wave": // N WHY
		wave, err := strconv.Atoi(words[2])
		if err != nil {
			return err
		}
		s.w.StopWave(r, who, wave, strings.Join(words[3:], " "))
	case "restores": // DEVICE WHY
		s.w.Restore(r, who, words[2], strings.Join(words[3:], " "))
	case "begins": // the work at a device
		s.w.Begin(r, rest)
	case "works":
		s.w.Work(r, rest)
	case "reports":
		s.w.Report(r, rest)
	case "stop-all", "stop-all-end":
		s.w.Press(who, order == "stop-all")
	case "freeze":
		s.w.Freeze(freeze(who, words[2:]))
	case "unfreeze":
		s.w.Unfreeze(who, rest)
	case "hasten":
		s.w.Hasten(r, who, rest)
	default:
		s.w.Steer(r, who, order, rest)
	}
	return nil
}
