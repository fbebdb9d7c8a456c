package cve5

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward/feed"
)

var (
	noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	urls = []string{"https://raw.example/", "https://load.example/zip"}
)

// entryOf is an entry of the log. Each record is "id" or "id@day".
func entryOf(at string, records ...string) string {
	var all []string
	for _, r := range records {
		id, day, _ := strings.Cut(r, "@")
		all = append(all, fmt.Sprintf(`{"cveId":%q,"dateUpdated":%q}`, id, cmp.Or(day, "2026-11-01T00:00:00Z")))
	}
	return fmt.Sprintf(`{"fetchTime":%q,"new":[%s]}`, at, strings.Join(all, ","))
}

// TestReadLog: each record once, in its newest entry, beyond the cursor.
func TestReadLog(t *testing.T) {
	const ten, eleven = "2026-11-25T10:00:00.5Z", "2026-11-25T11:00:00Z"
	at := func(text string) time.Time { day, _ := feed.Day(text); return day }
	for _, c := range []struct {
		what   string
		log    []string
		from   cursor
		want   string // id, entry and state of each
		broken int
	}{
		{"nothing", nil, cursor{}, "", 0},
		{"in any order", []string{entryOf(ten, "CVE-2026-0002", "CVE-2026-0001"), entryOf(eleven, "CVE-2026-0001@2026-11-02"), entryOf("2026-11-25T09:00:00Z", "CVE-2026-0001")}, cursor{}, "CVE-2026-0002 10 1, CVE-2026-0001 11 2", 0},
		{"twice in one", []string{entryOf(ten, "CVE-2026-0001@2026-11-03", "CVE-2026-0001@2026-11-09", "CVE-2026-0001@soon")}, cursor{}, "CVE-2026-0001 10 9", 0},
		{"read", []string{entryOf(ten, "CVE-2026-0001"), entryOf(eleven, "CVE-2026-0002")}, cursor{Since: at(ten)}, "CVE-2026-0002 11 1", 0},
		{"half read", []string{entryOf(ten, "CVE-2026-0001", "CVE-2026-0002", "CVE-2026-0003"), entryOf(eleven, "CVE-2026-0001")}, cursor{Since: at(ten), ID: "CVE-2026-0002"}, "CVE-2026-0003 10 1, CVE-2026-0001 11 1", 0},
		{"all read", []string{entryOf(ten, "CVE-2026-0001")}, cursor{Since: at(eleven)}, "", 0},
		{"without a time", []string{entryOf("soon", "CVE-2026-0001"), entryOf(ten, "CVE-2026-0002")}, cursor{Since: at(ten)}, "CVE-2026-0001 - 1", 0},
		{"ahead of the clock", []string{entryOf("2026-11-25T12:00:01Z", "CVE-2026-0001", "CVE-2026-0002"), entryOf(eleven, "CVE-2026-0002@2026-11-05")}, cursor{Since: at(ten)}, "CVE-2026-0001 - 1, CVE-2026-0002 11 5", 0},
		{"all lists", []string{`{"updated":[{"cveId":"CVE-2026-0001"}],"error":[{"cveId":"CVE-2026-0002"}],"new":null,"fetchTime":"` + ten + `"}`}, cursor{}, "CVE-2026-0001 10 1, CVE-2026-0002 10 1", 0},
		{"other shapes", []string{`1`, `{"fetchTime":{}}`, entryOf(ten, "CVE-2026-1", "CVE-2026-0001/.."), `{"fetchTime":"` + ten + `","new":[[],{"cveId":[]},{"cveId":"CVE-2026-0007"}]}`}, cursor{}, "CVE-2026-0007 10 1", 6},
	} {
		l, err := readLog([]byte("["+strings.Join(c.log, ",")+"]"), c.from, noon)
		r := run{pending: l.changes}
		r.order()
		var got []string
		for _, u := range r.pending {
			hour := "-"
			if !u.at.IsZero() {
				hour = fmt.Sprint(u.at.Hour())
			}
			got = append(got, fmt.Sprintf("%s %s %d", u.ID, hour, u.Updated.Day()))
		}
		if text := strings.Join(got, ", "); err != nil || text != c.want || l.broken != c.broken || l.over {
			t.Errorf("%s: %s, %+v, %v", c.what, text, l, err)
		}
	}
	for what, text := range map[string]string{"empty": "", "cut off": "[" + entryOf(ten, "CVE-2026-0001"), "another": `{"fetchTime":""}`, "more": "[] []", "an inner one": `[{"new":{}}]`} {
		if _, err := readLog([]byte(text), cursor{}, noon); err == nil || !strings.Contains(err.Error(), "at byte") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestReadLogBounds: a log of a million entries takes little more memory than its bytes, and is not kept when it tells of too many
// records.
func TestReadLogBounds(t *testing.T) {
	var log bytes.Buffer
	log.WriteByte('[')
	for i := range 1_000_000 {
		fmt.Fprintf(&log, `{"fetchTime":"2026-11-25T11:00:00Z","new":[{"cveId":"CVE-2026-%d"}]},`, 1_000_000+i)
	}
	log.WriteString("{}]")
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	l, err := readLog(log.Bytes(), cursor{}, noon)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if err != nil || !l.over || len(l.changes) != most {
		t.Errorf("%d changes, %v", len(l.changes), err)
	}
	if kept := int64(after.HeapAlloc) - int64(before.HeapAlloc); kept > 8<<20 {
		t.Errorf("%d bytes are kept of it", kept)
	}
	runtime.KeepAlive(l)
	runtime.KeepAlive(&log)
}

func TestPath(t *testing.T) {
	for id, want := range map[string]string{
		"CVE-1999-0001": "cves/1999/0xxx/CVE-1999-0001.json", "CVE-2024-3273": "cves/2024/3xxx/CVE-2024-3273.json",
		"CVE-2026-1234567": "cves/2026/1234xxx/CVE-2026-1234567.json", "CVE-2026-00012": "cves/2026/0xxx/CVE-2026-00012.json",
	} {
		if got := path(id); got != want {
			t.Errorf("%s: %s", id, got)
		}
	}
}

// play answers what is asked for until nothing more is, and gives the cursors on the way. refuse says which records cannot be used.
func play(t *testing.T, from feed.Cursor, log string, refuse func(id string) bool) (asked []string, at []feed.Cursor) {
	t.Helper()
	b, err := Source{}.Next(feed.Fetching{At: from, URLs: urls, Now: noon})
	for n := 0; err == nil && len(b.Requests) > 0; n++ {
		if n == 200 {
			t.Fatal("it comes to no end")
		}
		f := feed.Fetching{At: b.At, URLs: urls, Now: noon, Before: &b, Answers: make([][]byte, 1)}
		for _, q := range b.Requests {
			asked = append(asked, strings.TrimSuffix(q.URL[strings.LastIndex(q.URL, "/")+1:], ".json"))
			if refuse != nil && refuse(asked[len(asked)-1]) {
				f.Refused = append(f.Refused, q.URL)
			}
		}
		if b.Index {
			f.Answers[0] = []byte(log)
		}
		if b, err = (Source{}).Next(f); err == nil {
			at = append(at, b.At)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return asked, at
}

// TestNextStops: wherever a run stops, the next one asks for all that is left, and for little of what was read.
func TestNextStops(t *testing.T) {
	var ids []string
	for i := range 1000 {
		ids = append(ids, fmt.Sprintf("CVE-2026-%04d", i))
	}
	log := "[" + strings.Join([]string{
		entryOf("2026-11-20T00:00:00Z"), entryOf("2026-11-25T09:00:00Z", ids[:100]...), entryOf("2026-11-25T10:00:00Z", ids[50:900]...), entryOf("2026-11-25T11:00:00Z", append(ids[900:], ids[0])...),
	}, ",") + "]"
	const first = feed.Cursor(`{"since":"2026-11-24T00:00:00Z"}`)
	all, at := play(t, first, log, nil)
	if len(all) != 1001 || len(at) != 6 || at[5] != `{"since":"2026-11-25T11:00:00Z"}` {
		t.Errorf("%d asked, %q", len(all), at)
	}
	for i, c := range at {
		rest, end := play(t, c, log, nil)
		if len(end) > 0 && end[len(end)-1] != at[5] || len(rest) != 1+1000-min(1000, i*together) {
			t.Errorf("from %s: %d asked, %q", c, len(rest), end)
		}
		for _, id := range all[min(1001, 1+i*together):] {
			if !slices.Contains(rest, id) {
				t.Fatalf("from %s: %s is left out", c, id)
			}
		}
	}
}

// TestNextOwed: what could not be used is owed, bounded in number and tries, and does not hold up what follows.
func TestNextOwed(t *testing.T) {
	var ids []string
	for i := range 700 {
		ids = append(ids, fmt.Sprintf("CVE-2026-%04d", i))
	}
	log := "[" + entryOf("2026-11-20T00:00:00Z") + "," + entryOf("2026-11-25T09:00:00Z", ids...) + "]"
	c := feed.Cursor(`{"since":"2026-11-24T00:00:00Z"}`)
	for n := range maxTries + 1 {
		asked, at := play(t, c, log, func(id string) bool { return id != "deltaLog" })
		c = at[len(at)-1]
		var m cursor
		if err := json.Unmarshal([]byte(c), &m); err != nil || !m.Since.Equal(noon.Add(-3*time.Hour)) {
			t.Fatalf("%s: %v", c, err)
		}
		want := []int{701, 501, 501, 501, 501, 501, 501, 1}[n]
		if left := []int{500, 500, 500, 500, 500, 500, 0, 0}[n]; len(asked) != want || len(m.Owed) != left {
			t.Errorf("run %d: %d asked, %d owed", n, len(asked), len(m.Owed))
		}
	}
}

// TestWanted: what a record is compared with goes from the plan to Sync as it is.
func TestWanted(t *testing.T) {
	u := update{ID: "CVE-2026-0001", Updated: noon.Add(123 * time.Millisecond)}
	w, err := parseWant(u.want())
	if err != nil || w.id != u.ID || !w.updated.Equal(u.Updated) || w.check(u.ID, u.Updated) != nil || w.check(u.ID, noon) == nil || w.check("CVE-2026-0002", u.Updated) == nil {
		t.Errorf("%+v, %v", w, err)
	}
	for _, bad := range []feed.Cursor{"x", "record CVE-1", "record CVE-2026-0001 soon", `{"since":""}`} {
		if _, err := parseWant(bad); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

// FuzzReadLog: whatever a log says, only records of the list are asked for, once each and in bounded number, and the cursor does not
// pass the clock.
func FuzzReadLog(f *testing.F) {
	f.Add([]byte("[" + entryOf("2026-11-25T11:00:00Z", "CVE-2026-0001", "CVE-2026-0001@2026-11-09") + "]"))
	f.Add([]byte(`[{"fetchTime":"2099-01-01T00:00:00Z","new":[{"cveId":"CVE-2026-0001/../x"}]},7,{"updated":[8,{"cveId":"CVE-2026-12345"}]}]`))
	f.Add([]byte(`[{"fetchTime":"2026-11-20T00:00:00Z"},{"fetchTime":"2026-11-25T10:00:00Z","error":[{"cveId":"CVE-2026-00000000000000001"}]}]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, from := range []feed.Cursor{"", `{"since":"2026-11-24T00:00:00Z","id":"CVE-2026-0001","owed":[{"id":"CVE-2026-0003"}]}`} {
			asked, at := play(t, from, string(b), nil)
			for i, id := range asked {
				if ok := feed.CVE(id) || id == "deltaLog" || id == "zip"; !ok || slices.Index(asked, id) != i {
					t.Errorf("asked %v", asked)
				}
			}
			for _, c := range at {
				var m cursor
				if err := json.Unmarshal([]byte(cmp.Or(c, "{}")), &m); err != nil || m.Since.After(noon) {
					t.Errorf("cursor %s: %v", c, err)
				}
			}
		}
	})
}
