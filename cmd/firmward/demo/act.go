package demo

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/httpapi"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/rollout"
)

// The versions of the story.
const (
	plugNew   = "1.4.4"
	plugG3New = "1.5.1"
	camBad    = "10.12.240"
	camGood   = "10.12.262"
)

func (s *Story) release(ctx context.Context, rel firmward.Release, image []byte) (httpapi.Release, error) {
	rel.Origin = "the vendor's download page (simulated)"
	got, err := s.Anna.release(ctx, rel, image)
	if err == nil {
		s.tell("anna imports firmware %s for %s: %d MB, hash %s…", got.Version, strings.Join(got.Models, ", "), got.Size>>20, got.SHA256[:12])
	}
	return got, err
}

// plan imports releases and shows the refusals with their reasons.
func (s *Story) plan(ctx context.Context) error {
	points, err := s.Store.Checkpoints(ctx, 1)
	if err != nil {
		return err
	}
	if len(points) == 0 {
		return fmt.Errorf("no checkpoint of the record yet")
	}
	s.earlier = points[0]
	s.tell("anna writes checkpoint %d of the record down on paper", s.earlier.Size)
	g3, err := s.release(ctx, firmward.Release{Vendor: "Shelly", Models: []string{"S3PL-00112EU"}, Hardware: []string{"gen3"}, Version: plugG3New, FileName: "plug-s-g3.zip"}, lab.PlugG3Image(plugG3New))
	if err != nil {
		return err
	}
	router, err := s.release(ctx, firmward.Release{Vendor: "MikroTik", Models: []string{"RB750Gr3"}, Hardware: []string{"*"}, Version: "6.49.18", FileName: "routeros.npk"}, lab.BuildImage(lab.ImageSpec{Family: "routeros", Model: "RB750Gr3", Version: "6.49.18", Size: 8 << 20}))
	if err != nil {
		return err
	}
	pump, err := s.release(ctx, firmward.Release{Vendor: "BD", Models: []string{"Alaris 8015"}, Hardware: []string{"*"}, Version: "12.1.3", FileName: "pcu.bin"}, lab.BuildImage(lab.ImageSpec{Family: "pump", Model: "Alaris 8015", Version: "12.1.3", Size: 8 << 20}))
	if err != nil {
		return err
	}
	for _, want := range []struct{ release, device, code, text string }{
		{g3.ID, "plug-g3-2", rollout.RefuseRollback, "unknown rollback: only the canary may try"},
		{router.ID, "router", rollout.RefuseCore, "core network gear is held back"},
		{pump.ID, "pump-1", rollout.RefuseVendor, "the vendor alone may update the pump"},
	} {
		p, err := s.Anna.plan(ctx, want.release)
		if err != nil {
			return err
		}
		if err := s.refused(ctx, p, want.device, want.code, want.text); err != nil {
			return err
		}
		if err := s.Anna.steer(ctx, p.Rollout.ID, "stop", "only a look at the refusals"); err != nil {
			return err
		}
	}
	return nil
}

// refused checks that a plan refuses a device with a code.
func (s *Story) refused(ctx context.Context, p httpapi.RolloutDetail, name, code, text string) error {
	found, err := s.Store.FindDevices(ctx, name)
	if err != nil {
		return err
	}
	if len(found) != 1 {
		return fmt.Errorf("%d devices are called %s", len(found), name)
	}
	at := slices.IndexFunc(p.Refusals, func(r httpapi.Target) bool { return r.DeviceID == found[0].ID })
	seen := "not refused"
	if at >= 0 {
		seen = p.Refusals[at].Code + ": " + p.Refusals[at].Why
	}
	s.outcome(5, at >= 0 && p.Refusals[at].Code == code, name+": "+text, seen)
	return nil
}

// plugs is story lines 6 and 8: staged on the spare, canary, waves; one goes silent, one comes back old.
func (s *Story) plugs(ctx context.Context) error {
	rel, err := s.release(ctx, firmward.Release{Vendor: "Shelly", Models: []string{"SNPL-00112EU"}, Hardware: []string{"gen2"}, Version: plugNew, FileName: "plug-s.zip"}, lab.PlugImage(plugNew))
	if err != nil {
		return err
	}
	for device, fault := range map[string]string{"plug-5": lab.FaultSilentAfterUpdate, "plug-6": lab.FaultOldVersionBack} {
		if err := s.Lab.Fault(device, fault); err != nil {
			return err
		}
	}
	s.tell("(the lab will let plug-5 go silent and plug-6 come back with the old version)")
	p, err := s.Anna.plan(ctx, rel.ID)
	if err != nil {
		return err
	}
	if err := s.refused(ctx, p, "plug-7", rollout.RefuseOwner, "no owner, so no policy may act"); err != nil {
		return err
	}
	usual, err := s.Anna.forecast(ctx, rel.ID, "")
	if err != nil {
		return err
	}
	bad, err := s.Anna.forecast(ctx, rel.ID, "silent=17%,old-version=17%")
	if err != nil {
		return err
	}
	s.tell("before she starts it, anna has it played 100 times: %s", foretold(usual))
	s.tell("and what if one in six plugs went silent and one in six came back old? %s", foretold(bad))
	if err := s.Anna.steer(ctx, p.Rollout.ID, "start", ""); err != nil {
		return err
	}
	began := s.Clock.Now()
	s.tell("anna starts the rollout: %d plugs, window %s, canary soak %s", len(p.Targets), p.Rollout.Policy.Window, strings.TrimSuffix(p.Rollout.Policy.CanarySoak, "0m0s"))
	if err := s.ended(ctx, p.Rollout.ID); err != nil {
		return err
	}
	s.tell("it stands still after %s", hours(s.Clock.Now().Sub(began)))
	spare := s.truth("plug-8")
	v, err := s.Store.Stagings(ctx, rel.SHA256, "pull", "SNPL-00112EU", "gen2")
	if err != nil || len(v) != 1 {
		return fmt.Errorf("%d staging verdicts: %w", len(v), err)
	}
	s.outcome(6, v[0].Result == "passed" && spare.InstalledVersion == plugNew, "staged on the spare plug-8, verdict bound to hash, path, model and revision", fmt.Sprintf("verdict %s; plug-8 runs %s", v[0].Result, spare.InstalledVersion))
	good := []string{}
	for _, name := range []string{"plug-1", "plug-2", "plug-3", "plug-4"} {
		if f := s.truth(name); f.InstalledVersion == plugNew && len(f.Flashes) == 1 {
			good = append(good, name)
		}
	}
	s.outcome(6, len(good) == 4, "canary and waves: four plugs run "+plugNew+", each flashed once", strings.Join(good, ", "))
	untouched := s.truth("plug-7")
	s.outcome(6, len(untouched.Flashes) == 0, "plug-7 without owner was not touched", fmt.Sprintf("flashed %d times", len(untouched.Flashes)))
	for _, t := range []struct{ name, code, text string }{
		{"plug-5", "silent", "the silent plug failed at its deadline"},
		{"plug-6", "old-version", "the plug that came back old failed"},
	} {
		target, err := s.Store.Target(ctx, p.Rollout.ID, s.ids[t.name])
		if err != nil {
			return err
		}
		f := s.truth(t.name)
		s.outcome(8, target.State == firmward.TargetFailed && target.Code == t.code, t.text, fmt.Sprintf("firmward: %s, %s; the device: runs %s, %s", target.State, target.Why, f.InstalledVersion, power(f)))
	}
	return nil
}

// foretold is what a forecast says, in a line.
func foretold(f httpapi.Forecast) string {
	second := func(n int) string { return hours(time.Duration(n) * time.Second) }
	took := second(f.Seconds.P10)
	if late := second(f.Seconds.P90); late != took {
		took += " to " + late
	}
	out := fmt.Sprintf("%d runs come to their end, eight of ten of those in %s", f.Finished, took)
	if len(f.Stops) > 0 {
		out += fmt.Sprintf("; the others stand still, most often (%d) %s", f.Stops[0].N, f.Stops[0].Text)
	}
	return out + fmt.Sprintf("; the image reaches at most %d that do not end well", f.Blast.Max)
}

// hours is a time in days and hours.
func hours(d time.Duration) string {
	h := int(d.Round(time.Hour).Hours())
	if h < 48 {
		return fmt.Sprintf("%d h", h)
	}
	return fmt.Sprintf("%d d %d h", h/24, h%24)
}

func power(f lab.Facts) string {
	if f.Powered {
		return "has power"
	}
	return "has no power"
}

// progress is one line about a rollout; its state is only said when it no longer goes on by itself.
func progress(r firmward.Rollout) string {
	why := r.Why
	switch r.State {
	case firmward.RolloutFinished, firmward.RolloutHalted, firmward.RolloutPaused, firmward.RolloutStopped:
		why = string(r.State) + ": " + why
	}
	return fmt.Sprintf("rollout: %d of %d updated, %d failed, %d under way; %s", r.Succeeded, r.Total, r.Failed, r.InFlight, why)
}

// ended waits until a rollout is over and shows its lines meanwhile.
func (s *Story) ended(ctx context.Context, id string) error {
	last := ""
	over, err := s.until(ctx, 60*24*time.Hour, func() (bool, error) {
		r, err := s.Store.Rollout(ctx, id)
		if err != nil {
			return false, err
		}
		if line := progress(r); line != last {
			last = line
			s.tell("%s", line)
		}
		switch r.State {
		case firmward.RolloutFinished, firmward.RolloutHalted, firmward.RolloutPaused, firmward.RolloutStopped:
			return r.InFlight == 0, nil
		}
		return false, nil
	})
	if err == nil && !over {
		return fmt.Errorf("rollout %s did not end: %s", id, last)
	}
	return err
}

// cameras plans a camera release; the owner releases the cameras for the nights and ben approves.
func (s *Story) cameras(ctx context.Context, ver string, flaws ...string) (httpapi.RolloutDetail, error) {
	rel, err := s.release(ctx, firmward.Release{Vendor: "Axis", Models: []string{"AXIS P3265-LV"}, Hardware: []string{"7A2"}, Version: ver, FileName: "P3265-LV.bin", Channel: "lts"}, lab.CameraImage(ver, flaws...))
	if err != nil {
		return httpapi.RolloutDetail{}, err
	}
	if err := s.releaseUntil(ctx, "cam-1", "cam-2", "cam-3", "cam-4", "cam-5", "cam-6"); err != nil {
		return httpapi.RolloutDetail{}, err
	}
	p, err := s.Anna.plan(ctx, rel.ID)
	if err != nil {
		return p, err
	}
	if err := s.Anna.steer(ctx, p.Rollout.ID, "start", ""); err != nil {
		return p, err
	}
	if _, err := s.Anna.approve(ctx, p.Rollout.ID, "my own plan"); err == nil {
		return p, fmt.Errorf("anna could approve her own plan")
	} else {
		s.tell("anna may not approve it herself: %v", err)
	}
	r, err := s.Ben.approve(ctx, p.Rollout.ID, "seen")
	if err != nil {
		return p, err
	}
	s.tell("ben approves; the rollout is %s, staging: %s", r.State, r.Staging)
	return p, nil
}

// releaseUntil is the ward's word that its cameras may be touched for a month.
func (s *Story) releaseUntil(ctx context.Context, names ...string) error {
	span := httpapi.Span{From: s.Clock.Now(), To: s.Clock.Now().AddDate(0, 0, 30)}
	for _, name := range names {
		if err := s.Anna.call(ctx, http.MethodPatch, "/devices/"+s.ids[name], httpapi.DeviceFacts{Released: &span}, nil); err != nil {
			return err
		}
	}
	s.tell("ward 3 releases %s for maintenance until %s", strings.Join(names, ", "), span.To.Format(time.DateOnly))
	return nil
}

// badCamera is story line 7.
func (s *Story) badCamera(ctx context.Context) error {
	p, err := s.cameras(ctx, camBad, lab.FlawDeadStream)
	if err != nil {
		return err
	}
	if err := s.refused(ctx, p, "cam-5", rollout.RefuseHardware, "wrong hardware revision"); err != nil {
		return err
	}
	s.outcome(6, p.Rollout.Staging == "not-staged", "no spare camera: not-staged is shown, the canary carries the risk", p.Rollout.Staging)
	if err := s.ended(ctx, p.Rollout.ID); err != nil {
		return err
	}
	r, err := s.Store.Rollout(ctx, p.Rollout.ID)
	if err != nil {
		return err
	}
	s.outcome(7, r.State == firmward.RolloutHalted, "the rollout is halted", r.Why)
	flashed, back := []string{}, []string{}
	for n := 1; n <= 6; n++ {
		f := s.truth(fmt.Sprintf("cam-%d", n))
		if len(f.Flashes) > 0 {
			flashed = append(flashed, f.Name)
			if f.InstalledVersion == "10.12.206" && f.Committed && f.ServiceUp["rtsp"] {
				back = append(back, f.Name)
			}
		}
	}
	s.outcome(7, len(flashed) == 1 && len(back) == 1, "one canary fell back by itself and streams again; the rest is untouched", "flashed: "+strings.Join(flashed, ", ")+"; back: "+strings.Join(back, ", "))
	if err := s.Anna.post(ctx, "/releases/"+p.Rollout.Release+"/withdraw", httpapi.Reason{Why: "the stream is dead after the update"}, nil); err != nil {
		return err
	}
	return s.Anna.steer(ctx, p.Rollout.ID, "stop", "bad release")
}

// goodCamera shows the dead-man commit and the waves to the end.
func (s *Story) goodCamera(ctx context.Context) error {
	p, err := s.cameras(ctx, camGood)
	if err != nil {
		return err
	}
	if err := s.ended(ctx, p.Rollout.ID); err != nil {
		return err
	}
	good := []string{}
	for _, n := range []int{1, 2, 3, 4, 6} {
		if f := s.truth(fmt.Sprintf("cam-%d", n)); f.InstalledVersion == camGood && f.Committed && f.ServiceUp["rtsp"] {
			good = append(good, f.Name)
		}
	}
	s.outcome(6, len(good) == 5, "five cameras run "+camGood+", committed after their stream was seen", strings.Join(good, ", "))
	wrong := s.truth("cam-5")
	s.outcome(5, len(wrong.Flashes) == 0, "cam-5 with the other hardware revision never got a byte of the image", fmt.Sprintf("flashed %d times", len(wrong.Flashes)))
	return nil
}
