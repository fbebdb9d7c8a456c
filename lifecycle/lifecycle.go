// Package lifecycle answers one question: how long does somebody still mend this device?
//
// Unknown is a normal answer, with a suggested step of its own, and never an error: for two thirds
// of consumer products no support period can be found.
package lifecycle

import (
	"sort"
	"time"

	"github.com/firmward/firmward"
)

// State says whether a device is still supported.
type State string

// The states.
const (
	Supported State = "supported"
	Ending    State = "ending" // ends within EndingSoon
	Ended     State = "ended"
	Unknown   State = "unknown" // no source gives an end
)

// EndingSoon is the time before the end of support in which a device counts as ending, in months.
const EndingSoon = 18

// Forecast sorts the end of support into the horizons in which replacements are planned (CISA BOD
// 26-02 asks for 12 and 18 months).
type Forecast string

// The forecasts.
const (
	ForecastNow     Forecast = "now"       // ended already
	Forecast12      Forecast = "12-months" // ends within 12 months
	Forecast18      Forecast = "18-months" // ends in 12 to 18 months
	ForecastLater   Forecast = "later"
	ForecastUnknown Forecast = "unknown"
)

// Support is the answer for one device.
type Support struct {
	State    State
	End      time.Time // end of support; zero when unknown, or when it ended at an unknown time
	Forecast Forecast
	Source   string // who says so; empty when unknown
	Branch   string // firmware branch that the answer is about, empty for the whole product
	Status   string // announced, reported, inferred, regulatory, by-hand
	Note     string

	// Newer is the nearest branch above the device's own of which somebody tells and nobody says that it ended, and Latest
	// its newest version where that is told. Both are empty unless the answer is about a branch that ended or is ending.
	Newer, Latest string

	Disagree []string // other sources that give another end, one sentence each
}

// Status decides from what sources say about the product and from the model card. The records of the
// device's firmware branch count before those of the whole product, but an ended product is ended on
// every branch. A record by hand counts before announced, then regulatory, then reported by somebody
// who is not the maker, then inferred; among equals the earliest end counts. A record counts only when it names the device's product: vendor
// and model as the catalogue writes them, or the product of one of the card's CPE names.
func Status(d firmward.Device, m firmward.Model, records []firmward.Lifecycle, now time.Time) Support {
	var own []firmward.Lifecycle
	for _, r := range records {
		if names(r, d, m) && onBranch(r, d, m) && (r.Ended || !r.EndOfSupport.IsZero()) {
			own = append(own, r)
		}
	}
	if card, ok := fromCard(m); ok {
		own = append(own, card)
	}
	if len(own) == 0 {
		return Support{State: Unknown, Forecast: ForecastUnknown, Note: "no source gives an end of support: ask the vendor or set it by hand"}
	}
	sort.SliceStable(own, func(i, j int) bool { return before(own[i], own[j]) })
	best := own[0] // the longest branch first, the whole product last
	for _, r := range own {
		if st, _ := state(r, now); r.Branch == "" {
			if st == Ended {
				best = r // an ended product is ended on every branch
			}
			break
		}
	}
	s := Support{End: best.EndOfSupport, Source: source(best), Branch: best.Branch, Status: best.Status, Note: best.Note}
	s.State, s.Forecast = state(best, now)
	for _, r := range own {
		if r.Branch == best.Branch && !r.EndOfSupport.Equal(best.EndOfSupport) {
			s.Disagree = append(s.Disagree, source(r)+" says "+date(r.EndOfSupport))
		}
	}
	if best.Branch != "" && (s.State == Ended || s.State == Ending) {
		s.Newer, s.Latest = newer(best, m.Scheme, records, now)
	}
	return s
}

func state(r firmward.Lifecycle, now time.Time) (State, Forecast) {
	switch end := r.EndOfSupport; {
	case r.Ended, !end.After(now):
		return Ended, ForecastNow
	case !end.After(now.AddDate(0, 12, 0)):
		return Ending, Forecast12
	case !end.After(now.AddDate(0, EndingSoon, 0)):
		return Ending, Forecast18
	}
	return Supported, ForecastLater
}

// before sorts the record that decides first within its branch; longer branches come first.
func before(a, b firmward.Lifecycle) bool {
	if len(a.Branch) != len(b.Branch) {
		return len(a.Branch) > len(b.Branch)
	}
	if x, y := rank(a.Status), rank(b.Status); x != y {
		return x < y
	}
	if a.Ended != b.Ended {
		return a.Ended
	}
	if !a.EndOfSupport.Equal(b.EndOfSupport) {
		return a.EndOfSupport.Before(b.EndOfSupport)
	}
	return source(a) < source(b)
}

func rank(status string) int {
	switch status {
	case "by-hand":
		return 0
	case "announced":
		return 1
	case "regulatory":
		return 2
	case "reported":
		return 3
	}
	return 4
}

func source(r firmward.Lifecycle) string {
	s := r.Origin.Document
	if s == "" {
		s = r.Origin.Feed
	}
	if s == "" {
		s = "an unnamed source"
	}
	if !r.Origin.Dated.IsZero() {
		s += " of " + date(r.Origin.Dated)
	}
	return s
}

func date(t time.Time) string {
	if t.IsZero() {
		return "ended, date unknown"
	}
	return t.Format(time.DateOnly)
}

// fromCard reads the model card's own end of support. A card with a date that cannot be read counts
// as one without.
func fromCard(m firmward.Model) (firmward.Lifecycle, bool) {
	end, err := time.Parse(time.DateOnly, m.SupportEnd.Value)
	if err != nil {
		return firmward.Lifecycle{}, false
	}
	dated, err := time.Parse(time.DateOnly, m.SupportEnd.Date)
	if err != nil {
		dated = time.Time{}
	}
	return firmward.Lifecycle{
		Vendor: m.Vendor, Product: m.Name, EndOfSupport: end, Status: "announced",
		Origin: firmward.Origins{Feed: "catalogue", Document: "catalogue: " + m.SupportEnd.Source, Dated: dated},
	}, true
}
