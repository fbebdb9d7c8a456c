package firmward_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const module = "github.com/firmward/firmward"

// floors says on which floor a room stands (docs/architecture.md). A room imports rooms on lower floors only.
var floors = map[string]int{
	"":        0,
	"version": 1, "cpe": 1, "identify": 1, "index": 1, "assess": 1, "lifecycle": 1, "remedy": 1,
	"topology": 1, "policy": 1, "rollout": 1, "staging": 1, "workorder": 1, "catalog": 1, "contain": 1, "notice": 1, "priority": 1, "upgrade": 1, "calendar": 1,
	"wire":     2,
	"proto":    3,
	"discover": 4, "feed": 4, "driver": 4, "enforce": 4, "twin": 4,
	"depot": 4, "notify": 4, "secrets": 4, "audit": 4, "store": 4,
	"control": 5, "match": 5, "privilege": 5,
	"httpapi": 6, "report": 6, "web": 6,
	"cmd": 7,
}

// sameFloor lists the edges between rooms of one floor, each with its reason.
var sameFloor = map[string]string{
	"assess → version":    "a verdict compares versions",
	"assess → cpe":        "a verdict matches names",
	"assess → index":      "candidates come from the index",
	"index → cpe":         "the index is keyed by CPE vendor and product",
	"remedy → assess":     "the step weighs findings",
	"remedy → priority":   "the step is due when its findings' clocks run out",
	"policy → priority":   "weights that a policy file leaves out are the formula's own",
	"remedy → lifecycle":  "the step weighs support ends",
	"remedy → version":    "the best release is the newest one that fits",
	"remedy → upgrade":    "the step is the first one of the way to the best release",
	"rollout → upgrade":   "a device takes a release only where that is its next step",
	"upgrade → version":   "releases lead from versions to versions",
	"rollout → topology":  "picks respect what goes dark together",
	"rollout → calendar":  "picks respect windows and freezes",
	"policy → calendar":   "a window that never opens is refused where it is written",
	"rollout → version":   "a target's version decides whether it is done",
	"workorder → version": "done means: the wanted version or newer",
	"lifecycle → version": "support ends per branch",
	"catalog → cpe":       "a model card's CPE names are checked when the catalogue is read",
	"catalog → version":   "a model card's scheme must exist",
	"catalog → identify":  "a fingerprint's examples are checked when the catalogue is read",
	"store → audit":       "the leaf is written in the transaction of the change",
	"httpapi → report":    "reports are served",
}

// lists are the packages that name all plugins of a family. They stand beside the family's package,
// which its plugins import.
var lists = map[string]bool{
	module + "/discover/probes":   true,
	module + "/feed/sources":      true,
	module + "/driver/drivers":    true,
	module + "/enforce/enforcers": true,
}

// forbidden imports of the pure floor, with the reason.
var forbidden = map[string]string{
	"net": "decisions do no I/O", "net/http": "decisions do no I/O", "os": "decisions do no I/O",
	"os/exec": "decisions do no I/O", "database/sql": "decisions do no I/O",
	"math/rand": "decisions are repeatable", "math/rand/v2": "decisions are repeatable", "crypto/rand": "decisions are repeatable",
}

type pkg struct {
	ImportPath, Dir string
	Imports         []string
	GoFiles         []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Dir,Imports,GoFiles", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// room gives the top folder of an import path of this module.
func room(path string) (string, bool) {
	if path == module {
		return "", true
	}
	rest, ok := strings.CutPrefix(path, module+"/")
	if !ok {
		return "", false
	}
	top, _, _ := strings.Cut(rest, "/")
	return top, true
}

func TestFloors(t *testing.T) {
	for _, p := range packages(t) {
		from, _ := room(p.ImportPath)
		for _, imp := range p.Imports {
			to, ours := room(imp)
			if !ours {
				if from == "" && strings.Contains(strings.Split(imp, "/")[0], ".") {
					t.Errorf("the root package imports %s: nouns use the standard library only", imp)
				}
				continue
			}
			if msg := edge(p.ImportPath, from, to, imp); msg != "" {
				t.Error(msg)
			}
		}
	}
}

func edge(path, from, to, imp string) string {
	switch {
	case from == "lab":
		return fmt.Sprintf("%s imports %s: the lab imports nothing of firmward", path, imp)
	case imp == module+"/wire/netns" && from != "cmd" && from != "twin" && path != module+"/wire/wiretest":
		return fmt.Sprintf("%s imports %s: firmward works in networks and makes none (the demo, tests and twins do)", path, imp)
	case to == "lab" && from != "cmd":
		return fmt.Sprintf("%s imports %s: only the front door starts the lab (tests may)", path, imp)
	case to == "lab" || from == to && from != "discover" && from != "feed" && from != "driver" && from != "enforce" && from != "twin":
		return ""
	}
	a, okA := floors[from]
	b, okB := floors[to]
	switch {
	case !okA || !okB:
		return fmt.Sprintf("%s → %s: a room without a floor; add it to arch_test.go and docs/architecture.md", path, imp)
	case lists[path]:
		return ""
	case from == to && path != module+"/"+from && imp != module+"/"+from && !strings.HasSuffix(imp, "test"):
		return fmt.Sprintf("%s imports %s: a plugin never imports a plugin", path, imp)
	case from == to, a > b && !(from == "httpapi" && (to == "driver" || to == "discover")):
		return ""
	case a == b && sameFloor[from+" → "+to] != "":
		return ""
	}
	return fmt.Sprintf("%s (floor %d) imports %s (floor %d)", path, a, imp, b)
}

func TestDecisionsArePure(t *testing.T) {
	for _, p := range packages(t) {
		name, _ := room(p.ImportPath)
		if name == "" || floors[name] != 1 {
			continue
		}
		for _, imp := range p.Imports {
			if why, bad := forbidden[imp]; bad {
				t.Errorf("%s imports %s: %s", p.ImportPath, imp, why)
			}
		}
		for _, file := range p.GoFiles {
			checkPure(t, filepath.Join(p.Dir, file))
		}
	}
}

// checkPure parses one file of floor 1: no go statement, no clock, no mutable package variable.
// A package variable is fine when it is never assigned to and never has its address taken outside
// its declaration.
func checkPure(t *testing.T, path string) {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	vars := map[string]bool{}
	for _, d := range f.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.VAR {
			for _, s := range g.Specs {
				for _, n := range s.(*ast.ValueSpec).Names {
					vars[n.Name] = true
				}
			}
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			t.Errorf("%s: go statement in a decision", fset.Position(n.Pos()))
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && x.Obj == nil {
				switch n.Sel.Name {
				case "Now", "Since", "Until", "After", "AfterFunc", "Sleep", "Tick", "NewTimer", "NewTicker":
					t.Errorf("%s: time.%s in a decision: now is an argument", fset.Position(n.Pos()), n.Sel.Name)
				}
			}
		case *ast.AssignStmt:
			for _, l := range n.Lhs {
				if id := rootIdent(l); id != nil && n.Tok != token.DEFINE && vars[id.Name] && (id.Obj == nil || id.Obj.Kind == ast.Var && isPackageVar(f, id)) {
					t.Errorf("%s: package variable %s changes in a decision", fset.Position(n.Pos()), id.Name)
				}
			}
		}
		return true
	})
}

func rootIdent(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.IndexExpr:
			e = x.X
		case *ast.SelectorExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		default:
			return nil
		}
	}
}

func isPackageVar(f *ast.File, id *ast.Ident) bool {
	return f.Scope != nil && f.Scope.Lookup(id.Name) == id.Obj
}

// TestNamesOfRooms keeps rooms that hold anything and nothing out.
func TestNamesOfRooms(t *testing.T) {
	bad := map[string]bool{"pkg": true, "internal": true, "util": true, "utils": true, "common": true, "helpers": true, "models": true, "types": true, "interfaces": true, "mock": true, "mocks": true}
	for _, p := range packages(t) {
		for part := range strings.SplitSeq(strings.TrimPrefix(p.ImportPath, module), "/") {
			if bad[part] {
				t.Errorf("%s: a package is named after what it is or does", p.ImportPath)
			}
		}
	}
}

func TestFileSizes(t *testing.T) {
	for _, p := range packages(t) {
		for _, file := range p.GoFiles {
			b, err := os.ReadFile(filepath.Join(p.Dir, file))
			if err != nil {
				t.Fatal(err)
			}
			switch lines := strings.Count(string(b), "\n"); {
			case lines > 1000:
				t.Errorf("%s/%s has %d lines: move rooms", p.ImportPath, file, lines)
			case lines > 600:
				t.Logf("%s/%s has %d lines: think of moving rooms", p.ImportPath, file, lines)
			}
		}
	}
}
