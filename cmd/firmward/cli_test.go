package main

import (
	"bufio"
	"context"
	"fmt"
	"go/ast"
	goparser "go/parser"
	"go/token"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/alecthomas/kong"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/firmward/firmward"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"firmward": main})
}

// TestScripts runs the command line as people do. Beside testscript's own commands there are
//
//	exits N firmward …          the command ends with exactly this code
//	start NAME TEXT firmward …  runs in the background; goes on once TEXT was printed, with all before it in NAME.out. $NAME_url, $NAME_token, $NAME_fingerprint are what it printed
//	stop NAME                   interrupts it; it must end well
//	publish DIR                 serves the files of a folder on loopback until the script ends, at $DIR_url
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("FIRMWARD_DATA", filepath.Join(env.WorkDir, "data"))
			env.Setenv("TZ", "UTC")
			env.Setenv("IN_A_MONTH", time.Now().AddDate(0, 1, 0).Format(time.DateOnly)) // no script may fail after a date
			env.Values["running"] = map[string]*running{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "start": start, "stop": stop, "take": take, "publish": publish},
	})
}

func publish(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: publish DIR")
	}
	srv := httptest.NewServer(http.FileServer(http.Dir(ts.MkAbs(args[0]))))
	ts.Defer(srv.Close)
	ts.Setenv(args[0]+"_url", srv.URL)
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits N command …")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := err.(*exec.ExitError)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// take keeps what a pattern matches in the last output: take NAME PATTERN.
func take(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: take NAME PATTERN")
	}
	found := regexp.MustCompile(args[1]).FindString(ts.ReadFile("stdout"))
	if found == "" {
		ts.Fatalf("no match for %q", args[1])
	}
	ts.Setenv(args[0], found)
}

// running is a program in the background.
type running struct {
	cmd  *exec.Cmd
	out  *strings.Builder // read after the end only
	done chan struct{}
}

var (
	printedURL   = regexp.MustCompile(`https?://[0-9.:]+`)
	printedPrint = regexp.MustCompile(`\b[0-9a-f]{64}\b`)
	printedToken = regexp.MustCompile(`fw_[a-z2-7]+`)
)

func start(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: start NAME TEXT command …")
	}
	name, text := args[0], args[1]
	path, err := exec.LookPath(args[2])
	if err != nil {
		path = filepath.Join(filepath.SplitList(ts.Getenv("PATH"))[0], args[2])
	}
	cmd := exec.Command(path, args[3:]...)
	cmd.Dir = ts.MkAbs(".")
	for _, k := range []string{"PATH", "HOME", "FIRMWARD_DATA", "FIRMWARD_LAB_MAP", "TZ", "TMPDIR"} {
		cmd.Env = append(cmd.Env, k+"="+ts.Getenv(k))
	}
	stdout, err := cmd.StdoutPipe()
	ts.Check(err)
	r := &running{cmd: cmd, out: &strings.Builder{}, done: make(chan struct{})}
	errFile, err := os.Create(ts.MkAbs(name + ".err"))
	ts.Check(err)
	defer errFile.Close()
	cmd.Stderr = errFile
	ts.Check(cmd.Start())
	ts.Value("running").(map[string]*running)[name] = r
	ts.Defer(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-r.done
	})
	ready := make(chan string, 1)
	go func() {
		defer close(r.done)
		lines := bufio.NewScanner(stdout)
		for told := false; lines.Scan(); {
			fmt.Fprintln(r.out, lines.Text())
			if !told && strings.Contains(lines.Text(), text) {
				told = true
				ready <- r.out.String()
			}
		}
		close(ready)
		_ = cmd.Wait() // stop looks at the state
	}()
	printed, ok := <-ready
	if !ok {
		b, _ := os.ReadFile(ts.MkAbs(name + ".err"))
		ts.Fatalf("%s ended before it printed %q: %s", name, text, b)
	}
	if urls := printedURL.FindAllString(printed, -1); len(urls) > 0 {
		last := strings.TrimRight(urls[len(urls)-1], ".")
		ts.Setenv(name+"_url", last)
		_, addr, _ := strings.Cut(last, "://")
		ts.Setenv(name+"_addr", addr)
	}
	ts.Check(os.WriteFile(ts.MkAbs(name+".out"), []byte(printed), 0o600))
	ts.Setenv(name+"_fingerprint", printedPrint.FindString(printed))
	ts.Setenv(name+"_token", printedToken.FindString(printed))
}

func stop(ts *testscript.TestScript, _ bool, args []string) {
	r := ts.Value("running").(map[string]*running)[args[0]]
	ts.Check(r.cmd.Process.Signal(os.Interrupt))
	<-r.done
	if code := r.cmd.ProcessState.ExitCode(); code != 0 {
		b, _ := os.ReadFile(ts.MkAbs(args[0] + ".err"))
		ts.Fatalf("%s ended with %d: %s", args[0], code, b)
	}
}

// TestHelp: every command has an example, and docs/cli.md names it.
func TestHelp(t *testing.T) {
	var cli CLI
	parser, err := newParser(&cli, io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	docs, err := os.ReadFile(filepath.Join("..", "..", "docs", "cli.md"))
	if err != nil {
		t.Fatal(err)
	}
	var walk func(n *kong.Node)
	walk = func(n *kong.Node) {
		for _, child := range n.Children {
			walk(child)
		}
		if n.Type != kong.CommandNode || len(n.Children) > 0 {
			return
		}
		name := strings.TrimPrefix(n.FullPath(), "firmward ")
		if !strings.Contains(n.Detail, "Examples:\n\n  ") {
			t.Errorf("%s has no example", name)
		}
		if !strings.Contains(string(docs), "`"+name) {
			t.Errorf("docs/cli.md does not name %s", name)
		}
		for line := range strings.SplitSeq(n.Detail, "\n") {
			if utf8.RuneCountInString(line) > 78 && strings.HasPrefix(line, "  ") { // two more on the screen: a terminal of 80
				t.Errorf("%s: example too long: %s", name, line)
			}
		}
	}
	walk(parser.Model.Node)
}

// TestPackaging: what the unit and the container start is a command line that firmward understands.
func TestPackaging(t *testing.T) {
	for file, command := range map[string]*regexp.Regexp{
		"firmward.service": regexp.MustCompile(`(?m)^ExecStart=/usr/bin/firmward (.*) \$FIRMWARD_SERVE$`),
		"Containerfile":    regexp.MustCompile(`(?m)^CMD \[(.*)\]$`),
	} {
		b, err := os.ReadFile(filepath.Join("..", "..", "packaging", file))
		if err != nil {
			t.Fatal(err)
		}
		found := command.FindSubmatch(b)
		if found == nil {
			t.Fatalf("%s starts nothing", file)
		}
		var cli CLI
		parser, err := newParser(&cli, io.Discard, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		args := strings.Fields(strings.NewReplacer(`"`, "", ",", "").Replace(string(found[1])))
		if got, err := parser.Parse(args); err != nil || got.Command() != "serve" || cli.Data != "/var/lib/firmward" {
			t.Errorf("%s: %v: %v", file, args, err)
		}
	}
}

// TestOneOwner: a data directory has one owner at a time.
func TestOneOwner(t *testing.T) {
	dir := t.TempDir()
	h, err := openHouse(t.Context(), houseConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if !h.FirstUp {
		t.Error("the first house is not told apart")
	}
	if _, err := openHouse(t.Context(), houseConfig{Dir: dir}); firmward.CodeOf(err) != firmward.Locked {
		t.Errorf("got %v, want locked", err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	h, err = openHouse(t.Context(), houseConfig{Dir: dir})
	if err != nil || h.FirstUp {
		t.Fatalf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error)
	go func() { ran <- h.run(ctx) }()
	cancel()
	if err := <-ran; err != nil {
		t.Error(err)
	}
	if h.alive() == nil {
		t.Error("the loops have ended and nobody says so")
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
}

// TestHints: what error texts tell people to type exists.
func TestHints(t *testing.T) {
	var cli CLI
	parser, err := newParser(&cli, io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	var walk func(n *kong.Node)
	walk = func(n *kong.Node) {
		for _, f := range n.Flags {
			known[f.Name] = true
		}
		for _, child := range n.Children {
			walk(child)
		}
	}
	walk(parser.Model.Node)
	option := regexp.MustCompile(`--([a-z][a-z0-9-]+)`)
	seen := 0
	for _, dir := range []string{"contain", "control", "discover", "driver", "feed", "httpapi", "remedy", "rollout", "staging", "store", "workorder"} {
		err := filepath.WalkDir(filepath.Join("..", "..", dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "pgtest") { // that one starts another program
				return err
			}
			file, err := goparser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				lit, ok := n.(*ast.BasicLit)
				if !ok || lit.Kind != token.STRING {
					return true
				}
				for _, m := range option.FindAllStringSubmatch(lit.Value, -1) {
					seen++
					if !known[m[1]] {
						t.Errorf("%s: no command has --%s: %s", path, m[1], lit.Value)
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	if seen < 20 {
		t.Errorf("only %d options were found", seen)
	}
}
