package control_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/twin"
)

// standsIn is a place with a network of its own in which a light of another lab answers, for as long as a rehearsal lasts.
func standsIn(t *testing.T, version string) (*lab.Device, *twin.Device) {
	t.Helper()
	elsewhere := newLab(t)
	elsewhere.AddSite("segment", netip.MustParsePrefix("198.18.77.0/24"))
	at := netip.MustParseAddr("198.18.77.9")
	d, err := elsewhere.AddWLED(lab.WLEDSpec{Place: lab.Place{Name: "machine", Site: "segment", Addr: at}, Version: version})
	if err != nil {
		t.Fatal(err)
	}
	return d, &twin.Device{Place: firmward.PlaceVM, Prefix: netip.PrefixFrom(at, 32), Way: elsewhere.Attach("segment")}
}

// TestRehearseOnTwin: a place that is made for one rehearsal stands for a device in use and all that are like it, tells each step, and is a
// retired device without a network afterwards, however it ends. One that is cut off leaves no verdict.
func TestRehearseOnTwin(t *testing.T) {
	for name, cut := range map[string]bool{"to its end": false, "cut off": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFaultStory(t, "")
				for _, light := range []string{"l-1", "l-2", "plug"} {
					s.device([]string{map[bool]string{true: "plug", false: "light"}[light == "plug"], light})
				}
				s.settle()
				s.release([]string{"release", "l-1", "0.15.1"})
				machine, place := standsIn(t, "0.15.0")
				ctx, end := context.WithCancel(s.house.ctx)
				defer end()
				var told []string
				v, err := s.house.RehearseOnTwin(ctx, anna, control.TwinRun{
					Release: s.rel.ID, For: "l-1", Policy: "quick", Watch: time.Minute, Twin: place, Addr: machine.Facts().Addrs[0],
					Say: func(text string) {
						if told = append(told, text); cut && strings.Contains(text, "watches") {
							end()
						}
					},
				})
				synctest.Wait()
				spares, _, lost := s.house.Store.Devices(s.house.ctx, store.DeviceFilter{Spare: new(true)}, store.Page{})
				networks, _, lost2 := s.house.Store.Networks(s.house.ctx, "", store.Page{})
				if lost != nil || lost2 != nil || len(spares) > 0 || len(networks) != 1 {
					t.Errorf("left behind: spares %v, networks %v, %v %v", spares, networks, lost, lost2)
				}
				if cut {
					time.Sleep(time.Hour)
					synctest.Wait()
					all, err2 := s.house.Store.StagingsOf(s.house.ctx, s.rel.SHA256)
					if err == nil || err2 != nil || len(all) > 0 || len(s.house.leaves("staging-given-up")) != 1 {
						t.Errorf("%v, verdicts %+v %v", err, all, err2)
					}
					return
				}
				if err != nil || v.Result != "passed" || v.Place != firmward.PlaceVM {
					t.Errorf("%+v, %v", v, err)
				}
				for _, want := range []string{"it stands for l-1 and 1 device like it", "it takes over the configuration", "the image is on its way", "it goes back"} {
					if !strings.Contains(strings.Join(told, "\n"), want) {
						t.Errorf("it does not tell %q: %q", want, told)
					}
				}
				for _, of := range []struct{ device, want string }{{"plug", "would not get"}, {"l-9", "no device"}} {
					if _, _, err := s.house.TwinFor(s.house.ctx, s.rel.ID, of.device, ""); err == nil || !strings.Contains(err.Error(), of.want) {
						t.Errorf("%s: %v", of.device, err)
					}
				}
			})
		})
	}
}

// TestTwinGone: a rehearsal whose place ended with the process that made it is given up: it says nothing of the release, which is rehearsed
// anew where that is asked for.
func TestTwinGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFaultStory(t, "")
		s.device([]string{"light", "l-spare", "spare", "outlet=vm"})
		s.device([]string{"light", "l-1"})
		s.settle()
		s.release([]string{"release", "l-1", "0.15.1"})
		if n, err := s.house.Rehearse(s.house.ctx, anna, s.rel.ID, "quick", false); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		time.Sleep(2 * time.Minute)
		s.house.Config.Twins = nil // as after a start without it; nothing runs here at this moment
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		all, err := s.house.Store.StagingsOf(s.house.ctx, s.rel.SHA256)
		open, err2 := s.house.Store.OpenRehearsals(s.house.ctx, s.rel.ID)
		if err != nil || err2 != nil || len(all) > 0 || len(open) > 0 || len(s.house.leaves("staging-given-up")) != 1 {
			t.Errorf("verdicts %+v, open %+v, %v %v", all, open, err, err2)
		}
	})
}
