package sim

import (
	"time"

	"github.com/firmward/firmward"
)

// policy makes a policy by the dice: each of its parts is there or not.
func (w *World) policy(name string) firmward.RolloutPolicy {
	roll := func(what string, sides int) int { return w.dice(name+what, sides) }
	often := func(what string, odds, sides int) *int { // a limit, or none
		if roll(what+" there", odds) > 0 {
			return nil
		}
		return new(roll(what, sides))
	}
	p := firmward.RolloutPolicy{
		Name: name, Waves: w.waves(name),
		CanarySoak: time.Duration(1+roll("canary-soak", 180)) * time.Minute, WaveSoak: time.Duration(roll("soak", 120)) * time.Minute,
		MaxInFlight: 1 + roll("in flight", 5), CanaryInFlight: roll("canaries", 3), PerModelInFlight: roll("per model", 3),
		FailureBudget: []int{0, 10, 25, 50}[roll("budget", 4)], FailureFloor: roll("floor", 3),
		Approvals: roll("approvals", 3), ApproveWaves: roll("approve waves", 3) == 0,
		Deadline: time.Duration(15+roll("deadline", 45)) * time.Minute, CommitWithin: time.Duration(8+roll("commit", 15)) * time.Minute,
		FailureCount: often("failures", 4, 4), SilenceCount: often("silent", 3, 2), Inconclusive: often("inconclusive", 4, 3),
		SoakMin: max(0, roll("soak-min", 6)-3), PerSite: max(0, roll("per site", 6)-3), PerDomain: max(0, roll("per domain", 5)-2),
		MinBattery: []int{0, 30}[roll("battery", 2)], MinSignal: []int{0, -85}[roll("signal", 2)], LowFor: time.Duration(roll("low for", 80)) * time.Hour,
	}
	if p.FailureBudget > 0 && roll("sure", 3) == 0 {
		p.Confidence = []int{50, 80, 95}[roll("how sure", 3)]
	}
	if start := 1 + roll("ramp", 2); roll("ramps", 3) == 0 && start < p.MaxInFlight {
		p.Ramp = firmward.Ramp{Start: start, DoubleEvery: 1 + roll("ramp every", 3), Max: p.MaxInFlight}
	}
	if roll("window", 2) == 0 {
		p.Window = firmward.Window{Start: 60 * roll("open", 24), End: 60*roll("close", 24) + 30}
	} else if roll("rules", 2) == 0 {
		p.Windows = []firmward.WindowRule{
			{RRule: "FREQ=DAILY", Start: 5 * roll("start", 288), Duration: time.Duration(20+roll("length", 400)) * time.Minute},
			{RRule: "FREQ=WEEKLY;BYDAY=MO,WE,SU", Start: 5 * roll("start again", 288), Duration: time.Duration(5+roll("length again", 300)) * time.Minute, Zone: "Asia/Kolkata"},
		}
	}
	if roll("freeze", 3) == 0 {
		from := w.Now.Add(time.Duration(roll("frozen", 3000)) * time.Minute)
		p.Freezes = []firmward.Freeze{{Name: "freeze", From: from.Format(time.RFC3339), To: from.Add(time.Duration(1+roll("thaw", 1500)) * time.Minute).Format(time.RFC3339)}}
	}
	if w.cast == Machines {
		return p
	}
	if w.dice("hands", 4) > 1 {
		p.WorkOrders = time.Duration(1+roll("work orders", 14)) * 12 * time.Hour
	}
	p.AskRestore = roll("ask before going back", 3) == 0
	p.LateJoin = roll("late ones", 2) == 0
	if roll("waits", 3) == 0 {
		p.WakeWithin = time.Duration(1+roll("wake", 6)) * 8 * time.Hour
	}
	return p
}

func (w *World) waves(name string) []firmward.Wave {
	here := firmward.Wave{Source: `site == "s0"`, Select: firmward.Filter{Op: firmward.FilterIn, Field: "site", Values: []string{"s0"}}}
	return [][]firmward.Wave{
		firmward.Percents(100),
		firmward.Percents(50, 100),
		firmward.Percents(10, 50, 100),
		{{Count: 2}, {Percent: 60}, {Percent: 100}},
		{{Percent: 20}, here, {Percent: 100}},
	}[w.dice(name+"waves", 5)]
}
