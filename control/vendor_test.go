package control_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestVendorEvent: four of six plugs go dark between two scans, and no rollout is changing them. That is one event of their vendor: it is told once, and
// the rollout to plugs halts until somebody says why it may go on.
func TestVendorEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFaultStory(t, "")
		for i := range 6 {
			s.device([]string{"plug", fmt.Sprintf("p%d", i+1)})
		}
		for i := range 3 {
			s.device([]string{"camera", fmt.Sprintf("c%d", i+1)})
		}
		s.settle()
		s.release([]string{"release", "p1", "1.4.4"})
		s.start()
		s.until("5m") // the canary soaks
		s.look()
		s.check("leaves", "vendor-event 0")
		canary := ""
		for i := range 6 {
			name := fmt.Sprintf("p%d", i+1)
			if d, _ := s.lab.Device(name); d.Facts().InstalledVersion == "1.4.4" {
				canary = name
			}
		}
		fell := 0
		for i := 0; fell < 4; i++ {
			if name := fmt.Sprintf("p%d", i+1); name != canary {
				s.act([]string{"fault", name, "silent"})
				fell++
			}
		}
		s.look()
		s.check("leaves", "vendor-event 1")
		s.check("rollout", "halted 4 of 6 devices of family shelly-gen2 fell within 1h at 1 site and no rollout is changing them: one event of their vendor, not 4 faults")
		s.look()
		s.check("leaves", "vendor-event 1")
		time.Sleep(2 * time.Hour)
		s.look()
		s.check("leaves", "vendor-event 1")
		s.check("total", "runs 1.4.4 1")
	})
}

// TestNoVendorEvent: what falls with a site's power, one device alone, and what our own rollout did are no events of a vendor.
func TestNoVendorEvent(t *testing.T) {
	for name, act := range map[string]func(*faultStory){
		"everything falls": func(s *faultStory) {
			for _, d := range s.lab.Devices() {
				s.act([]string{"fault", d.Name(), "offline"})
			}
			s.look()
		},
		"two of four": func(s *faultStory) {
			s.act([]string{"fault", "p1", "silent"})
			s.act([]string{"fault", "p2", "silent"})
			s.look()
		},
		"by our own rollout": func(s *faultStory) {
			for i := range 4 {
				s.act([]string{"fault", fmt.Sprintf("p%d", i+1), "silent-after-update"})
			}
			s.release([]string{"release", "p1", "1.4.4"})
			s.start()
			s.until("ended")
			_, err := s.house.SteerRollout(s.house.ctx, anna, s.ro, "resume", "go on")
			s.must(err)
			s.until("ended")
			s.look()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newFaultStory(t, "")
				for i := range 4 {
					s.device([]string{"plug", fmt.Sprintf("p%d", i+1)})
					s.device([]string{"camera", fmt.Sprintf("c%d", i+1)})
				}
				s.settle()
				s.look()
				act(s)
				s.check("leaves", "vendor-event 0")
			})
		})
	}
}
