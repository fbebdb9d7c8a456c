package isapi_test

import (
	"strings"
	"testing"

	"github.com/firmward/firmward/proto/isapi"
)

const (
	camera = `<?xml version="1.0" encoding="UTF-8"?>
<DeviceInfo version="2.0" xmlns="http://www.hikvision.com/ver20/XMLSchema"><deviceName>Gate</deviceName><model>DS-2CD2143G2-I</model>
<serialNumber>DS-2CD2143G2-I20220301AAWRJ12345678</serialNumber><macAddress>44:19:b6:00:11:22</macAddress>
<firmwareVersion>V5.7.3</firmwareVersion><firmwareReleasedDate>build 220112</firmwareReleasedDate>
<hardwareVersion>0x0</hardwareVersion><deviceType>IPCamera</deviceType><firmwareVersionInfo>B-R-G5-0</firmwareVersionInfo></DeviceInfo>`
	mismatch = `<ResponseStatus version="2.0" xmlns="http://www.hikvision.com/ver20/XMLSchema"><requestURL>/x</requestURL>
<statusCode>6</statusCode><statusString>Invalid XML Content</statusString><subStatusCode>badDevType</subStatusCode></ResponseStatus>`
)

func TestReadInfo(t *testing.T) {
	i, err := isapi.ReadInfo([]byte(camera))
	if err != nil || i.Model != "DS-2CD2143G2-I" || i.Version() != "V5.7.3 build 220112" || i.Hardware() != "B-R-G5-0" || i.Type != "IPCamera" {
		t.Errorf("%+v, %v", i, err)
	}
	for _, b := range []string{"", "<html/>", mismatch, `<DeviceInfo><model>M</model></DeviceInfo>`, `<DeviceInfo><firmwareVersion>V1</firmwareVersion></DeviceInfo>`} {
		if _, err := isapi.ReadInfo([]byte(b)); err == nil {
			t.Errorf("%q was read as a device's information", b)
		}
	}
}

// TestVersion: the build belongs to the version, however a device writes the two.
func TestVersion(t *testing.T) {
	for _, tc := range []struct{ firmware, released, want string }{
		{"V5.5.0", "build 170725", "V5.5.0 build 170725"},
		{"V5.7.15 build 230313", "build 230313", "V5.7.15 build 230313"},
		{"V5.7.15 build 230313", "", "V5.7.15 build 230313"},
		{"V3.4.88", "build180228", "V3.4.88 build 180228"},
		{"V5.3.0", "", "V5.3.0"},
	} {
		if got := (isapi.Info{Firmware: tc.firmware, Released: tc.released}).Version(); got != tc.want {
			t.Errorf("%q and %q are %q, want %q", tc.firmware, tc.released, got, tc.want)
		}
	}
	if got := (isapi.Info{Revision: "0x0"}).Hardware(); got != "0x0" {
		t.Errorf("a device that does not tell its platform has revision %q", got)
	}
}

func TestReadStatus(t *testing.T) {
	s, err := isapi.ReadStatus([]byte(mismatch))
	if err != nil || !s.Refusal() || s.OK() || s.Busy() || s.Reboot() || !strings.Contains(s.Error(), "badDevType") {
		t.Errorf("%+v, %v", s, err)
	}
	for code, is := range map[string]func(*isapi.Status) bool{"0": (*isapi.Status).OK, "1": (*isapi.Status).OK, "2": (*isapi.Status).Busy, "7": (*isapi.Status).Reboot} {
		s, err := isapi.ReadStatus([]byte("<ResponseStatus><statusCode>" + code + "</statusCode></ResponseStatus>"))
		if err != nil || !is(&s) || s.Refusal() {
			t.Errorf("status %s: %+v, %v", code, s, err)
		}
	}
	for _, b := range []string{"", "<ResponseStatus/>", camera, "<ResponseStatus><statusCode>yes</statusCode></ResponseStatus>"} {
		if _, err := isapi.ReadStatus([]byte(b)); err == nil {
			t.Errorf("%q was read as a status", b)
		}
	}
	if p, err := isapi.ReadProgress([]byte("<upgradeStatus><upgrading>true</upgrading><percent>42</percent></upgradeStatus>")); err != nil || !p.Upgrading || p.Percent != 42 {
		t.Errorf("%+v, %v", p, err)
	}
}

// FuzzRead reads any answer as each of the three: never a panic, and what is said of it stays within what came.
func FuzzRead(f *testing.F) {
	for _, b := range []string{camera, mismatch, "<upgradeStatus><upgrading>true</upgrading><percent>42</percent></upgradeStatus>", "<a><a><a>", "<DeviceInfo>&#x0;</DeviceInfo>"} {
		f.Add([]byte(b))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if i, err := isapi.ReadInfo(b); err == nil && (i.Version() == "" && strings.TrimSpace(i.Firmware) != "" || len(i.Version()) > len(b)+len(" build ")) {
			t.Errorf("%+v is version %q", i, i.Version())
		}
		if s, err := isapi.ReadStatus(b); err == nil && (s.Code < 0 || len(s.Error()) > 1000) {
			t.Errorf("%+v", s)
		}
		_, _ = isapi.ReadProgress(b)
	})
}
