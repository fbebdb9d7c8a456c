package lab

import (
	"encoding/binary"
	"errors"
	"slices"
)

// IPP delimiter and value tags (RFC 8010 §3.5).
const (
	ippOperation = 0x01
	ippEnd       = 0x03
	ippPrinter   = 0x04
	ippInteger   = 0x21
	ippBoolean   = 0x22
	ippEnum      = 0x23
	ippText      = 0x41
	ippName      = 0x42
	ippKeyword   = 0x44
	ippURI       = 0x45
	ippCharset   = 0x47
	ippLanguage  = 0x48
	ippMIME      = 0x49

	ippBegin  = 0x34 // a collection
	ippFinish = 0x37
	ippMember = 0x4a // the name of a collection's next member
)

// IPP operations and status codes (RFC 8011).
const (
	ippGetPrinterAttributes = 0x000b
	ippOK                   = 0x0000
	ippBadRequest           = 0x0400
	ippNotSupported         = 0x0501
	ippVersionNotSupported  = 0x0503
	ippCharsetNotSupported  = 0x040d
	ippServerBusy           = 0x0507
)

var errIPP = errors.New("malformed IPP request")

// ippAttribute is a name with values of one tag; the values are encoded already.
type ippAttribute struct {
	name   string
	tag    byte
	values [][]byte
}

type ippRequest struct {
	version   uint16
	operation uint16
	id        uint32
	order     []string                // names of the operation attributes, as they came
	op        map[string]ippAttribute // operation attributes
}

// parseIPP reads a request; groups after the operation attributes are checked for form and left out.
func parseIPP(b []byte) (q ippRequest, err error) {
	if len(b) < 9 {
		return q, errIPP
	}
	q.version, q.operation = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	q.id, q.op = binary.BigEndian.Uint32(b[4:]), map[string]ippAttribute{}
	b = b[8:]
	group, last := byte(0), ""
	field := func() ([]byte, bool) {
		if len(b) < 2 || len(b)-2 < int(binary.BigEndian.Uint16(b)) {
			return nil, false
		}
		n := int(binary.BigEndian.Uint16(b)) + 2
		v := b[2:n]
		b = b[n:]
		return v, true
	}
	for len(b) > 0 {
		tag := b[0]
		b = b[1:]
		if tag == ippEnd {
			return q, nil
		}
		if tag < 0x10 {
			group, last = tag, ""
			continue
		}
		name, ok := field()
		value, ok2 := field()
		if !ok || !ok2 || group == 0 || len(name) == 0 && last == "" {
			return q, errIPP
		}
		if len(name) > 0 {
			last = string(name)
		}
		if group != ippOperation {
			continue
		}
		a, again := q.op[last]
		if !again {
			a = ippAttribute{name: last, tag: tag}
			q.order = append(q.order, last)
		} else if len(name) > 0 {
			return q, errIPP // the same attribute twice
		}
		a.values = append(a.values, value)
		q.op[last] = a
	}
	return q, errIPP // no end tag
}

// ippStrings is an attribute of texts, names, keywords …, by its tag.
func ippStrings(name string, tag byte, values ...string) ippAttribute {
	a := ippAttribute{name: name, tag: tag}
	for _, v := range values {
		a.values = append(a.values, []byte(v))
	}
	return a
}

func ippInt(name string, tag byte, values ...int) ippAttribute {
	a := ippAttribute{name: name, tag: tag}
	for _, v := range values {
		a.values = append(a.values, binary.BigEndian.AppendUint32(nil, uint32(v)))
	}
	return a
}

func ippBool(name string, v bool) ippAttribute {
	b := byte(0)
	if v {
		b = 1
	}
	return ippAttribute{name, ippBoolean, [][]byte{{b}}}
}

// ippCollection is an attribute of one collection of members (RFC 8010 §3.1.6): each is a name, then its values, which
// bear no name of their own.
func ippCollection(name string, members ...ippAttribute) []ippAttribute {
	all := []ippAttribute{{name, ippBegin, [][]byte{{}}}}
	for _, m := range members {
		all = append(all, ippStrings("", ippMember, m.name), ippAttribute{"", m.tag, m.values})
	}
	return append(all, ippAttribute{"", ippFinish, [][]byte{{}}})
}

func appendIPP(b []byte, a ippAttribute) []byte {
	for i, v := range a.values {
		name := a.name
		if i > 0 {
			name = ""
		}
		b = append(b, a.tag)
		b = binary.BigEndian.AppendUint16(b, uint16(len(name)))
		b = append(b, name...)
		b = binary.BigEndian.AppendUint16(b, uint16(len(v)))
		b = append(b, v...)
	}
	return b
}

// encodeIPP makes a response; printer may be nil.
func encodeIPP(q ippRequest, status uint16, printer []ippAttribute) []byte {
	version := q.version
	if version>>8 != 1 && version>>8 != 2 {
		version = 0x0101
	}
	b := binary.BigEndian.AppendUint16(nil, version)
	b = binary.BigEndian.AppendUint16(b, status)
	b = binary.BigEndian.AppendUint32(b, q.id)
	b = append(b, ippOperation)
	b = appendIPP(b, ippStrings("attributes-charset", ippCharset, "utf-8"))
	b = appendIPP(b, ippStrings("attributes-natural-language", ippLanguage, "en"))
	if len(printer) > 0 {
		b = append(b, ippPrinter)
		for _, a := range printer {
			b = appendIPP(b, a)
		}
	}
	return append(b, ippEnd)
}

// answerIPP answers a request out of the printer's attributes; a printer without any is busy.
func answerIPP(body []byte, attributes []ippAttribute) []byte {
	q, err := parseIPP(body)
	switch {
	case err != nil:
		return encodeIPP(q, ippBadRequest, nil)
	case q.version>>8 != 1 && q.version>>8 != 2:
		return encodeIPP(q, ippVersionNotSupported, nil)
	case q.id == 0 || len(q.order) < 2 || q.order[0] != "attributes-charset" || q.order[1] != "attributes-natural-language":
		return encodeIPP(q, ippBadRequest, nil) // RFC 8011 §4.1.4: these two, first, in this order
	case string(q.op["attributes-charset"].values[0]) != "utf-8" && string(q.op["attributes-charset"].values[0]) != "us-ascii":
		return encodeIPP(q, ippCharsetNotSupported, nil)
	case q.operation != ippGetPrinterAttributes:
		return encodeIPP(q, ippNotSupported, nil)
	case len(q.op["printer-uri"].values) != 1:
		return encodeIPP(q, ippBadRequest, nil)
	case len(attributes) == 0:
		return encodeIPP(q, ippServerBusy, nil)
	}
	var wanted []string
	for _, v := range q.op["requested-attributes"].values {
		wanted = append(wanted, string(v))
	}
	all := len(wanted) == 0 || slices.Contains(wanted, "all") || slices.Contains(wanted, "printer-description")
	var found []ippAttribute
	take := false
	for _, a := range attributes {
		if a.name != "" { // else it belongs to the collection that began before
			take = all || slices.Contains(wanted, a.name)
		}
		if take {
			found = append(found, a)
		}
	}
	return encodeIPP(q, ippOK, found)
}
