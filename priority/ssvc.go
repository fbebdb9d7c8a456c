package priority

import "strings"

// Values of the SSVC decision points as firmward writes them (firmward.SSVC). The tables of CERT/CC write "public poc".
const (
	None   = "none"
	PoC    = "poc"
	Active = "active"
)

// The outcomes of the deployer tree, the least urgent first.
const (
	OutcomeDefer      = "defer"
	OutcomeScheduled  = "scheduled"
	OutcomeOutOfCycle = "out-of-cycle"
	OutcomeImmediate  = "immediate"
)

// deployer is the SSVC decision table "Deployer Patch Application Priority" 1.0.0 (CERT/CC). A line is one value of
// Exploitation; its six groups are System Exposure small, controlled, open, each with Automatable no, yes; the four letters
// of a group are Human Impact low, medium, high, very high.
var deployer = map[string]string{
	None:   "DDSS DSSS DSSS SSSS DSSS SSSO",
	PoC:    "DSSS SSSS DSSS SSSO SSSO SSOO",
	Active: "SSOO SOOO SSOO OOOO SOOI OOII",
}

var (
	exposures    = [...]string{"small", "controlled", "open"}
	humanImpacts = [...]string{"low", "medium", "high", "very high"}
)

// Deployer gives the outcome of the SSVC deployer tree 1.0.0: defer, scheduled, out-of-cycle or immediate. ok is false for
// a value that the tree does not know. exploitation: none, poc, active; exposure: small, controlled, open; automatable:
// no, yes; human: low, medium, high, very high.
func Deployer(exploitation, exposure, automatable, human string) (outcome string, ok bool) {
	line, known := deployer[exploitation]
	e, h := index(exposures[:], exposure), index(humanImpacts[:], human)
	a := index([]string{"no", "yes"}, automatable)
	if !known || e < 0 || h < 0 || a < 0 {
		return "", false
	}
	switch strings.Fields(line)[2*e+a][h] {
	case 'D':
		return OutcomeDefer, true
	case 'S':
		return OutcomeScheduled, true
	case 'O':
		return OutcomeOutOfCycle, true
	}
	return OutcomeImmediate, true
}

func index(all []string, s string) int {
	for i, v := range all {
		if v == s {
			return i
		}
	}
	return -1
}

// HumanImpact gives the SSVC decision point Human Impact 2.0.2 of a safety impact (negligible, marginal, critical,
// catastrophic) and a mission impact (degraded, mef support crippled, mef failure, mission failure).
func HumanImpact(safety, mission string) (impact string, ok bool) {
	m := index([]string{"degraded", "mef support crippled", "mef failure", "mission failure"}, mission)
	if m < 0 {
		return "", false
	}
	switch safety {
	case "negligible", "marginal":
		return [...]string{"low", "low", "medium", "very high"}[m], true
	case "critical":
		return [...]string{"medium", "high", "high", "very high"}[m], true
	case "catastrophic":
		return "very high", true
	}
	return "", false
}
