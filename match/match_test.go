package match_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/feed/sources"
	"github.com/firmward/firmward/match"
)

var now = time.Date(2026, 3, 20, 0, 0, 0, 0, time.UTC)

// record is one CVE of an NVD 2.0 document: versions of a firmware before end, on its hardware.
func record(id, modified, status, firmware, end string) string {
	return fmt.Sprintf(`{"cve":{"id":%q,"published":"2026-01-02T00:00:00","lastModified":%q,"vulnStatus":%q,"descriptions":[{"lang":"en","value":"a hole"}],
	"configurations":[{"operator":"AND","nodes":[{"operator":"OR","cpeMatch":[{"vulnerable":true,"criteria":"cpe:2.3:o:acme:%[4]s_firmware:*:*:*:*:*:*:*:*","versionEndExcluding":%[5]q}]},
	{"operator":"OR","cpeMatch":[{"vulnerable":false,"criteria":"cpe:2.3:h:acme:%[4]s:-:*:*:*:*:*:*:*"}]}]}]}}`, id, modified, status, firmware, end)
}

func document(t *testing.T, name string, records ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	text := fmt.Sprintf(`{"resultsPerPage":%[1]d,"startIndex":0,"totalResults":%[1]d,"format":"NVD_CVE","version":"2.0","timestamp":"2026-03-01T00:00:00.000","vulnerabilities":[%[2]s]}`,
		len(records), strings.Join(records, ","))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func build(t *testing.T, base string, files ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "x.idx")
	if _, err := (match.Build{Sources: sources.All(), Files: files, Base: base, Out: out, Now: now}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return out
}

func device(id, product, version string) string {
	return fmt.Sprintf("%s\tcpe:2.3:o:acme:%[2]s_firmware:%[3]s:*:*:*:*:*:*:*,cpe:2.3:h:acme:%[2]s:-:*:*:*:*:*:*:*\n", id, product, version)
}

func run(t *testing.T, index, devices string, m match.Run) ([]string, match.Judged) {
	t.Helper()
	f, err := match.Open(index)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m.Index = f.Index
	var out bytes.Buffer
	done, err := m.Lines(t.Context(), strings.NewReader(devices), &out)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(out.String()) {
		var a match.Answer
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatal(err)
		}
		if (a.Explanation != nil) != m.Explain || (a.Digest != "") != m.Explain {
			t.Errorf("explanation of %s", line)
		}
		lines = append(lines, strings.TrimSpace(strings.Join([]string{a.ID, a.CVE, string(a.Verdict), a.Why, a.FixedIn}, " ")))
	}
	return lines, done
}

func TestRun(t *testing.T) {
	index := build(t, "", document(t, "nvd.json",
		record("CVE-2026-0001", "2026-01-03T00:00:00", "Analyzed", "cam", "2.0"), record("CVE-2026-0002", "2026-01-03T00:00:00", "Deferred", "cam", "1.5"),
		record("CVE-2026-0003", "2026-01-03T00:00:00", "Analyzed", "lock", "9")))
	devices := "# a comment\n\n" + device("a", "cam", "1.7") + device("b", "cam", "1.7") + "broken\n" + device("c", "cam", "*") + "d\tcpe:/x:old\n" + "g\tcpe:/o:acme:cam_firmware:1.7,cpe:/h:acme:cam\n" + device("e \"q\"", "lock", "8.1") + device("f", "other", "1")
	var bad []string
	got, done := run(t, index, devices, match.Run{Bad: func(line int, err error) { bad = append(bad, fmt.Sprint(line, " ", err)) }})
	want := []string{
		"a CVE-2026-0001 likely version-in-range", "b CVE-2026-0001 likely version-in-range",
		"c CVE-2026-0001 possible device-version-unknown", "c CVE-2026-0002 possible device-version-unknown",
		"g CVE-2026-0001 likely version-in-range",
		`e "q" CVE-2026-0003 likely version-in-range`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if done != (match.Judged{Devices: 6, Fingerprints: 6, Verdicts: 6, Bad: 2}) {
		t.Errorf("%+v", done)
	}
	if len(bad) != 2 || !strings.HasPrefix(bad[0], "5 ") || !strings.HasPrefix(bad[1], "7 ") {
		t.Errorf("bad lines: %q", bad)
	}
	got, _ = run(t, index, device("a", "cam", "1.7"), match.Run{Explain: true, All: true})
	if diff := cmp.Diff([]string{"a CVE-2026-0001 likely version-in-range 2.0", "a CVE-2026-0002 not-affected version-out-of-range"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestChanges: changes applied one after the other give the file that the end state gives.
func TestChanges(t *testing.T) {
	year := document(t, "year.json", record("CVE-2026-0001", "2026-01-03T00:00:00", "Analyzed", "cam", "2.0"), record("CVE-2026-0002", "2026-01-03T00:00:00", "Analyzed", "cam", "1.5"))
	first := document(t, "nvd.json", record("CVE-2026-0001", "2026-02-03T00:00:00", "Modified", "cam", "2.1"), record("CVE-2026-0004", "2026-02-03T00:00:00", "Received", "lock", "3"))
	second := document(t, "nvd.json", record("CVE-2026-0002", "2026-03-03T00:00:00", "Rejected", "cam", "1.5"), record("CVE-2026-0001", "2026-01-01T00:00:00", "Analyzed", "old", "0.1"))
	read := func(path string) []byte {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	step := build(t, build(t, build(t, "", year), first), second)
	if !bytes.Equal(read(step), read(build(t, "", second, year, first))) {
		t.Error("as changes, another file")
	}
	got, _ := run(t, step, device("a", "cam", "1.0"), match.Run{All: true})
	if diff := cmp.Diff([]string{"a CVE-2026-0001 likely version-in-range"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestRefused(t *testing.T) {
	dir := t.TempDir()
	good := build(t, "", document(t, "nvd.json", record("CVE-2026-0001", "2026-01-03T00:00:00", "Analyzed", "cam", "2.0")))
	file := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	block, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	block[len(block)/2] ^= 1
	for path, want := range map[string]string{
		file("damaged.idx", block): "damaged", file("short.idx", block[:40]): "damaged", file("empty.idx", nil): "damaged", dir: "no plain file", filepath.Join(dir, "none.idx"): "match build",
	} {
		if _, err := match.Open(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, _ = z.Write([]byte(`{"format":"NVD_CVE","version":"2.0","timestamp":"2026-03-01T00:00:00.000","vulnerabilities":[],"x":"`))
	for range 64 {
		_, _ = z.Write(bytes.Repeat([]byte(" "), 1<<20))
	}
	_ = z.Close()
	out := file("out.idx", []byte("as it was"))
	for path, want := range map[string]string{
		file("cut.json", []byte(`{"format":"NVD_CVE","version":"2.0","vulnerabilities":[{"cve":{"id":"CVE-1`)): "at byte",
		file("other.json", []byte(`{"hello":1}`)):                                                              "no feed", file("bomb.json.gz", bomb.Bytes()): "expands more than",
	} {
		_, err := match.Build{Sources: sources.All(), Files: []string{path}, Out: out, Now: now}.Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), filepath.Base(path)) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
		if code := firmward.CodeOf(err); code != firmward.Invalid && code != firmward.TooLarge {
			t.Errorf("%s: code %s", path, code)
		}
		if b, err := os.ReadFile(out); err != nil || string(b) != "as it was" {
			t.Errorf("%s: the file was touched: %q, %v", path, b, err)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, ".out*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}
