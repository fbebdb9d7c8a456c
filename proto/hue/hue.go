// Package hue holds the messages of the Hue bridge's first interface (/api) as far as updates need them: who the bridge is,
// how it updates itself, which lamps hang on it. No I/O.
//
// The application key of the owner is part of each path. What a bridge tells those who have one holds the keys of all
// applications, so nothing of it is kept but the members that are named here.
package hue

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Config is what a bridge says of itself. Strangers get no Update.
type Config struct {
	Name     string  `json:"name"`
	BridgeID string  `json:"bridgeid"`
	MAC      string  `json:"mac"`
	Model    string  `json:"modelid"`
	Version  string  `json:"swversion"`
	API      string  `json:"apiversion"`
	Update   *Update `json:"swupdate2"`
}

// Update is how a bridge gets its updates and those of its lamps.
type Update struct {
	State string `json:"state"` // noupdates, transferring, anyreadytoinstall, allreadytoinstall, installing
	Auto  struct {
		On   bool   `json:"on"`
		Time string `json:"updatetime"` // "T03:00:00", local time
	} `json:"autoinstall"`
}

// Ready reports whether something newer waits to be installed.
func (u Update) Ready() bool { return strings.HasSuffix(u.State, "readytoinstall") }

// Lamp is what hangs on a bridge.
type Lamp struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Model    string `json:"modelid"`
	Maker    string `json:"manufacturername"`
	Product  string `json:"productname"`
	UniqueID string `json:"uniqueid"` // Zigbee address and endpoint, "00:17:88:01:00:bd:c7:b9-0b"
	Version  string `json:"swversion"`
	State    struct {
		Reachable bool `json:"reachable"`
	} `json:"state"`
}

// Address is the Zigbee address (EUI-64) without the endpoint.
func (l Lamp) Address() string {
	a, _, _ := strings.Cut(l.UniqueID, "-")
	return a
}

// Error is a refusal, which comes with HTTP status 200. Kind 1 means: this key is not known.
type Error struct {
	Kind        int    `json:"type"`
	Description string `json:"description"`
}

func (e *Error) Error() string { return e.Description + " (type " + strconv.Itoa(e.Kind) + ")" }

// unauthorized is the kind of an error about the key.
const unauthorized = 1

// Unauthorized reports whether the key is not known to the bridge.
func (e *Error) Unauthorized() bool { return e.Kind == unauthorized }

// ConfigPath is where a bridge tells of itself; an empty key stands for a stranger.
func ConfigPath(key string) string {
	if key == "" {
		return "/api/config"
	}
	return "/api/" + key + "/config"
}

// LampsPath is where a bridge tells of its lamps.
func LampsPath(key string) string { return "/api/" + key + "/lights" }

// Key reports whether a key can stand in a path: 10 to 40 letters, digits and dashes.
func Key(key string) bool {
	return len(key) >= 10 && len(key) <= 40 && strings.Trim(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == ""
}

// ReadConfig reads the answer of ConfigPath. It fails with an *Error when the bridge refused, and when no bridge answered.
func ReadConfig(b []byte) (Config, error) {
	var c Config
	if err := read(b, &c); err != nil {
		return Config{}, err
	}
	if c.BridgeID == "" || c.Version == "" {
		return Config{}, fmt.Errorf("read the bridge's configuration: it names no bridge")
	}
	return c, nil
}

// maxLamps is more than a bridge bears (50 lamps, 63 with those of other makers).
const maxLamps = 256

// ReadLamps reads the answer of LampsPath, in the bridge's own order. Lamps without an address are left out.
func ReadLamps(b []byte) ([]Lamp, error) {
	byID := map[string]Lamp{}
	if err := read(b, &byID); err != nil {
		return nil, err
	}
	if len(byID) > maxLamps {
		return nil, fmt.Errorf("read the bridge's lamps: there are %d, more than any bridge has", len(byID))
	}
	number := func(id string) int { n, _ := strconv.Atoi(id); return n }
	var out []Lamp
	for _, id := range slices.SortedFunc(maps.Keys(byID), func(a, b string) int { return number(a)*1000 - number(b)*1000 + strings.Compare(a, b) }) {
		if l := byID[id]; l.Address() != "" {
			out = append(out, l)
		}
	}
	return out, nil
}

// SetAuto is the body that switches automatic updates on or off and leaves their time as it is.
func SetAuto(on bool) []byte {
	return fmt.Appendf(nil, `{"swupdate2":{"autoinstall":{"on":%t}}}`, on)
}

// ReadSet reads the answer to a change. It fails with an *Error when the bridge refused.
func ReadSet(b []byte) error {
	var done []struct {
		Success json.RawMessage `json:"success"`
	}
	if err := read(b, &done); err != nil {
		return err
	}
	if len(done) == 0 || len(done[0].Success) == 0 {
		return fmt.Errorf("read the bridge's answer: it confirms nothing")
	}
	return nil
}

// read takes errors, which come as a list, before anything else.
func read(b []byte, into any) error {
	var refused []struct {
		Error *Error `json:"error"`
	}
	if json.Unmarshal(b, &refused) == nil {
		for _, r := range refused {
			if r.Error != nil {
				return r.Error
			}
		}
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("read the bridge's answer: %w", err)
	}
	return nil
}

// Time is the hour and minute at which updates are installed, "03:00"; empty when it is not said.
func (u Update) Time() string {
	t, err := time.Parse("T15:04:05", u.Auto.Time)
	if err != nil {
		return ""
	}
	return t.Format("15:04")
}
