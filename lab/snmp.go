package lab

import (
	"fmt"
	"net"
	"slices"
	"sort"
)

// snmpMessage is a version 2c request.
type snmpMessage struct {
	community string
	pdu       byte
	id        int64
	second    int64 // error-status, or non-repeaters of GETBULK
	third     int64 // error-index, or max-repetitions
	names     []oid
}

// parseSNMP reads a request. The values of its variables are not looked at.
func parseSNMP(b []byte) (m snmpMessage, err error) {
	body, _, err := expect(b, tagSequence)
	if err != nil {
		return m, err
	}
	version, body, err := expectInt(body)
	if err != nil {
		return m, err
	}
	if version != snmpVersion2c {
		return m, fmt.Errorf("%w: version %d", errBER, version)
	}
	community, body, err := expect(body, tagOctets)
	if err != nil {
		return m, err
	}
	m.community = string(community)
	if m.pdu, body, _, err = readTLV(body); err != nil {
		return m, err
	}
	for _, field := range []*int64{&m.id, &m.second, &m.third} {
		if *field, body, err = expectInt(body); err != nil {
			return m, err
		}
	}
	list, _, err := expect(body, tagSequence)
	for err == nil && len(list) > 0 {
		var bind, name []byte
		if bind, list, err = expect(list, tagSequence); err != nil {
			break
		}
		if name, _, err = expect(bind, tagOID); err != nil {
			break
		}
		var o oid
		if o, err = readOID(name); err == nil {
			m.names = append(m.names, o)
		}
		if len(m.names) > maxVarBinds {
			err = errBER
		}
	}
	return m, err
}

func expectInt(b []byte) (v int64, rest []byte, err error) {
	value, rest, err := expect(b, tagInteger)
	if err != nil {
		return 0, nil, err
	}
	v, err = readInt(value)
	return v, rest, err
}

// mibEntry is one instance. The value is encoded already.
type mibEntry struct {
	name  oid
	tag   byte
	value []byte
}

type mib []mibEntry

func (m *mib) text(name, value string) { m.add(name, tagOctets, []byte(value)) }

func (m *mib) int(name string, tag byte, v int64) { m.add(name, tag, intBytes(v)) }

func (m *mib) add(name string, tag byte, value []byte) {
	o, err := parseOID(name)
	if err != nil {
		panic(err) // written in this package
	}
	*m = append(*m, mibEntry{o, tag, value})
}

func (m mib) sort() {
	sort.Slice(m, func(i, j int) bool { return slices.Compare(m[i].name, m[j].name) < 0 })
}

// get finds the instance of that name, or says which part of the name does not exist.
func (m mib) get(name oid) mibEntry {
	i := sort.Search(len(m), func(i int) bool { return slices.Compare(m[i].name, name) >= 0 })
	if i < len(m) && slices.Equal(m[i].name, name) {
		return m[i]
	}
	// The object exists if another instance of it does: the name without its last part.
	if n := len(name) - 1; n > 0 {
		for _, e := range m {
			if len(e.name) > n && slices.Equal(e.name[:n], name[:n]) {
				return mibEntry{name, tagNoInstance, nil}
			}
		}
	}
	return mibEntry{name, tagNoObject, nil}
}

// next finds the first instance behind name.
func (m mib) next(name oid) mibEntry {
	i := sort.Search(len(m), func(i int) bool { return slices.Compare(m[i].name, name) > 0 })
	if i == len(m) {
		return mibEntry{name, tagEndOfMIB, nil}
	}
	return m[i]
}

// answerSNMP returns the response to a request, or nil if there is none: an unreadable message, a wrong community or
// another kind of PDU is dropped, as RFC 3416 has it. m must be sorted.
func answerSNMP(request []byte, community string, m mib) []byte {
	q, err := parseSNMP(request)
	if err != nil || q.community != community {
		return nil
	}
	var binds []mibEntry
	status, index := int64(0), int64(0)
	switch q.pdu {
	case tagGet:
		for _, name := range q.names {
			binds = append(binds, m.get(name))
		}
	case tagGetNext:
		for _, name := range q.names {
			binds = append(binds, m.next(name))
		}
	case tagGetBulk:
		binds = m.bulk(q)
	case tagSet:
		status, index = 17, 1 // notWritable
		for _, name := range q.names {
			binds = append(binds, mibEntry{name, tagNull, nil})
		}
	default:
		return nil
	}
	out := encodeSNMP(q, status, index, binds)
	for len(out) > maxSNMPMessage && len(binds) > 0 {
		if q.pdu != tagGetBulk {
			return encodeSNMP(q, 1, 0, nil) // tooBig
		}
		binds = binds[:len(binds)-1]
		out = encodeSNMP(q, status, index, binds)
	}
	return out
}

// bulk walks as RFC 3416 §4.2.3 says, bounded by what can fit into a message.
func (m mib) bulk(q snmpMessage) []mibEntry {
	var binds []mibEntry
	single := int(min(max(q.second, 0), int64(len(q.names))))
	for _, name := range q.names[:single] {
		binds = append(binds, m.next(name))
	}
	at := slices.Clone(q.names[single:])
	for range min(max(q.third, 0), maxVarBinds) {
		ended := true
		for i, name := range at {
			e := m.next(name)
			at[i] = e.name
			binds = append(binds, e)
			ended = ended && e.tag == tagEndOfMIB
		}
		if ended || len(binds) > 4*maxVarBinds {
			break
		}
	}
	return binds
}

func encodeSNMP(q snmpMessage, status, index int64, binds []mibEntry) []byte {
	var list []byte
	for _, e := range binds {
		list = appendTLV(list, tagSequence, appendTLV(appendTLV(nil, tagOID, e.name.encode()), e.tag, e.value))
	}
	var pdu []byte
	for _, v := range []int64{q.id, status, index} {
		pdu = appendTLV(pdu, tagInteger, intBytes(v))
	}
	pdu = appendTLV(pdu, tagSequence, list)
	body := appendTLV(nil, tagInteger, intBytes(snmpVersion2c))
	body = appendTLV(body, tagOctets, []byte(q.community))
	body = appendTLV(body, tagResponse, pdu)
	return appendTLV(nil, tagSequence, body)
}

// serveDatagrams answers each datagram on its own.
func serveDatagrams(p net.PacketConn, answer func([]byte) []byte) {
	b := make([]byte, 64<<10)
	for {
		n, from, err := p.ReadFrom(b)
		if err != nil {
			return
		}
		if out := answer(b[:n]); out != nil {
			_, _ = p.WriteTo(out, from)
		}
	}
}
