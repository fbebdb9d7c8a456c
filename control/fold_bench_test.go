package control_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/store/pgtest"
)

// goodWay is what happens to each device of a rollout that goes well: each is one transition of its target.
var goodWay = []rollout.Event{
	{Kind: rollout.Start},
	ready,
	{Kind: rollout.Accepted},
	{Kind: rollout.Tick}, // the settle time is over
	{Kind: rollout.Looked, Seen: rollout.Seen{Reachable: true, SameDevice: true, Version: "2.0"}},
}

// through takes all targets all the good way, one step of all after the other, 256 events a transaction, and gives the time that the store took.
func (w *rows) through(n int) time.Duration {
	w.t.Helper()
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("dev-%05d", i)
	}
	var took time.Duration
	for i, ev := range goodWay {
		for some := range slices.Chunk(ids, control.FoldAtOnce) {
			all := make([]control.Happening, len(some))
			for j, id := range some {
				all[j] = control.Happening{Device: id, Event: ev}
				if ev.Kind != rollout.Start && ev.Kind != rollout.Tick {
					all[j].Command = fmt.Sprintf("%s.%s.%d", rowsID, id, []int{0, 1, 2, 2, 3}[i])
					all[j].Event.Command = all[j].Command
				}
			}
			at := time.Now()
			w.fold(all...)
			took += time.Since(at)
		}
	}
	return took
}

// fast is a clock by which each device has settled when its look is due: at least 20 minutes pass between two events of one.
func fast(cfg *control.Config) {
	cfg.Clock = control.Clock{Base: time.Now(), Start: time.Now(), Scale: 20_000}
}

var benchPolicy = firmward.RolloutPolicy{MaxInFlight: benchTargets, Deadline: 10 * 365 * 24 * time.Hour}

const benchTargets = 10 * control.FoldAtOnce

// BenchmarkFold takes targets through a rollout in SQLite on disk.
func BenchmarkFold(b *testing.B) {
	var took time.Duration
	turns := 0
	for b.Loop() {
		b.StopTimer()
		w := openRows(b, benchTargets, benchPolicy, anywhere, fast)
		b.StartTimer()
		took += w.through(benchTargets)
		b.StopTimer()
		w.finished()
		turns++
		b.StartTimer()
	}
	b.ReportMetric(float64(turns*benchTargets*len(goodWay))/took.Seconds(), "transitions/s")
}

// finished checks that every target was taken to its end.
func (w *rows) finished() {
	w.t.Helper()
	if r := w.counts(); r.Succeeded != benchTargets {
		w.t.Fatalf("%d of %d succeeded", r.Succeeded, benchTargets)
	}
}

// BenchmarkFoldPostgres does the same in PostgreSQL with fsync on, and lets pgbench play the very statements that the store sent, with
// the same values, on a copy of the same database. What differs: the store sends its values apart from its statements, in binary form where it can,
// and statements are parsed once a connection; pgbench sends them as text within, and the server parses and plans each. The store
// also waits for what it must know before it goes on, and for nothing else; pgbench waits for each statement. Both begin with a fresh
// connection, by turns the one or the other first. The share is that of the middle turn.
func BenchmarkFoldPostgres(b *testing.B) {
	server := pgtest.Start(b, "fsync=on")
	program := filepath.Join(server.Bin, "pgbench")
	if _, err := os.Stat(program); err != nil {
		b.Skip("pgbench comes with postgresql and is not there")
	}
	base := server.Database(b)
	openRowsIn(b, store.Options{URL: base}, benchTargets, benchPolicy, anywhere, fast).Store.Close()
	script := filepath.Join(b.TempDir(), "statements.sql")
	rec := record(b, script)
	w := rowsIn(b, store.Options{URL: server.Copy(b, base), Trace: rec}, fast)
	rec.on(true)
	w.through(benchTargets)
	rec.on(false)
	w.finished()
	rec.close()
	fold := func() time.Duration {
		w := rowsIn(b, store.Options{URL: server.Copy(b, base)}, fast)
		defer w.Store.Close()
		took := w.through(benchTargets)
		w.finished()
		return took
	}
	pgbench := func() time.Duration {
		url := server.Copy(b, base)
		took := play(b, program, script, url)
		w := rowsIn(b, store.Options{URL: url}, fast)
		defer w.Store.Close()
		w.finished()
		return took
	}
	var ours, theirs time.Duration
	var shares []float64
	for b.Loop() {
		var our, their time.Duration
		if len(shares)%2 == 0 {
			our, their = fold(), pgbench()
		} else {
			their, our = pgbench(), fold()
		}
		ours, theirs = ours+our, theirs+their
		shares = append(shares, 100*their.Seconds()/our.Seconds())
	}
	slices.Sort(shares)
	n := float64(len(shares) * benchTargets * len(goodWay))
	b.ReportMetric(n/ours.Seconds(), "transitions/s")
	b.ReportMetric(n/theirs.Seconds(), "pgbench/s")
	b.ReportMetric(shares[len(shares)/2], "%-of-pgbench")
	b.ReportMetric(float64(rec.n)/float64(benchTargets/control.FoldAtOnce*len(goodWay)), "statements/fold")
}

// play lets pgbench run a script once, over one connection, and gives the time that its statements took.
func play(b *testing.B, program, script, url string) time.Duration {
	b.Helper()
	out, err := exec.CommandContext(b.Context(), program, "-n", "-c", "1", "-t", "1", "-M", "simple", "-f", script, url).CombinedOutput()
	if err != nil {
		b.Fatalf("pgbench: %v\n%s", err, tail(out))
	}
	m := regexp.MustCompile(`latency average = ([0-9.]+) ms`).FindSubmatch(out)
	if m == nil {
		b.Fatalf("pgbench said\n%s", tail(out))
	}
	ms, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		b.Fatal(err)
	}
	return time.Duration(ms * float64(time.Millisecond))
}

func tail(b []byte) []byte { return b[max(0, len(b)-2000):] }

// recorder writes the statements that go to PostgreSQL as a script for pgbench, with their values in them.
type recorder struct {
	t   testing.TB
	mu  sync.Mutex
	f   *os.File
	w   *bufio.Writer
	yes bool
	n   int
}

func record(t testing.TB, path string) *recorder {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	return &recorder{t: t, f: f, w: bufio.NewWriter(f)}
}

func (r *recorder) on(yes bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.yes = yes
}

func (r *recorder) close() {
	r.t.Helper()
	if err := r.w.Flush(); err != nil {
		r.t.Fatal(err)
	}
	if err := r.f.Close(); err != nil {
		r.t.Fatal(err)
	}
}

var parameter = regexp.MustCompile(`\$[0-9]+`)

// TraceQueryStart is pgx.QueryTracer.
func (r *recorder) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	r.statement(q.SQL, q.Args)
	return ctx
}

// TraceQueryEnd is pgx.QueryTracer.
func (r *recorder) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TraceBatchStart is pgx.BatchTracer.
func (r *recorder) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

// TraceBatchQuery is pgx.BatchTracer.
func (r *recorder) TraceBatchQuery(_ context.Context, _ *pgx.Conn, q pgx.TraceBatchQueryData) {
	r.statement(q.SQL, q.Args)
}

// TraceBatchEnd is pgx.BatchTracer.
func (r *recorder) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

func (r *recorder) statement(query string, args []any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.yes {
		return
	}
	values := slices.DeleteFunc(slices.Clone(args), func(v any) bool {
		switch v.(type) {
		case pgx.QueryResultFormats, pgx.QueryResultFormatsByOID: // what the driver wants back
			return true
		}
		return false
	})
	text := parameter.ReplaceAllStringFunc(query, func(p string) string {
		n, err := strconv.Atoi(p[1:])
		if err != nil || n > len(values) {
			r.t.Errorf("statement %s has no value %s", query, p)
			return p
		}
		return r.literal(values[n-1])
	})
	fmt.Fprintf(r.w, "%s;\n", strings.TrimSuffix(strings.TrimSpace(text), ";"))
	r.n++
}

func (r *recorder) literal(v any) string {
	quote := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
	list := func(n int, of func(int) string) string {
		all := make([]string, n)
		for i := range all {
			all[i] = of(i)
		}
		return quote("{" + strings.Join(all, ",") + "}")
	}
	switch v := v.(type) {
	case string:
		return quote(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case []int64:
		return list(len(v), func(i int) string { return strconv.FormatInt(v[i], 10) })
	case []string:
		escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
		return list(len(v), func(i int) string { return `"` + escape.Replace(v[i]) + `"` })
	}
	r.t.Errorf("a value of type %T is written nowhere", v)
	return "NULL"
}
