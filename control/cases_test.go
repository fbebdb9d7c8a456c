package control_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/assess"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/control/controltest"
	"github.com/firmward/firmward/feed/overrides"
	"github.com/firmward/firmward/store"
)

var update = flag.Bool("update", false, "write what testdata/cases want anew")

// TestCases plays each file of testdata/cases: documents as their sources write them, devices, and what a careful engineer would
// say of them: verdict, clock, next step, and the explanation. The lines at the top of a file are
//
//	at DAY                             the day on which it is
//	advisory ID                        the one that is told of; others may be there
//	corrections                        firmward's own corrections are there too
//	device NAME vendor=V model=M …     firmware=, hardware=, class=, criticality=, site=; exposed
//
// Every file but want is a document, imported in order.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/cases/*.txtar")
	if err != nil || len(files) < 9 {
		t.Fatal(len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			synctest.Test(t, func(t *testing.T) { got = newCase(t, a).play() })
			at := slices.IndexFunc(a.Files, func(f txtar.File) bool { return f.Name == "want" })
			if *update {
				if at < 0 {
					a.Files = append(a.Files, txtar.File{Name: "want"})
					at = len(a.Files) - 1
				}
				a.Files[at].Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if at < 0 {
				t.Fatal("it does not say what it wants")
			}
			if diff := cmp.Diff(string(a.Files[at].Data), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// oneCase is one file being played.
type oneCase struct {
	t           *testing.T
	files       []txtar.File
	at          time.Time
	advisory    string
	corrections bool
	devices     []control.DeviceFacts
}

func newCase(t *testing.T, a *txtar.Archive) *oneCase {
	c := &oneCase{t: t, files: a.Files}
	for line := range strings.Lines(string(a.Comment)) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		switch words[0] {
		case "at":
			at, err := time.Parse(time.DateOnly, words[1])
			if err != nil {
				t.Fatal(err)
			}
			c.at = at.Add(8 * time.Hour)
		case "advisory":
			c.advisory = words[1]
		case "corrections":
			c.corrections = true
		case "device":
			c.devices = append(c.devices, c.device(strings.TrimSpace(line)[len("device "):]))
		default:
			t.Fatalf("line %q says nothing that is known", line)
		}
	}
	return c
}

// device reads a name and fields; a value with spaces stands in quotes.
func (c *oneCase) device(text string) control.DeviceFacts {
	name, rest, _ := strings.Cut(text, " ")
	d := control.DeviceFacts{Name: &name, Site: new("house")}
	for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimSpace(rest) {
		field, value := "", ""
		if field, rest, _ = strings.Cut(rest, " "); field == "exposed" {
			d.Exposed = new(true)
			continue
		}
		field, value, _ = strings.Cut(field, "=")
		if more, ok := strings.CutPrefix(value, `"`); ok && !strings.HasSuffix(more, `"`) {
			end := strings.IndexByte(rest, '"')
			value, rest = more+" "+rest[:end], rest[end+1:]
		}
		value = strings.Trim(value, `"`)
		switch field {
		case "vendor":
			d.Vendor = &value
		case "model":
			d.Model = &value
		case "firmware":
			d.Firmware = &value
		case "hardware":
			d.Hardware = &value
		case "class":
			d.Class = &value
		case "criticality":
			n, err := strconv.Atoi(value)
			if err != nil {
				c.t.Fatal(err)
			}
			d.Criticality = &n
		default:
			c.t.Fatalf("a device has no %q", field)
		}
	}
	return d
}

func (c *oneCase) play() string {
	t := c.t
	house := controltest.Open(t, func(cfg *control.Config) { cfg.Clock = control.Clock{Base: c.at, Start: time.Now(), Scale: 1} })
	dir := t.TempDir()
	take := func(source, name string, data []byte) {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := house.ImportFeed(t.Context(), anna, source, path, name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if s.Refused > 0 {
			t.Errorf("%s: %d records were refused", name, s.Refused)
		}
	}
	if c.corrections {
		own, err := io.ReadAll(overrides.Document())
		if err != nil {
			t.Fatal(err)
		}
		take(overrides.OwnName, overrides.OwnName+".json", own)
	}
	for _, f := range c.files {
		if f.Name != "want" {
			take("", f.Name, f.Data)
		}
	}
	if _, err := house.AddSite(t.Context(), anna, firmward.Site{Name: "house"}); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, d := range c.devices {
		added, err := house.AddDevice(t.Context(), anna, d)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, added.ID)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- house.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	wait(t, func() bool {
		steps, _, err := house.Store.NextSteps(ctx, store.StepFilter{}, store.Page{})
		return err == nil && len(steps) == len(ids)
	})
	var out strings.Builder
	for i, id := range ids {
		if i > 0 {
			out.WriteByte('\n')
		}
		c.tell(&out, house, id)
	}
	return out.String()
}

// tell writes what is said of one device.
func (c *oneCase) tell(out *strings.Builder, house *control.Control, id string) {
	t := c.t
	d, err := house.Store.Device(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(out, "%s: %s", d.Name, d.Model)
	if d.Firmware != "" {
		fmt.Fprintf(out, " runs %s", d.Firmware)
	}
	out.WriteByte('\n')
	f, err := house.Store.Finding(t.Context(), id, c.advisory)
	if firmward.CodeOf(err) == firmward.NotFound { // what does not concern a device is not kept, and can be told all the same
		f, err = c.judge(house, d), nil
	}
	if err != nil {
		t.Fatal(err)
	}
	switch f.Verdict {
	case "":
		fmt.Fprintf(out, "  %s does not name it\n", c.advisory)
	default:
		fmt.Fprintf(out, "  %s: %s, %s", f.AdvisoryID, f.Verdict, f.Reason)
		for _, part := range []struct {
			is   bool
			text string
		}{{f.Exploited, "exploited since " + f.ExploitedAt.Format(time.DateOnly)}, {f.FixedIn != "", "fixed in " + f.FixedIn}, {f.NoFix, "no fix"}} {
			if part.is {
				out.WriteString(", " + part.text)
			}
		}
		out.WriteByte('\n')
		because(out, f.Explanation, "    ")
	}
	s, err := house.Store.NextStep(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(out, "  %s, risk %d", s.Urgency, s.Risk)
	for _, flag := range s.Flags {
		out.WriteString("; " + flag)
	}
	out.WriteByte('\n')
	for _, p := range []struct {
		when string
		*firmward.Phase
	}{{"now", &s.Now}, {"then", s.Then}, {"finally", s.Finally}} {
		if p.Phase != nil {
			fmt.Fprintf(out, "  %s: %s: %s%s\n", p.when, p.Kind, p.Action, by(p.By))
		}
	}
	for _, k := range s.Clocks {
		fmt.Fprintf(out, "  clock %s from %s (%s)%s", k.Rule, k.Started.Format(time.DateOnly), k.StartedBy, by(k.Due))
		if k.Asks != "" {
			out.WriteString(": " + k.Asks)
		}
		out.WriteByte('\n')
	}
}

// judge evaluates a device by what is in the store.
func (c *oneCase) judge(house *control.Control, d firmward.Device) firmward.Finding {
	var all []firmward.Advisory
	if err := house.Store.EachAdvisory(c.t.Context(), func(a firmward.Advisory) error { all = append(all, a); return nil }); err != nil {
		c.t.Fatal(err)
	}
	for _, f := range assess.Evaluate(assess.Subject{Device: d, Model: house.Catalog.Model(d)}, all, assess.Extras{}, c.at) {
		if f.AdvisoryID == c.advisory {
			return f
		}
	}
	return firmward.Finding{}
}

func by(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return ", by " + t.Format(time.DateOnly)
}

// because writes an explanation, a sentence a line.
func because(out *strings.Builder, e firmward.Explanation, indent string) {
	fmt.Fprintf(out, "%s%s\n", indent, e.Text)
	for _, c := range e.Children {
		because(out, c, indent+"  ")
	}
}
