// Differential judges the same (firmware, hardware) pairs by firmward's index and by nvdtools' evaluator, on the same NVD 1.1
// files, and accounts for every difference.
//
//	go run ./differential [-pairs N] [-examples N] FILES…
//
// The pairs are drawn from the files: every operating system or firmware that a record joins with hardware by AND, in versions
// that the files name. A difference is explained by the criteria in which the two disagree, each by one of the classes below; what
// no class explains is printed and makes the exit code 1.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/facebookincubator/nvdtools/cvefeed"
	"github.com/facebookincubator/nvdtools/wfn"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/assess"
	"github.com/firmward/firmward/feed/sources"
	"github.com/firmward/firmward/match"
)

func main() {
	pairs := flag.Int("pairs", 20_000, "how many pairs to draw")
	examples := flag.Int("examples", 1, "how many examples of each class to print")
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "differential: want the NVD 1.1 files to compare on")
		os.Exit(2)
	}
	r, err := run(flag.Args(), *pairs)
	if err != nil {
		fmt.Fprintln(os.Stderr, "differential:", err)
		os.Exit(1)
	}
	r.print(os.Stdout, *examples)
	if len(r.unexplained) > 0 {
		os.Exit(1)
	}
}

// result is one comparison.
type result struct {
	pairs, fingerprints   int
	records               int
	load, build, open     time.Duration
	theirs, ours, explain time.Duration // for all pairs, one goroutine
	theirHeap, ourFile    int64
	answers               map[firmward.Verdict]int
	matches               int // of nvdtools
	same                  int // answers in which both agree that the device is affected
	classes               map[string][]difference
	unexplained           []difference
}

// difference is one (pair, CVE) on which the two disagree.
type difference struct {
	pair    string
	cve     string
	ours    firmward.Verdict // empty: no finding
	theirs  bool
	because string
}

func run(files []string, want int) (*result, error) {
	r := &result{answers: map[firmward.Verdict]int{}, classes: map[string][]difference{}}
	dir, err := os.MkdirTemp("", "differential")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "nvd.idx")

	began := time.Now()
	built, err := match.Build{Sources: sources.All(), Files: files, Out: path, Now: began}.Run(context.Background())
	if err != nil {
		return nil, err
	}
	r.build, r.records, r.ourFile = time.Since(began), built.Records, built.Bytes
	runtime.GC()

	began = time.Now()
	dict, err := cvefeed.LoadJSONDictionary(files...)
	if err != nil {
		return nil, err
	}
	cache := cvefeed.NewCache(dict).SetMaxSize(-1)
	cache.Idx = cvefeed.NewIndex(dict)
	r.load = time.Since(began)
	var mem runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&mem)
	r.theirHeap = int64(mem.HeapAlloc)

	began = time.Now()
	f, err := match.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r.open = time.Since(began)

	pairs := draw(dict, want)
	r.pairs = len(pairs)
	names := make([][]assess.Name, len(pairs))
	attrs := make([][]*wfn.Attributes, len(pairs))
	for i, p := range pairs {
		if names[i], err = match.Names(strings.Join(p, ",")); err != nil {
			return nil, err
		}
		for _, c := range p {
			a, err := wfn.Parse(c)
			if err != nil {
				return nil, err
			}
			attrs[i] = append(attrs[i], a)
		}
	}

	theirs := make([]map[string]bool, len(pairs))
	began = time.Now()
	for i := range pairs {
		theirs[i] = map[string]bool{}
		for _, m := range cache.Get(attrs[i]) {
			theirs[i][m.CVE.ID()] = true
		}
	}
	r.theirs = time.Since(began)

	e := assess.NewEvaluator(f.Index)
	subject := func(i int) assess.Subject {
		return assess.Subject{Names: names[i], Device: firmward.Device{Origin: firmward.OriginByHand}}
	}
	ours := make([]map[string]firmward.Verdict, len(pairs))
	began = time.Now()
	for i := range pairs {
		ours[i] = map[string]firmward.Verdict{}
		e.Judge(subject(i), func(id string, v firmward.Verdict, _ string) { ours[i][id] = v })
	}
	r.ours = time.Since(began)
	for i := range pairs { // the two ways to judge say the same
		for _, f := range e.Evaluate(subject(i), assess.Extras{}, time.Time{}) {
			if v := ours[i][f.AdvisoryID]; v != f.Verdict {
				return nil, fmt.Errorf("%v %s: %s without an explanation, %s with one", pairs[i], f.AdvisoryID, v, f.Verdict)
			}
		}
	}
	began = time.Now()
	for i := range pairs {
		e.Evaluate(subject(i), assess.Extras{}, time.Time{})
	}
	r.explain = time.Since(began)

	for i := range pairs {
		r.compare(pairs[i], attrs[i], names[i], ours[i], theirs[i], dict)
	}
	return r, nil
}

// affected is what counts as a match.
func affected(v firmward.Verdict) bool { return v == firmward.Affected || v == firmward.Likely }

func (r *result) compare(pair []string, attrs []*wfn.Attributes, names []assess.Name, ours map[string]firmward.Verdict, theirs map[string]bool, dict cvefeed.Dictionary) {
	ids := map[string]bool{}
	for id, v := range ours {
		ids[id] = true
		r.answers[v]++
	}
	for id := range theirs {
		ids[id] = true
		r.matches++
	}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		switch {
		case affected(ours[id]) == theirs[id]:
			if theirs[id] {
				r.same++
			}
			continue
		}
		d := difference{pair: strings.Join(pair, ","), cve: id, ours: ours[id], theirs: theirs[id]}
		class, because := explain(dict[id], attrs, names, d)
		d.because = because
		if class == "" {
			r.unexplained = append(r.unexplained, d)
		} else {
			r.classes[class] = append(r.classes[class], d)
		}
	}
}

func (r *result) print(out io.Writer, examples int) {
	fmt.Fprintf(out, "%d records; %d pairs of firmware and hardware, one goroutine\n\n", r.records, r.pairs)
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	rate := func(d time.Duration) string { return fmt.Sprintf("%.0f pairs/s", float64(r.pairs)/d.Seconds()) }
	fmt.Fprintln(w, "\tnvdtools\tfirmward")
	fmt.Fprintf(w, "from files to ready\t%.1f s, at each start\t%.1f s once, then open in %.0f ms\n", r.load.Seconds(), r.build.Seconds(), float64(r.open.Microseconds())/1000)
	fmt.Fprintf(w, "held\t%d MB of heap\t%d MB of mapped file\n", r.theirHeap>>20, r.ourFile>>20)
	fmt.Fprintf(w, "verdicts\t%s\t%s\t%.1f x\n", rate(r.theirs), rate(r.ours), r.theirs.Seconds()/r.ours.Seconds())
	fmt.Fprintf(w, "with explanation\tnone\t%s\n", rate(r.explain))
	fmt.Fprintf(w, "affected\t%d\t%d affected, %d likely\n", r.matches, r.answers[firmward.Affected], r.answers[firmward.Likely])
	fmt.Fprintf(w, "else\t\t%d possible, %d not affected\n", r.answers[firmward.Possible], r.answers[firmward.NotAffected])
	w.Flush()
	total := 0
	for _, ds := range r.classes {
		total += len(ds)
	}
	fmt.Fprintf(out, "\nboth say affected: %d; differences: %d, unexplained: %d\n\n", r.same, total+len(r.unexplained), len(r.unexplained))
	for _, class := range slices.SortedFunc(maps.Keys(r.classes), func(a, b string) int { return cmp.Compare(len(r.classes[b]), len(r.classes[a])) }) {
		fmt.Fprintf(out, "%7d  %s\n", len(r.classes[class]), class)
		for _, d := range r.classes[class][:min(examples, len(r.classes[class]))] {
			fmt.Fprintf(out, "           %s\n", d)
		}
	}
	for _, d := range r.unexplained[:min(50, len(r.unexplained))] {
		fmt.Fprintf(out, "UNEXPLAINED %s\n", d)
	}
}

func (d difference) String() string {
	ours := string(d.ours)
	if ours == "" {
		ours = "no finding"
	}
	return fmt.Sprintf("%s %s: firmward %s, nvdtools %v; %s", d.pair, d.cve, ours, d.theirs, d.because)
}
