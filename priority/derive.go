package priority

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/firmward/firmward"
)

// aMove is the least difference between two EPSS scores of which anybody would speak.
const aMove = .005

// Moved reports whether an EPSS score has moved so far that what rests on the earlier one is to be worked out anew: by half a
// percentage point, from or to nothing known (0), or across the score from which an exploit is taken to be at hand. EPSS changes the fifth
// decimal of nearly every vulnerability every day; to weigh a fleet anew for that would say nothing new.
func Moved(from, to float64) bool {
	return math.Abs(from-to) >= aMove || (from == 0) != (to == 0) || (from >= pocEPSS) != (to >= pocEPSS)
}

// pocEPSS is the EPSS from which an exploit is taken to be at hand.
const pocEPSS = .1

func decided(s *firmward.SSVC, value string) firmward.Point {
	text := cmp.Or(s.Source, "an authority")
	if !s.Dated.IsZero() {
		text += " " + day(s.Dated)
	}
	return firmward.Point{Value: value, Source: text}
}

func derived(value, format string, args ...any) firmward.Point {
	return firmward.Point{Value: value, Source: fmt.Sprintf(format, args...), Derived: true}
}

func day(t time.Time) string { return t.Format(time.DateOnly) }

// Exploitation gives none, poc or active. What an authority set stands, unless the vulnerability was listed as exploited
// since: then it is active. Where none set it, an exploit that anyone can get, or an EPSS of 0.1 and more, is poc.
func Exploitation(f firmward.Finding) firmward.Point {
	t := f.Threat
	switch score, ok := epss(f); {
	case t.SSVC != nil && (t.SSVC.Exploitation == Active || t.SSVC.Exploitation != "" && !f.Exploited):
		return decided(t.SSVC, t.SSVC.Exploitation)
	case f.Exploited && f.ExploitedAt.IsZero():
		return derived(Active, "listed as exploited")
	case f.Exploited:
		return derived(Active, "listed as exploited since %s", day(f.ExploitedAt))
	case t.Proof != "":
		return derived(PoC, "an exploit is published: %s", t.Proof)
	case ok && score.Score >= pocEPSS:
		return derived(PoC, "EPSS %s", epssText(score))
	}
	return derived(None, "nothing says that it is exploited")
}

// Automatable gives no or yes. Where no authority set it, it is yes for what needs neither a login, nor a person, nor luck:
// AV:N, AC:L, PR:N, UI:N (AT:N too in version 4.0, or its own AU:Y; Au:N in version 2.0). Without a vector yes is assumed:
// the question is how fast attacks can spread, and nobody has said that they cannot.
func Automatable(t firmward.Threat) firmward.Point { return automatable(t, readBest(t.Scores)) }

func automatable(t firmward.Threat, read reading) firmward.Point {
	if t.SSVC != nil && t.SSVC.Automatable != "" {
		return decided(t.SSVC, t.SSVC.Automatable)
	}
	v := read.vector
	if !read.ok {
		return derived("yes", "assumed: no source gives a CVSS vector")
	}
	need := []string{"AV:N", "AC:L", "PR:N", "UI:N"}
	switch v.Version {
	case "2.0":
		need = []string{"AV:N", "AC:L", "Au:N"}
	case "4.0":
		need = append(need, "AT:N")
		if v.Metric("AU") == "Y" {
			return derived("yes", "CVSS 4.0 AU:Y")
		}
	}
	var have []string
	value := "yes"
	for _, n := range need {
		metric, _, _ := strings.Cut(n, ":")
		is := metric + ":" + v.Metric(metric)
		have = append(have, is)
		if is != n {
			value = "no"
		}
	}
	return derived(value, "CVSS %s %s", v.Version, strings.Join(have, "/"))
}

// TechnicalImpact gives partial or total. Where no authority set it, it is total when confidentiality, integrity and
// availability of the device are all lost (High; Complete in version 2.0). Without a vector total is assumed.
func TechnicalImpact(t firmward.Threat) firmward.Point {
	return technicalImpact(t, readBest(t.Scores))
}

func technicalImpact(t firmward.Threat, read reading) firmward.Point {
	if t.SSVC != nil && t.SSVC.TechnicalImpact != "" {
		return decided(t.SSVC, t.SSVC.TechnicalImpact)
	}
	v := read.vector
	if !read.ok {
		return derived("total", "assumed: no source gives a CVSS vector")
	}
	names, worst := []string{"C", "I", "A"}, "H"
	switch v.Version {
	case "2.0":
		worst = "C"
	case "4.0":
		names = []string{"VC", "VI", "VA"}
	}
	var have []string
	value := "total"
	for _, n := range names {
		have = append(have, n+":"+v.Metric(n))
		if v.Metric(n) != worst {
			value = "partial"
		}
	}
	return derived(value, "CVSS %s %s", v.Version, strings.Join(have, "/"))
}

// epss gives the newest score of a finding.
func epss(f firmward.Finding) (firmward.Likelihood, bool) {
	if f.Threat.EPSS != nil {
		return *f.Threat.EPSS, true
	}
	return firmward.Likelihood{Score: f.Likelihood}, f.Likelihood > 0
}

func epssText(l firmward.Likelihood) string {
	text := fmt.Sprintf("%.2g", l.Score)
	if l.Model != "" {
		text += " (model " + l.Model + ")"
	}
	return text
}

// trendOver is how far back a trend looks.
const trendOver = 30 * 24 * time.Hour

// Trend tells how EPSS has moved within 30 days under the present model: "0.02 → 0.41 in 7 days (model v4)". It is empty
// when it did not, or when nobody knows: scores of two models are not compared.
func Trend(t firmward.Threat) string {
	if t.EPSS == nil {
		return ""
	}
	var from *firmward.Likelihood
	for i, l := range t.Trend { // the newest first
		if l.Model == t.EPSS.Model && l.Dated.Before(t.EPSS.Dated) && t.EPSS.Dated.Sub(l.Dated) <= trendOver {
			from = &t.Trend[i]
		}
	}
	if from == nil || from.Score == t.EPSS.Score {
		return ""
	}
	days := int(t.EPSS.Dated.Sub(from.Dated).Hours()+12) / 24
	unit := "days"
	if days == 1 {
		unit = "day"
	}
	text := fmt.Sprintf("%.2g → %.2g in %d %s", from.Score, t.EPSS.Score, days, unit)
	if t.EPSS.Model != "" {
		text += " (model " + t.EPSS.Model + ")"
	}
	return text
}

// Threats gathers what all sources say of the use of each vulnerability, by id: advisories as they are stored, any number
// of them for one id, the newest EPSS, and earlier scores, the newest first.
func Threats(advisories []firmward.Advisory, epss map[string]firmward.Likelihood, trend map[string][]firmward.Likelihood) map[string]firmward.Threat {
	out := map[string]firmward.Threat{}
	for _, a := range advisories {
		t, seen := out[a.ID]
		if l, ok := epss[a.ID]; ok && !seen {
			t.EPSS, t.Trend = &l, trend[a.ID]
		}
		for _, s := range a.Scores {
			if len(t.Scores) < maxScores && !slices.Contains(t.Scores, s) {
				t.Scores = append(t.Scores, s)
			}
		}
		if a.SSVC != nil && (t.SSVC == nil || a.SSVC.Dated.After(t.SSVC.Dated)) {
			t.SSVC = a.SSVC
		}
		for _, ref := range a.References {
			if t.Proof == "" && proof(ref) {
				t.Proof = ref
			}
		}
		for _, cwe := range a.Weakness {
			switch cwe {
			case "CWE-259", "CWE-798", "CWE-1392", "CWE-1393": // hard-coded or default password, credentials
				t.Fixed = true
			}
		}
		out[a.ID] = t
	}
	return out
}

// maxScores bounds what is kept of one vulnerability's scores.
const maxScores = 20

// proof reports whether a reference leads to an exploit that anyone can get.
func proof(ref string) bool {
	ref = strings.ToLower(ref)
	for _, place := range []string{"exploit-db.com/exploits/", "packetstormsecurity.com/files/", "/rapid7/metasploit-framework/", "/projectdiscovery/nuclei-templates/"} {
		if strings.Contains(ref, place) {
			return true
		}
	}
	return false
}
