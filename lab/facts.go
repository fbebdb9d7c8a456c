package lab

import (
	"net/netip"
	"time"
)

// Facts is the ground truth about one device, for tests and stories to compare with what firmward believes.
type Facts struct {
	Name             string               `json:"name"`
	Site             string               `json:"site"`
	Kind             string               `json:"kind"` // plug, camera, printer, pump, nas, light, hue, relay, router, ip-camera, bmc
	Addrs            []netip.Addr         `json:"addrs"`
	MACs             []string             `json:"macs"` // in the order of Addrs
	Serial           string               `json:"serial"`
	Model            string               `json:"model"`
	HardwareRev      string               `json:"hardwareRev"`      // the true one, whatever a fault makes it report
	InstalledVersion string               `json:"installedVersion"` // the version in the active slot
	ActiveSlot       int                  `json:"activeSlot"`       // 0 or 1
	Slots            []Slot               `json:"slots"`            // one, or two for A/B devices
	Committed        bool                 `json:"committed"`        // false: a dead-man fall-back is still possible
	Powered          bool                 `json:"powered"`          // false: off, or dark while it reboots
	Bricked          bool                 `json:"bricked"`          // it will not come back
	Frozen           bool                 `json:"frozen"`           // a fragile device that was handled too roughly
	FrozenBy         string               `json:"frozenBy,omitempty"`
	ServiceUp        map[string]bool      `json:"serviceUp"`
	Flashes          []Flash              `json:"flashes"`
	Ports            map[string]PortCount `json:"ports"` // by "tcp/80", "udp/161"; only ports that were ever reached for
	PrintedPages     int64                `json:"printedPages"`
	Faults           []string             `json:"faults"`
	Battery          *int                 `json:"battery,omitempty"`  // percent; nil: it has none
	External         bool                 `json:"external,omitempty"` // it is on external power beside its battery
	Signal           int                  `json:"signal,omitempty"`   // dBm; 0: it is wired, or its kind does not tell
	UpSince          time.Time            `json:"upSince"`            // house time of the last boot
}

// Slot is one place for firmware. Version is empty after a purge.
type Slot struct {
	Version     string `json:"version"`
	ImageSHA256 string `json:"imageSHA256"` // hexadecimal, of the whole file; empty for what the factory put there
}

// Flash is one attempt to install firmware.
type Flash struct {
	At           time.Time `json:"at"` // house time
	SHA256       string    `json:"sha256"`
	Version      string    `json:"version"`
	Bytes        int64     `json:"bytes"`
	Outcome      string    `json:"outcome"`      // one of the Outcome constants
	DeliveryPath string    `json:"deliveryPath"` // one of the Path constants
}

// Outcomes of a Flash.
const (
	OutcomeWriting        = "writing"         // under way
	OutcomeInstalled      = "installed"       // it runs
	OutcomeInvalid        = "invalid-image"   // bad magic, length or checksum
	OutcomeWrongModel     = "wrong-model"     // refused: made for another model or hardware revision
	OutcomeOlder          = "older-version"   // refused: a downgrade
	OutcomeUnsigned       = "unsigned"        // refused: no signature
	OutcomeRevoked        = "revoked"         // refused: the maker has withdrawn the version
	OutcomeDownloadFailed = "download-failed" // the URL gave no complete image
	OutcomePowerCut       = "power-cut"       // power was lost while writing
	OutcomeReverted       = "reverted"        // written, but the device came back with the old version
	OutcomeRolledBack     = "rolled-back"     // ran, then the device went back to the old slot
	OutcomeBricked        = "bricked"         // the device never came back
)

// Delivery paths of a Flash.
const (
	PathPull   = "pull"         // fetched from the URL in the request
	PathVendor = "vendor-cloud" // fetched from the maker, see [Device.Offer]
	PathPush   = "push"         // uploaded to the device
	PathByHand = "by-hand"      // see [Device.InstallByHand]
)

// PortCount is what reached one port of a device.
type PortCount struct {
	Conns   int64 `json:"conns"`   // accepted TCP connections, or UDP packets to an open port
	Refused int64 `json:"refused"` // TCP connects or UDP packets to a closed port
	Dropped int64 `json:"dropped"` // the same while the device was silent
	Bytes   int64 `json:"bytes"`   // payload received
}
