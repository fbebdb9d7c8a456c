// Package shelly holds the messages of the Shelly Gen2 RPC (HTTP form): requests are JSON frames posted
// to /rpc, answers carry a result or an error with a code. No I/O.
package shelly

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// DeviceInfo is the answer of GET /shelly and of Shelly.GetDeviceInfo.
type DeviceInfo struct {
	Name    string `json:"name"`
	ID      string `json:"id"`
	MAC     string `json:"mac"`
	Model   string `json:"model"`
	Gen     int    `json:"gen"`
	FwID    string `json:"fw_id"`
	Version string `json:"ver"`
	App     string `json:"app"`
	Auth    bool   `json:"auth_en"`
}

// Status is the part of Shelly.GetStatus that matters for updates.
type Status struct {
	WiFi struct {
		RSSI *float64 `json:"rssi"` // dBm
	} `json:"wifi"`
	Eth struct {
		IP string `json:"ip"` // set while a cable is in use
	} `json:"eth"`
	Power []Power `json:"-"` // of the components devicepower:0, devicepower:1 …

	Sys struct {
		Available map[string]struct {
			Version string `json:"version"`
		} `json:"available_updates"`
		Uptime  int  `json:"uptime"`
		Restart bool `json:"restart_required"`
	} `json:"sys"`
}

// Power is a component of devices with a battery.
type Power struct {
	Battery struct {
		Percent *float64 `json:"percent"`
	} `json:"battery"`
	External struct {
		Present bool `json:"present"`
	} `json:"external"`
}

// UnmarshalJSON reads the parts with a name of their own, and the numbered ones.
func (s *Status) UnmarshalJSON(b []byte) error {
	type plain Status
	if err := json.Unmarshal(b, (*plain)(s)); err != nil {
		return err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil {
		return err
	}
	for name, body := range all {
		if !strings.HasPrefix(name, "devicepower:") {
			continue
		}
		var p Power
		if err := json.Unmarshal(body, &p); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		s.Power = append(s.Power, p)
	}
	return nil
}

// Battery is the charge of the emptiest battery, in percent; nil where there is none or it does not tell. external reports whether
// one of them has external power.
func (s Status) Battery() (percent *int, external bool) {
	for _, p := range s.Power {
		external = external || p.External.Present
		if v := p.Battery.Percent; v != nil && *v >= 0 && *v <= 100 && (percent == nil || int(*v) < *percent) {
			percent = new(int(*v))
		}
	}
	return percent, external
}

// Signal is how the radio hears the network, in dBm; nil where it is not in use or does not tell.
func (s Status) Signal() *int {
	if v := s.WiFi.RSSI; v != nil && *v <= -1 && *v >= -127 && s.Eth.IP == "" {
		return new(int(*v))
	}
	return nil
}

// Switch is the answer of Switch.GetStatus.
type Switch struct {
	ID     int   `json:"id"`
	Output *bool `json:"output"`
}

// Error is an RPC error. An unsupported method has code 404 (seen on devices; not JSON-RPC's -32601).
type Error struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// Error quotes the device's message, cut to what a person reads.
func (e *Error) Error() string {
	return fmt.Sprintf("the device answered error %d: %.200q", e.Code, e.Message)
}

// NotNow reports whether the device lacks what it needs at this moment: it is at something else
// (-109 failed precondition), out of room (-108 resource exhausted) or not ready (-114 unavailable).
func (e *Error) NotNow() bool { return e.Code == -108 || e.Code == -109 || e.Code == -114 }

// Request builds a frame. params may be nil.
func Request(id int, method string, params any) ([]byte, error) {
	frame := struct {
		ID     int    `json:"id"`
		Src    string `json:"src"`
		Method string `json:"method"`
		Params any    `json:"params,omitempty"`
	}{id, "firmward", method, params}
	b, err := json.Marshal(frame)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", method, err)
	}
	return b, nil
}

// Response reads an answer frame into result, which may be nil. An RPC error comes back as *Error.
func Response(b []byte, result any) error {
	var frame struct {
		Result json.RawMessage `json:"result"`
		Error  *Error          `json:"error"`
	}
	if err := json.Unmarshal(b, &frame); err != nil {
		return fmt.Errorf("read RPC answer: %w", err)
	}
	if frame.Error != nil {
		return frame.Error
	}
	switch {
	case len(frame.Result) == 0: // a method without a result answers null
		return errors.New("read RPC answer: neither result nor error")
	case result == nil:
		return nil
	}
	if err := json.Unmarshal(frame.Result, result); err != nil {
		return fmt.Errorf("read RPC result: %w", err)
	}
	return nil
}
