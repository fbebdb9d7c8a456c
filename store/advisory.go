package store

import (
	"bytes"
	"cmp"
	"compress/flate"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/firmward/firmward"
)

// packer packs bodies. The first letter says how: j is JSON as it is, z deflated JSON.
type packer struct {
	buf     bytes.Buffer
	deflate *flate.Writer
}

func (p *packer) pack(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return p.packText(b)
}

func (p *packer) packText(b []byte) (_ []byte, err error) {
	if len(b) < 400 {
		return append([]byte("j"), b...), nil
	}
	p.buf.Reset()
	p.buf.WriteByte('z')
	if p.deflate == nil {
		if p.deflate, err = flate.NewWriter(&p.buf, flate.BestSpeed); err != nil {
			return nil, err
		}
	} else {
		p.deflate.Reset(&p.buf)
	}
	if _, err := p.deflate.Write(b); err != nil {
		return nil, err
	}
	if err := p.deflate.Close(); err != nil {
		return nil, err
	}
	return bytes.Clone(p.buf.Bytes()), nil
}

// packers saves the large tables of a packer for the next one who needs it.
var packers = sync.Pool{New: func() any { return new(packer) }}

// packed scans what a packer packed into what v points at.
type packed struct{ v any }

// maxPacked bounds an unpacked body, in bytes.
const maxPacked = 64 << 20

func (p packed) Scan(src any) error {
	b, ok := src.([]byte)
	if !ok || len(b) == 0 {
		return fmt.Errorf("read packed body: column holds %T", src)
	}
	switch b[0] {
	case 'j':
		return json.Unmarshal(b[1:], p.v)
	case 'z':
		text, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(b[1:])), maxPacked))
		if err != nil {
			return fmt.Errorf("read packed body: %w", err)
		}
		return json.Unmarshal(text, p.v)
	}
	return errors.New("read packed body: unknown packing")
}

func advisories(s scan) (a firmward.Advisory, err error) {
	err = s(packed{&a})
	return a, err
}

// EachAdvisory calls f with each advisory, sorted by id and source, until f fails.
func (r Reader) EachAdvisory(ctx context.Context, f func(firmward.Advisory) error) error {
	return r.each(ctx, "SELECT body FROM advisory ORDER BY id, source", func(s scan) error {
		a, err := advisories(s)
		if err != nil {
			return err
		}
		return f(a)
	})
}

// AdvisoriesOf gives what each source says about these vulnerabilities, sorted by id and source.
func (r Reader) AdvisoriesOf(ctx context.Context, ids []string) ([]firmward.Advisory, error) {
	return list(ctx, r, advisories, "SELECT body FROM advisory WHERE id IN ("+r.d.elements("$1")+") ORDER BY id, source", js{ids})
}

// Advisory gives what each source says about one vulnerability, sorted by source. NotFound when none does.
func (r Reader) Advisory(ctx context.Context, id string) ([]firmward.Advisory, error) {
	found, err := list(ctx, r, advisories, "SELECT body FROM advisory WHERE id = $1 ORDER BY source", id)
	if err == nil && len(found) == 0 {
		err = notFound("advisory", id)
	}
	return found, err
}

// AdvisoryFilter chooses advisories. Zero fields choose nothing out.
type AdvisoryFilter struct {
	Source    string    // a feed, or one source of it: "csaf", "csaf:cisa.gov/ICSA-24-030-02"
	Text      string    // part of id or title, in any case
	Modified  time.Time // not before
	Exploited bool      // only those in a list of exploited ones
}

// Advisories lists advisories by id and source.
func (r Reader) Advisories(ctx context.Context, want AdvisoryFilter, p Page) ([]firmward.Advisory, string, error) {
	var f filter
	if strings.Contains(want.Source, ":") {
		f.is("source", want.Source)
	} else {
		f.is("feed", want.Source)
	}
	if want.Text != "" {
		like := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(want.Text)) + "%"
		f.add(`(title LIKE ? ESCAPE '\' OR lower(id) LIKE ? ESCAPE '\')`, like, like)
	}
	if !want.Modified.IsZero() {
		f.add("modified >= ?", want.Modified)
	}
	if want.Exploited {
		f.add("id IN (SELECT id FROM exploited)")
	}
	return page(ctx, r, ordered("id", "source"), p, f, "advisory", "body", advisories)
}

// ExploitedOf gives the entry of each of these advisories that is known to be exploited: the one that was added first
// where feeds differ, with what only the others know.
func (r Reader) ExploitedOf(ctx context.Context, ids []string) (map[string]firmward.Exploited, error) {
	rows, err := list(ctx, r, bodies[firmward.Exploited],
		"SELECT body FROM exploited WHERE id IN ("+r.d.elements("$1")+") ORDER BY added DESC, feed DESC", js{ids})
	out := make(map[string]firmward.Exploited, len(rows))
	for _, e := range rows {
		known := out[e.Advisory] // a CVE record repeats the day of an entry and nothing else of it
		e.Due, e.Action, e.Ransomware = cmp.Or(e.Due, known.Due), cmp.Or(e.Action, known.Action), e.Ransomware || known.Ransomware
		out[e.Advisory] = e
	}
	return out, err
}

// LikelihoodOf gives the newest score of each of these advisories that has one.
func (r Reader) LikelihoodOf(ctx context.Context, ids []string) (map[string]firmward.Likelihood, error) {
	rows, err := list(ctx, r, func(s scan) (l firmward.Likelihood, err error) {
		err = s(&l.Advisory, &l.Score, &l.Percentile, &l.Model, timeInto{&l.Dated})
		return l, err
	}, "SELECT id, score, percentile, model, dated FROM likelihood WHERE id IN ("+r.d.elements("$1")+") ORDER BY dated, feed", js{ids})
	out := make(map[string]firmward.Likelihood, len(rows))
	for _, l := range rows {
		out[l.Advisory] = l
	}
	return out, err
}

// Lifecycles gives what is known of the support of a vendor's products, without regard to case, sorted by product,
// branch and feed. The vendor may go by several names. No products means all of the vendor.
func (r Reader) Lifecycles(ctx context.Context, vendors []string, products ...string) ([]firmward.Lifecycle, error) {
	var f filter
	f.in("vendor_key", lowered(vendors))
	if len(products) > 0 {
		f.in("product_key", lowered(products))
	}
	return list(ctx, r, bodies[firmward.Lifecycle],
		"SELECT body FROM lifecycle"+f.where()+" ORDER BY product_key, branch, feed", f.args...)
}

func lowered(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = strings.ToLower(n)
	}
	return out
}

// each runs a query and hands over its rows one by one.
func (r Reader) each(ctx context.Context, query string, f func(scan) error, args ...any) error {
	args, err := bind(args)
	if err != nil {
		return err
	}
	rows, err := r.q.QueryContext(ctx, query, args...)
	if err != nil {
		return r.d.plain("read", err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return r.d.plain("read", rows.Err())
}
