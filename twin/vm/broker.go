package vm

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
)

// broker is a stand-in for a broker of MQTT 3.1.1: sessions without a name or with any, messages of QoS 0.
type broker struct {
	mu    sync.Mutex
	conns map[net.Conn][]string // what each subscribed to
}

// maxMessage bounds what the broker takes, in bytes.
const maxMessage = 64 << 10

var errMessage = errors.New("read MQTT message: it is none")

func (b *broker) serve(l net.Listener) {
	b.conns = map[net.Conn][]string{}
	var all sync.WaitGroup
	defer all.Wait()
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			b.mu.Lock()
			for c := range b.conns {
				_ = c.Close()
			}
			b.mu.Unlock()
			return
		}
		if err != nil {
			continue
		}
		b.mu.Lock()
		b.conns[c] = nil
		b.mu.Unlock()
		all.Go(func() {
			b.session(c)
			b.mu.Lock()
			delete(b.conns, c)
			b.mu.Unlock()
			_ = c.Close()
		})
	}
}

// session carries on one connection until it ends or says what a client may not say.
func (b *broker) session(c net.Conn) {
	r := bufio.NewReader(c)
	for first := true; ; first = false {
		head, body, err := readMessage(r)
		if err != nil || first != (head>>4 == 1) {
			return
		}
		var reply []byte
		switch head >> 4 {
		case 1: // CONNECT
			reply = []byte{0x20, 2, 0, 0}
		case 3: // PUBLISH
			if len(body) < 2 || len(body) < 2+int(binary.BigEndian.Uint16(body)) {
				return
			}
			b.publish(string(body[2:2+binary.BigEndian.Uint16(body)]), head, body)
		case 8: // SUBSCRIBE
			if len(body) < 5 || len(body) < 4+int(binary.BigEndian.Uint16(body[2:])) {
				return
			}
			b.mu.Lock()
			b.conns[c] = append(b.conns[c], string(body[4:4+binary.BigEndian.Uint16(body[2:])]))
			b.mu.Unlock()
			reply = []byte{0x90, 3, body[0], body[1], 0}
		case 12: // PINGREQ
			reply = []byte{0xd0, 0}
		default:
			return
		}
		if _, err := c.Write(reply); err != nil {
			return
		}
	}
}

// publish passes a message on to whoever subscribed to its topic or to all.
func (b *broker) publish(topic string, head byte, body []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if head&6 != 0 { // only QoS 0
		return
	}
	for c, topics := range b.conns {
		if slices.Contains(topics, "#") || slices.Contains(topics, topic) {
			_, _ = c.Write(append(append([]byte{head &^ 1}, length(len(body))...), body...))
		}
	}
}

func length(n int) []byte {
	var out []byte
	for {
		digit := byte(n % 128)
		if n /= 128; n > 0 {
			digit |= 128
		}
		if out = append(out, digit); n == 0 {
			return out
		}
	}
}

func readMessage(r *bufio.Reader) (head byte, body []byte, err error) {
	if head, err = r.ReadByte(); err != nil {
		return 0, nil, err
	}
	n := 0
	for shift := 0; ; shift += 7 {
		digit, err := r.ReadByte()
		if err != nil {
			return 0, nil, err
		}
		if n |= int(digit&127) << shift; shift == 21 && digit > 127 || n > maxMessage {
			return 0, nil, errMessage
		}
		if digit < 128 {
			break
		}
	}
	body = make([]byte, n)
	_, err = io.ReadFull(r, body)
	return head, body, err
}
