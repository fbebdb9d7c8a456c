package policy

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/firmward/firmward"
)

type wave firmward.Wave

// UnmarshalYAML reads 10, 10%, {percent: 10}, {count: 5} or {select: 'site == "lab"'}.
func (w *wave) UnmarshalYAML(n *yaml.Node) error {
	at := func(err error) error { return fmt.Errorf("line %d: %w", n.Line, err) }
	if n.Kind == yaml.ScalarNode {
		p, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(n.Value, "%")))
		if err != nil {
			return at(fmt.Errorf("%q is no wave: want for example 10%%, {count: 5} or {select: 'site == \"lab\"'}", n.Value))
		}
		w.Percent = p
		return nil
	}
	if n.Kind != yaml.MappingNode || len(n.Content) != 2 {
		return at(errors.New("a wave has one of percent, count and select"))
	}
	key, value := n.Content[0].Value, n.Content[1]
	var err error
	switch key {
	case "percent":
		err = value.Decode(&w.Percent)
	case "count":
		if err = value.Decode(&w.Count); err == nil && w.Count < 1 {
			err = errors.New("a wave's count must be at least 1")
		}
	case "select":
		w.Source = value.Value
		w.Select, err = Selector(value.Value)
		switch {
		case err != nil:
		case w.Select.Op == firmward.FilterAll:
			err = fmt.Errorf("the wave %q selects every device: write 100%% if that is meant", w.Source)
		case w.Select.Op == firmward.FilterNot && w.Select.Args[0].Op == firmward.FilterAll:
			err = fmt.Errorf("the wave %q selects no device: take it out", w.Source)
		}
	default:
		err = fmt.Errorf("unknown key %q in a wave: want percent, count or select", key)
	}
	if err != nil {
		return at(err)
	}
	return nil
}

func waves(in []wave) []firmward.Wave {
	out := make([]firmward.Wave, len(in))
	for i, w := range in {
		out[i] = firmward.Wave(w)
	}
	return out
}

// checkWaves wants rising percentages, with counts and selections between them, and an end that leaves nobody out.
func checkWaves(all []firmward.Wave) string {
	if len(all) == 0 || all[len(all)-1].Percent != 100 {
		return "waves must end with 100%: the last takes every device that is left"
	}
	before, seen := 0, map[string]bool{}
	for _, w := range all {
		switch {
		case w.Source != "" && seen[w.Source]:
			return fmt.Sprintf("two waves select %s: the second would be empty; take one out", w.Source)
		case w.Source != "":
			seen[w.Source] = true
		case w.Count > 0:
		case w.Percent < 1 || w.Percent > 100 || w.Percent <= before:
			return fmt.Sprintf("waves must be rising percentages that end with 100: %d%% after %d%% takes nobody", w.Percent, before)
		default:
			before = w.Percent
		}
	}
	return ""
}
