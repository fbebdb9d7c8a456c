package vm

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// discover is what a client says to everybody when it asks for an address.
func discover(kind byte) []byte {
	b := make([]byte, 240)
	b[0], b[1], b[2] = 1, 1, 6
	copy(b[4:], "\x01\x02\x03\x04")
	copy(b[28:], "\x02\x46\x57\x54\x57\x01")
	copy(b[236:], "\x63\x82\x53\x63")
	return append(b, 53, 1, kind, 255)
}

func TestLease(t *testing.T) {
	s := &standIns{}
	for kind, want := range map[byte]byte{1: 2, 3: 5} {
		out, to := s.lease(discover(kind))
		if len(out) < 243 || out[0] != 2 || string(out[4:8]) != "\x01\x02\x03\x04" || out[242] != want || net.IP(out[16:20]).String() != address.String() || to.String() != "255.255.255.255:68" {
			t.Errorf("%d: %x to %v", kind, out, to)
		}
	}
	if out, _ := s.lease([]byte("noise")); out != nil {
		t.Errorf("%x", out)
	}
}

func TestName(t *testing.T) {
	var asked []string
	s := &standIns{asked: func(n string) { asked = append(asked, n) }}
	ask := func(typ dnsmessage.Type) []dnsmessage.Resource {
		q := dnsmessage.Message{Header: dnsmessage.Header{ID: 7}, Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName("pool.ntp.org."), Type: typ, Class: dnsmessage.ClassINET}}}
		b, err := q.Pack()
		if err != nil {
			t.Fatal(err)
		}
		reply, _ := s.name(b)
		var m dnsmessage.Message
		if err := m.Unpack(reply); err != nil || m.ID != 7 || !m.Response {
			t.Fatalf("%+v, %v", m, err)
		}
		return m.Answers
	}
	a := ask(dnsmessage.TypeA)
	if len(a) != 1 || a[0].Body.(*dnsmessage.AResource).A != gateway.As4() || len(ask(dnsmessage.TypeAAAA)) != 0 {
		t.Errorf("%+v", a)
	}
	if strings.Join(asked, " ") != "pool.ntp.org. pool.ntp.org." {
		t.Errorf("%q", asked)
	}
}

func TestTime(t *testing.T) {
	q := make([]byte, 48)
	q[0] = 4<<3 | 3
	copy(q[40:], "original")
	out, _ := (&standIns{}).time(q)
	if len(out) != 48 || out[0] != 4<<3|4 || string(out[24:32]) != "original" {
		t.Fatalf("%x", out)
	}
	if at := time.Unix(int64(binary.BigEndian.Uint32(out[40:]))-2208988800, 0); time.Since(at).Abs() > time.Minute {
		t.Errorf("it says %s", at)
	}
	if out, _ := (&standIns{}).time(out); out != nil {
		t.Error("a server's answer was answered")
	}
}

// TestBroker: a message goes round to whoever subscribed, and who does not begin with a session is sent away.
func TestBroker(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { (&broker{}).serve(l); close(done) }()
	dial := func() net.Conn {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	say := func(c net.Conn, what, answer string) {
		t.Helper()
		if _, err := io.WriteString(c, what); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(answer))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != answer {
			t.Fatalf("%q, %v", got, err)
		}
	}
	const connect = "\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04twin"
	hears, says := dial(), dial()
	say(hears, connect, "\x20\x02\x00\x00")
	say(hears, "\x82\x06\x00\x01\x00\x01#\x00", "\x90\x03\x00\x01\x00")
	say(says, connect, "\x20\x02\x00\x00")
	say(says, "\x30\x07\x00\x01aopen\xc0\x00", "\xd0\x00")
	say(hears, "", "\x30\x07\x00\x01aopen")
	rude := dial()
	say(rude, "\x30\x07\x00\x01aopen", "")
	if _, err := rude.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("who opened no session was heard: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	<-done
}

func TestReadSet(t *testing.T) {
	got, err := readSet([]byte(`{"nftables":[{"metainfo":{}},{"set":{"name":"tried","elem":[{"elem":{"val":{"concat":["203.0.113.9",6,4443]},"timeout":5}},{"concat":["203.0.113.8","udp",53]}]}}]}`))
	if err != nil || strings.Join(got, "; ") != "203.0.113.9 tcp 4443; 203.0.113.8 udp 53" {
		t.Errorf("%q, %v", got, err)
	}
	for _, bad := range []string{`{"nftables":[{"set":{"elem":["x"]}}]}`, `[`} {
		if got, err := readSet([]byte(bad)); err == nil {
			t.Errorf("%s was read as %q", bad, got)
		}
	}
	if _, err := readCounter([]byte(`{"nftables":[{"metainfo":{}}]}`)); err == nil {
		t.Error("no counter was read as one")
	}
	if n, err := readCounter([]byte(`{"nftables":[{"counter":{"packets":3,"bytes":180}}]}`)); n != 3 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

func TestImage(t *testing.T) {
	one, err := Image{Version: "1.0"}.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	two, _ := Image{Version: "1.0"}.Bytes()
	if !bytes.Equal(one, two) || !bytes.HasPrefix(one, []byte("FWTWIN1\nversion=1.0\nbuild=ESP32\n")) {
		t.Errorf("%.60q", one)
	}
	for _, bad := range []Image{{}, {Version: "1\nactive=1"}, {Version: "$(x)"}, {Version: "1", Build: "a b"}} {
		if _, err := bad.Bytes(); err == nil {
			t.Errorf("%+v was made", bad)
		}
	}
}

// FuzzStandIns: what a machine sends is outside bytes.
func FuzzStandIns(f *testing.F) {
	f.Add(discover(1))
	f.Add([]byte("\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04twin"))
	f.Add([]byte("\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := &standIns{asked: func(string) {}}
		s.lease(b)
		s.name(b)
		s.time(b)
		if _, body, err := readMessage(bufio.NewReader(bytes.NewReader(b))); err == nil && len(body) > maxMessage {
			t.Error("a message beyond the bound")
		}
	})
}
