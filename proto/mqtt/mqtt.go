// Package mqtt builds and reads the few MQTT 3.1.1 messages that ask a broker for its version: a session without a name,
// and one subscription to one topic (sections 3.1 to 3.3, 3.8, 3.9 and 3.14). There is no code here that publishes or that
// subscribes to a pattern. No I/O beyond the reader that it is given.
package mqtt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// VersionTopic is where brokers that tell of themselves keep their version.
const VersionTopic = "$SYS/broker/version"

// Types of messages, in the upper half of their first byte.
const (
	connect    = 1
	connAck    = 2
	publish    = 3
	subscribe  = 8
	subAck     = 9
	disconnect = 14
)

const (
	maxMessage  = 4 << 10 // a version is a line
	maxMessages = 8       // before the one that is waited for
	packetID    = 1
	keepAlive   = 60 // seconds; the session is over long before
)

// Connect asks for a clean session for a client of this name: no user, no password, no will. The name is shorter than
// 24 bytes, which every broker takes (§3.1.3.1).
func Connect(client string) []byte {
	body := text(nil, "MQTT")
	body = append(body, 4, 0x02, 0, keepAlive) // protocol level, flags, keep alive
	return message(connect<<4, text(body, client))
}

// SubscribeVersion asks for VersionTopic, at most once (QoS 0).
func SubscribeVersion() []byte {
	return message(subscribe<<4|0x02, append(text([]byte{0, packetID}, VersionTopic), 0))
}

// Disconnect ends a session in good order.
func Disconnect() []byte { return message(disconnect<<4, nil) }

// text appends a string as MQTT has it: its length, then its bytes.
func text(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

// message puts the header before a body; its length has seven bits a byte, the lowest first (§2.2.3).
func message(first byte, body []byte) []byte {
	return append(binary.AppendUvarint([]byte{first}, uint64(len(body))), body...)
}

// Code is a broker's answer to Connect.
type Code byte

// Accepted opens a session; every other code refuses one.
const Accepted Code = 0

// codes are named as in §3.2.2.3.
var codes = [...]string{"accepted", "unacceptable-protocol-version", "identifier-rejected", "server-unavailable", "bad-user-name-or-password", "not-authorized"}

func (c Code) String() string {
	if int(c) < len(codes) {
		return codes[c]
	}
	return "refused-" + strconv.Itoa(int(c)) // a later version of MQTT has more
}

// ErrWithheld says that the broker keeps its version to itself.
var ErrWithheld = errors.New("the broker does not let a client without a name subscribe to its version")

var errFormat = errors.New("read MQTT message: it is none that may come here")

// ReadCode reads the answer to Connect, which comes before anything else and has four bytes. What a later version of MQTT
// adds to a refusal is not read.
func ReadCode(r io.Reader) (Code, error) {
	var b [4]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return 0, fmt.Errorf("read MQTT message: %w", err)
	}
	code := Code(b[3])
	if b[0] != connAck<<4 || b[1] < 2 || b[2] > 1 || code == Accepted && b[1] != 2 {
		return 0, errFormat
	}
	return code, nil
}

// ReadVersion reads until the broker's version comes. ErrWithheld comes instead where the subscription is refused; other
// messages are passed over, for a broker may publish before it confirms.
func ReadVersion(r io.Reader) (string, error) {
	for range maxMessages {
		first, body, err := read(r)
		if err != nil {
			return "", err
		}
		switch first >> 4 {
		case subAck:
			if len(body) != 3 || binary.BigEndian.Uint16(body) != packetID {
				return "", errFormat
			}
			if body[2] >= 0x80 {
				return "", ErrWithheld
			}
		case publish:
			topic, value, err := published(first, body)
			if err != nil {
				return "", err
			}
			if topic == VersionTopic {
				return value, nil
			}
		}
	}
	return "", errFormat
}

// published takes a publication apart. None of ours can have another QoS than 0.
func published(first byte, body []byte) (topic, value string, err error) {
	if first&0x06 != 0 || len(body) < 2 || len(body) < 2+int(binary.BigEndian.Uint16(body)) {
		return "", "", errFormat
	}
	end := 2 + int(binary.BigEndian.Uint16(body))
	return string(body[2:end]), string(body[end:]), nil
}

// read reads one message: its first byte and its body, of which no more is taken than its bound.
func read(r io.Reader) (first byte, body []byte, err error) {
	var b [1]byte
	next := func() byte {
		if err == nil {
			_, err = io.ReadFull(r, b[:])
		}
		return b[0]
	}
	first = next()
	length := 0
	for i := range 4 {
		digit := next()
		length |= int(digit&0x7f) << (7 * i)
		if digit < 0x80 {
			break
		}
		if i == 3 && err == nil {
			err = errFormat
		}
	}
	if err == nil && length > maxMessage {
		err = fmt.Errorf("a message of %d bytes is too long", length)
	}
	if err == nil {
		body = make([]byte, length)
		_, err = io.ReadFull(r, body)
	}
	if err != nil && !errors.Is(err, errFormat) {
		err = fmt.Errorf("read MQTT message: %w", err)
	}
	return first, body, err
}
