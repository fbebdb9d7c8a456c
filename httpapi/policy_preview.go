package httpapi

import (
	"time"

	"github.com/firmward/firmward/control"
)

// PolicyPreview is what rollout policies mean for the inventory.
type PolicyPreview struct {
	Devices int         `json:"devices" doc:"in use"`
	None    int         `json:"none" doc:"of those, the ones that no policy takes: nothing is ever rolled out to them"`
	Since   time.Time   `json:"since" doc:"changes are told from then on"`
	Ruled   []RuledBy   `json:"policies" doc:"tried from top to bottom"`
	Changed []NewlyRule `json:"changed" doc:"devices that fell under another policy then"`
}

// RuledBy counts the devices of a rollout policy.
type RuledBy struct {
	Policy  string `json:"policy"`
	Select  string `json:"select,omitempty" doc:"absent: every device"`
	Matches int    `json:"matches" doc:"devices that its selector matches"`
	Rules   int    `json:"rules" doc:"of those, the ones that no policy before it takes: they fall under it"`
	Changed int    `json:"changed" doc:"devices that came under it or left it since"`
	Note    string `json:"note,omitempty" doc:"what is odd about it"`
}

// NewlyRule is a device that falls under another policy than before.
type NewlyRule struct {
	Device   string `json:"device"`
	DeviceID string `json:"deviceId"`
	Before   string `json:"before,omitempty" doc:"absent: none"`
	Now      string `json:"now,omitempty" doc:"absent: none"`
	New      bool   `json:"new,omitempty" doc:"it was not known before"`
}

func policyPreviewOf(p control.PolicyPreview) PolicyPreview {
	out := PolicyPreview{Devices: p.Devices, None: p.None, Since: p.Since, Ruled: []RuledBy{}, Changed: []NewlyRule{}}
	told := map[string]bool{}
	for _, r := range p.Ruled {
		one := RuledBy{Policy: r.Policy.Name, Select: r.Policy.Source, Matches: r.Matches, Rules: r.Rules, Changed: len(r.Changed)}
		switch {
		case p.Devices == 0:
		case r.Matches == 0:
			one.Note = "selects nothing that is known"
		case r.Rules == 0:
			one.Note = "those before it take all that it selects"
		case r.Rules == p.Devices && len(p.Ruled) > 1:
			one.Note = "takes everything that is known"
		}
		out.Ruled = append(out.Ruled, one)
		for _, c := range r.Changed {
			if told[c.Device.ID] {
				continue
			}
			told[c.Device.ID] = true
			out.Changed = append(out.Changed, NewlyRule{Device: c.Device.Name, DeviceID: c.Device.ID, Before: c.Before, Now: c.Now, New: c.New})
		}
	}
	return out
}
