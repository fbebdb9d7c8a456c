package lab

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// rtspRequest is one request of RTSP 1.0 (RFC 2326). Header names are in lower case.
type rtspRequest struct {
	method, url string
	header      map[string]string
}

const (
	rtspLine    = 4096 // longest line
	rtspHeaders = 64
	rtspBody    = 64 << 10
)

var errRTSP = errors.New("malformed RTSP request")

// readRTSP reads the next request. Interleaved binary frames ($) that the client sends (RTCP) are skipped.
func readRTSP(r *bufio.Reader) (rtspRequest, error) {
	for {
		b, err := r.Peek(1)
		if err != nil {
			return rtspRequest{}, err
		}
		if b[0] != '$' {
			break
		}
		var head [4]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return rtspRequest{}, err
		}
		if _, err := r.Discard(int(binary.BigEndian.Uint16(head[2:]))); err != nil {
			return rtspRequest{}, err
		}
	}
	line, err := readLine(r)
	if err != nil {
		return rtspRequest{}, err
	}
	method, rest, ok := strings.Cut(line, " ")
	url, version, ok2 := strings.Cut(rest, " ")
	if !ok || !ok2 || method == "" || url == "" || version != "RTSP/1.0" {
		return rtspRequest{}, errRTSP
	}
	req := rtspRequest{method: method, url: url, header: map[string]string{}}
	for range rtspHeaders {
		line, err := readLine(r)
		if err != nil {
			return rtspRequest{}, err
		}
		if line == "" {
			size, err := strconv.Atoi(or(req.header["content-length"], "0"))
			if err != nil || size < 0 || size > rtspBody {
				return rtspRequest{}, errRTSP
			}
			_, err = r.Discard(size)
			return req, err
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return rtspRequest{}, errRTSP
		}
		req.header[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
	}
	return rtspRequest{}, errRTSP
}

// readLine reads a line of at most rtspLine bytes, without its end.
func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		if err == bufio.ErrBufferFull {
			err = errRTSP
		}
		return "", err
	}
	return strings.TrimRight(string(line), "\r\n"), nil
}

// rtspSession is one connection to the camera's stream.
type rtspSession struct {
	conn    net.Conn
	auth    *digestAuth // nil: no password
	path    string      // under which the stream is; empty: everywhere
	id      string
	channel byte
	ssrc    uint32
	seq     uint16
	stop    func() // ends the stream and waits for its last packet; nil while none plays
}

// rtspConn streams a still picture under path. auth is nil where the stream needs no password, which is a choice of the lab: the
// stream stands for "the camera does its work", and probes must be able to see that.
func (d *Device) rtspConn(ctx context.Context, c net.Conn, path string, auth *digestAuth) {
	random := d.random('r')
	s := &rtspSession{conn: c, auth: auth, path: path, ssrc: random.Uint32(), seq: uint16(random.Uint32())}
	defer func() {
		if s.stop != nil {
			s.stop()
		}
	}()
	r := bufio.NewReaderSize(c, rtspLine)
	for {
		req, err := readRTSP(r)
		if err != nil {
			if errors.Is(err, errRTSP) {
				_ = s.reply("0", "400 Bad Request", nil, "")
			}
			return
		}
		if err := s.serve(ctx, d, req); err != nil {
			return
		}
	}
}

func (s *rtspSession) reply(cseq, status string, header []string, body string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "RTSP/1.0 %s\r\nCSeq: %s\r\nServer: GStreamer RTSP server\r\n", status, cseq)
	for _, h := range header {
		fmt.Fprintf(&b, "%s\r\n", h)
	}
	if body != "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n" + body)
	_, err := io.WriteString(s.conn, b.String())
	return err
}

func (s *rtspSession) serve(ctx context.Context, d *Device, req rtspRequest) error {
	cseq := req.header["cseq"]
	session := func() bool {
		id, _, _ := strings.Cut(req.header["session"], ";")
		return s.id != "" && id == s.id
	}
	if s.auth != nil && req.method != "OPTIONS" {
		if ok, stale := s.auth.check(req.method, req.url, req.header["authorization"]); !ok {
			return s.reply(cseq, "401 Unauthorized", []string{"WWW-Authenticate: " + s.auth.challenge(stale)}, "")
		}
	}
	if req.method == "DESCRIBE" && !strings.Contains(req.url, s.path) {
		return s.reply(cseq, "404 Not Found", nil, "")
	}
	switch req.method {
	case "OPTIONS":
		return s.reply(cseq, "200 OK", []string{
			"Public: OPTIONS, DESCRIBE, GET_PARAMETER, PAUSE, PLAY, SETUP, TEARDOWN",
		}, "")
	case "DESCRIBE":
		base, _, _ := strings.Cut(req.url, "?")
		d.mu.Lock()
		huge := d.has(FaultHugeAnswer)
		d.mu.Unlock()
		if huge {
			err := s.reply(cseq, "200 OK", []string{"Content-Type: application/sdp", fmt.Sprint("Content-Length: ", maxHuge)}, "")
			writeHuge(s.conn)
			return err
		}
		return s.reply(cseq, "200 OK", []string{
			"Content-Type: application/sdp", "Content-Base: " + strings.TrimSuffix(base, "/") + "/",
		}, sdp(s.conn.LocalAddr()))
	case "SETUP":
		channel, ok := interleaved(req.header["transport"])
		if !ok {
			return s.reply(cseq, "461 Unsupported Transport", nil, "")
		}
		s.channel, s.id = channel, fmt.Sprintf("%08X", s.ssrc)
		return s.reply(cseq, "200 OK", []string{
			fmt.Sprintf("Transport: RTP/AVP/TCP;unicast;interleaved=%d-%d;ssrc=%08X;mode=\"PLAY\"", channel, channel+1, s.ssrc),
			"Session: " + s.id + ";timeout=60",
		}, "")
	case "PLAY":
		if !session() {
			return s.reply(cseq, "454 Session Not Found", nil, "")
		}
		err := s.reply(cseq, "200 OK", []string{"Session: " + s.id, "Range: npt=now-"}, "")
		if err == nil && s.stop == nil {
			play, cancel := context.WithCancel(ctx)
			ended := make(chan struct{})
			s.stop = func() { cancel(); <-ended }
			d.lab.wg.Go(func() { defer close(ended); s.play(play) })
		}
		return err
	case "PAUSE", "TEARDOWN":
		if !session() {
			return s.reply(cseq, "454 Session Not Found", nil, "")
		}
		if s.stop != nil {
			s.stop()
			s.stop = nil
		}
		err := s.reply(cseq, "200 OK", []string{"Session: " + s.id}, "")
		if req.method == "TEARDOWN" {
			s.id = ""
		}
		return err
	case "GET_PARAMETER":
		return s.reply(cseq, "200 OK", nil, "")
	}
	return s.reply(cseq, "501 Not Implemented", nil, "")
}

// interleaved finds the RTP channel in a Transport header that asks for RTP over this TCP connection.
func interleaved(transport string) (byte, bool) {
	for offer := range strings.SplitSeq(transport, ",") {
		parts := strings.Split(strings.TrimSpace(offer), ";")
		if !strings.EqualFold(parts[0], "RTP/AVP/TCP") {
			continue
		}
		channel := 0
		for _, p := range parts[1:] {
			if v, ok := strings.CutPrefix(p, "interleaved="); ok {
				first, _, _ := strings.Cut(v, "-")
				n, err := strconv.Atoi(first)
				if err != nil || n < 0 || n > 254 {
					return 0, false
				}
				channel = n
			}
		}
		return byte(channel), true
	}
	return 0, false
}

func sdp(at net.Addr) string {
	ip, _, _ := net.SplitHostPort(at.String())
	sps, pps := h264SPS(), h264PPS()
	lines := []string{
		"v=0", "o=- 1 1 IN IP4 " + ip, "s=Session streamed with GStreamer", "c=IN IP4 0.0.0.0", "t=0 0",
		"a=tool:GStreamer", "a=type:broadcast", "a=range:npt=now-", "a=control:*",
		"m=video 0 RTP/AVP 96", "a=rtpmap:96 H264/90000",
		fmt.Sprintf("a=fmtp:96 packetization-mode=1;profile-level-id=%X;sprop-parameter-sets=%s,%s", sps[1:4],
			base64.StdEncoding.EncodeToString(sps), base64.StdEncoding.EncodeToString(pps)),
		"a=framerate:25", "a=control:stream=0",
	}
	return strings.Join(lines, "\r\n") + "\r\n"
}

// play sends 25 pictures per second of real time until ctx ends or the client is gone.
func (s *rtspSession) play(ctx context.Context) {
	tick := time.NewTicker(40 * time.Millisecond)
	defer tick.Stop()
	for n := uint32(0); ; n++ {
		nals := [][]byte{h264SPS(), h264PPS(), h264IDR(n)}
		for i, nal := range nals {
			packet := make([]byte, 4+12, 4+12+len(nal))
			packet[0], packet[1] = '$', s.channel
			binary.BigEndian.PutUint16(packet[2:], uint16(12+len(nal)))
			packet[4], packet[5] = 0x80, 96
			if i == len(nals)-1 {
				packet[5] |= 0x80 // the marker: end of the picture
			}
			binary.BigEndian.PutUint16(packet[6:], s.seq)
			binary.BigEndian.PutUint32(packet[8:], n*3600)
			binary.BigEndian.PutUint32(packet[12:], s.ssrc)
			s.seq++
			if _, err := s.conn.Write(append(packet, nal...)); err != nil || ctx.Err() != nil {
				return
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
