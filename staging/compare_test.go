package staging_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/staging"
	"github.com/firmward/firmward/wire"
)

var update = flag.Bool("update", false, "write golden files anew")

// pack reads a test pack in short: probes as "name port outcome took reading=value …".
type pack struct {
	Probes   []string
	Ports    []uint16
	Knocked  bool
	Factory  string
	Settings map[string]string
	NotTried map[string]string
}

func (p pack) full(t *testing.T) firmward.TestPack {
	out := firmward.TestPack{At: now, Ports: p.Ports, Knocked: p.Knocked, Factory: p.Factory, Settings: p.Settings, NotTried: p.NotTried}
	for _, line := range p.Probes {
		words := strings.Split(line, "|")
		var r firmward.ProbeResult
		var outcome, took string
		if _, err := fmt.Sscan(words[0], &r.Probe, &r.Port, &outcome, &took); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		d, err := time.ParseDuration(took)
		if err != nil {
			t.Fatal(err)
		}
		r.Outcome, r.Took, r.Serves = firmward.Outcome(outcome), d, outcome == string(firmward.Answered)
		for _, w := range words[1:] {
			name, v, ok := strings.Cut(w, "=")
			if !ok {
				r.Note = name
				continue
			}
			r.Readings = append(r.Readings, firmward.Reading{Name: name, Value: v})
		}
		out.Probes = append(out.Probes, r)
	}
	return out
}

// TestCompare compares the packs of each file of testdata/compare; what is found stands beside them. A case is a file.
func TestCompare(t *testing.T) {
	files, err := filepath.Glob("testdata/compare/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(len(files), err)
	}
	kinds := map[string]bool{}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var in struct {
				Of            staging.Compared
				Before, After pack
			}
			dec := json.NewDecoder(bytes.NewReader(b))
			dec.DisallowUnknownFields()
			if err := dec.Decode(&in); err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for _, c := range staging.Compare(in.Before.full(t), in.After.full(t), in.Of) {
				fmt.Fprintf(&got, "%-16s %-9s %s [%s → %s]\n", c.Name, c.Verdict, c.Why, c.Before, c.After)
				kinds[c.Name+" "+c.Verdict] = true
			}
			golden := strings.TrimSuffix(file, ".json") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got.String()), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got.String()); d != "" {
				t.Error(d)
			}
		})
	}
	for _, kind := range []string{"stream failed", "messages failed", "controller failed", "snmp failed", "services failed", "services changed", "banners failed", "banners changed", "password failed", "password changed", "ports failed", "ports changed", "ports not-tried", "latency failed", "certificate failed", "certificate passed", "factory-password failed", "factory-password changed", "name failed", "name changed", "configuration failed", "configuration changed", "configuration passed"} {
		if !kinds[kind] {
			t.Errorf("no file shows %s", kind)
		}
	}
}

// TestPorts: no port at which the guard lets nobody knock, none twice.
func TestPorts(t *testing.T) {
	seen := map[uint16]bool{}
	for _, p := range staging.Ports() {
		if wire.NeverPorts(p) || seen[p] {
			t.Errorf("port %d", p)
		}
		seen[p] = true
	}
}

func archive(t *testing.T, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for i := 0; i < len(files); i += 2 {
		if err := w.WriteHeader(&tar.Header{Name: files[i], Mode: 0o600, Size: int64(len(files[i+1]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestSettings(t *testing.T) {
	keys := func(b []byte) string {
		t.Helper()
		m, err := staging.Settings(b, "salt")
		if err != nil {
			t.Fatal(err)
		}
		out, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	first := keys(archive(t, "./etc/a", "1", "etc/b", "2"))
	if first != keys(archive(t, "etc/b", "2", "etc/a", "1")) || !strings.Contains(first, `"etc/a"`) {
		t.Errorf("the order of an archive says nothing: %s", first)
	}
	if strings.Contains(first, `"1"`) || first == keys(archive(t, "etc/a", "1", "etc/b", "3")) {
		t.Errorf("a value stands there, or another one is the same: %s", first)
	}
	if m, err := staging.Settings([]byte("# comment\nname = x\nkey=secret\n"), "s"); err != nil || len(m) != 2 || m["key"] == "secret" || m["name"] == "" {
		t.Errorf("%v, %v", m, err)
	}
	if m, err := staging.Settings([]byte("\x00\x01opaque"), "s"); err != nil || len(m) != 1 || m["the whole"] == "" {
		t.Errorf("%v, %v", m, err)
	}
	light := keys(archive(t, "cfg.json", `{"id":{"name":"shelf"},"if":{"mqtt":{"broker":"","port":1883}},"hw":{"led":{"ins":[{"pin":[2]}]}}}`, "presets.json", `{"0":{}}`))
	for _, way := range []string{`"cfg.json id.name"`, `"cfg.json if.mqtt.port"`, `"cfg.json hw.led.ins.0.pin.0"`, `"presets.json"`} {
		if !strings.Contains(light, way) {
			t.Errorf("no %s in %s", way, light)
		}
	}
	if strings.Contains(light, "broker") || keys([]byte(`{"a":{"b":true}}`)) == keys([]byte(`{"a":{"b":false}}`)) {
		t.Errorf("what is empty stands there, or another value is the same: %s", light)
	}
	a, _ := staging.Settings([]byte("a=1"), "s")
	b, _ := staging.Settings([]byte("a=1"), "t")
	if a["a"] == b["a"] {
		t.Error("hashes of two rehearsals can be compared")
	}
	whole := archive(t, "etc/a", strings.Repeat("1", 2000))
	for what, bad := range map[string][]byte{"cut": whole[:len(whole)-20], "a bomb": packed(t, make([]byte, 33<<20))} {
		if m, err := staging.Settings(bad, "s"); err == nil {
			t.Errorf("%s was read as %v", what, m)
		}
	}
}

func packed(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// FuzzSettings: a saved configuration comes from a device.
func FuzzSettings(f *testing.F) {
	for _, b := range []string{"a=1\nb=2", "\x1f\x8b", "", "x"} {
		f.Add([]byte(b))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := staging.Settings(b, "s")
		if err == nil && len(m) == 0 {
			t.Error("neither an entry nor an error")
		}
	})
}
