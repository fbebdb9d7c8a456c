package report_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firmward/firmward/audit"
	"github.com/firmward/firmward/report"
)

// evidenceFile: the file tells the whole story, holds, and nothing in it can be changed unseen.
func evidenceFile(t *testing.T, h house) {
	early, err := audit.ParseCheckpoint(h.early, h.Signer.Public())
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		ref   string
		facts []string // that must be told
		lines []string // parts of lines
	}{
		{h.camera, []string{"device", "claim", "observation", "finding", "step", "rollout", "release", "staging", "target", "sent", "feed"}, []string{
			`"raw":"axis.Brand=AXIS`, `"advisory":"CVE-2024-0066"`, `"closedBy":"obs-`, `["axis.Brand","AXIS"]`, `"approvals":[{"actor":"ben"`, `"result":"not-staged"`,
			`"from":"10.12.206","want":"10.12.236"`, `"purpose":"axis-vapix"`, `"action":"finding-close"`, `"action":"rollout-approve"`,
		}},
		{h.nas, []string{"device", "exception", "containment"}, []string{`"action":"exception-accept"`, `"action":"exception-approve"`, `"premise":{"exploited":["CVE-2024-3272"]`, `"action":"containment-ask"`, `"code":"no-enforcer"`}},
		{h.rollout, []string{"rollout", "target", "device", "finding", "observation"}, []string{`"action":"target-succeeded"`, `"action":"finding-close"`}},
	} {
		file := h.evidence(t, tc.ref, early.Size)
		told := map[string]bool{}
		for l := range bytes.Lines(file) {
			var f struct{ Fact string }
			if err := json.Unmarshal(l, &f); err != nil {
				t.Fatal(err)
			}
			told[f.Fact] = true
		}
		for _, want := range tc.facts {
			if !told[want] {
				t.Errorf("%s: no fact %s", tc.ref, want)
			}
		}
		for _, want := range tc.lines {
			if !bytes.Contains(file, []byte(want)) {
				t.Errorf("%s: it does not tell %s", tc.ref, want)
			}
		}
		if bytes.Contains(file, []byte(cameraPassword)) {
			t.Errorf("%s: the camera's password is in the file", tc.ref)
		}
		v := verify(t, file, report.Options{Key: h.Signer.Public(), Checkpoints: [][]byte{h.early}})
		if !v.OK || v.Outside != 1 || v.Decisions == 0 || v.InLeaves != v.Decisions || len(v.Proven) != 5 {
			t.Errorf("%s: %+v", tc.ref, v)
		}
		tamper(t, file, h.Signer.Public())
		openssl(t, h.evidence(t, tc.ref, 0), h.Signer.Public())
	}
}

func verify(t *testing.T, file []byte, opts report.Options) report.Verified {
	t.Helper()
	v, err := report.Verify(bytes.NewReader(file), opts)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// tamper changes a byte here and there, at least one of every line, and drops, doubles and swaps lines.
func tamper(t *testing.T, file []byte, key string) {
	t.Helper()
	bad := func(what string, changed []byte) {
		t.Helper()
		if v := verify(t, changed, report.Options{Key: key}); v.OK || len(v.Problems) == 0 || len(v.Proven) > 0 {
			t.Errorf("%s was not found: %+v", what, v)
		}
	}
	at := 0
	lines := bytes.SplitAfter(file, []byte("\n"))
	lines = lines[:len(lines)-1]
	for i, l := range lines {
		for _, within := range []int{0, len(l) / 3, len(l) / 2, len(l) - 4, len(l) - 1} {
			for _, bit := range []byte{1, 0x20} {
				changed := bytes.Clone(file)
				changed[at+within] ^= bit
				bad(fmt.Sprintf("byte %d of line %d", within, i+1), changed)
			}
		}
		at += len(l)
		without := append(append([][]byte{}, lines[:i]...), lines[i+1:]...)
		if !bytes.HasPrefix(l, []byte(`{"earlier":`)) { // a whole proof that nobody needs may go
			bad(fmt.Sprintf("line %d dropped", i+1), bytes.Join(without, nil))
		}
		twice := append(append(append([][]byte{}, lines[:i+1]...), l), lines[i+1:]...)
		bad(fmt.Sprintf("line %d doubled", i+1), bytes.Join(twice, nil))
		if i > 0 {
			swapped := append([][]byte{}, lines...)
			swapped[i-1], swapped[i] = swapped[i], swapped[i-1]
			bad(fmt.Sprintf("lines %d and %d swapped", i, i+1), bytes.Join(swapped, nil))
		}
	}
	bad("an end cut off", file[:len(file)-1])
	bad("something at the end", append(bytes.Clone(file), '\n'))
	bad("an empty file", nil)
}

// resealed: who changes a fact and computes the digest anew is found by the record that holds the old one, and who
// forges an earlier checkpoint's proof by the checkpoint.
func resealed(t *testing.T, h house) {
	early, err := audit.ParseCheckpoint(h.early, h.Signer.Public())
	if err != nil {
		t.Fatal(err)
	}
	file := h.evidence(t, h.rollout, early.Size)
	at := bytes.Index(file, []byte(`{"sealed":`))
	body, rest := bytes.Clone(file[:at]), file[at:]
	was, is := sha256.Sum256(body), sha256.Sum256(bytes.Replace(body, []byte(`"ben"`), []byte(`"eve"`), 1))
	resealed := bytes.Replace(file, []byte(`"ben"`), []byte(`"eve"`), 1)
	resealed = bytes.Replace(resealed, []byte(`{"sealed":"`+hex.EncodeToString(was[:])), []byte(`{"sealed":"`+hex.EncodeToString(is[:])), 1)
	v := verify(t, resealed, report.Options{})
	if len(v.Problems) != 1 || !strings.Contains(v.Problems[0].What, "does not hold the digest of this file") {
		t.Errorf("resealed: %+v", v)
	}
	proof := bytes.Index(rest, []byte(`"proof":["`)) + len(`"proof":["`)
	forged := bytes.Clone(file)
	forged[at+proof] = 'A' + (forged[at+proof]-'A'+1)%26
	if v := verify(t, forged, report.Options{}); len(v.Problems) != 1 || !strings.Contains(v.Problems[0].What, "does not begin with") {
		t.Errorf("another proof: %+v", v)
	}
}

// outside: checkpoints that were kept outside, and keys.
func outside(t *testing.T, h house) {
	file := h.evidence(t, h.nas, 0)
	now := h.checkpoint(t)
	private, _, err := audit.GenerateKey("test")
	if err != nil {
		t.Fatal(err)
	}
	thief, err := audit.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	c, err := audit.ParseCheckpoint(now, h.Signer.Public())
	if err != nil {
		t.Fatal(err)
	}
	root := c.Root
	root[0] ^= 1
	other, err := h.Signer.Sign(c.Size, root, c.At)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		opts report.Options
		ok   bool
		says string
	}{
		"nothing from outside":    {report.Options{}, true, "Compare it with one known from elsewhere"},
		"the key":                 {report.Options{Key: h.Signer.Public()}, true, "no checkpoint that was kept outside"},
		"its own checkpoint":      {report.Options{Checkpoints: [][]byte{now}}, true, "begins with what was signed in 1 checkpoint"},
		"another key":             {report.Options{Key: thief.Public()}, false, "not the one that was given"},
		"an unconnected one":      {report.Options{Checkpoints: [][]byte{h.early}}, false, "nothing here leads from one to the other"},
		"one of another history":  {report.Options{Checkpoints: [][]byte{other.Note}}, false, "history was rewritten"},
		"something else entirely": {report.Options{Checkpoints: [][]byte{[]byte("x")}}, false, "not a signed note"},
	} {
		v := verify(t, file, tc.opts)
		if said := fmt.Sprint(v.Proven, v.NotProven, v.Problems); v.OK != tc.ok || !strings.Contains(said, tc.says) {
			t.Errorf("%s: ok %v: %s", name, v.OK, said)
		}
	}
	var b bytes.Buffer
	if err := report.Evidence(t.Context(), h.Control, anna, h.nas, 1<<40, &b); err == nil || b.Len() > 0 {
		t.Errorf("a checkpoint that does not exist: %v, %d bytes", err, b.Len())
	}
	if err := report.Evidence(t.Context(), h.Control, anna, "nobody", 0, &b); err == nil || b.Len() > 0 {
		t.Errorf("nobody: %v, %d bytes", err, b.Len())
	}
}

// factWithoutLeaf: a fact that the database tells and no leaf is named.
func factWithoutLeaf(t *testing.T, h house) {
	h.forgeApproval(t)
	v := verify(t, h.evidence(t, h.rollout, 0), report.Options{})
	if said := fmt.Sprint(v.NotProven); !v.OK || v.InLeaves != v.Decisions-1 || !strings.Contains(said, "rollout-approve "+h.rollout+" wave 0 by mallory") {
		t.Errorf("%+v", v)
	}
}

// openssl verifies a file with the script of docs/evidence.md: Python's standard library and OpenSSL.
func openssl(t *testing.T, file []byte, key string) {
	t.Helper()
	for _, tool := range []string{"python3", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("FIRMWARD_REQUIRE_DAEMONS") == "1" {
				t.Fatal("install " + tool + ": FIRMWARD_REQUIRE_DAEMONS=1 asks for it")
			}
			t.Log("not verified by the script of docs/evidence.md: no " + tool)
			return
		}
	}
	doc, err := os.ReadFile(filepath.Join("..", "docs", "evidence.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, script, _ := strings.Cut(string(doc), "```python\n")
	script, _, ok := strings.Cut(script, "```")
	if !ok {
		t.Fatal("docs/evidence.md has no script")
	}
	path := filepath.Join(t.TempDir(), "evidence.jsonl")
	run := func(b []byte) ([]byte, error) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return exec.Command("python3", "-c", script, path, key).CombinedOutput()
	}
	if out, err := run(file); err != nil || !bytes.Contains(out, []byte("are in the log of")) {
		t.Errorf("the script says: %s %v", out, err)
	}
	for _, part := range []string{`"fact":"device"`, `"action":"`, `firmward/test`, `"proof":["`} {
		bad := bytes.Clone(file)
		bad[bytes.LastIndex(bad, []byte(part))+len(part)+1] ^= 1
		if out, err := run(bad); err == nil {
			t.Errorf("changed at %s: the script says: %s", part, out)
		}
	}
}
