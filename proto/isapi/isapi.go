// Package isapi holds the XML messages of Hikvision's ISAPI as far as updates need them: who a device is
// (deviceInfo), how an update goes (upgradeStatus), and what it says to everything else (ResponseStatus). No I/O.
package isapi

import (
	"encoding/xml"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Paths of the interface.
const (
	InfoPath   = "/ISAPI/System/deviceInfo"
	UpdatePath = "/ISAPI/System/updateFirmware"
	StatusPath = "/ISAPI/System/upgradeStatus"
	RebootPath = "/ISAPI/System/reboot"
)

// Info is what a device says about itself.
type Info struct {
	XMLName  xml.Name `xml:"DeviceInfo"`
	Name     string   `xml:"deviceName"`
	Model    string   `xml:"model"`
	Serial   string   `xml:"serialNumber"` // begins with the model
	MAC      string   `xml:"macAddress"`
	Firmware string   `xml:"firmwareVersion"`      // V5.5.0, on some with the build behind it
	Released string   `xml:"firmwareReleasedDate"` // build 170725, build170725
	Type     string   `xml:"deviceType"`           // IPCamera, NVR
	Revision string   `xml:"hardwareVersion"`      // 0x0 on most
	Platform string   `xml:"firmwareVersionInfo"`  // B-R-G5-0: images are made for a platform; older versions do not tell it
}

// ReadInfo reads deviceInfo. It fails when no model or no version is in it.
func ReadInfo(b []byte) (Info, error) {
	var i Info
	if err := xml.Unmarshal(b, &i); err != nil {
		return Info{}, fmt.Errorf("read device information: %w", err)
	}
	if i.Model == "" || i.Firmware == "" {
		return Info{}, errors.New("read device information: it names no model or no version")
	}
	return i, nil
}

var build = regexp.MustCompile(`([0-9]{6,8})$`)

// Version is the version with its build, "V5.5.0 build 170725": two builds of one version are two versions. It is the version
// alone where no build is told.
func (i Info) Version() string {
	version, rest, _ := strings.Cut(strings.TrimSpace(i.Firmware), " ")
	for _, told := range []string{i.Released, rest} {
		if m := build.FindString(strings.TrimSpace(told)); m != "" {
			return version + " build " + m
		}
	}
	return version
}

// Hardware is what decides which images fit beside the model: the platform, else the hardware version.
func (i Info) Hardware() string {
	if i.Platform != "" {
		return i.Platform
	}
	return i.Revision
}

// Progress is what upgradeStatus says.
type Progress struct {
	XMLName   xml.Name `xml:"upgradeStatus"`
	Upgrading bool     `xml:"upgrading"`
	Percent   int      `xml:"percent"`
}

// ReadProgress reads upgradeStatus.
func ReadProgress(b []byte) (Progress, error) {
	var p Progress
	if err := xml.Unmarshal(b, &p); err != nil {
		return Progress{}, fmt.Errorf("read the upgrade's status: %w", err)
	}
	return p, nil
}

// Status is the answer to a request that is no question.
type Status struct {
	XMLName xml.Name `xml:"ResponseStatus"`
	Code    int      `xml:"statusCode"`
	Text    string   `xml:"statusString"`
	Sub     string   `xml:"subStatusCode"`
}

// ReadStatus reads a ResponseStatus.
func ReadStatus(b []byte) (Status, error) {
	s := Status{Code: -1}
	if err := xml.Unmarshal(b, &s); err != nil {
		return Status{}, fmt.Errorf("read the device's status: %w", err)
	}
	if s.Code < 0 {
		return Status{}, errors.New("read the device's status: it has no code")
	}
	return s, nil
}

// The codes of a Status.
const (
	busy   = 2
	reboot = 7
)

// Error quotes the device, cut to what a person reads.
func (s *Status) Error() string {
	return fmt.Sprintf("the device answered status %d: %.80q, %.80q", s.Code, s.Text, s.Sub)
}

// OK reports whether the device did what it was asked for.
func (s *Status) OK() bool { return s.Code == 0 || s.Code == 1 }

// Busy reports whether it is at something else.
func (s *Status) Busy() bool { return s.Code == busy }

// Reboot reports whether it did what it was asked for and waits for a restart.
func (s *Status) Reboot() bool { return s.Code == reboot }

// Refusal reports whether the device refused the image itself: it will refuse it again. The status says no more than that some
// content is invalid; why stands in the sub-code. What a device says of a packet that does not match is its boot loader's word.
func (s *Status) Refusal() bool {
	switch s.Sub {
	case "badDevType", "badLanguage", "badVersion", "fileFormatError", "fileContentError":
		return true
	}
	return strings.Contains(strings.ToLower(s.Text+s.Sub), "mismatch")
}
