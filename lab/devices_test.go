package lab

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// ask sends one SNMP request for names and returns the values by name; texts as they are, other types as %x.
func (h *house) ask(pdu byte, community string, names ...string) map[string]string {
	h.t.Helper()
	var list []byte
	for _, n := range names {
		o, err := parseOID(n)
		if err != nil {
			h.t.Fatal(err)
		}
		list = appendTLV(list, tagSequence, appendTLV(appendTLV(nil, tagOID, o.encode()), tagNull, nil))
	}
	var body []byte
	for _, v := range []int64{-77, 0, 10} {
		body = appendTLV(body, tagInteger, intBytes(v))
	}
	body = appendTLV(body, tagSequence, list)
	msg := appendTLV(appendTLV(appendTLV(nil, tagInteger, []byte{1}), tagOctets, []byte(community)), pdu, body)
	c, err := h.Attach("home").DialContext(h.t.Context(), "udp", "192.168.20.40:161")
	if err != nil {
		h.t.Fatal(err)
	}
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	c.Write(appendTLV(nil, tagSequence, msg))
	buf := make([]byte, 2000)
	n, err := c.Read(buf)
	if err != nil {
		return nil
	}
	got := map[string]string{}
	all, _, _ := expect(buf[:n], tagSequence)
	_, all, _ = expect(all, tagInteger)
	_, all, _ = expect(all, tagOctets)
	all, _, _ = expect(all, tagResponse)
	id, all, _ := expectInt(all)
	status, all, _ := expectInt(all)
	_, all, _ = expectInt(all)
	all, _, err = expect(all, tagSequence)
	if id != -77 || status != 0 || err != nil {
		h.t.Fatalf("response id %d status %d %v", id, status, err)
	}
	for len(all) > 0 {
		var bind []byte
		bind, all, _ = expect(all, tagSequence)
		name, value, _ := expect(bind, tagOID)
		o, _ := readOID(name)
		tag, v, _, _ := readTLV(value)
		text := fmt.Sprintf("%#x:%x", tag, v)
		if tag == tagOctets {
			text = string(v)
		}
		got[strings.ReplaceAll(strings.Trim(fmt.Sprint([]uint32(o)), "[]"), " ", ".")] = text
	}
	return got
}

// askIPP returns the answer to Get-Printer-Attributes for the named attributes.
func (h *house) askIPP(names ...string) string {
	h.t.Helper()
	q := []byte{2, 0, 0, 0x0b, 0, 0, 0, 1, ippOperation}
	q = appendIPP(q, ippStrings("attributes-charset", ippCharset, "utf-8"))
	q = appendIPP(q, ippStrings("attributes-natural-language", ippLanguage, "en"))
	q = appendIPP(q, ippStrings("printer-uri", ippURI, "ipp://192.168.20.40/ipp/print"))
	q = append(appendIPP(q, ippStrings("requested-attributes", ippKeyword, names...)), ippEnd)
	res, err := h.client.Post("http://192.168.20.40:631/ipp/print", "application/ipp", bytes.NewReader(q))
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return string(b)
}

func TestPrinterContradictsItself(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		const software = "1.3.6.1.2.1.47.1.1.1.1.10.1"
		d := h.device("printer-1")
		got := h.ask(tagGet, "public", "1.3.6.1.2.1.1.2.0", software, "1.3.6.1.2.1.43.5.1.1.17.1", "1.3.6.1.2.1.1.1.9", "1.3.9.9")
		want := map[string]string{
			"1.3.6.1.2.1.1.2.0": "0x6:2b060104010b02030901", software: "20200612",
			"1.3.6.1.2.1.43.5.1.1.17.1": d.Facts().Serial, "1.3.6.1.2.1.1.1.9": "0x81:", "1.3.9.9": "0x80:",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("SNMP GET differs (-want +got):\n%s", diff)
		}
		if got := h.ask(tagGet, "private", software); got != nil {
			t.Errorf("a wrong community was answered: %v", got)
		}
		next := h.ask(tagGetNext, "public", "1.3.6.1.2.1.1.5")
		if diff := cmp.Diff(map[string]string{"1.3.6.1.2.1.1.5.0": "printer-1"}, next); diff != "" {
			t.Errorf("SNMP GETNEXT differs (-want +got):\n%s", diff)
		}
		if got := len(h.ask(tagGetBulk, "public", "1.3.6.1.2.1.47")); got != 7 {
			t.Errorf("GETBULK to the end of the MIB gave %d variables", got)
		}
		answer := h.askIPP("printer-firmware-string-version")
		if !contains(answer, "20190101") || contains(answer, "printer-uuid") {
			t.Errorf("IPP: %q", answer)
		}
		if !contains(h.askIPP("all"), "printer-uuid") {
			t.Error("IPP does not know its UUID")
		}

		if err := d.InstallByHand("20240101"); err != nil {
			t.Fatal(err)
		}
		if got := h.ask(tagGet, "public", software); got != nil {
			t.Error("the printer answers while it restarts")
		}
		h.pass(2 * time.Minute)
		if got := h.ask(tagGet, "public", software)[software]; got != "20240101" || !contains(h.askIPP("all"), "20240101") {
			t.Errorf("after the update: SNMP %s", got)
		}
		f := d.Facts()
		if f.PrintedPages != 0 || f.Flashes[0].DeliveryPath != PathByHand || f.Ports["tcp/9100"] != (PortCount{}) {
			t.Errorf("facts: %+v", f)
		}
	})
}

func TestPrinterPrintsProbes(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		c, err := h.Attach("home").DialContext(t.Context(), "tcp", "192.168.20.40:9100")
		if err != nil {
			t.Fatal(err)
		}
		c.Write([]byte("@PJL INFO ID\r\n"))
		c.Close()
		h.pass(time.Second)
		if got := h.device("printer-1").Facts().PrintedPages; got != 14 {
			t.Errorf("%d pages", got)
		}
		if _, body, err := h.get(h.client, "http://192.168.20.40/"); err != nil || !contains(body, "M478f") {
			t.Error(body, err)
		}
	})
}

func TestPumpBearsOnlyCare(t *testing.T) {
	const url = "http://10.40.0.51/"
	connect := func(h *house, port int) net.Conn {
		c, err := h.Attach("clinic").DialContext(h.t.Context(), "tcp", fmt.Sprintf("10.40.0.51:%d", port))
		if err != nil {
			return nil
		}
		return c
	}
	for _, c := range []struct {
		name   string
		frozen bool
		do     func(h *house)
	}{
		{"one request each 10 s", false, func(h *house) {
			for range 5 {
				if _, body, err := h.get(h.client, url); err != nil || !contains(body, "9.33.1") {
					t.Error(body, err)
				}
				h.pass(10 * time.Second)
			}
		}},
		{"three knocks", false, func(h *house) {
			for range 3 {
				connect(h, 443)
			}
			h.pass(time.Minute)
			connect(h, 443)
		}},
		{"four knocks", true, func(h *house) {
			for i := range 4 {
				connect(h, 8000+i)
			}
		}},
		{"unknown path", true, func(h *house) { h.get(h.client, url+"admin") }},
		{"too soon", true, func(h *house) { h.get(h.client, url); h.pass(time.Second); h.get(h.client, url) }},
		{"no request", true, func(h *house) { connect(h, 80).Close(); h.pass(time.Second) }},
		{"two connections", true, func(h *house) {
			a, b := connect(h, 80), connect(h, 80)
			h.pass(time.Second)
			a.Close()
			b.Close()
		}},
	} {
		bubble(t, func(t *testing.T, h *house) {
			h.client.Timeout = 30 * time.Second
			c.do(h)
			f := h.device("pump-1").Facts()
			if f.Frozen != c.frozen || f.Frozen == f.ServiceUp["http"] {
				t.Errorf("%s: frozen %v by %q, services %v", c.name, f.Frozen, f.FrozenBy, f.ServiceUp)
			}
			h.pass(time.Minute)
			if _, _, err := h.get(h.client, url); (err != nil) != c.frozen {
				t.Errorf("%s: afterwards %v", c.name, err)
			}
		})
	}
	bubble(t, func(t *testing.T, h *house) {
		d := h.device("pump-2")
		if err := d.InstallByHand("12.1.3"); err != nil {
			t.Fatal(err)
		}
		h.pass(2 * time.Minute)
		if _, body, err := h.get(h.client, "http://10.40.0.52/"); err != nil || !contains(body, "12.1.3") || d.Facts().Frozen {
			t.Error(body, err)
		}
	})
}

func TestNAS(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		res, err := h.client.Get("http://192.168.20.30/xml/info.xml")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		if !contains(string(body), "<version>1.11</version>") || res.Header.Get("Server") != "lighttpd/1.4.28" {
			t.Errorf("%s %v", body, res.Header)
		}
		c, err := h.Attach("home").DialContext(t.Context(), "tcp", "192.168.20.30:445")
		if err != nil {
			t.Fatal(err)
		}
		if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("SMB: %d bytes, %v", n, err)
		}
		c.Close()
		if err := h.device("nas-1").InstallByHand("2.0"); err == nil {
			t.Error("the NAS was updated")
		}
	})
}

// player is a client of cam-1's stream.
type player struct {
	t   *testing.T
	c   net.Conn
	r   *bufio.Reader
	seq int
}

func (h *house) play() *player {
	h.t.Helper()
	c, err := h.Attach("clinic").DialContext(h.t.Context(), "tcp", "10.40.0.11:554")
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { c.Close() })
	return &player{t: h.t, c: c, r: bufio.NewReader(c)}
}

// ask sends a request and returns status and body. Pictures before the answer are left out.
func (p *player) ask(method string, header ...string) (status int, body string) {
	p.t.Helper()
	p.seq++
	lines := append([]string{method + " rtsp://10.40.0.11/axis-media/media.amp RTSP/1.0", fmt.Sprint("CSeq: ", p.seq)}, header...)
	fmt.Fprint(p.c, strings.Join(lines, "\r\n"), "\r\n\r\n")
	for {
		if b, err := p.r.Peek(1); err != nil || b[0] != '$' {
			break
		}
		p.packet()
	}
	line, _ := p.r.ReadString('\n')
	res, err := http.ReadResponse(bufio.NewReader(io.MultiReader(
		strings.NewReader(strings.Replace(line, "RTSP/1.0", "HTTP/1.1", 1)), headerOf(p.t, p.r))), nil)
	if err != nil || res.Header.Get("CSeq") != fmt.Sprint(p.seq) {
		p.t.Fatalf("%s: %v %v", method, res, err)
	}
	b := make([]byte, max(res.ContentLength, 0))
	io.ReadFull(p.r, b)
	return res.StatusCode, string(b)
}

// packet reads one RTP packet and its channel.
func (p *player) packet() (channel byte, packet []byte) {
	p.t.Helper()
	var head [4]byte
	if _, err := io.ReadFull(p.r, head[:]); err != nil || head[0] != '$' {
		p.t.Fatalf("frame %q, %v", head, err)
	}
	packet = make([]byte, binary.BigEndian.Uint16(head[2:]))
	io.ReadFull(p.r, packet)
	return head[1], packet
}

func TestCameraStreams(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		p := h.play()
		for _, c := range []struct {
			method, header string
			status         int
			body           string
		}{
			{"OPTIONS", "", 200, ""},
			{"DESCRIBE", "", 200, "H264/90000"},
			{"PLAY", "", 454, ""}, // without a session
			{"SETUP", "Transport: RTP/AVP;unicast;client_port=5000-5001", 461, ""},
			{"SETUP", "Transport: RTP/AVP/TCP;unicast;interleaved=2-3", 200, ""},
		} {
			var header []string
			if c.header != "" {
				header = append(header, c.header)
			}
			if status, body := p.ask(c.method, header...); status != c.status || !contains(body, c.body) {
				t.Errorf("%s %s: %d %s", c.method, c.header, status, body)
			}
		}
		session := fmt.Sprintf("Session: %08X", h.device("cam-1").random('r').Uint32())
		if status, _ := p.ask("PLAY", session); status != 200 {
			t.Fatalf("PLAY: %d", status)
		}
		markers, start := 0, time.Now()
		for markers < 26 {
			channel, packet := p.packet()
			if channel != 2 {
				t.Fatalf("channel %d", channel)
			}
			if packet[1]&0x80 != 0 {
				markers++
			}
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("26 pictures took %v", took)
		}
	})
}

// TestSlowCameraStreams asks a camera that is busy with a slow packet: its answers come in their turn, after the packet,
// and a stream that was paused goes on with the next sequence number.
func TestSlowCameraStreams(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		h.fault("cam-1", FaultSlow)
		p := h.play()
		p.ask("SETUP", "Transport: RTP/AVP/TCP")
		session := fmt.Sprintf("Session: %08X", h.device("cam-1").random('r').Uint32())
		var last uint16
		for range 3 {
			if status, _ := p.ask("PLAY", session); status != 200 {
				t.Fatalf("PLAY: %d", status)
			}
			_, packet := p.packet()
			seq := binary.BigEndian.Uint16(packet[2:])
			if last != 0 && seq-last > 2 {
				t.Errorf("packet %d follows %d", seq, last)
			}
			last = seq
			start := time.Now()
			if status, _ := p.ask("PAUSE", session); status != 200 || time.Since(start) > 2*time.Second {
				t.Errorf("PAUSE: %d after %v", status, time.Since(start))
			}
		}
	})
}

// headerOf reads up to the empty line.
func headerOf(t *testing.T, r *bufio.Reader) io.Reader {
	var b bytes.Buffer
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(line)
		if line == "\r\n" {
			return &b
		}
	}
}
