// Package wled holds the messages of WLED's web interface as far as updates need them: who it is
// (/json/info), the form that carries an image (/update), and what it says of one. No I/O.
package wled

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/firmward/firmward/proto/form"
)

// Paths of the interface.
const (
	InfoPath   = "/json/info"
	StatePath  = "/json/state"
	UpdatePath = "/update"
	RevertPath = "/update?revert"
)

// Info is the part of /json/info that says which firmware runs on what.
type Info struct {
	Version string `json:"ver"`
	Release string `json:"release"` // name of the build; images carry it too and another one is refused
	Arch    string `json:"arch"`    // esp32, esp8266, ESP32-S3
	Brand   string `json:"brand"`
	MAC     string `json:"mac"`
	WiFi    struct {
		RSSI *int `json:"rssi"`
	} `json:"wifi"`
}

// Signal is how the radio hears the network, in dBm; nil where the light is wired or does not tell. What WLED calls signal is a percentage.
func (i Info) Signal() *int {
	if dBm := i.WiFi.RSSI; dBm != nil && *dBm < 0 && *dBm >= -127 { // 0, or 31 of an ESP8266, stands for no network
		return dBm
	}
	return nil
}

// ReadInfo reads /json/info. It fails when no version is in it.
func ReadInfo(b []byte) (Info, error) {
	var i Info
	if err := json.Unmarshal(b, &i); err != nil {
		return Info{}, fmt.Errorf("read WLED's information: %w", err)
	}
	if i.Version == "" {
		return Info{}, fmt.Errorf("read WLED's information: it names no version")
	}
	return i, nil
}

// Model is the name by which releases and the catalogue call a build: brand and release name. It is empty
// for versions that do not tell their release name.
func (i Info) Model() string {
	if i.Release == "" || i.Brand == "" {
		return ""
	}
	return i.Brand + " " + i.Release
}

// Unlock is the body that tells the PIN of the settings.
func Unlock(pin string) ([]byte, error) {
	b, err := json.Marshal(map[string]string{"pin": pin})
	if err != nil {
		return nil, fmt.Errorf("write the PIN: %w", err)
	}
	return b, nil
}

// Form frames an image: what comes before it and after it.
func Form(fileName string) (contentType string, head, tail []byte, err error) {
	return form.Frame("update", fileName)
}

// Mismatch reports whether the page that answers an image says that it is made for another build: the device
// offers a person to ignore that, and firmward never does.
func Mismatch(page []byte) bool { return bytes.Contains(page, []byte("Ignore firmware validation")) }

// Accepted reports whether the page says that the image was taken.
func Accepted(page []byte) bool { return bytes.Contains(page, []byte("Update successful!")) }

// Reverted reports whether the page says that the device goes back to the version before.
func Reverted(page []byte) bool { return bytes.Contains(page, []byte("Reverted to previous version!")) }
