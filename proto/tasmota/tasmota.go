// Package tasmota holds the web commands of Tasmota as far as updates need them, and what it says to them: which
// firmware runs on what (Status 2), how much room there is (Status 4), who it is (Status 5), how its radio hears (Status 11), where an
// image comes from (OtaUrl) and that it is fetched (Upgrade 1). No I/O.
//
// Source of the forms: Tasmota's support_command.ino and xdrv_01_9_webserver.ino.
package tasmota

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Commands that ask.
const (
	AskFirmware = "Status 2"
	AskMemory   = "Status 4"
	AskNetwork  = "Status 5"
	AskState    = "Status 11"
	AskURL      = "OtaUrl"
	Start       = "Upgrade 1"
)

// User is the only name that Tasmota's web password knows.
const User = "admin"

// Path is where a command is given.
func Path(command string) string {
	return "/cm?cmnd=" + strings.ReplaceAll(url.QueryEscape(command), "+", "%20")
}

// SetURL is the command that says where images come from, or an error for an address that Tasmota would change: it
// puts its chip's number in the place of "%d", and a command ends at its length of 1,200 bytes.
func SetURL(address string) (string, error) {
	if address == "" || len(address) > 1000 || strings.ContainsAny(address, "% \t\r\n\"\\") {
		return "", fmt.Errorf("the address %q cannot be told to Tasmota", address)
	}
	return AskURL + " " + address, nil
}

// Firmware is what Status 2 says.
type Firmware struct {
	Version  string // 14.2.0
	Build    string // the word in brackets without "release-": tasmota, sensors, tasmota32; another one has other abilities
	Hardware string // the chip: ESP8266EX, ESP32-D0WD-V3 v3.1
}

// Model is the name by which releases and the catalogue call a build.
func (f Firmware) Model() string { return "Tasmota " + f.Build }

// ESP8266 reports whether the chip is of the older line, whose loader needs room for two images.
func (f Firmware) ESP8266() bool { return strings.HasPrefix(f.Hardware, "ESP82") }

// ReadFirmware reads the answer to Status 2. It fails where version, build or chip is missing.
func ReadFirmware(b []byte) (Firmware, error) {
	var in struct {
		FWR struct{ Version, Hardware string } `json:"StatusFWR"`
	}
	if err := read(b, &in); err != nil {
		return Firmware{}, err
	}
	version, rest, _ := strings.Cut(in.FWR.Version, "(")
	build, _, whole := strings.Cut(rest, ")")
	f := Firmware{Version: version, Build: strings.TrimPrefix(build, "release-"), Hardware: in.FWR.Hardware}
	if f.Version == "" || f.Build == "" || !whole || f.Hardware == "" {
		return Firmware{}, errors.New("read Tasmota's answer: it does not name its version, build and chip")
	}
	return f, nil
}

// Memory is what Status 4 says, in KiB.
type Memory struct {
	Program int `json:"ProgramSize"` // of the running image
	Free    int `json:"Free"`        // beside it
	Flash   int `json:"FlashSize"`   // of the whole chip
}

// ReadMemory reads the answer to Status 4.
func ReadMemory(b []byte) (Memory, error) {
	var in struct {
		MEM Memory `json:"StatusMEM"`
	}
	if err := read(b, &in); err != nil {
		return Memory{}, err
	}
	if in.MEM.Program <= 0 || in.MEM.Free < 0 {
		return Memory{}, errors.New("read Tasmota's answer: it does not tell its sizes")
	}
	return in.MEM, nil
}

// Network is what Status 5 says.
type Network struct {
	Hostname string
	MAC      string `json:"Mac"`
}

// ReadNetwork reads the answer to Status 5. It fails where the hardware address is missing.
func ReadNetwork(b []byte) (Network, error) {
	var in struct {
		NET Network `json:"StatusNET"`
	}
	if err := read(b, &in); err != nil {
		return Network{}, err
	}
	if in.NET.MAC == "" {
		return Network{}, errors.New("read Tasmota's answer: it does not tell its hardware address")
	}
	return in.NET, nil
}

// ReadSignal reads from the answer to Status 11 how its radio hears the network, in dBm; nil where it is wired or does not tell. What
// Tasmota calls RSSI is a percentage.
func ReadSignal(b []byte) (*int, error) {
	var in struct {
		STS *struct {
			Wifi struct{ Signal *int }
		} `json:"StatusSTS"`
	}
	if err := read(b, &in); err != nil {
		return nil, err
	}
	if in.STS == nil {
		return nil, errors.New("read Tasmota's answer: it does not tell its state")
	}
	if dBm := in.STS.Wifi.Signal; dBm != nil && *dBm < 0 && *dBm >= -127 { // 0, or 31 of an ESP8266, stands for no network
		return dBm, nil
	}
	return nil, nil
}

// ReadURL reads from where images are fetched, which is the answer to both forms of OtaUrl.
func ReadURL(b []byte) (string, error) {
	var in struct{ OtaUrl *string }
	if err := read(b, &in); err != nil {
		return "", err
	}
	if in.OtaUrl == nil {
		return "", errors.New("read Tasmota's answer: it does not say where images come from")
	}
	return *in.OtaUrl, nil
}

// ReadStart reads the answer to Upgrade 1: nil when an update has begun. The error holds what the device said instead.
func ReadStart(b []byte) error {
	var in struct{ Upgrade string }
	if err := read(b, &in); err != nil {
		return err
	}
	if !strings.HasPrefix(in.Upgrade, "Version ") || !strings.Contains(in.Upgrade, " from ") {
		return fmt.Errorf("it does not begin, but says %.80q", in.Upgrade)
	}
	return nil
}

func read(b []byte, into any) error {
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("read Tasmota's answer: %w", err)
	}
	return nil
}
