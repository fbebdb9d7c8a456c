package lab

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func FuzzSNMP(f *testing.F) {
	f.Add([]byte("\x30\x26\x02\x01\x01\x04\x06public\xa0\x19\x02\x01\x01\x02\x01\x00\x02\x01\x00\x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x01\x00\x05\x00"))
	f.Add([]byte("\x30\x84\xff\xff\xff\xff"))
	f.Add([]byte("\x30\x03\x02\x01\x80"))
	var m mib
	m.text("1.3.6.1.2.1.1.1.0", "printer")
	m.text("1.3.6.1.2.1.1.5.0", strings.Repeat("n", 1000))
	m.sort()
	f.Fuzz(func(t *testing.T, b []byte) {
		if out := answerSNMP(b, "public", m); len(out) > maxSNMPMessage {
			t.Errorf("%d bytes", len(out))
		} else if out != nil {
			if _, rest, err := expect(out, tagSequence); err != nil || len(rest) != 0 {
				t.Errorf("malformed answer %x", out)
			}
		}
	})
}

func FuzzOID(f *testing.F) {
	f.Add([]byte("\x2b\x06\x01\x04\x01\x82\x37"))
	f.Add([]byte("\x88\x37\x03"))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := readOID(b)
		if err != nil {
			return
		}
		again, err := readOID(o.encode())
		if err != nil || len(again) != len(o) {
			t.Errorf("%v became %v, %v", o, again, err)
		}
	})
}

func FuzzIPP(f *testing.F) {
	f.Add([]byte("\x02\x00\x00\x0b\x00\x00\x00\x01\x01\x47\x00\x12attributes-charset\x00\x05utf-8\x03"))
	f.Add([]byte("\x01\x01\x00\x0b\x00\x00\x00\x01\x01\x44\x00\x00\x00\x00\x03"))
	f.Fuzz(func(t *testing.T, b []byte) {
		out := answerIPP(b, []ippAttribute{ippInt("printer-state", ippEnum, 3), ippBool("x", true)})
		if _, err := parseIPP(out); err != nil {
			t.Errorf("malformed answer %x", out)
		}
	})
}

func FuzzMQTT(f *testing.F) {
	f.Add([]byte("\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01x"))
	f.Add([]byte("\x82\x06\x00\x01\x00\x01x\x00"))
	f.Add([]byte("\x30\xff\xff\xff\x7f"))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, body, err := readMQTT(bufio.NewReader(bytes.NewReader(b)))
		if err != nil {
			return
		}
		if len(body) > mqttMessage || len(body) > len(b) {
			t.Errorf("%d bytes of %d", len(body), len(b))
		}
		if code, err := mqttConnect(body, true); err == nil && (code == 0 || code > 5) {
			t.Errorf("a private broker answers %d", code)
		}
		here, there := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, there) }()
		_ = (&broker{Device: &Device{slots: []slot{{}}}}).subscribe(here, body)
		_ = here.Close()
	})
}

func FuzzRTSP(f *testing.F) {
	f.Add([]byte("OPTIONS rtsp://10.40.0.11/ RTSP/1.0\r\nCSeq: 1\r\n\r\n"))
	f.Add([]byte("$\x00\x00\x02abPLAY * RTSP/1.0\nContent-Length: 3\n\nabc"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bufio.NewReaderSize(bytes.NewReader(b), rtspLine)
		for {
			q, err := readRTSP(r)
			if err != nil {
				return
			}
			if q.method == "" || q.url == "" {
				t.Errorf("accepted %+v", q)
			}
			interleaved(q.header["transport"])
		}
	})
}

// FuzzCalls sends any body to the JSON interfaces of a plug and a camera that are busy, so that no update runs: one JSON
// answer with a status that they have, never a panic.
func FuzzCalls(f *testing.F) {
	f.Add([]byte(`{"id":1,"method":"Shelly.Update","params":{"url":"http://10.0.0.1/x"}}`))
	f.Add([]byte(`{"id":"a","method":"switch.set","params":{"id":0,"on":1}}`))
	f.Add([]byte(`{"params":[]}`))
	f.Add([]byte(`{"apiVersion":"1.0","method":"getProperties","params":{"propertyList":["Version"]}}`))
	f.Add([]byte(`{"method":"factoryDefault","params":{"factoryDefaultMode":"hard"}}`))
	l := New(Options{Clock: ScaledClock(time.Now(), 1e-6)}) // no timer of a device ever fires
	f.Cleanup(func() { l.Close() })
	d, err := l.AddPlug(PlugSpec{Place: Place{Name: "plug"}})
	if err != nil {
		f.Fatal(err)
	}
	cam, err := l.AddCamera(CameraSpec{Place: Place{Name: "cam"}})
	if err != nil {
		f.Fatal(err)
	}
	d.faults[FaultBusy], cam.faults[FaultBusy] = true, true
	p, c := &plug{Device: d, app: "PlusPlugS", gen: 2}, &camera{Device: cam, auth: newDigestAuth("x", "MD5", nil, time.Now, cam.random('n'))}
	plugs := p.handler()
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, h := range map[string]http.Handler{
			"/rpc": plugs, "/rpc/Shelly.Update": plugs, "/rpc/Switch.Set": plugs,
			info: http.HandlerFunc(c.serveInfo), firmware: http.HandlerFunc(c.serveFirmware),
		} {
			res := httptest.NewRecorder()
			h.ServeHTTP(res, httptest.NewRequest(http.MethodPost, name, bytes.NewReader(b)))
			switch res.Code {
			case http.StatusOK, http.StatusNotFound, http.StatusInternalServerError:
				if !json.Valid(res.Body.Bytes()) {
					t.Errorf("%s answers %q", name, res.Body)
				}
			case http.StatusUnauthorized:
			default:
				t.Errorf("%s answers %d", name, res.Code)
			}
		}
	})
}

func FuzzMultipart(f *testing.F) {
	f.Add([]byte("--b\r\n\r\n{\"method\":\"upgrade\"}\r\n--b\r\n\r\nfile\r\n--b--\r\n"), "b")
	f.Add([]byte("--b\r\n\r\n{"), "b")
	f.Fuzz(func(t *testing.T, b []byte, boundary string) {
		_, file, err := parseUpgrade(bytes.NewReader(b), boundary)
		if (err == nil) != (file != nil) {
			t.Errorf("file %v, error %v", file, err)
		}
		if file != nil {
			_, _ = io.Copy(io.Discard, file)
		}
	})
}

func FuzzImage(f *testing.F) {
	f.Add(BuildImage(ImageSpec{Family: "x", Model: "m", Version: "1", Size: 300}))
	f.Add([]byte(imageMagic + "\x00\x00\x00\x02{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if img, err := readImage(bytes.NewReader(b)); img.bytes > int64(len(b)) || err == nil && img.Size > img.bytes {
			t.Errorf("%+v", img)
		}
	})
}

func FuzzDigestHeader(f *testing.F) {
	f.Add(`Digest username="root", realm="AXIS_X", nonce="a\"b", qop=auth, nc=00000001`)
	f.Add(`Digest a="`)
	f.Fuzz(func(t *testing.T, s string) {
		p, ok := parseDigest(s)
		if ok == (p == nil) {
			t.Errorf("parameters %v, readable %v", p, ok)
		}
		for name := range p {
			if name == "" || name != strings.ToLower(name) {
				t.Errorf("a parameter is called %q", name)
			}
		}
	})
}

// FuzzStream writes and reads pieces of any sizes: what comes out is what went in, in order, and never more than a
// window is held.
func FuzzStream(f *testing.F) {
	f.Add([]byte{1, 2, 3, 200, 150, 7}, []byte{3, 255, 1})
	f.Add(bytes.Repeat([]byte{255}, 300), []byte{1, 255, 255})
	f.Fuzz(func(t *testing.T, writes, reads []byte) {
		s := newStream(nil)
		var in, out []byte
		for i := range max(len(writes), len(reads)) {
			if i < len(writes) {
				piece := bytes.Repeat([]byte{byte(i)}, int(writes[i])*int(writes[i])) // up to 65,025 bytes
				piece = piece[:min(len(piece), window-s.n)]                           // more would wait for a reader
				if n, err := s.write(piece); n != len(piece) || err != nil {
					t.Fatal(n, err)
				}
				in = append(in, piece...)
			}
			if i < len(reads) && s.n > 0 {
				buf := make([]byte, 1+int(reads[i])*int(reads[i]))
				n, err := s.read(buf)
				if n == 0 || err != nil {
					t.Fatal(n, err)
				}
				out = append(out, buf[:n]...)
			}
			if s.n > window || len(s.ring) > window {
				t.Fatalf("%d bytes are held in %d", s.n, len(s.ring))
			}
		}
		s.change(func() { s.fin = true })
		buf := make([]byte, window)
		for {
			n, err := s.read(buf)
			out = append(out, buf[:n]...)
			if err != nil {
				break
			}
		}
		if !bytes.Equal(in, out) {
			t.Errorf("%d bytes went in, %d other ones came out", len(in), len(out))
		}
	})
}
