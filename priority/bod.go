package priority

import (
	"fmt"
	"time"
)

// Directive is what CISA's BOD 26-04 (2026-06-10) asks for.
type Directive struct {
	Days      int  // 0: at the next upgrade
	Forensics bool // look for traces of an intrusion too
}

// Within is the time that it leaves, 0 when it names none.
func (d Directive) Within() time.Duration { return time.Duration(d.Days) * 24 * time.Hour }

func (d Directive) String() string {
	switch {
	case d.Days == 0:
		return "at the next upgrade"
	case d.Forensics:
		return fmt.Sprintf("%d days, with forensic triage", d.Days)
	}
	return fmt.Sprintf("%d days", d.Days)
}

// directive holds the days of the sixteen rows of BOD 26-04's table: listed in KEV, publicly exposed, automatable, total
// technical impact.
var directive = map[[4]bool]int{
	{false, false, false, false}: 0, {false, false, false, true}: 0,
	{false, false, true, false}: 60, {false, false, true, true}: 60,
	{false, true, false, false}: 60, {false, true, false, true}: 14,
	{false, true, true, false}: 14, {false, true, true, true}: 3,
	{true, false, false, false}: 14, {true, false, false, true}: 14,
	{true, false, true, false}: 14, {true, false, true, true}: 3,
	{true, true, false, false}: 14, {true, true, false, true}: 3,
	{true, true, true, false}: 3, {true, true, true, true}: 3,
}

// BOD gives what the directive asks for. Forensic triage belongs to three days for what is listed in KEV with total impact.
func BOD(listed, exposed, automatable, total bool) Directive {
	days := directive[[4]bool{listed, exposed, automatable, total}]
	return Directive{Days: days, Forensics: listed && total && days == 3}
}
