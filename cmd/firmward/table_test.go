package main

import (
	"encoding/hex"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/firmward/firmward/httpapi"
)

// TestTable: a table keeps to the page. Names stay whole as long as anything else can give way.
func TestTable(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	work := table{head: []string{"WORK ORDER", "DEVICE", "FOR", "WHAT"}, rows: [][]string{
		{"wo-467niuuomzsem", "printer-1", "nobody yet", "Update the printer in its web page to 002_2208a"},
		{"wo-467niuuomzsen", "storage box", "Anna", "Replace it\x1b[31m"},
	}}
	for _, c := range []struct {
		name  string
		table table
		width int
		tty   bool
		want  string
	}{
		{"wide", work, 100, false, `
WORK ORDER        DEVICE       FOR         WHAT
wo-467niuuomzsem  printer-1    nobody yet  Update the printer in its web page to 002_2208a
wo-467niuuomzsen  storage box  Anna        Replace it?[31m
`},
		{"the last column wraps", work, 70, false, `
WORK ORDER        DEVICE       FOR         WHAT
wo-467niuuomzsem  printer-1    nobody yet  Update the printer in its
                                           web page to 002_2208a
wo-467niuuomzsen  storage box  Anna        Replace it?[31m
`},
		{"then the widest that can", work, 60, false, `
WORK ORDER        DEVICE     FOR     WHAT
wo-467niuuomzsem  printer-1  nobody  Update the printer in
                             yet     its web page to
                                     002_2208a
wo-467niuuomzsen  storage    Anna    Replace it?[31m
                  box
`},
		{"words break on a terminal only", table{head: []string{"A", "SENT"}, rows: [][]string{{"1", `{"id":1,"src":"firmward"}`}}}, 16, true, `
A  SENT
1  {"id":1,"src"
   :"firmward"}
`},
		{"elsewhere they stay whole", table{head: []string{"A", "SENT"}, rows: [][]string{{"1", `{"id":1,"src":"firmward"}`}}}, 16, false, `
A  SENT
1  {"id":1,"src":"firmward"}
`},
		{"nothing", table{head: []string{"A"}}, 80, true, "\nnone\n"},
	} {
		var out strings.Builder
		c.table.write(&app{out: &out, tty: c.tty, width: c.width})
		if diff := cmp.Diff(c.want[1:], out.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	var out strings.Builder
	work.write(&app{out: &out, tty: true, width: 52})
	for line := range strings.Lines(out.String()) {
		if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > 52 {
			t.Errorf("wider than the page: %q", line)
		}
	}
}

func TestRefusalTable(t *testing.T) {
	got := refusalTable([]httpapi.Target{
		{Device: "plug-2", Code: "spare", Why: "it is a spare"},
		{Device: "plug-9", Code: "model-mismatch", Why: "A, this one is B"},
		{Device: "plug-8", Code: "model-mismatch", Why: "A, this one is C"},
		{Device: "plug-7", Code: "model-mismatch", Why: "A, this one is B"},
	})
	want := [][]string{
		{"model-mismatch", "A, this one is B", "plug-7, plug-9"},
		{"model-mismatch", "A, this one is C", "plug-8"},
		{"spare", "it is a spare", "plug-2"},
	}
	if diff := cmp.Diff(want, got.rows); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestBeginning: a packet shows its first line where that is text, whatever follows it.
func TestBeginning(t *testing.T) {
	for sent, want := range map[string]string{
		"GET / HTTP/1.1\r\nHost: a\r\n":      "GET / HTTP/1.1",
		"POST /ipp HTTP/1.1\r\n\r\n\x02\x00": "POST /ipp HTTP/1.1",
		"\x00\x01":                           "0001",
		"\r\n":                               "0d0a",
		"\xff\xfe":                           "fffe",
		"\x1b[2J\r\n":                        "1b5b324a0d0a",
		strings.Repeat("\x00", 20):           strings.Repeat("00", 16) + "…",
	} {
		if got := beginning(httpapi.Packet{Hex: hex.EncodeToString([]byte(sent))}); got != want {
			t.Errorf("%q: got %q, want %q", sent, got, want)
		}
	}
}

func TestChangeText(t *testing.T) {
	for in, want := range map[string]string{"Owner": "owner", "NeverContain": "never contain", "MACs": "MACs", "FirstSeen": "first seen", "created": "created"} {
		if got := fieldWords(in); got != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{`""`: "none", `"Anna"`: "Anna", `true`: "yes", `null`: "none", `["a","b"]`: "a, b", `3`: "3", `{"a":1}`: `{"a":1}`, "{": "{"} {
		if got := plainJSON(in); got != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
}

func TestPrintModel(t *testing.T) {
	var out strings.Builder
	printModel(&app{out: &out, width: 80}, httpapi.Model{
		Mechanism: httpapi.Fact{Value: "manual-download", Source: "driver study", Date: "2026-11-22"},
		MayPatch:  httpapi.Fact{Value: "owner", Source: "driver study", Date: "2026-11-22"},
		Signed:    httpapi.Fact{Source: "vendor page"},
		Recovery:  httpapi.Fact{Value: "factory default button; the device also falls back by itself", Source: "driver study of 2026-11-22", Date: "2026-11-22"},
	})
	want := `FACT               VALUE
gets updates by    manual-download [1]
who may patch      owner [1]
signed             unknown [2]
automatic updates  unknown
rollback           unknown
outage in minutes  unknown
support ends       unknown
recovery           factory default button; the device also falls back by itself
                   [3]
[1] driver study (2026-11-22)
[2] vendor page
[3] driver study of 2026-11-22
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
