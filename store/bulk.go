package store

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// load is many rows for one table. The first keys columns are its primary key, text or int64. Values are string, int64,
// float64 or []byte. Of rows with one key the last wins; a row that exists is replaced.
type load struct {
	table   string
	columns []string
	keys    int
	rows    [][]any
	long    bool // rows are long texts: as JSON they would be parsed once a column
	once    bool // a row that exists is an error
}

func (l load) conflict() string {
	if l.once {
		return ""
	}
	set := make([]string, 0, len(l.columns))
	for _, c := range l.columns[l.keys:] {
		set = append(set, c+" = excluded."+c)
	}
	if len(set) == 0 {
		return " ON CONFLICT DO NOTHING"
	}
	return " ON CONFLICT (" + strings.Join(l.columns[:l.keys], ", ") + ") DO UPDATE SET " + strings.Join(set, ", ")
}

// elements is the list of texts in a JSON array parameter.
func (d dialect) elements(param string) string {
	if d == postgresDialect {
		return "SELECT json_array_elements_text(" + param + "::json)"
	}
	return "SELECT value FROM json_each(" + param + ")"
}

// bulk writes rows in the order of their key: PostgreSQL by COPY into a temporary table, SQLite by a prepared
// statement, or many rows at a time as JSON where no column holds bytes.
func (t *Tx) bulk(ctx context.Context, l load) error {
	if len(l.rows) == 0 {
		return nil
	}
	byKey := compareKeys(l.keys)
	slices.SortStableFunc(l.rows, byKey)
	l.rows = lastOf(l.rows, func(a, b []any) bool { return byKey(a, b) == 0 })
	if t.d == postgresDialect {
		return t.d.plain("write "+l.table, t.bulkCopy(ctx, l))
	}
	if l.long {
		return t.d.plain("write "+l.table, t.bulkRows(ctx, l))
	}
	for _, v := range l.rows[0] {
		if _, ok := v.([]byte); ok {
			return t.d.plain("write "+l.table, t.bulkRows(ctx, l))
		}
	}
	return t.d.plain("write "+l.table, t.bulkJSON(ctx, l))
}

// fold writes a few hundred rows at once: PostgreSQL takes its columns as arrays in one statement, SQLite runs a parsed statement for
// each row. Values are those of put. Of rows with one key the last wins.
func (t *Tx) fold(ctx context.Context, l load) error {
	if len(l.rows) == 0 {
		return nil
	}
	rows := make([][]any, 0, len(l.rows))
	at := make(map[[3]any]int, len(l.rows)) // no key has more columns
	for _, row := range l.rows {
		bound, err := bind(row)
		if err != nil {
			return err
		}
		var key [3]any
		copy(key[:], bound[:l.keys])
		if i, twice := at[key]; twice && !l.once {
			rows[i] = bound
			continue
		}
		at[key] = len(rows)
		rows = append(rows, bound)
	}
	l.rows = rows
	if t.d != postgresDialect {
		for _, row := range l.rows {
			if _, err := t.w.ExecContext(ctx, l.insert(), row...); err != nil {
				return t.d.plain("write "+l.table, err)
			}
		}
		return nil
	}
	names := strings.Join(l.columns, ", ")
	arrays, types := l.arrays()
	return t.later(ctx, "write "+l.table, "INSERT INTO "+l.table+" ("+names+") SELECT * FROM unnest("+strings.Join(types, ", ")+")"+l.conflict(), arrays...)
}

// arrays gives the rows as columns, and how PostgreSQL must read each.
func (l load) arrays() (values []any, types []string) {
	for i, first := range l.rows[0] {
		var kind string
		var column any
		switch first.(type) {
		case int64:
			kind, column = "bigint", columnOf[int64](l.rows, i)
		case []byte:
			kind, column = "bytea", columnOf[[]byte](l.rows, i)
		default:
			kind, column = "text", columnOf[string](l.rows, i)
		}
		values, types = append(values, column), append(types, "$"+strconv.Itoa(i+1)+"::"+kind+"[]")
	}
	return values, types
}

func columnOf[T any](rows [][]any, i int) []T {
	out := make([]T, len(rows))
	for j, row := range rows {
		out[j], _ = row[i].(T)
	}
	return out
}

func (t *Tx) bulkCopy(ctx context.Context, l load) error {
	if err := t.settle(); err != nil {
		return err
	}
	columns := strings.Join(l.columns, ", ")
	temp := "bulk_" + l.table
	if _, err := t.tx.ExecContext(ctx, "CREATE TEMPORARY TABLE "+temp+" (LIKE "+l.table+") ON COMMIT DROP"); err != nil {
		return err
	}
	err := onConn(t.conn, func(c *pgx.Conn) error {
		_, err := c.CopyFrom(ctx, pgx.Identifier{temp}, l.columns, pgx.CopyFromRows(l.rows))
		return err
	})
	if err != nil {
		return err
	}
	if _, err := t.tx.ExecContext(ctx, "INSERT INTO "+l.table+" ("+columns+") SELECT "+columns+" FROM "+temp+l.conflict()); err != nil {
		return err
	}
	_, err = t.tx.ExecContext(ctx, "DROP TABLE "+temp)
	return err
}

// insert is the statement that puts one row.
func (l load) insert() string {
	marks := make([]string, len(l.columns))
	for i := range marks {
		marks[i] = "$" + strconv.Itoa(i+1)
	}
	return "INSERT INTO " + l.table + " (" + strings.Join(l.columns, ", ") + ") VALUES (" + strings.Join(marks, ", ") + ")" + l.conflict()
}

func (t *Tx) bulkRows(ctx context.Context, l load) error {
	stmt, err := t.tx.PrepareContext(ctx, l.insert())
	if err != nil {
		return err
	}
	defer stmt.Close()
	for _, row := range l.rows {
		if _, err := stmt.ExecContext(ctx, row...); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tx) bulkJSON(ctx context.Context, l load) error {
	values := make([]string, len(l.columns))
	for i := range values {
		values[i] = "json_extract(value, '$[" + strconv.Itoa(i) + "]')"
	}
	stmt, err := t.tx.PrepareContext(ctx, "INSERT INTO "+l.table+" ("+strings.Join(l.columns, ", ")+") SELECT "+
		strings.Join(values, ", ")+" FROM json_each($1) WHERE true"+l.conflict())
	if err != nil {
		return err
	}
	defer stmt.Close()
	for chunk := range slices.Chunk(l.rows, 1000) {
		b, err := json.Marshal(chunk)
		if err != nil {
			return err
		}
		if _, err := stmt.ExecContext(ctx, string(b)); err != nil {
			return err
		}
	}
	return nil
}
