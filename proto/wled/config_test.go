package wled_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/firmward/firmward/proto/wled"
)

func TestAdopt(t *testing.T) {
	other := []byte(`{"id":{"name":"shelf"},"hw":{"led":{"total":60}},"nw":{"ins":[{"ssid":"house","ip":[192,168,1,5]}]},"ap":{"pskl":8},"eth":{"type":2},
		"if":{"mqtt":{"broker":"192.168.1.9","pskl":12,"psk":"leaked"}},"um":{"Weather":{"apiKey":"abc","on":true,"mqttPassword":"x"}}}`)
	mine := []byte(`{"id":{"name":"twin"},"hw":{},"nw":{"ins":[{"ssid":"segment"}]},"ap":{"ssid":"mine"}}`)
	got, err := wled.Adopt(other, mine)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"name":"twin"`, `"total":60`, `"ssid":"segment"`, `"ssid":"mine"`, `"broker":"192.168.1.9"`, `"pskl":12`, `"on":true`} {
		if !bytes.Contains(got, []byte(want)) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	for _, never := range []string{"shelf", "house", "192,168", `"eth"`, "leaked", "abc", "mqttPassword"} {
		if bytes.Contains(got, []byte(never)) {
			t.Errorf("%s went along: %s", never, got)
		}
	}
	for _, bad := range []string{``, `[]`, `null`, `{"id":`} {
		if got, err := wled.Adopt([]byte(bad), mine); err == nil {
			t.Errorf("%q became %s", bad, got)
		}
	}
}

func TestPack(t *testing.T) {
	saved, err := wled.Pack(wled.File{Path: wled.ConfigPath, Body: []byte(`{"id":{}}`)}, wled.File{Path: wled.PresetsPath, Body: []byte(`{"0":{}}`)})
	if err != nil {
		t.Fatal(err)
	}
	config, presets, err := wled.Unpack(saved)
	if err != nil || string(config) != `{"id":{}}` || string(presets) != `{"0":{}}` {
		t.Errorf("%s %s %v", config, presets, err)
	}
	empty, _ := wled.Pack()
	for what, bad := range map[string][]byte{"nothing": nil, "no archive": []byte("hello"), "empty": empty, "cut": saved[:515]} {
		if _, _, err := wled.Unpack(bad); err == nil {
			t.Errorf("%s was unpacked", what)
		}
	}
}

// FuzzAdopt reads any configuration: what comes out is an object that holds no text under the name of a password.
func FuzzAdopt(f *testing.F) {
	f.Add([]byte(`{"id":{"name":"a"},"um":{"psk":"x"}}`), []byte(`{"nw":{}}`))
	f.Fuzz(func(t *testing.T, other, mine []byte) {
		got, err := wled.Adopt(other, mine)
		if err != nil {
			return
		}
		var cfg map[string]any
		if json.Unmarshal(got, &cfg) != nil || cfg == nil {
			t.Fatalf("%q", got)
		}
		for name, v := range cfg {
			if _, text := v.(string); text && strings.Contains(strings.ToLower(name), "pass") {
				t.Errorf("%q", got)
			}
		}
	})
}

// FuzzUnpack reads any archive.
func FuzzUnpack(f *testing.F) {
	saved, _ := wled.Pack(wled.File{Path: wled.ConfigPath, Body: []byte(`{"id":{}}`)})
	f.Add(saved)
	f.Fuzz(func(t *testing.T, b []byte) {
		if config, _, err := wled.Unpack(b); err == nil && len(config) > len(b) {
			t.Errorf("%d bytes from %d", len(config), len(b))
		}
	})
}
