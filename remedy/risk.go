package remedy

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/lifecycle"
	"github.com/firmward/firmward/version"
)

// Formula is the risk formula in words, printed with scores.
const Formula = "risk = worst finding (CVSS × 6 × certainty, +30 exploited, +10 × EPSS) × exposure (1.25 when reachable from the internet) × criticality (0.8 … 1.2); the worst counts as at least 40 for an unknown device, 35 without support, 5 otherwise"

// factor is one weighed reason.
type factor struct {
	weight float64
	text   string
}

// risk gives 0 … 100 and the top reasons, strongest first.
func risk(f Facts, open []firmward.Finding) (int, []string) {
	var worst float64
	var why []factor
	for _, fd := range open {
		base := fd.Score
		if base == 0 {
			base = 5 // no source gives a score: the middle
		}
		v := base * 6 * certainty(fd.Verdict)
		if fd.Exploited {
			v += 30
		}
		v += 10 * fd.Likelihood
		why = append(why, factor{v, describe(fd)})
		worst = max(worst, v)
	}
	switch { // a finding never lowers the risk, and mending one never raises it
	case f.Device.Model == "":
		worst = max(worst, 40)
	case f.Support.State == lifecycle.Ended:
		worst = max(worst, 35)
	default:
		worst = max(worst, 5)
	}
	if f.Support.State == lifecycle.Ended {
		text := "no support any more"
		if !f.Support.End.IsZero() {
			text = "no support since " + day(f.Support.End)
		}
		why = append(why, factor{34, text})
	}
	if f.Device.Exposed {
		worst *= 1.25
		why = append(why, factor{33, "reachable from the internet"})
	}
	if c := f.Device.Criticality; c > 0 {
		worst *= 0.7 + 0.1*float64(c)
		if c >= 4 {
			why = append(why, factor{32, fmt.Sprintf("criticality %d of 5", c)})
		}
	}
	slices.SortStableFunc(why, func(a, b factor) int { return -cmpFloat(a.weight, b.weight) })
	texts := make([]string, len(why))
	for i, w := range why {
		texts[i] = w.text
	}
	return int(math.Round(min(100, worst))), texts
}

func cmpFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func certainty(v firmward.Verdict) float64 {
	switch v {
	case firmward.Affected:
		return 1
	case firmward.Likely:
		return 0.8
	case firmward.Possible:
		return 0.5
	}
	return 0
}

func describe(fd firmward.Finding) string {
	s := fd.AdvisoryID + " " + string(fd.Verdict)
	if fd.Score > 0 {
		s += fmt.Sprintf(", CVSS %.1f", fd.Score)
	}
	if fd.Exploited {
		s += ", exploited since " + day(fd.ExploitedAt)
	}
	if fd.NoFix {
		s += ", no fix"
	}
	return s
}

// riskWithout is the expected risk once the device runs want. An empty want mends nothing.
func riskWithout(f Facts, open []firmward.Finding, want string, fixes []string) int {
	r, _ := risk(f, without(f, open, want, fixes))
	return r
}

// without is what is left of open once the device runs want: findings fixed at or before it, or listed
// by the release, are gone.
func without(f Facts, open []firmward.Finding, want string, fixes []string) []firmward.Finding {
	var left []firmward.Finding
	for _, fd := range open {
		gone := slices.Contains(fixes, fd.AdvisoryID)
		if !gone && want != "" && fd.FixedIn != "" {
			order, _ := version.Compare(f.Model.Scheme, want, fd.FixedIn)
			gone = order == version.Equal || order == version.Greater
		}
		if !gone {
			left = append(left, fd)
		}
	}
	return left
}

// fix says what a version would be worth for this device.
func fix(f Facts, open []firmward.Finding, want, release string, fixes []string) *firmward.Mending {
	minutes := outageUnknown
	if n, err := strconv.Atoi(f.Model.Outage.Value); err == nil && n > 0 {
		minutes = n
	}
	return &firmward.Mending{
		Model: f.Device.Model, Version: want, Release: release,
		Closes: len(open) - len(without(f, open, want, fixes)), Minutes: minutes,
	}
}

// outageUnknown is the maintenance time, in minutes, of a model whose card does not tell.
const outageUnknown = 10

// nearestFix is the smallest version that mends every finding that has a fix, or "".
func nearestFix(f Facts, open []firmward.Finding) string {
	want := ""
	for _, fd := range open {
		if fd.FixedIn == "" {
			continue
		}
		if order, _ := version.Compare(f.Model.Scheme, want, fd.FixedIn); want == "" || order == version.Less {
			want = fd.FixedIn
		}
	}
	return want
}

// clock gives the strictest due date among findings and the rule that set it. Clocks start when the
// finding was opened: before that nobody here knew.
func clock(f Facts, open []firmward.Finding) (due time.Time, rule string) {
	p := f.Policy
	for _, fd := range open {
		within, name := p.Other, "policy-other"
		switch {
		case fd.Exploited && f.Device.Exposed:
			within, name = p.ExploitedExposed, "policy-exploited-exposed"
		case fd.Exploited:
			within, name = p.Exploited, "policy-exploited"
		case fd.Score >= 9:
			within, name = p.Critical, "policy-critical"
		case fd.Score >= 7:
			within, name = p.High, "policy-high"
		}
		if by := fd.OpenedAt.Add(within); due.IsZero() || by.Before(due) {
			due, rule = by, name
		}
	}
	if due.IsZero() {
		rule = "newer-version"
	}
	return due, rule
}

// Depth says in one line how deep the knowledge of vulnerabilities is, so that a short list is never
// taken for safety.
func Depth(feeds []firmward.FeedStatus) string {
	advisories, deep, exploited := 0, false, false
	var stale []string
	dated := map[string]time.Time{}
	for _, s := range feeds {
		switch s.Kind {
		case "advisories", "starter":
			advisories += s.Records
			deep = deep || s.Kind == "advisories" && s.Records > 0
		case "exploited":
			exploited = exploited || s.Records > 0
		case "likelihood":
		default:
			continue
		}
		if s.Stale {
			stale = append(stale, s.Name)
		}
		if s.Dated.After(dated[s.Kind]) {
			dated[s.Kind] = s.Dated
		}
	}
	switch {
	case advisories == 0:
		return "no vulnerability knowledge at all: nothing here says that anything is safe"
	case !deep:
		return fmt.Sprintf("starter set only: %d facts, dated %s; import feeds before you trust a short list", advisories, day(dated["starter"]))
	}
	text := fmt.Sprintf("%d advisories, newest dated %s", advisories, day(dated["advisories"]))
	if dated["advisories"].IsZero() {
		text = fmt.Sprintf("%d advisories, nobody knows of when: newer vulnerabilities may be missing", advisories)
	}
	if len(stale) > 0 {
		text += "; stale, so newer facts are missing: " + strings.Join(stale, ", ")
	}
	if !exploited {
		text += "; no list of exploited ones (KEV) was imported"
	}
	return text
}
