package sim

import (
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
)

// starting checks what must hold when a target starts, and counts its night.
func (l *large) starting(i int32, p *rollout.Slot) {
	r, d := &l.run, &p.Candidate.Device
	k := l.fleet.known(i)
	noon := local(l.now, k.Zone).Add(-12 * time.Hour)
	_, offset := noon.Zone()
	l.nights[(noon.Unix()+int64(offset))/(24*60*60)] = true
	most, _ := rollout.Most(r)
	switch {
	case r.State != firmward.RolloutRunning || int(l.all[i].wave) != r.Wave:
		l.fail("%s of wave %d starts while the rollout is %s in wave %d", d.ID, l.all[i].wave, r.State, r.Wave)
	case r.InFlight >= r.Policy.MaxInFlight || r.InFlight >= most:
		l.fail("%s starts over the cap of %d", d.ID, min(most, r.Policy.MaxInFlight))
	case l.claims.Device[d.ID] != "":
		l.fail("%s starts although it is being changed", d.ID)
	case p.Group != "" && l.claims.Group[p.Group] != "":
		l.fail("%s starts while its redundant peer is being changed", d.ID)
	case r.Policy.PerSite > 0 && l.claims.Site[d.Site] >= r.Policy.PerSite:
		l.fail("%s starts while %d of site %s are being changed", d.ID, l.claims.Site[d.Site], d.Site)
	case !d.Lab && r.Policy.PerModelInFlight > 0 && l.claims.Model[d.Model] >= r.Policy.PerModelInFlight:
		l.fail("%s starts while %d of model %s are being changed", d.ID, l.claims.Model[d.Model], d.Model)
	case l.c.Topo.Tangled(d.ID, func(id string) bool { return l.claims.Device[id] != "" }):
		l.fail("%s starts while a device that it carries, or that carries it, is being changed", d.ID)
	}
	if r.Policy.PerDomain > 0 {
		for _, name := range l.c.Topo.Domains(d.ID) {
			if l.claims.Domain[name] >= r.Policy.PerDomain {
				l.fail("%s starts while %d %s are being changed", d.ID, l.claims.Domain[name], name)
			}
		}
	}
	l.openAt(i, k, l.now)
}

// openAt looks, for one device in a thousand, minute by minute whether it may be changed from a time on.
func (l *large) openAt(i int32, k *Known, from time.Time) {
	if i%1000 != 0 {
		return
	}
	if shut := closed(l.c.Policy, k.Freezes, rollout.Outage(k.Candidate.Model), local(from, k.Zone)); shut != "" {
		l.fail("%s is changed although %s", k.Candidate.Device.ID, shut)
	}
}

// sending checks what must hold when an image is sent.
func (l *large) sending(i int32, r *record) {
	k := l.fleet.known(i)
	d := &k.Candidate.Device
	low := ""
	if r.habit.has(BatteryLow | BatteryFlat | WeakSignal | OutOfRange) {
		dev := l.device(r)
		low = lacks(l.c.Policy, dev.vitals(l.now))
	}
	switch {
	case low != "":
		l.fail("%s gets an image although %s", d.ID, low)
	case r.at() != firmward.TargetInstalling:
		l.fail("%s gets an image in state %s", d.ID, r.at())
	case r.is.has(sent):
		l.fail("%s gets a second image, and no command was lost", d.ID)
	case !l.c.Release.FitsModel(d.Model) || !l.c.Release.FitsHardware(d.Hardware):
		l.fail("%s, a %s of revision %s, gets an image for %v of revision %v", d.ID, d.Model, d.Hardware, l.c.Release.Models, l.c.Release.Hardware)
	}
	r.is.set(sent, true)
	l.openAt(i, k, l.now.Add(-r.pace(rollout.DoInstall)))
}

// changed checks one target's step.
func (l *large) changed(i int32, t *firmward.Target, before firmward.TargetState) {
	r := &l.all[i]
	if t.State == firmward.TargetSucceeded {
		l.lastGood = l.now
	}
	switch {
	case before.Final() && !(before == firmward.TargetSucceeded && t.State == firmward.TargetFailed):
		l.fail("%s went from %s to %s", t.DeviceID, before, t.State)
	case t.State == firmward.TargetSucceeded && !r.is.has(looked) && t.Code != "already-installed":
		l.fail("%s succeeded, but no look ever saw the new version at work", t.DeviceID)
	case t.State == firmward.TargetSucceeded && l.behind.missing[i] && t.Code != "already-installed":
		l.fail("%s is verified, and one directly behind it answered before and does not now", t.DeviceID)
	case t.Wave == 0 && (t.State == firmward.TargetFailed || t.State == firmward.TargetRolledBack) && l.run.State == firmward.RolloutRunning:
		l.fail("canary %s failed and the rollout goes on", t.DeviceID)
	case t.State.Final() && t.Why == "" || t.State.InFlight() && t.NextDue.IsZero():
		l.fail("%s is %s without a reason or a due time", t.DeviceID, t.State)
	}
}

// left checks a wave that was left: all its targets have ended and those that did well were looked at after their soak.
func (l *large) left(wave int, was firmward.RolloutState) {
	r := &l.run
	if r.Wave == wave && r.State != firmward.RolloutFinished {
		return
	}
	if was != firmward.RolloutRunning {
		l.fail("wave %d was left while the rollout was %s", wave, was)
	}
	for _, i := range l.waves[wave] {
		switch t := &l.all[i]; {
		case !t.at().Final():
			l.fail("wave %d was left while %s is %s", wave, l.fleet.id(i), t.at())
		case t.at() == firmward.TargetSucceeded && !t.is.has(soaked):
			l.fail("wave %d was left before %s was looked at after its soak", wave, l.fleet.id(i))
		case t.at() == firmward.TargetSucceeded && (t.habit | t.got).has(StaysOpen) && len(l.c.Release.Fixes) > 0 && t.is.has(sent) && r.State != firmward.RolloutFinished:
			l.fail("wave %d was left, and what the release should have closed is open on %s", wave, l.fleet.id(i))
		}
	}
	soak := r.Policy.WaveSoak
	if wave == 0 {
		soak = r.Policy.CanarySoak
	}
	if last := l.lastGood; !last.IsZero() && l.now.Before(last.Add(soak)) {
		l.fail("wave %d was left %s after its last success, it soaks for %s", wave, l.now.Sub(last), soak)
	}
	l.lastGood = time.Time{}
	l.counted()
}

// counted compares the header's counters with the targets.
func (l *large) counted() {
	var n [len(states)]int
	for _, wave := range l.waves {
		for _, i := range wave {
			n[l.all[i].state]++
		}
	}
	good, bad, flying := 0, 0, 0
	for i, state := range states {
		switch {
		case state == firmward.TargetSucceeded:
			good += n[i]
		case state == firmward.TargetFailed || state == firmward.TargetRolledBack:
			bad += n[i]
		case state.InFlight():
			flying += n[i]
		}
	}
	r := &l.run
	if r.Started != good+bad+flying || r.Succeeded != good || r.Failed != bad || r.InFlight != flying || len(l.claims.Device) != flying {
		l.fail("the header counts started %d succeeded %d failed %d in flight %d, its targets say %d %d %d %d; %d are claimed",
			r.Started, r.Succeeded, r.Failed, r.InFlight, good+bad+flying, good, bad, flying, len(l.claims.Device))
	}
}
