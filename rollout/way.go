package rollout

import (
	"fmt"
	"slices"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/upgrade"
)

// refuseWay refuses a release that is not the next step of the device on its way to the release's version, and one whose
// risks nobody took on. An update that the device needs in between is named.
func refuseWay(rel firmward.Release, p firmward.RolloutPolicy, c Candidate) (code, why string) {
	q := upgrade.Query{
		From: c.Runs, Want: rel.Version, Variant: rel.Variant, Model: c.Device.Model, Hardware: c.Device.Hardware,
		Scheme: c.Model.Scheme, Bar: upgrade.OfChannel(p.Takes), Releases: []firmward.Release{rel},
	}
	q.From.Version = c.Device.Firmware
	for _, r := range c.Releases { // of several files of one version it is this one that is asked about
		if r.ID != rel.ID && (r.Version != rel.Version || r.Variant != rel.Variant || r.Part != rel.Part) {
			q.Releases = append(q.Releases, r)
		}
	}
	path, no := upgrade.Plan(q)
	switch {
	case no != nil && (no.Code == upgrade.VariantUnknown || no.Code == upgrade.OtherVariant):
		return RefuseVariant, no.Why
	case no != nil:
		return RefusePath, no.Why
	case len(path) == 0:
		return RefuseCurrent, "runs " + c.Device.Firmware + " already"
	case path[0].Release.ID != rel.ID:
		return RefusePath, fmt.Sprintf("must go to %s first (it runs %s): %s", path[0].Name(), path[0].From, path[0].Why)
	}
	return refuseRisk(rel, c, path[0])
}

func refuseRisk(rel firmward.Release, c Candidate, h upgrade.Hop) (code, why string) {
	switch {
	case h.Wipes && !allowed(c, firmward.RiskWipesConfig):
		return firmward.RiskWipesConfig, fmt.Sprintf("%s wipes its configuration: save it, then plan again and say why that is right (rollout plan %s --allow-config-wipe WHY)", rel.Version, rel.ID)
	case h.Changes != "" && !allowed(c, firmward.RiskChangesVariant):
		return firmward.RiskChangesVariant, fmt.Sprintf("%s changes its variant from %s: plan again and say why that is right (rollout plan %s --allow-variant-change WHY)", rel.Version, h.Changes, rel.ID)
	}
	return "", ""
}

func allowed(c Candidate, risk string) bool {
	return slices.ContainsFunc(c.Allowed, func(a firmward.Allowance) bool { return a.Risk == risk && a.Why != "" })
}
