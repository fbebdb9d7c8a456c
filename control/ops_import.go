package control

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

// maxImport bounds one inventory file, in rows.
const maxImport = 100_000

// inventoryColumns are the columns of an inventory file.
var inventoryColumns = [...]string{
	"address", "mac", "serial", "name", "site", "vendor", "model", "hardware", "firmware", "class", "owner", "function", "location", "criticality", "spare",
}

// inventoryRow is one line of an inventory file.
type inventoryRow struct {
	line  int
	facts DeviceFacts
	ref   []string // what may name a known device
}

// readInventory reads an inventory file: columns by comma or, as spreadsheets of some countries write them, by
// semicolon. Its errors name file and line.
func readInventory(document string, r io.Reader) ([]inventoryRow, error) {
	wrong := func(line int, err error) error {
		return &firmward.Error{Code: firmward.Invalid, Message: fmt.Sprintf("%s: line %d", document, line), Err: err}
	}
	in := bufio.NewReader(r)
	if mark, err := in.Peek(3); err == nil && string(mark) == "\ufeff" {
		_, _ = in.Discard(3) // just peeked
	}
	rows := csv.NewReader(in)
	rows.TrimLeadingSpace = true
	first, _ := in.Peek(in.Size()) // what is shorter is all there is
	if line, _, _ := strings.Cut(string(first), "\n"); strings.Contains(line, ";") && !strings.Contains(line, ",") {
		rows.Comma = ';'
	}
	head, err := rows.Read()
	if errors.Is(err, io.EOF) {
		return nil, firmward.Errorf(firmward.Invalid, document+" is empty: want a header line such as name,site,vendor,model")
	}
	if err != nil {
		return nil, csvError(document, err)
	}
	for i, h := range head {
		head[i] = strings.ToLower(strings.TrimSpace(h))
		switch {
		case !slices.Contains(inventoryColumns[:], head[i]):
			return nil, wrong(1, fmt.Errorf("unknown column %q: want some of %s", h, strings.Join(inventoryColumns[:], ", ")))
		case slices.Contains(head[:i], head[i]):
			return nil, wrong(1, fmt.Errorf("the column %s stands twice", head[i]))
		}
	}
	var all []inventoryRow
	for {
		rec, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, csvError(document, err)
		}
		line, _ := rows.FieldPos(0)
		f, ref, err := rowFacts(head, rec)
		if err == nil && len(all) >= maxImport {
			err = fmt.Errorf("more than %d rows", maxImport)
		}
		if err != nil {
			return nil, wrong(line, err)
		}
		all = append(all, inventoryRow{line: line, facts: f, ref: ref})
	}
}

// csvError says where a file is no CSV. What the reader of the bytes says stays as it is.
func csvError(document string, err error) error {
	if p, ok := errors.AsType[*csv.ParseError](err); ok {
		return &firmward.Error{Code: firmward.Invalid, Message: fmt.Sprintf("%s: line %d, column %d", document, p.Line, p.Column), Err: p.Err}
	}
	return err
}

// ImportDevices reads an inventory as CSV with a header line, see inventoryColumns. A row that names a known
// device (by address, mac, serial or name) adds to it, else it becomes a new one at a known site. One bad
// row fails the whole file, with its line: nothing is half-imported.
func (c *Control) ImportDevices(ctx context.Context, who firmward.Person, document string, r io.Reader) (added, changed int, err error) {
	all, err := readInventory(document, r)
	if err != nil {
		return 0, 0, err
	}
	var touched []string
	err = c.Store.Tx(ctx, func(tx *store.Tx) error {
		touched, added, changed = touched[:0], 0, 0
		lines := map[string]int{} // device → line that is about it
		for _, r := range all {
			id, isNew, err := c.importRow(ctx, tx, who, "import:"+document, r)
			if other := lines[id]; err == nil && other > 0 {
				err = firmward.Errorf(firmward.Invalid, fmt.Sprintf("this device stands in line %d already", other))
			}
			if err != nil {
				return &firmward.Error{Code: firmward.CodeOf(err), Message: fmt.Sprintf("%s: line %d", document, r.line), Err: err}
			}
			lines[id], touched = r.line, append(touched, id)
			if isNew {
				added++
			} else {
				changed++
			}
		}
		return nil
	})
	if err != nil {
		return 0, 0, err
	}
	c.touch(touched...)
	return added, changed, nil
}

// importRow finds the device of a row and adds to it, or makes it.
func (c *Control) importRow(ctx context.Context, tx *store.Tx, who firmward.Person, source string, r inventoryRow) (id string, isNew bool, err error) {
	f := r.facts
	if f.Site != nil {
		if _, err := knownSite(ctx, tx.Reader, *f.Site); err != nil {
			return "", false, err
		}
	}
	d, found, err := known(ctx, tx.Reader, f, r.ref)
	switch {
	case err != nil:
		return "", false, err
	case found:
		f.Site, f.Addr = nil, nil
		return d.ID, false, c.setFacts(ctx, tx, who, source, d, f)
	case f.Name == nil:
		return "", false, firmward.Errorf(firmward.Invalid, "no known device matches "+strings.Join(r.ref, ", ")+", and a new one needs a name")
	}
	at, err := placeOf(ctx, tx.Reader, f)
	if err != nil {
		return "", false, err
	}
	id, err = c.addDevice(ctx, tx, who, source, firmward.OriginImported, at, f)
	return id, true, err
}

// known finds the device that a row is about. A name counts at the row's site only; address, serial and
// MAC say which device it is everywhere.
func known(ctx context.Context, read store.Reader, f DeviceFacts, refs []string) (firmward.Device, bool, error) {
	for _, ref := range refs {
		found, err := read.FindDevices(ctx, ref)
		if err != nil {
			return firmward.Device{}, false, err
		}
		here := found
		if f.Site != nil {
			here = slices.DeleteFunc(slices.Clone(found), func(d firmward.Device) bool { return d.Site != *f.Site })
		}
		byName := f.Name != nil && ref == *f.Name
		switch {
		case len(here) > 1:
			return firmward.Device{}, false, firmward.Errorf(firmward.Conflict, ref+" names several devices")
		case len(here) == 1:
			return here[0], true, nil
		case len(found) > 0 && !byName:
			return firmward.Device{}, false, firmward.Errorf(firmward.Conflict, fmt.Sprintf("%s is %s at %s, not at %s", ref, found[0].Name, found[0].Site, *f.Site))
		}
	}
	return firmward.Device{}, false, nil
}

func rowFacts(head, rec []string) (f DeviceFacts, ref []string, err error) {
	for i, v := range rec {
		v = strings.TrimSpace(v)
		if v == "" {
			continue
		}
		switch head[i] {
		case "address":
			a, err := netip.ParseAddr(v)
			if err != nil {
				return f, nil, fmt.Errorf("%q is not an address", v)
			}
			f.Addr = &a
			ref = append(ref, v)
		case "mac":
			f.MAC = &v
			ref = append(ref, v)
		case "serial":
			f.Serial = &v
			ref = append(ref, v)
		case "criticality":
			n, err := strconv.Atoi(v)
			if err != nil {
				return f, nil, fmt.Errorf("criticality: %w", err)
			}
			f.Criticality = &n
		case "spare":
			b, err := strconv.ParseBool(v)
			if err != nil {
				return f, nil, fmt.Errorf("spare: %w", err)
			}
			f.Spare = &b
		default:
			*map[string]**string{
				"name": &f.Name, "site": &f.Site, "vendor": &f.Vendor, "model": &f.Model, "hardware": &f.Hardware, "firmware": &f.Firmware,
				"class": &f.Class, "owner": &f.Owner, "function": &f.Function, "location": &f.Location,
			}[head[i]] = &v
		}
	}
	if f.Name != nil {
		ref = append(ref, *f.Name)
	}
	if len(ref) == 0 {
		return f, nil, errors.New("a row needs an address, mac, serial or name")
	}
	return f, ref, checkFacts(f)
}
