package driver_test

import (
	"strings"
	"testing"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/driver"
)

func TestMustFit(t *testing.T) {
	release := firmward.Release{Models: []string{"P3265-LV", "AXIS P3265-LV"}, Hardware: []string{"7A2"}}
	for _, tc := range []struct {
		state firmward.Code
		model string
		hw    string
		names string
	}{
		{"", "AXIS P3265-LV", "7A2", ""},
		{firmward.Refused, "AXIS P3265-LVE", "7A2", "model"},
		{firmward.Refused, "P3265", "7A2", "model"},
		{firmward.Refused, "", "7A2", "model"},
		{firmward.Refused, "AXIS P3265-LV", "7B0", "hardware"},
		{firmward.Refused, "AXIS P3265-LV", "7A2-X", "hardware"},
		{firmward.Refused, "AXIS P3265-LV", "", "hardware"}, // what the device does not say cannot fit
	} {
		err := driver.MustFit(driver.State{Model: tc.model, Hardware: tc.hw}, release)
		if (err == nil) != (tc.state == "") || err != nil && (firmward.CodeOf(err) != tc.state || !strings.Contains(err.Error(), tc.names)) {
			t.Errorf("model %q revision %q: %v", tc.model, tc.hw, err)
		}
	}
	if err := driver.MustFit(driver.State{}, firmward.Release{}); err == nil {
		t.Error("a release that names no model fits a device that says nothing")
	}
}
