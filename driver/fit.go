package driver

import (
	"fmt"

	"github.com/firmward/firmward"
)

// MustFit refuses a release that does not name exactly the model and hardware revision that the
// device itself reports now. It is the last lock before a byte of an image is sent.
func MustFit(s State, r firmward.Release) error {
	switch {
	case !r.FitsModel(s.Model):
		return firmward.Errorf(firmward.Refused, fmt.Sprintf("wrong model: the release is for %v, the device says %q", r.Models, s.Model))
	case !r.FitsHardware(s.Hardware):
		return firmward.Errorf(firmward.Refused, fmt.Sprintf("wrong hardware revision: the release is for %v, the device says %q", r.Hardware, s.Hardware))
	}
	return nil
}
