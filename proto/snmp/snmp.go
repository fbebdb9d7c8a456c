// Package snmp builds and reads SNMP v2c messages with the codec of gosnmp. No I/O.
package snmp

import (
	"fmt"
	"io"
	"log"
	"strings"

	"github.com/gosnmp/gosnmp"
)

// GetRequest encodes one GET for the given OIDs.
func GetRequest(community string, id uint32, oids []string) ([]byte, error) {
	vars := make([]gosnmp.SnmpPDU, len(oids))
	for i, o := range oids {
		vars[i] = gosnmp.SnmpPDU{Name: "." + o, Type: gosnmp.Null}
	}
	p := gosnmp.SnmpPacket{
		Version: gosnmp.Version2c, Community: community, PDUType: gosnmp.GetRequest, RequestID: id,
		Variables: vars, Logger: gosnmp.NewLogger(log.New(io.Discard, "", 0)),
	}
	b, err := p.MarshalMsg()
	if err != nil {
		return nil, fmt.Errorf("encode SNMP request: %w", err)
	}
	return b, nil
}

// Response decodes an answer: OID (without leading dot) to text. Values that do not exist are left
// out. Octet strings that are not printable are given as upper-case hex.
func Response(b []byte, id uint32) (values map[string]string, err error) {
	defer func() { // the codec is not ours; a device must not end the program
		if r := recover(); r != nil {
			err = fmt.Errorf("read SNMP answer: broken message")
		}
	}()
	p, err := gosnmp.Default.SnmpDecodePacket(b)
	if err != nil {
		return nil, fmt.Errorf("read SNMP answer: %w", err)
	}
	if p.PDUType != gosnmp.GetResponse || p.RequestID != id {
		return nil, fmt.Errorf("read SNMP answer: not the answer to our request")
	}
	values = make(map[string]string, len(p.Variables))
	for _, v := range p.Variables {
		if text, ok := value(v); ok {
			values[strings.TrimPrefix(v.Name, ".")] = text
		}
	}
	return values, nil
}

func value(v gosnmp.SnmpPDU) (string, bool) {
	switch v.Type {
	case gosnmp.NoSuchObject, gosnmp.NoSuchInstance, gosnmp.EndOfMibView, gosnmp.Null:
		return "", false
	case gosnmp.OctetString:
		b, ok := v.Value.([]byte)
		if !ok {
			return "", false
		}
		for _, c := range b {
			if c < 0x20 && c != '\r' && c != '\n' && c != '\t' || c == 0x7f {
				return fmt.Sprintf("%X", b), true
			}
		}
		if s := strings.ToValidUTF8(string(b), ""); s == string(b) {
			return strings.TrimSpace(s), true
		}
		return fmt.Sprintf("%X", b), true
	case gosnmp.ObjectIdentifier:
		s, ok := v.Value.(string)
		return strings.TrimPrefix(s, "."), ok
	}
	return fmt.Sprint(v.Value), true
}
