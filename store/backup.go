package store

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"filippo.io/age"

	"github.com/firmward/firmward"
)

// tables lists every table with its key, in the order in which a dump holds them.
var tables = []struct{ name, key string }{
	{"site", "name"},
	{"network", "prefix"},
	{"observation", "id"},
	{"device", "id"},
	{"device_addr", "addr, device"},
	{"device_key", "field, value, vendor, device, origin"},
	{"device_seen", "device"},
	{"device_history", "seq"},
	{"device_alias", "id"},
	{"device_merge", "from_device"},
	{"device_apart", "one, other"},
	{"device_count", "site, class"},
	{"identity", "device"},
	{"transmission", "addr, seq"},
	{"feed", "name"},
	{"feed_fetch", "name"},
	{"advisory", "id, source"},
	{"advisory_change", "generation, id, source"},
	{"advisory_withdrawn", "id, source"},
	{"advisory_body", "id, source, until"},
	{"exploited", "id, feed"},
	{"likelihood", "id, feed"},
	{"lifecycle", "vendor_key, product_key, branch, feed"},
	{"fingerprint", "id"},
	{"fingerprint_product", "product, fingerprint"},
	{"fingerprint_answer", "fingerprint, advisory"},
	{"device_fingerprint", "device"},
	{"finding_text", "id"},
	{"finding", "device, advisory"},
	{"finding_history", "device, advisory, since"},
	{"finding_count", "verdict, exploited"},
	{"exception", "id"},
	{"firmware_release", "id"},
	{"staging", "sha256, path, model, hardware, config"},
	{"rehearsal", "rollout"},
	{"rollout", "id"},
	{"target", "rollout, device"},
	{"claim", "kind, name"},
	{"image_grant", "path"},
	{"workorder", "id"},
	{"containment", "id"},
	{"nextstep", "device"},
	{"nextstep_count", "kind, bucket"},
	{"relation", "from_device, to_device, kind"},
	{"edition", "name"},
	{"token", "id"},
	{"secret", "scope"},
	{"event", "seq"},
	{"setting", "name"},
	{"recipient", "name"},
	{"site_freeze", "site, name"},
	{"update_time", "rollout, device"},
	{"command", "id"},
	{"stray", "why"},
	{"audit_leaf", "id"},
	{"audit_hash", "idx"},
	{"audit_checkpoint", "size"},
	{"audit_lease", "name"},
}

// A dump is lines of JSON: a header, for each table a line that names it and its columns, its rows as lists of values,
// and a closing line with the number of rows. A value is a text whose first letter says its type: s text, i
// integer, f number, b bytes in base64; n alone is none.
type (
	dumpHeader struct {
		Dump   int `json:"firmward-dump"`
		Schema int `json:"schema"`
	}
	dumpTable struct {
		Table   string   `json:"table"`
		Columns []string `json:"columns"`
	}
	dumpEnd struct {
		Rows int `json:"end-rows"`
	}
)

// Dump writes everything that the store holds as one consistent state, in a form that Load reads into either engine. It
// holds ciphertext of secrets and hashes of tokens: treat it as secret, see Encrypt.
func (s *Store) Dump(ctx context.Context, w io.Writer) error {
	return s.Snapshot(ctx, func(r Reader) error {
		version, err := r.SchemaVersion(ctx)
		if err != nil {
			return err
		}
		out := json.NewEncoder(w)
		out.SetEscapeHTML(false)
		if err := out.Encode(dumpHeader{Dump: 1, Schema: version}); err != nil {
			return fmt.Errorf("write dump: %w", err)
		}
		rows := 0
		for _, t := range tables {
			n, err := r.dumpTable(ctx, out, t.name, t.key)
			if err != nil {
				return fmt.Errorf("dump %s: %w", t.name, err)
			}
			rows += n
		}
		return out.Encode(dumpEnd{Rows: rows})
	})
}

func (r Reader) dumpTable(ctx context.Context, out *json.Encoder, table, key string) (int, error) {
	rows, err := r.q.QueryContext(ctx, "SELECT * FROM "+table+" ORDER BY "+key)
	if err != nil {
		return 0, r.d.plain("read", err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return 0, err
	}
	if err := out.Encode(dumpTable{Table: table, Columns: columns}); err != nil {
		return 0, err
	}
	values := make([]any, len(columns))
	dest := make([]any, len(columns))
	for i := range values {
		dest[i] = &values[i]
	}
	text := make([]string, len(columns))
	n := 0
	for ; rows.Next(); n++ {
		if err := rows.Scan(dest...); err != nil {
			return n, err
		}
		for i, v := range values {
			if text[i], err = dumpValue(v); err != nil {
				return n, fmt.Errorf("column %s: %w", columns[i], err)
			}
		}
		if err := out.Encode(text); err != nil {
			return n, err
		}
	}
	return n, r.d.plain("read", rows.Err())
}

func dumpValue(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "n", nil
	case string:
		return "s" + v, nil
	case int64:
		return "i" + strconv.FormatInt(v, 10), nil
	case float64:
		return "f" + strconv.FormatFloat(v, 'g', -1, 64), nil
	case []byte:
		return "b" + base64.StdEncoding.EncodeToString(v), nil
	}
	return "", fmt.Errorf("a value of type %T has no form in a dump", v)
}

func loadValue(s string) (any, error) {
	if s == "" {
		return nil, errors.New("a value without a type")
	}
	switch rest := s[1:]; s[0] {
	case 'n':
		return nil, nil
	case 's':
		return clean(rest), nil
	case 'i':
		return strconv.ParseInt(rest, 10, 64)
	case 'f':
		f, err := strconv.ParseFloat(rest, 64)
		if err == nil && !finite(f) {
			err = errors.New("a number that is none")
		}
		return f, err
	case 'b':
		return base64.StdEncoding.DecodeString(rest)
	}
	return nil, fmt.Errorf("a value of unknown type %q", s[0])
}

// maxDumpLine bounds one line of a dump, in bytes.
const maxDumpLine = 256 << 20

// Load reads a dump into an empty store, all or nothing. Conflict when the store holds anything, NewerSchema when a
// newer firmward wrote the dump, Invalid with the line where it is broken or cut off.
func (s *Store) Load(ctx context.Context, r io.Reader) error {
	return s.Tx(ctx, func(tx *Tx) error {
		if err := tx.mustBeEmpty(ctx); err != nil {
			return err
		}
		l := loader{tx: tx}
		lines := bufio.NewScanner(r)
		lines.Buffer(make([]byte, 64<<10), maxDumpLine)
		for lines.Scan() {
			l.line++
			if err := l.read(ctx, lines.Bytes()); err != nil {
				if code := firmward.CodeOf(err); code == firmward.NewerSchema || code == firmward.DiskFull || ctx.Err() != nil {
					return err
				}
				return &firmward.Error{Code: firmward.Invalid, Message: fmt.Sprintf("load dump: line %d", l.line), Err: err}
			}
		}
		if err := lines.Err(); err != nil {
			return fmt.Errorf("load dump: after line %d: %w", l.line, err)
		}
		if !l.ended {
			return firmward.Errorf(firmward.Invalid, fmt.Sprintf("load dump: it was cut off after line %d; nothing was loaded", l.line))
		}
		return nil
	})
}

func (t *Tx) mustBeEmpty(ctx context.Context) error {
	for _, table := range tables {
		var one int
		found, err := t.row(ctx, "SELECT 1 FROM "+table.name+" LIMIT 1", nil, &one)
		if err != nil {
			return err
		}
		if found {
			return firmward.Errorf(firmward.Conflict, "the database holds something already: restore into an empty one")
		}
	}
	return nil
}

type loader struct {
	tx     *Tx
	line   int
	rows   int
	insert string
	width  int
	ended  bool
}

func (l *loader) read(ctx context.Context, text []byte) error {
	switch {
	case l.ended:
		return errors.New("there is something after the end")
	case l.line == 1:
		return l.header(ctx, text)
	case bytes.HasPrefix(text, []byte(`{"table"`)):
		return l.table(text)
	case bytes.HasPrefix(text, []byte(`{"end-rows"`)):
		var end dumpEnd
		if err := json.Unmarshal(text, &end); err != nil {
			return err
		}
		l.ended = true
		if end.Rows != l.rows {
			return fmt.Errorf("the dump counts %d rows and holds %d", end.Rows, l.rows)
		}
		return nil
	}
	var values []string
	if err := json.Unmarshal(text, &values); err != nil {
		return err
	}
	if l.insert == "" || len(values) != l.width {
		return fmt.Errorf("a row of %d values where %d belong", len(values), l.width)
	}
	args := make([]any, len(values))
	for i, v := range values {
		var err error
		if args[i], err = loadValue(v); err != nil {
			return err
		}
	}
	l.rows++
	return l.tx.put(ctx, l.insert, args...)
}

func (l *loader) header(ctx context.Context, text []byte) error {
	var h dumpHeader
	if err := json.Unmarshal(text, &h); err != nil || h.Dump != 1 {
		return errors.New("this is no firmward dump")
	}
	version, err := l.tx.SchemaVersion(ctx)
	if err != nil {
		return err
	}
	if h.Schema > version {
		return firmward.Errorf(firmward.NewerSchema, fmt.Sprintf("the dump was written by a newer firmward (schema %d, this one knows %d): install the newer one first", h.Schema, version))
	}
	if h.Schema < version {
		return fmt.Errorf("the dump has schema %d, this firmward %d: load it with the firmward that wrote it, then update", h.Schema, version)
	}
	return nil
}

func (l *loader) table(text []byte) error {
	var t dumpTable
	if err := json.Unmarshal(text, &t); err != nil {
		return err
	}
	known := false
	for _, have := range tables {
		known = known || have.name == t.Table
	}
	if !known {
		return fmt.Errorf("unknown table %q", t.Table)
	}
	marks := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		if strings.Trim(c, "abcdefghijklmnopqrstuvwxyz_0123456789") != "" {
			return fmt.Errorf("unknown column %q", c)
		}
		marks[i] = "$" + strconv.Itoa(i+1)
	}
	l.width = len(t.Columns)
	l.insert = "INSERT INTO " + t.Table + " (" + strings.Join(t.Columns, ", ") + ") VALUES (" + strings.Join(marks, ", ") + ")"
	return nil
}

// Encrypt gives a writer that encrypts what is written to it with a passphrase (age, scrypt) into w. Close it to
// finish; w stays open.
func Encrypt(w io.Writer, passphrase string) (io.WriteCloser, error) {
	recipient, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, &firmward.Error{Code: firmward.Invalid, Message: "the passphrase cannot be used", Err: err}
	}
	out, err := age.Encrypt(w, recipient)
	if err != nil {
		return nil, fmt.Errorf("encrypt: %w", err)
	}
	return out, nil
}

// Decrypt gives a reader of what Encrypt wrote. Unauthorized when the passphrase is wrong, Invalid when it is not such
// a file. Reading fails when a byte was changed or the end is missing.
func Decrypt(r io.Reader, passphrase string) (io.Reader, error) {
	identity, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, &firmward.Error{Code: firmward.Invalid, Message: "the passphrase cannot be used", Err: err}
	}
	out, err := age.Decrypt(r, identity)
	if _, wrong := errors.AsType[*age.NoIdentityMatchError](err); wrong {
		return nil, &firmward.Error{Code: firmward.Unauthorized, Message: "the passphrase is wrong", Err: err}
	}
	if err != nil {
		return nil, &firmward.Error{Code: firmward.Invalid, Message: "this is no encrypted firmward backup, or its beginning is damaged", Err: err}
	}
	return out, nil
}
