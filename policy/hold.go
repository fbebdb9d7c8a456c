package policy

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/firmward/firmward"
)

type holdYAML struct {
	Select    yaml.Node `yaml:"select"`
	Wait      duration  `yaml:"wait"`
	Exploited *duration `yaml:"exploited"`
	Release   bool      `yaml:"release"`
}

// hold compiles the selector.
func (in holdYAML) hold() (firmward.HoldBack, error) {
	out := firmward.HoldBack{Source: in.Select.Value, Wait: in.Wait.duration(), Release: in.Release}
	if in.Exploited != nil {
		out.Exploited = new(in.Exploited.duration())
	}
	if in.Select.Kind == 0 {
		return out, nil
	}
	var err error
	if out.Select, err = Selector(in.Select.Value); err != nil {
		return out, fmt.Errorf("line %d: selector %q: %w", in.Select.Line, in.Select.Value, err)
	}
	return out, nil
}

// checkHolds says what is wrong with a policy's hold-backs, or "".
func checkHolds(list []firmward.HoldBack) string {
	for i, h := range list {
		switch {
		case h.Wait == 0 && !h.Release:
			return fmt.Sprintf("hold-back %d holds nothing: say how long (wait: 14d), or that a person must release the device (release: true)", i+1)
		case h.Exploited != nil && *h.Exploited >= h.Wait:
			return fmt.Sprintf("hold-back %d: exploited %s is not shorter than wait %s: lower it or leave it out", i+1, *h.Exploited, h.Wait)
		case h.Source == "" && i < len(list)-1:
			return fmt.Sprintf("hold-back %d is for every device, so those after it are never used: put it last or give it a select", i+1)
		}
	}
	return ""
}
