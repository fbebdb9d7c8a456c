package feed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/firmward/firmward"
)

// The bounds of one JSON value.
const (
	MaxRecord = 16 << 20 // bytes of one record; the largest real one has about 3 MB
	maxDepth  = 200      // nesting of what is skipped
)

// Decoder walks a JSON document value by value, so that memory stays bounded by one record. Every
// error it gives is a *PositionError, or the context's error.
type Decoder struct {
	ctx  context.Context
	doc  string
	in   *budget
	json *json.Decoder
}

// NewDecoder starts at the beginning of the input. The context is asked between values.
func NewDecoder(ctx context.Context, in Input) *Decoder {
	b := &budget{r: in.Reader, left: MaxRecord}
	return &Decoder{ctx: ctx, doc: in.Document, in: b, json: json.NewDecoder(b)} //nolint:containedctx // lives for one walk
}

// Fail gives err with the present position. A nil error stays nil.
func (d *Decoder) Fail(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*PositionError](err); ok || d.ctx.Err() != nil && errors.Is(err, d.ctx.Err()) {
		return err
	}
	if _, ok := errors.AsType[*firmward.Error](err); ok {
		return err
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return &PositionError{Document: d.doc, Offset: d.json.InputOffset(), Err: err}
}

// Object walks the members of the object that comes next. each must read exactly one value with
// Value, Skip, Object or Array.
func (d *Decoder) Object(each func(name string) error) error {
	if err := d.open('{'); err != nil {
		return err
	}
	for d.json.More() {
		if err := d.ready(); err != nil {
			return err
		}
		t, err := d.json.Token()
		if err != nil {
			return d.Fail(err)
		}
		name, ok := t.(string)
		if !ok {
			return d.Fail(fmt.Errorf("a member name was expected, not %v", t))
		}
		if err := each(name); err != nil {
			return d.Fail(err)
		}
	}
	return d.close()
}

// Array walks the elements of the array that comes next; each gets one element's bytes and the
// position at which it ends. The bytes are the callee's to keep.
func (d *Decoder) Array(each func(raw json.RawMessage, at int64) error) error {
	if err := d.open('['); err != nil {
		return err
	}
	for d.json.More() {
		if err := d.ready(); err != nil {
			return err
		}
		var raw json.RawMessage
		if err := d.json.Decode(&raw); err != nil {
			return d.Fail(err)
		}
		if err := each(raw, d.json.InputOffset()); err != nil {
			return d.Fail(err)
		}
	}
	return d.close()
}

// Values walks the values that follow one another to the end of the document, such as one per line;
// each gets one value's bytes and the position at which it ends. The bytes are the callee's to keep.
func (d *Decoder) Values(each func(raw json.RawMessage, at int64) error) error {
	for {
		if err := d.ready(); err != nil {
			return err
		}
		var raw json.RawMessage
		switch err := d.json.Decode(&raw); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return d.Fail(err)
		}
		if err := each(raw, d.json.InputOffset()); err != nil {
			return d.Fail(err)
		}
	}
}

// Value reads one value into v. A value of another type is an error: use it for the frame of a
// document, not for its records.
func (d *Decoder) Value(v any) error {
	if err := d.ready(); err != nil {
		return err
	}
	return d.Fail(d.json.Decode(v))
}

// Skip passes over one value without keeping it.
func (d *Decoder) Skip() error {
	for depth := 0; ; {
		if err := d.ready(); err != nil {
			return err
		}
		t, err := d.json.Token()
		if err != nil {
			return d.Fail(err)
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			if depth++; depth > maxDepth {
				return d.Fail(fmt.Errorf("nested deeper than %d", maxDepth))
			}
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

// End makes sure that nothing but space follows.
func (d *Decoder) End() error {
	if err := d.ready(); err != nil {
		return err
	}
	switch t, err := d.json.Token(); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return d.Fail(err)
	default:
		return d.Fail(fmt.Errorf("more follows after the end of the document: %v", t))
	}
}

func (d *Decoder) open(want json.Delim) error {
	if err := d.ready(); err != nil {
		return err
	}
	t, err := d.json.Token()
	if err != nil {
		return d.Fail(err)
	}
	if t != want {
		return d.Fail(fmt.Errorf("%q was expected, not %v", want.String(), t))
	}
	return nil
}

func (d *Decoder) close() error {
	if err := d.ready(); err != nil {
		return err
	}
	_, err := d.json.Token()
	return d.Fail(err)
}

// ready asks the context and gives the next value its budget.
func (d *Decoder) ready() error {
	if err := d.ctx.Err(); err != nil {
		return err
	}
	d.in.left = MaxRecord
	return nil
}

// budget bounds what one value may take from the reader, read-ahead included.
type budget struct {
	r    io.Reader
	left int64
}

func (b *budget) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("one value has more than %d bytes", MaxRecord)
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	return n, err
}
