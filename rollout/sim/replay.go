package sim

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/firmward/firmward"
)

// entry is one line of a rollout's log: what somebody or something told the engine, with all that the engine was told.
type entry func(header *firmward.Rollout, targets map[string]*firmward.Target)

// log is all that changed a rollout, from its plan on.
type log struct {
	header  firmward.Rollout
	targets map[string]firmward.Target
	entries []entry
}

// begin keeps the plan.
func (l *log) begin(r *Run) {
	l.header, l.targets = r.Rollout, make(map[string]firmward.Target, len(r.byID))
	for id, s := range r.byID {
		l.targets[id] = s.Target
	}
}

// logged adds a line to the log of a rollout.
func (w *World) logged(r *Run, e entry) {
	if w.Check {
		r.log.entries = append(r.log.entries, e)
	}
}

// replayed checks that the log of each rollout, told to the engine once more from its plan on, gives the state that it is in: nothing that the
// engine decides by is kept anywhere else.
func (w *World) replayed() error {
	if !w.Check {
		return nil
	}
	for _, r := range w.runs {
		header, targets := r.log.header, make(map[string]*firmward.Target, len(r.byID))
		for id, t := range r.log.targets {
			targets[id] = &t
		}
		for _, e := range r.log.entries {
			e(&header, targets)
		}
		if !reflect.DeepEqual(header, r.Rollout) {
			return fmt.Errorf("%s: its log gives another state: %s", r.ID, differ(header, r.Rollout))
		}
		for _, id := range slices.Sorted(maps.Keys(r.byID)) {
			switch t := targets[id]; {
			case t == nil:
				return fmt.Errorf("%s: the log of %s does not know it", id, r.ID)
			case !reflect.DeepEqual(*t, r.byID[id].Target):
				return fmt.Errorf("%s: the log of %s gives another state: %s", id, r.ID, differ(*t, r.byID[id].Target))
			}
		}
	}
	return nil
}

// differ names the fields in which two values of one struct differ.
func differ(by, is any) string {
	var out strings.Builder
	a, b := reflect.ValueOf(by), reflect.ValueOf(is)
	for i := range a.NumField() {
		if x, y := a.Field(i).Interface(), b.Field(i).Interface(); !reflect.DeepEqual(x, y) {
			out.WriteString(fmt.Sprintf("%s %v, and it is %v; ", a.Type().Field(i).Name, x, y))
		}
	}
	return out.String()
}
