package control_test

import (
	"testing"
	"testing/synctest"
)

// TestVitalsInTheProof: what a device said of its battery and radio before the start stands beside the decision to send it the image.
func TestVitalsInTheProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := plugHouse(t, 1, "")
		s.act([]string{"battery", "p1", "22", "external"})
		s.release([]string{"release", "p1", "1.4.4"})
		s.start()
		s.until("ended")
		sent := s.house.leaves("target-installing")
		if len(sent) != 1 || sent[0].Detail["battery"] != "22 %" || sent[0].Detail["power"] != "external" || sent[0].Detail["signal"] != "-58 dBm" {
			t.Errorf("%+v", sent)
		}
		for _, l := range s.house.leaves("target-settling") {
			if _, told := l.Detail["signal"]; told {
				t.Errorf("told twice: %+v", l)
			}
		}
	})
}
