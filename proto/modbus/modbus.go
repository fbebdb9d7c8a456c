// Package modbus builds and reads the one Modbus/TCP message that asks a device who it is: Read Device Identification,
// function 0x2B with MEI type 0x0E (MODBUS Application Protocol 1.1b3 §6.21). There is no code here for any function that
// reads or writes process data. No I/O.
package modbus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Codes of Read Device Identification.
const (
	Basic   = 1 // vendor, product, revision
	Regular = 2 // further names
)

const (
	function = 0x2b
	mei      = 0x0e
	maxPDU   = 253
)

// Request asks unit for the objects of a code, beginning with one.
func Request(transaction uint16, unit, code, object byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, transaction)
	return append(b, 0, 0, 0, 5, unit, function, mei, code, object)
}

// Exception is a refusal of the device.
type Exception byte

// The exceptions that say more than no.
const (
	IllegalFunction Exception = 0x01 // it cannot identify itself
	GatewayPath     Exception = 0x0a // no such unit behind this gateway
	GatewayTarget   Exception = 0x0b // the unit behind this gateway does not answer
)

func (e Exception) Error() string { return fmt.Sprintf("Modbus exception %d", byte(e)) }

// Identity is one answer.
type Identity struct {
	Unit       byte
	Conformity byte // 1 basic, 2 regular, 3 extended; 0x80 added where single objects can be asked for
	More       bool // the rest follows when asked for from Next
	Next       byte
	Objects    map[byte]string
}

// Names of the objects that have one (§6.21, table "Object Id").
var names = [...]string{"VendorName", "ProductCode", "MajorMinorRevision", "VendorUrl", "ProductName", "ModelName", "UserApplicationName"}

// Name names an object; objects of the vendor's own have none.
func Name(object byte) (string, bool) {
	if int(object) < len(names) {
		return names[object], true
	}
	return "", false
}

var errFormat = errors.New("read Modbus answer: it is none")

// ReadFrame reads one answer: header and message, never more than 260 bytes.
func ReadFrame(r io.Reader) ([]byte, error) {
	head := make([]byte, 7)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, fmt.Errorf("read Modbus answer: %w", err)
	}
	length := int(binary.BigEndian.Uint16(head[4:]))
	if head[2] != 0 || head[3] != 0 || length < 2 || length > maxPDU+1 {
		return nil, errFormat
	}
	rest := make([]byte, length-1)
	if _, err := io.ReadFull(r, rest); err != nil {
		return nil, fmt.Errorf("read Modbus answer: %w", err)
	}
	return append(head, rest...), nil
}

// Response reads a frame that answers the request with this transaction. A refusal is an Exception.
func Response(frame []byte, transaction uint16) (Identity, error) {
	if len(frame) < 9 || binary.BigEndian.Uint16(frame) != transaction {
		return Identity{}, errFormat
	}
	unit, pdu := frame[6], frame[7:]
	switch {
	case pdu[0] == function|0x80:
		return Identity{Unit: unit}, Exception(pdu[1])
	case pdu[0] != function || pdu[1] != mei || len(pdu) < 7:
		return Identity{}, errFormat
	}
	id := Identity{Unit: unit, Conformity: pdu[3], More: pdu[4] == 0xff, Next: pdu[5], Objects: map[byte]string{}}
	rest := pdu[7:]
	for range pdu[6] {
		if len(rest) < 2 || len(rest) < 2+int(rest[1]) {
			return id, errFormat
		}
		id.Objects[rest[0]] = string(rest[2 : 2+rest[1]])
		rest = rest[2+rest[1]:]
	}
	return id, nil
}
