package store

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/firmward/firmward"
)

// Page asks for one page of a listing. Listings give the items and the cursor of the next page, empty after the last.
type Page struct {
	After string // cursor from the page before, empty for the first; opaque
	Limit int    // 0 means 100; never more than 1000
}

func (p Page) limit() int {
	if p.Limit <= 0 {
		return 100
	}
	return min(p.Limit, 1000)
}

// NewID gives a random id, "dev-" and 13 characters of base32 for the prefix "dev".
func NewID(prefix string) string { return prefix + "-" + strings.ToLower(rand.Text()[:13]) }

// js marks an argument to be stored as JSON.
type js struct{ v any }

// bind turns nouns' types into what both drivers take: text is cleaned, times become microseconds, truth values 0
// and 1, addresses text.
func bind(args []any) ([]any, error) {
	out := make([]any, len(args))
	for i, a := range args {
		switch v := a.(type) {
		case string:
			out[i] = clean(v)
		case time.Time:
			out[i] = micros(v)
		case bool:
			out[i] = int64(0)
			if v {
				out[i] = int64(1)
			}
		case int:
			out[i] = int64(v)
		case uint16:
			out[i] = int64(v)
		case netip.Addr:
			out[i] = addrText(v)
		case netip.Prefix:
			out[i] = v.String()
		case js:
			b, err := json.Marshal(v.v)
			if err != nil {
				return nil, fmt.Errorf("write %T: %w", v.v, err)
			}
			out[i] = string(b)
		case []byte:
			if v == nil {
				v = []byte{}
			}
			out[i] = v
		case int64, float64, nil, []string, []int64: // lists are for PostgreSQL alone
			out[i] = v
		default:
			out[i] = text(a)
		}
	}
	return out, nil
}

// text gives the string behind a named string type.
func text(a any) string {
	return clean(fmt.Sprint(a))
}

func clean(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "\uFFFD")
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

// addrText gives an address as it is kept: IPv4 never in its IPv6 form, no zone name.
func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.Unmap().WithZone("").String()
}

// timeInto scans microseconds, addrInto an address, body JSON into what it points at.
type (
	timeInto struct{ t *time.Time }
	addrInto struct{ a *netip.Addr }
	body     struct{ v any }
)

func (d timeInto) Scan(src any) error {
	n, ok := src.(int64)
	if !ok {
		return fmt.Errorf("read time: column holds %T", src)
	}
	*d.t = fromMicros(n)
	return nil
}

func (d addrInto) Scan(src any) error {
	s, ok := src.(string)
	if !ok || s == "" {
		*d.a = netip.Addr{}
		return nil
	}
	a, err := netip.ParseAddr(s)
	*d.a = a
	return err
}

func (d body) Scan(src any) error {
	switch s := src.(type) {
	case string:
		return json.Unmarshal([]byte(s), d.v)
	case []byte:
		return json.Unmarshal(s, d.v)
	}
	return fmt.Errorf("read body: column holds %T", src)
}

type scan func(dest ...any) error

// bodies scans rows that are one body each.
func bodies[T any](s scan) (T, error) {
	var v T
	err := s(body{&v})
	return v, err
}

// list runs a query and reads all of its rows.
func list[T any](ctx context.Context, r Reader, each func(scan) (T, error), query string, args ...any) ([]T, error) {
	args, err := bind(args)
	if err != nil {
		return nil, err
	}
	rows, err := r.q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, r.d.plain("read", err)
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := each(rows.Scan)
		if err != nil {
			return nil, r.d.plain("read", err)
		}
		out = append(out, v)
	}
	return out, r.d.plain("read", rows.Err())
}

// row runs a query for one row; found is false when there is none.
func (r Reader) row(ctx context.Context, query string, args []any, dest ...any) (found bool, err error) {
	args, err = bind(args)
	if err != nil {
		return false, err
	}
	rows, err := r.q.QueryContext(ctx, query, args...)
	if err != nil {
		return false, r.d.plain("read", err)
	}
	defer rows.Close()
	if !rows.Next() {
		return false, r.d.plain("read", rows.Err())
	}
	if err := errors.Join(rows.Scan(dest...), rows.Close()); err != nil {
		return false, r.d.plain("read", err)
	}
	return true, nil
}

// top gives the greatest number of a column that counts on, which whoever adds rows raises. A transaction reads it once: nobody else
// writes meanwhile.
func (t *Tx) top(ctx context.Context, query string) (*int64, error) { return t.askTop(ctx, query)() }

// askTop is top whose answer is wanted later.
func (t *Tx) askTop(ctx context.Context, query string) (answer func() (*int64, error)) {
	if n := t.tops[query]; n != nil {
		return func() (*int64, error) { return n, nil }
	}
	found := ask(ctx, t, func(s scan) (n int64, err error) {
		err = s(&n)
		return n, err
	}, query)
	return func() (*int64, error) {
		n, err := found()
		if err != nil {
			return nil, err
		}
		t.tops[query] = &n[0]
		return &n[0], nil
	}
}

// one reads the body of the one row that the query gives, or fails with NotFound.
func one[T any](ctx context.Context, r Reader, what, name, query string, args ...any) (T, error) {
	var v T
	found, err := r.row(ctx, query, args, body{&v})
	if err == nil && !found {
		err = notFound(what, name)
	}
	return v, err
}

func args(a ...any) []any { return a }

// filter collects conditions. A "?" in a condition stands for the next argument.
type filter struct {
	conds []string
	args  []any
}

func (f *filter) add(cond string, args ...any) {
	for _, a := range args {
		cond = strings.Replace(cond, "?", f.mark(a), 1)
	}
	f.conds = append(f.conds, cond)
}

// is adds column = value unless value is empty.
func (f *filter) is(column string, value any) {
	if v := text(value); v != "" {
		f.add(column+" = ?", v)
	}
}

func (f *filter) truth(column string, want *bool) {
	if want != nil {
		f.add(column+" = ?", *want)
	}
}

// in adds column IN (values…).
func (f *filter) in(column string, values []string) {
	marks := strings.TrimSuffix(strings.Repeat("?, ", len(values)), ", ")
	list := make([]any, len(values))
	for i, v := range values {
		list[i] = v
	}
	if len(values) == 0 {
		f.add("1 = 0")
		return
	}
	f.add(column+" IN ("+marks+")", list...)
}

func (f *filter) where() string {
	if len(f.conds) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(f.conds, " AND ")
}

// keyset pages a listing by the columns of its order, all ascending or all descending.
type keyset struct {
	columns []string
	desc    bool
}

func ordered(columns ...string) keyset { return keyset{columns: columns} }

// page runs "SELECT <columns>, <selected> FROM <from>" with filter, order and limit. each reads the selected columns.
// Key columns are text or integer.
func page[T any](ctx context.Context, r Reader, k keyset, p Page, f filter, from, selected string, each func(scan) (T, error)) ([]T, string, error) {
	op, dir := ">", ""
	if k.desc {
		op, dir = "<", " DESC"
	}
	if p.After != "" {
		after, err := decodeCursor(p.After, len(k.columns))
		if err != nil {
			return nil, "", err
		}
		marks := strings.TrimSuffix(strings.Repeat("?, ", len(after)), ", ")
		f.add("("+strings.Join(k.columns, ", ")+") "+op+" ("+marks+")", after...)
	}
	limit := p.limit()
	f.args = append(f.args, limit+1)
	query := "SELECT " + strings.Join(k.columns, ", ") + ", " + selected + " FROM " + from + f.where() +
		" ORDER BY " + strings.Join(k.columns, dir+", ") + dir + " LIMIT $" + strconv.Itoa(len(f.args))
	keys := make([][]any, 0, limit)
	items, err := list(ctx, r, func(s scan) (T, error) {
		key := make([]any, len(k.columns))
		dest := make([]any, len(k.columns))
		for i := range key {
			dest[i] = &key[i]
		}
		v, err := each(func(rest ...any) error { return s(append(dest, rest...)...) })
		keys = append(keys, key)
		return v, err
	}, query, f.args...)
	if err != nil || len(items) <= limit {
		return items, "", err
	}
	return items[:limit], encodeCursor(keys[limit-1]), nil
}

func encodeCursor(key []any) string {
	b, err := json.Marshal(key)
	if err != nil {
		panic("store: cursor of text and integers: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func decodeCursor(s string, n int) ([]any, error) {
	bad := firmward.Errorf(firmward.Invalid, "the cursor is not one that this listing gave out")
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return nil, bad
	}
	dec := json.NewDecoder(strings.NewReader(string(b)))
	dec.UseNumber()
	var key []any
	if err := dec.Decode(&key); err != nil || len(key) != n {
		return nil, bad
	}
	for i, k := range key {
		switch v := k.(type) {
		case string:
		case json.Number:
			if key[i], err = v.Int64(); err != nil {
				return nil, bad
			}
		default:
			return nil, bad
		}
	}
	return key, nil
}
