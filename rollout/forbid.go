package rollout

import (
	"fmt"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/version"
)

// The codes of what no policy can allow.
const (
	RefuseRegression = "known-regression"
	RefusePermission = "no-permission"
)

// Forbidden gives the reason why a release must not go to a device whatever its policy says, or "": somebody knows that exactly this jump
// breaks something, or its class keeps people alive and the manufacturer has permitted neither this model nor this region. Both can become
// known after a rollout was planned, so Pick asks too.
func Forbidden(rel firmward.Release, c *Candidate) (code, why string) {
	d := &c.Device
	for _, r := range rel.Regressions {
		if r.Model != "" && r.Model != d.Model {
			continue
		}
		if order, _ := version.Compare(c.Model.Scheme, d.Firmware, r.From); order == version.Equal || d.Firmware == r.From {
			return RefuseRegression, fmt.Sprintf("from %s to %s something is known to break: %s (%s)", r.From, rel.Version, r.Why, r.Source)
		}
	}
	if !d.Class.LifeSupport() {
		return "", ""
	}
	for _, p := range rel.Permissions {
		if p.Model == d.Model && (p.Region == firmward.AnyRegion || p.Region == c.Region && c.Region != "") {
			return "", ""
		}
	}
	where := "region " + c.Region
	if c.Region == "" {
		where = "a region that nobody has said (sites set SITE --region REGION)"
	}
	return RefusePermission, fmt.Sprintf("a device of class %s takes only what its manufacturer has permitted for it: nothing is recorded for %s, version %s and %s (releases permit %s)", d.Class, d.Model, rel.Version, where, rel.ID)
}
