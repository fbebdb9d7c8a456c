package match

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/assess"
	"github.com/firmward/firmward/cpe"
	"github.com/firmward/firmward/index"
)

// Run judges devices by an index. Devices with the same names are judged once.
type Run struct {
	Index   *index.Index
	Explain bool // give the whole explanation, not the reason code alone
	All     bool // give verdicts not-affected too
	Workers int  // 0: one a processor
	Bad     func(line int, err error)
}

// Answer is one verdict on one device.
type Answer struct {
	ID          string                `json:"id"`
	CVE         string                `json:"cve"`
	Verdict     firmward.Verdict      `json:"verdict"`
	Why         string                `json:"why"` // reason code
	FixedIn     string                `json:"fixed_in,omitempty"`
	Digest      string                `json:"digest,omitempty"`
	Explanation *firmward.Explanation `json:"explanation,omitempty"`
}

// Judged counts what was done.
type Judged struct {
	Devices, Fingerprints, Verdicts, Bad int
}

// Bounds of an input.
const (
	chunk   = 32      // lines that are judged together
	maxLine = 1 << 20 // bytes
	maxKept = 2 << 20 // bytes of answers that are kept for lines to come
)

// Lines reads devices, one a line: an id, a tab, and CPE 2.3 names with commas between them. It writes one Answer a line, in
// the order of the devices and of the advisories. A line that cannot be read is given to Bad and left out. Empty lines and those
// that begin with # do not count.
func (m Run) Lines(ctx context.Context, in io.Reader, out io.Writer) (Judged, error) {
	if m.Workers <= 0 {
		m.Workers = runtime.GOMAXPROCS(0)
	}
	var done Judged
	w := bufio.NewWriterSize(out, 1<<16)
	workers := make([]*worker, m.Workers)
	for i := range workers {
		workers[i] = &worker{Run: m, e: assess.NewEvaluator(m.Index)}
	}
	kept, keptSize := map[string][]byte{}, 0
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 1<<16), maxLine)
	number := 0
	for more := true; more; {
		var ids, prints []string
		var at []int
		for len(ids) < chunk {
			if more = lines.Scan(); !more {
				break
			}
			number++
			id, names, ok := device(lines.Text())
			if !ok {
				continue
			}
			if names == "" {
				done.Bad++
				m.bad(number, errors.New("want an id, a tab and CPE names with commas between them"))
				continue
			}
			ids, prints, at = append(ids, id), append(prints, names), append(at, number)
		}
		if err := ctx.Err(); err != nil {
			return done, err
		}
		fresh, size := judge(workers, prints, kept)
		done.Fingerprints += fresh
		keptSize += size
		for i, id := range ids {
			body := kept[prints[i]]
			if len(body) > 0 && body[0] == badMark {
				done.Bad++
				m.bad(at[i], errors.New(string(body[1:])))
				continue
			}
			done.Devices++
			n, err := answers(w, id, body)
			if err != nil {
				return done, fmt.Errorf("write verdicts: %w", err)
			}
			done.Verdicts += n
		}
		if keptSize > maxKept {
			kept, keptSize = map[string][]byte{}, 0
		}
	}
	if err := lines.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("line %d has more than %d bytes", number+1, maxLine)
		}
		return done, errors.Join(&firmward.Error{Code: firmward.Invalid, Message: "read devices: " + err.Error()}, w.Flush())
	}
	return done, w.Flush()
}

func (m Run) bad(line int, err error) {
	if m.Bad != nil {
		m.Bad(line, err)
	}
}

// device takes a line apart. It reports false for one that says nothing.
func device(line string) (id, names string, ok bool) {
	line = strings.TrimRight(line, "\r")
	if strings.TrimSpace(line) == "" || line[0] == '#' {
		return "", "", false
	}
	id, names, _ = strings.Cut(line, "\t")
	return id, strings.TrimSpace(names), true
}

// judge fills kept with the answers on prints that are not there yet, and tells how many and how many bytes that were.
func judge(workers []*worker, prints []string, kept map[string][]byte) (n, size int) {
	var fresh []string
	for _, p := range prints {
		if _, ok := kept[p]; !ok {
			kept[p] = nil
			fresh = append(fresh, p)
		}
	}
	results := make([][]byte, len(fresh))
	var wg sync.WaitGroup
	for i, w := range workers {
		wg.Go(func() {
			for n := i; n < len(fresh); n += len(workers) {
				results[n] = w.print(fresh[n])
			}
		})
	}
	wg.Wait()
	for i, p := range fresh {
		kept[p] = results[i]
		size += len(p) + len(results[i])
	}
	return len(fresh), size
}

// worker judges in one goroutine.
type worker struct {
	Run
	e   *assess.Evaluator
	out bytes.Buffer
}

// badMark begins the answer on names that cannot be read.
const badMark = '!'

// print judges one list of names. The answers stand one a line, without the device.
func (w *worker) print(list string) []byte {
	names, err := Names(list)
	if err != nil {
		return append([]byte{badMark}, err.Error()...)
	}
	w.out.Reset()
	subject := assess.Subject{Names: names, Device: firmward.Device{Origin: firmward.OriginByHand}}
	if w.Explain {
		for _, f := range w.e.Evaluate(subject, assess.Extras{}, time.Time{}) {
			if f.Verdict != firmward.NotAffected || w.All {
				w.answer(Answer{CVE: f.AdvisoryID, Verdict: f.Verdict, Why: f.Reason, FixedIn: f.FixedIn, Digest: f.Digest, Explanation: &f.Explanation})
			}
		}
	} else {
		w.e.Judge(subject, func(id string, v firmward.Verdict, reason string) {
			if v != firmward.NotAffected || w.All {
				w.answer(Answer{CVE: id, Verdict: v, Why: reason})
			}
		})
	}
	return slices.Clone(w.out.Bytes())
}

// answer writes one without its device, which comes first in the line.
func (w *worker) answer(a Answer) {
	enc := json.NewEncoder(&w.out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(a) // plain values, into memory
}

// answers writes the lines of one device.
func answers(w *bufio.Writer, id string, body []byte) (n int, err error) {
	if len(body) == 0 {
		return 0, nil
	}
	name, err := json.Marshal(id)
	if err != nil {
		return 0, err
	}
	empty := []byte(`{"id":""`)
	for line := range bytes.Lines(body) {
		n++
		_, _ = w.WriteString(`{"id":`)
		_, _ = w.Write(name)
		if _, err = w.Write(line[len(empty):]); err != nil {
			return n, err
		}
	}
	return n, nil
}

// Names reads CPE names with commas between them, as 2.3 formatted strings or 2.2 URIs; a comma within a name is escaped.
func Names(list string) ([]assess.Name, error) {
	var out []assess.Name
	for from, i := 0, 0; i <= len(list); i++ {
		switch {
		case i+1 < len(list) && list[i] == '\\':
			i++
			continue
		case i < len(list) && list[i] != ',':
			continue
		}
		n, err := cpe.Read(strings.TrimSpace(list[from:i]))
		if err != nil {
			return nil, err
		}
		out = append(out, assess.Listed(n))
		from = i + 1
	}
	return out, nil
}
