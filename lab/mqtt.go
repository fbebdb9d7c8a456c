package lab

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"time"
)

// BrokerSpec describes a small computer that carries a home's messages: an MQTT 3.1.1 broker.
type BrokerSpec struct {
	Place
	Version string // of the broker, 2.0.11 if empty
	Private bool   // lets in nobody without a name; no name is right
	Quiet   bool   // tells nothing of itself, as many brokers
}

type broker struct {
	*Device
	private, quiet bool
}

// mqttRetained are the topics of the house, which a broker gives to all who ask for them.
var mqttRetained = map[string]string{"house/door/front": "open"}

const (
	mqttSysVersion = "$SYS/broker/version"
	mqttMessage    = 64 << 10 // the longest that it takes
)

// AddBroker adds a broker and boots it. What is published to it goes nowhere: only the topics that stand above can be read,
// and that of its version.
func (l *Lab) AddBroker(spec BrokerSpec) (*Device, error) {
	spec.Version = or(spec.Version, "2.0.11")
	d, err := l.add("broker", spec.Place, []byte{0xdc, 0xa6, 0x32}, false, spec.Version) // Raspberry Pi
	if err != nil {
		return nil, err
	}
	b := &broker{Device: d, private: spec.Private, quiet: spec.Quiet}
	d.model, d.hardware, d.bootTime = "mosquitto", "1", 20*time.Second
	d.services = []service{{name: "mqtt", network: "tcp", port: 1883, main: true, stream: d.serveConns(b.serve)}}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.boot()
	return d, nil
}

var errMQTT = errors.New("malformed MQTT message")

// readMQTT reads one message.
func readMQTT(r *bufio.Reader) (first byte, body []byte, err error) {
	if first, err = r.ReadByte(); err != nil {
		return 0, nil, err
	}
	length := 0
	for factor := 1; ; factor *= 128 {
		digit, err := r.ReadByte()
		if err != nil {
			return 0, nil, err
		}
		length += int(digit%128) * factor
		if digit < 128 {
			break
		}
		if factor == 128*128*128 {
			return 0, nil, errMQTT
		}
	}
	if length > mqttMessage {
		return 0, nil, errMQTT
	}
	body = make([]byte, length)
	_, err = io.ReadFull(r, body)
	return first, body, err
}

// mqttString takes a string with its length off b.
func mqttString(b []byte) (s string, rest []byte, err error) {
	if len(b) < 2 || len(b)-2 < int(b[0])<<8+int(b[1]) {
		return "", nil, errMQTT
	}
	n := 2 + int(b[0])<<8 + int(b[1])
	return string(b[2:n]), b[n:], nil
}

// mqttConnect reads a CONNECT and gives the code of its answer.
func mqttConnect(body []byte, private bool) (code byte, err error) {
	protocol, rest, err := mqttString(body)
	switch {
	case err != nil || protocol != "MQTT" || len(rest) < 4:
		return 0, errMQTT
	case rest[0] != 4:
		return 1, nil // another version
	case rest[1]&1 != 0:
		return 0, errMQTT
	}
	flags := rest[1]
	client, rest, err := mqttString(rest[4:])
	for _, flag := range []byte{0x04, 0x04, 0x80, 0x40} { // topic and text of a will, user, password
		if flags&flag != 0 && err == nil {
			_, rest, err = mqttString(rest)
		}
	}
	switch {
	case err != nil || len(rest) > 0:
		return 0, errMQTT
	case client == "" && flags&2 == 0:
		return 2, nil
	case private && flags&0x80 != 0:
		return 4, nil
	case private:
		return 5, nil
	}
	return 0, nil
}

// serve speaks with one client. A client that does not keep to the protocol is left without a word.
func (b *broker) serve(_ context.Context, c net.Conn) {
	r := bufio.NewReader(c)
	first, body, err := readMQTT(r)
	if err != nil || first != 0x10 {
		return
	}
	code, err := mqttConnect(body, b.private)
	if err != nil {
		return
	}
	if _, err := c.Write([]byte{0x20, 2, 0, code}); err != nil || code != 0 {
		return
	}
	for {
		first, body, err := readMQTT(r)
		if err != nil {
			return
		}
		switch first {
		case 0x82: // SUBSCRIBE
			err = b.subscribe(c, body)
		case 0xc0: // PINGREQ
			_, err = c.Write([]byte{0xd0, 0})
		case 0x30, 0x31: // PUBLISH without an answer
			_, _, err = mqttString(body)
		default: // DISCONNECT, and what no client sends
			return
		}
		if err != nil {
			return
		}
	}
}

// subscribe confirms topics and sends what is retained there. Patterns are granted and match nothing.
func (b *broker) subscribe(c net.Conn, body []byte) error {
	if len(body) < 5 {
		return errMQTT
	}
	var topics []string
	ack := []byte{body[0], body[1]}
	for rest := body[2:]; len(rest) > 0; rest = rest[1:] {
		topic, after, err := mqttString(rest)
		if err != nil || len(after) < 1 || after[0] > 2 {
			return errMQTT
		}
		topics, ack, rest = append(topics, topic), append(ack, 0), after
	}
	if _, err := c.Write(append(binary.AppendUvarint([]byte{0x90}, uint64(len(ack))), ack...)); err != nil {
		return err
	}
	for _, topic := range topics {
		text, huge, ok := b.retained(topic)
		if !ok {
			continue
		}
		size := 2 + len(topic) + len(text)
		if huge {
			size = 1<<28 - 1 // the largest that there is
		}
		out := binary.AppendUvarint([]byte{0x31}, uint64(size))
		out = append(binary.BigEndian.AppendUint16(out, uint16(len(topic))), topic...)
		if _, err := c.Write(append(out, text...)); err != nil {
			return err
		}
		if huge {
			writeHuge(c)
		}
	}
	return nil
}

// retained gives what stands at a topic.
func (b *broker) retained(topic string) (text string, huge, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if topic == mqttSysVersion && !b.quiet {
		return "mosquitto version " + b.version(), b.has(FaultHugeAnswer), true
	}
	text, ok = mqttRetained[topic]
	return text, false, ok
}
