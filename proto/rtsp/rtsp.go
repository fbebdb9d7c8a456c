// Package rtsp builds and reads RTSP 1.0 messages (RFC 2326) and interleaved frames. No I/O beyond the
// reader that it is given.
package rtsp

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"strconv"
	"strings"
)

// MaxBody bounds an answer's body, in bytes.
const MaxBody = 64 << 10

// Request encodes a request. headers are "Name: value" lines without line ends.
func Request(method, uri string, seq int, headers ...string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s RTSP/1.0\r\nCSeq: %d\r\nUser-Agent: firmward\r\n", method, uri, seq)
	for _, h := range headers {
		b.WriteString(h + "\r\n")
	}
	b.WriteString("\r\n")
	return []byte(b.String())
}

// Response is one answer.
type Response struct {
	Status int
	Header textproto.MIMEHeader
	Body   []byte
}

// ReadResponse reads the next answer and skips interleaved frames before it.
func ReadResponse(r *bufio.Reader) (Response, error) {
	for {
		first, err := r.Peek(1)
		if err != nil {
			return Response{}, fmt.Errorf("read RTSP answer: %w", err)
		}
		if first[0] != '$' {
			break
		}
		if _, err := ReadFrame(r); err != nil {
			return Response{}, err
		}
	}
	line, err := readLine(r)
	if err != nil {
		return Response{}, fmt.Errorf("read RTSP answer: %w", err)
	}
	proto, rest, _ := strings.Cut(line, " ")
	code, _, _ := strings.Cut(rest, " ")
	status, err := strconv.Atoi(code)
	if err != nil || !strings.HasPrefix(proto, "RTSP/1.") {
		return Response{}, errors.New("read RTSP answer: not RTSP")
	}
	header := textproto.MIMEHeader{}
	for range 100 {
		line, err := readLine(r)
		if err != nil {
			return Response{}, fmt.Errorf("read RTSP header: %w", err)
		}
		if line == "" {
			return body(r, Response{Status: status, Header: header})
		}
		if name, v, ok := strings.Cut(line, ":"); ok {
			header.Add(strings.TrimSpace(name), strings.TrimSpace(v))
		}
	}
	return Response{}, errors.New("read RTSP header: too many lines")
}

func body(r *bufio.Reader, res Response) (Response, error) {
	n, err := strconv.Atoi(res.Header.Get("Content-Length"))
	if res.Header.Get("Content-Length") == "" || n == 0 && err == nil {
		return res, nil
	}
	if err != nil || n < 0 || n > MaxBody {
		return res, errors.New("read RTSP body: bad length")
	}
	res.Body = make([]byte, n)
	if _, err := io.ReadFull(r, res.Body); err != nil {
		return res, fmt.Errorf("read RTSP body: %w", err)
	}
	return res, nil
}

// readLine reads one line of at most bufio's buffer size.
func readLine(r *bufio.Reader) (string, error) {
	b, err := r.ReadSlice('\n')
	if err != nil {
		return "", err
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

// ReadFrame reads one interleaved frame: '$', channel, length, payload (RFC 2326 §10.12).
func ReadFrame(r *bufio.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, fmt.Errorf("read interleaved frame: %w", err)
	}
	if head[0] != '$' {
		return nil, errors.New("read interleaved frame: no frame")
	}
	b := make([]byte, int(head[2])<<8|int(head[3]))
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, fmt.Errorf("read interleaved frame: %w", err)
	}
	return b, nil
}

// Media is one stream of a session description.
type Media struct {
	Kind    string // video, audio
	Control string // absolute or relative URL
}

// Describe reads the media of a session description (RFC 4566).
func Describe(sdp []byte) []Media {
	var out []Media
	for line := range strings.Lines(string(sdp)) {
		line = strings.TrimSpace(line)
		if kind, ok := strings.CutPrefix(line, "m="); ok {
			word, _, _ := strings.Cut(kind, " ")
			out = append(out, Media{Kind: word})
		} else if c, ok := strings.CutPrefix(line, "a=control:"); ok && len(out) > 0 {
			out[len(out)-1].Control = c
		}
	}
	return out
}
