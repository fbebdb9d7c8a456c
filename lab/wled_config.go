package lab

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// The files in which WLED keeps how it is set up. A third one holds its passwords and is given to nobody.
const (
	wledConfig  = "/cfg.json"
	wledPresets = "/presets.json"
)

// wledFile bounds an uploaded file, in bytes, and wledFiles how many there are.
const (
	wledFile  = 128 << 10
	wledFiles = 16
)

// factory are the files of a controller that nobody has set up yet, except that it is called so and knows its network. Of a password only
// its length is told.
func (c *light) factory(name string) map[string][]byte {
	type m = map[string]any
	short := c.mac()[6:]
	cfg, err := json.Marshal(m{
		"rev": []int{1, 0}, "vid": wledBuild, "id": m{"mdns": "wled-" + short, "name": name, "inv": "Light", "sui": false},
		"nw": m{"ins": []m{{"ssid": "lab", "pskl": 12, "bssid": "", "ip": []int{0, 0, 0, 0}, "gw": []int{0, 0, 0, 0}, "sn": []int{255, 255, 255, 0}}}, "dns": []int{8, 8, 8, 8}},
		"ap": m{"ssid": "WLED-AP", "pskl": 8, "chan": 1, "hide": 0, "behav": 0, "ip": []int{4, 3, 2, 1}}, "wifi": m{"sleep": false, "phy": false, "txpwr": 78},
		"hw": m{
			"led": m{"total": 60, "maxpwr": 850, "fps": 42, "ins": []m{{"start": 0, "len": 60, "pin": []int{2}, "order": 0, "rev": false, "skip": 0, "type": 22}}},
			"btn": m{"max": 4, "pull": true, "ins": []m{{"type": 2, "pin": []int{0}, "macros": []int{0, 0, 0}}}}, "relay": m{"pin": 12, "rev": false},
		},
		"light": m{"scale-bri": 100, "pal-mode": 0, "gc": m{"bri": 1, "col": 2.8, "val": 2.8}}, "def": m{"ps": 0, "on": true, "bri": 128},
		"if": m{
			"sync": m{"port0": 21324, "port1": 65506},
			"mqtt": m{"en": false, "broker": "", "port": 1883, "user": "", "pskl": 0, "cid": "WLED-" + short, "topics": m{"device": "wled/" + short, "group": "wled/all"}},
			"ntp":  m{"en": false, "host": "0.wled.pool.ntp.org", "tz": 0, "offset": 0},
		},
		"timers": m{"ins": []m{}}, "ota": m{"lock": c.locked, "lock-wifi": false, "pskl": 7, "aota": true}, "um": m{},
	})
	if err != nil {
		panic(err) // texts and numbers always can
	}
	return map[string][]byte{wledConfig: cfg, wledPresets: []byte(`{"0":{}}`)}
}

// called is the name in its configuration. It needs mu.
func (c *light) called() string {
	var cfg struct {
		ID struct {
			Name string `json:"name"`
		} `json:"id"`
	}
	if json.Unmarshal(c.files[wledConfig], &cfg) != nil {
		return "WLED"
	}
	return or(cfg.ID.Name, "WLED")
}

// configure takes up the configuration at a boot: an image that wipes it has done so. It needs mu.
func (c *light) configure() {
	if slices.Contains(c.slots[c.active].flaws, FlawResetConfig) {
		c.files = c.factory("WLED")
	}
}

// serveFile gives a file of the controller, none with passwords, or says that there is none.
func (c *light) serveFile(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	file, ok := c.files[r.URL.Path]
	c.mu.Unlock()
	if !ok || r.Method != http.MethodGet || strings.Contains(r.URL.Path, "sec") {
		writePacked(w, http.StatusNotFound, "<!DOCTYPE html><html><head><title>Not found</title></head></html>\n")
		return
	}
	writeBody(w, http.StatusOK, "application/json", string(file))
}

// serveUpload keeps a file under the name that it comes with; a configuration is taken up by a restart.
func (c *light) serveUpload(w http.ResponseWriter, r *http.Request) {
	plain := func(status int, text string) { writeBody(w, status, "text/plain", text) }
	form, err := r.MultipartReader()
	if err != nil {
		plain(http.StatusInternalServerError, "")
		return
	}
	part, err := form.NextPart()
	if err != nil {
		plain(http.StatusInternalServerError, "")
		return
	}
	body, err := io.ReadAll(io.LimitReader(part, wledFile))
	if err != nil {
		return
	}
	name := "/" + strings.TrimPrefix(part.FileName(), "/")
	c.mu.Lock()
	locked := !c.unlocked
	if !locked && (c.files[name] != nil || len(c.files) < wledFiles) {
		c.files[name] = body
	}
	again := !locked && name == wledConfig
	if again {
		c.after(soon, func() { c.reboot(c.bootTime) })
	}
	c.mu.Unlock()
	switch {
	case locked:
		plain(http.StatusUnauthorized, "Please unlock settings using PIN code!")
	case again:
		plain(http.StatusOK, "Configuration restore successful.\nRebooting...")
	default:
		plain(http.StatusOK, "File Uploaded!")
	}
}

// SetUp changes the configuration of a WLED controller at one place, as its owner does in its web page: SetUp("def.bri", 40).
func (d *Device) SetUp(path string, value any) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.setUp == nil {
		return fmt.Errorf("set up %s: a %s keeps no configuration", d.name, d.kind)
	}
	if err := d.setUp(strings.Split(path, "."), value); err != nil {
		return fmt.Errorf("set up %s: %s: %w", d.name, path, err)
	}
	return nil
}

// Setting is one place of the configuration as JSON, or what keeps it from being told.
func (d *Device) Setting(path string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.setUp == nil {
		return "no configuration"
	}
	var is any
	if err := d.setUp(strings.Split(path, "."), &is); err != nil {
		return err.Error()
	}
	b, err := json.Marshal(is)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// set puts a value, or takes one out where value is a *any. It needs mu.
func (c *light) set(path []string, value any) error {
	var cfg map[string]any
	if err := json.Unmarshal(c.files[wledConfig], &cfg); err != nil {
		return err
	}
	at, last := cfg, path[len(path)-1]
	for _, name := range path[:len(path)-1] {
		next, ok := at[name].(map[string]any)
		if !ok {
			return fmt.Errorf("it has no %s", name)
		}
		at = next
	}
	if out, ok := value.(*any); ok {
		*out = at[last]
		return nil
	}
	at[last] = value
	body, err := json.Marshal(cfg)
	if err == nil {
		c.files[wledConfig] = body
	}
	return err
}
