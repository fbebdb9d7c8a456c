package control_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward/audit"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/store"
)

// act does what a line orders.
func (s *faultStory) act(words []string) {
	switch words[0] {
	case "fault":
		s.must(s.lab.Fault(words[1], words[2]))
	case "mend":
		s.must(s.lab.ClearFaults(words[1]))
	case "begin", "report", "works":
		s.atDevice(words)
	case "press", "release-button":
		s.must(s.house.StopAll(s.house.ctx, anna, words[0] == "press", "a test"))
	case "battery", "signal":
		n, err := strconv.Atoi(words[2])
		s.must(err)
		d, _ := s.lab.Device(words[1])
		if words[0] == "signal" {
			s.must(d.SetSignal(n))
		} else {
			s.must(d.SetBattery(n, slices.Contains(words, "external")))
		}
	case "set": // NAME PATH JSON
		var value any
		s.must(json.Unmarshal([]byte(words[3]), &value))
		d, _ := s.lab.Device(words[1])
		s.must(d.SetUp(words[2], value))
	case "scan":
		s.settle()
		s.look()
	case "factory":
		s.settle()
		s.must(s.house.SetCredential(s.house.ctx, anna, control.Credential{Family: words[1], Site: "home", User: "root", Password: words[2], Factory: true}))
	case "offer":
		d, _ := s.lab.Device(words[1])
		d.Offer(words[2], nil)
	case "take-out": // NAME or wave=N, [but WORDS]
		stop := control.Stopping{Devices: []string{words[1]}, Why: "a test"}
		if n, err := strconv.Atoi(strings.TrimPrefix(words[1], "wave=")); err == nil {
			stop = control.Stopping{Wave: &n, Why: "a test"}
		}
		_, err := s.house.StopTargets(s.house.ctx, anna, s.ro, stop)
		s.may(err, words)
	case "restore": // NAME [but WORDS]
		_, err := s.house.RestoreTarget(s.house.ctx, anna, s.ro, words[1], "a test")
		s.may(err, words)
	case "resume":
		_, err := s.house.SteerRollout(s.house.ctx, anna, s.ro, "resume", strings.Join(words[1:], " "))
		s.must(err)
	case "stop":
		_, err := s.house.SteerRollout(s.house.ctx, anna, s.ro, "stop", "a test")
		s.must(err)
	case "withdraw":
		_, err := s.house.WithdrawRelease(s.house.ctx, anna, s.rel.ID, strings.Join(words[1:], " "))
		s.must(err)
	default:
		s.t.Fatalf("%s:%d: no order is called %s", s.file, s.line, words[0])
	}
}

// check compares what a "must" line wants with what is.
func (s *faultStory) check(who, want string) {
	s.t.Helper()
	synctest.Wait()
	ctx := s.house.ctx
	kind, rest, _ := strings.Cut(want, " ")
	rest = strings.TrimSpace(rest)
	if who == "leaves" {
		if n := len(s.house.leaves(kind)); strconv.Itoa(n) != rest {
			s.fail("%d leaves %s, want %s", n, kind, rest)
		}
		return
	}
	switch who {
	case "verdict":
		s.verdict(kind, rest)
		return
	case "check":
		s.checked(kind, rest)
		return
	case "mirrored":
		if not := strings.Join(s.judged().NotMirrored, "; "); !strings.Contains(not, want) {
			s.fail("not mirrored: %s", not)
		}
		return
	case "differs":
		s.differs(want)
		return
	}
	if who == "total" {
		version, count, _ := strings.Cut(rest, " ")
		n := 0
		for _, d := range s.lab.Devices() {
			if d.Facts().InstalledVersion == version {
				n++
			}
		}
		if strconv.Itoa(n) != count {
			s.fail("%d devices run %s, want %s", n, version, count)
		}
		return
	}
	if who == "rollout" {
		r, err := s.house.Store.Rollout(ctx, s.ro)
		s.must(err)
		s.t.Logf("rollout %s: %s", r.State, r.Why)
		if string(r.State) != kind || !strings.Contains(r.Why, rest) {
			s.fail("the rollout is %s: %s", r.State, r.Why)
		}
		return
	}
	got := ""
	switch id := s.ids[who]; kind {
	case "target":
		t, err := s.house.Store.Target(ctx, s.ro, id)
		s.must(err)
		got = fmt.Sprintf("%s %s: %s", t.State, cmp.Or(t.Code, "-"), t.Why)
	case "step":
		step := s.house.step(id)
		got = fmt.Sprintf("%s %s (%s)", step.Now.Kind, step.Now.Action, cmp.Or(step.Blocker, "no blocker"))
	case "order":
		all, _, err := s.house.Store.WorkOrders(ctx, store.WorkOrderFilter{Device: id}, store.Page{})
		s.must(err)
		for _, w := range all {
			got += fmt.Sprintf("%s %s by %s: %s; ", w.State, w.Title, cmp.Or(w.BegunBy, "nobody"), w.Why)
		}
	case "finding":
		id, _, _ := strings.Cut(rest, " ")
		f, err := s.house.Store.Finding(ctx, s.ids[who], id)
		s.must(err)
		got = id + " " + map[bool]string{true: "open", false: "closed"}[f.Open()]
	case "known":
		d, err := s.house.Store.Device(ctx, id)
		s.must(err)
		got = fmt.Sprintf("%s %s", d.Firmware, d.Hardware)
	case "last-seen":
		d, err := s.house.Store.Device(ctx, id)
		s.must(err)
		got = d.LastSeen.Sub(s.began).Truncate(time.Hour).String()
	default:
		got = s.truth(who, kind)
	}
	left := got
	for part := range strings.SplitSeq(rest, "…") {
		part = strings.TrimSpace(part)
		at := strings.Index(left, part)
		if at < 0 {
			s.fail("%s %s: %s\n\twant %s", who, kind, got, rest)
			return
		}
		left = left[at+len(part):]
	}
	s.t.Logf("%s %s: %s", who, kind, got)
}

// truth is what the lab knows of a device.
func (s *faultStory) truth(who, kind string) string {
	d, ok := s.lab.Device(who)
	if !ok {
		s.t.Fatalf("%s:%d: no device %s", s.file, s.line, who)
	}
	f := d.Facts()
	switch kind {
	case "runs":
		if f.Bricked {
			return "nothing: bricked"
		}
		return f.InstalledVersion
	case "set":
		var all []string
		for _, path := range []string{"id.name", "def.bri", "if.mqtt.broker", "if.mqtt.psk"} {
			all = append(all, path+"="+d.Setting(path))
		}
		return strings.Join(all, " ")
	case "flashed":
		var outcomes []string
		for _, flash := range f.Flashes {
			outcomes = append(outcomes, flash.Outcome)
		}
		return fmt.Sprintf("%d %s", len(f.Flashes), strings.Join(outcomes, ", "))
	}
	s.t.Fatalf("%s:%d: nothing is called %s", s.file, s.line, kind)
	return ""
}

// may checks an order of the form "ORDER NAME [but WORDS]": it was carried out, or refused with these words.
func (s *faultStory) may(err error, words []string) {
	switch want := strings.Join(words[min(3, len(words)):], " "); {
	case want == "":
		s.must(err)
	case err == nil || !strings.Contains(err.Error(), want):
		s.fail("%s: %v, want %s", strings.Join(words[:2], " "), err, want)
	default:
		s.t.Log(err)
	}
}

// audited checks that whatever was done to a device stands in the audit log, by the id of its command.
func (s *faultStory) audited() {
	s.t.Helper()
	synctest.Wait()
	commands, err := store.Every(func(p store.Page) ([]store.Command, string, error) {
		return s.house.Store.Commands(s.house.ctx, "", "", p)
	})
	s.must(err)
	told := map[string]bool{}
	for _, id := range s.ids {
		leaves, err := store.Every(func(p store.Page) ([]audit.Leaf, string, error) {
			return s.house.Store.FindLeaves(s.house.ctx, store.LeafFilter{Subject: id}, p)
		})
		s.must(err)
		for _, l := range leaves {
			told[l.Detail["command"]] = true
		}
	}
	for _, cmd := range commands {
		switch rollout.Verb(cmd.Kind) {
		case rollout.DoInstall, rollout.DoCommit, rollout.DoRevert:
			if !told[cmd.ID] {
				s.fail("%s %s: no leaf tells of it", cmd.Kind, cmd.ID)
			}
		}
	}
}
