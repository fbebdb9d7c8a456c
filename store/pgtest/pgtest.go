// Package pgtest starts a PostgreSQL server for a test.
package pgtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // registers "pgx"

	"github.com/firmward/firmward/wire/wiretest/needs"
)

// Server is a PostgreSQL server for one test, on a loopback port.
type Server struct {
	Bin     string // where its programs are
	address string // URL without the database
	next    atomic.Int64
}

// Database makes a database and gives its URL.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	return s.make(t, "")
}

func (s *Server) make(t testing.TB, like string) string {
	t.Helper()
	db, err := sql.Open("pgx", s.address+"/postgres")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	name := fmt.Sprintf("t%d", s.next.Add(1))
	if _, err := db.ExecContext(t.Context(), "CREATE DATABASE "+name+like); err != nil {
		t.Fatal(err)
	}
	return s.address + "/" + name
}

// Copy makes a database that holds what another one holds, which nobody may use meanwhile, and gives its URL.
func (s *Server) Copy(t testing.TB, url string) string {
	t.Helper()
	return s.make(t, " TEMPLATE "+strings.TrimPrefix(url, s.address+"/"))
}

// Start starts Debian's PostgreSQL in a directory of the test. The server does not run as root, so root hands over
// to the user postgres. settings are given to it instead of fsync=off.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	bin := postgresBin(t.Context())
	if bin == "" {
		needs.Missing(t, "install postgresql to run this test")
	}
	dir, err := os.MkdirTemp("", "firmward-pg-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	who := runAs(t, dir)
	run := func(name string, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(context.WithoutCancel(t.Context()), filepath.Join(bin, name), args...)
		cmd.Dir, cmd.SysProcAttr = dir, who
		cmd.Env = append(os.Environ(), "LC_ALL=C", "HOME="+dir)
		return cmd
	}
	data := filepath.Join(dir, "data")
	if out, err := run("initdb", "-D", data, "-U", "firmward", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	port := freePort(t)
	if len(settings) == 0 {
		settings = []string{"fsync=off"}
	}
	all := append([]string{"listen_addresses=127.0.0.1", fmt.Sprint("port=", port), "unix_socket_directories=" + dir}, settings...)
	log := filepath.Join(dir, "log")
	if out, err := run("pg_ctl", "-D", data, "-w", "-t", "60", "-l", log, "-o", "-c "+strings.Join(all, " -c "), "start").CombinedOutput(); err != nil {
		text, _ := os.ReadFile(log)
		t.Fatalf("start postgresql: %v\n%s\n%s", err, out, text)
	}
	t.Cleanup(func() {
		if out, err := run("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop").CombinedOutput(); err != nil {
			t.Errorf("stop postgresql: %v\n%s", err, out)
		}
	})
	return &Server{Bin: bin, address: "postgres://firmward@127.0.0.1:" + strconv.Itoa(port)}
}

func postgresBin(ctx context.Context) string {
	candidates, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return ""
	}
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		candidates = append(candidates, strings.TrimSpace(string(out)))
	}
	for i := len(candidates) - 1; i >= 0; i-- {
		if _, err := os.Stat(filepath.Join(candidates[i], "initdb")); err == nil {
			return candidates[i]
		}
	}
	return ""
}

func runAs(t testing.TB, dir string) *syscall.SysProcAttr {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		needs.Missing(t, "PostgreSQL does not run as root and there is no user postgres")
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	if err := errors.Join(err1, err2, os.Chown(dir, uid, gid)); err != nil {
		t.Fatal(err)
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatalf("address %v", l.Addr())
	}
	return a.Port
}
