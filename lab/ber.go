package lab

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The part of ASN.1 BER that SNMP uses (RFC 3416, RFC 3417 §8): definite lengths only.

// BER tags.
const (
	tagInteger     = 0x02
	tagOctets      = 0x04
	tagNull        = 0x05
	tagOID         = 0x06
	tagSequence    = 0x30
	tagCounter32   = 0x41
	tagTimeTicks   = 0x43
	tagNoObject    = 0x80
	tagNoInstance  = 0x81
	tagEndOfMIB    = 0x82
	tagGet         = 0xa0
	tagGetNext     = 0xa1
	tagResponse    = 0xa2
	tagSet         = 0xa3
	tagGetBulk     = 0xa5
	maxOIDParts    = 128
	maxVarBinds    = 64
	snmpVersion2c  = 1
	maxSNMPMessage = 1400 // what the printer is willing to send in one datagram
)

var errBER = errors.New("malformed BER")

// readTLV takes the first element off b.
func readTLV(b []byte) (tag byte, value, rest []byte, err error) {
	if len(b) < 2 || b[0]&0x1f == 0x1f { // tags of several bytes are not used by SNMP
		return 0, nil, nil, errBER
	}
	tag = b[0]
	size, b := int(b[1]), b[2:]
	if size >= 0x80 {
		n := size & 0x7f
		if n == 0 || n > 3 || len(b) < n {
			return 0, nil, nil, errBER
		}
		size = 0
		for _, x := range b[:n] {
			size = size<<8 | int(x)
		}
		b = b[n:]
	}
	if size > len(b) {
		return 0, nil, nil, errBER
	}
	return tag, b[:size], b[size:], nil
}

// expect takes an element with the given tag off b.
func expect(b []byte, tag byte) (value, rest []byte, err error) {
	got, value, rest, err := readTLV(b)
	if err == nil && got != tag {
		err = fmt.Errorf("%w: tag %#x where %#x belongs", errBER, got, tag)
	}
	return value, rest, err
}

func appendTLV(b []byte, tag byte, value []byte) []byte {
	b = append(b, tag)
	switch n := len(value); {
	case n < 0x80:
		b = append(b, byte(n))
	case n < 0x100:
		b = append(b, 0x81, byte(n))
	default:
		b = append(b, 0x82, byte(n>>8), byte(n))
	}
	return append(b, value...)
}

func readInt(b []byte) (int64, error) {
	if len(b) == 0 || len(b) > 8 {
		return 0, errBER
	}
	v := int64(int8(b[0]))
	for _, x := range b[1:] {
		v = v<<8 | int64(x)
	}
	return v, nil
}

// intBytes is the shortest two's complement form.
func intBytes(v int64) []byte {
	var b []byte
	for {
		b = append(b, byte(v))
		if v >= -128 && v < 128 {
			break
		}
		v >>= 8
	}
	slices.Reverse(b)
	return b
}

type oid []uint32

func parseOID(s string) (oid, error) {
	var o oid
	for part := range strings.SplitSeq(strings.TrimPrefix(s, "."), ".") {
		n, err := strconv.ParseUint(part, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("parse object identifier %q: %w", s, err)
		}
		o = append(o, uint32(n))
	}
	return o, nil
}

func readOID(b []byte) (oid, error) {
	var o oid
	for len(b) > 0 {
		var v uint64
		for i := 0; ; i++ {
			if i == len(b) || i == 5 || v > 1<<32 {
				return nil, errBER
			}
			v = v<<7 | uint64(b[i]&0x7f)
			if b[i] < 0x80 {
				b = b[i+1:]
				break
			}
		}
		if len(o) == 0 { // the first number holds two parts
			first := min(v/40, 2)
			o = append(o, uint32(first), uint32(v-first*40))
			continue
		}
		if v > 1<<32-1 || len(o) >= maxOIDParts {
			return nil, errBER
		}
		o = append(o, uint32(v))
	}
	if len(o) == 0 {
		return nil, errBER
	}
	return o, nil
}

func (o oid) encode() []byte {
	var b []byte
	number := func(v uint64) {
		var part []byte
		for more := byte(0); ; more = 0x80 {
			part = append(part, byte(v&0x7f)|more)
			if v >>= 7; v == 0 {
				break
			}
		}
		slices.Reverse(part)
		b = append(b, part...)
	}
	if len(o) < 2 {
		return []byte{0}
	}
	number(uint64(o[0])*40 + uint64(o[1]))
	for _, v := range o[2:] {
		number(uint64(v))
	}
	return b
}
