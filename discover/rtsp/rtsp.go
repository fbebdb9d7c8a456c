// Package rtsp proves that a camera's stream lives: it plays it and waits for the first media packet.
package rtsp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/icholy/digest"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/proto/rtsp"
	"github.com/firmward/firmward/wire"
)

// Probe implements discover.Probe.
type Probe struct{}

// Info declares the probe.
func (Probe) Info() discover.Info {
	return discover.Info{
		Name: "rtsp", Safety: firmward.Stateful, Ports: []discover.Port{{Network: "tcp", Number: 554}},
		Period: 6 * time.Hour, Timeout: 6 * time.Second, Service: true,
	}
}

// streamPaths are where cameras serve their stream: Axis, Hikvision. One that has none of them answers DESCRIBE with 404,
// which is reported.
var streamPaths = [...]string{"/axis-media/media.amp", "/Streaming/Channels/101"}

// Run reports rtsp.server, rtsp.tracks and rtsp.media (bytes of the first packet).
func (Probe) Run(ctx context.Context, t discover.Target, report func(firmward.Observation)) error {
	port := t.PortOr(554)
	at := netip.AddrPortFrom(t.Addr, port).String()
	o := firmward.Observation{Addr: t.Addr, Port: port, Outcome: firmward.Answered}
	c, ear, err := t.Call(ctx, port, report)
	if c == nil {
		return err
	}
	defer c.Close()
	s := session{c: c, r: bufio.NewReader(c), base: "rtsp://" + at, secret: t.Secret.Password, user: t.Secret.User}
	if err := s.play(&o); err != nil {
		o.Outcome, o.Note = firmward.Closed, "no stream: "+discover.Note(err)
		if ctx.Err() != nil || wire.Timeout(err) {
			o.Outcome, o.Note = ear.Failed(err)
		}
	}
	report(o)
	return nil
}

type session struct {
	c            net.Conn
	r            *bufio.Reader
	base, url    string
	user, secret string
	seq          int
	challenge    *digest.Challenge
	answered     int // how often the challenge was answered: servers take each count once
}

// play goes through DESCRIBE, SETUP over the same connection, PLAY, one packet, TEARDOWN.
func (s *session) play(o *firmward.Observation) error {
	res, err := s.describe()
	if err != nil {
		return err
	}
	if server := res.Header.Get("Server"); server != "" {
		o.Readings = append(o.Readings, discover.Reading("rtsp.server", server))
	}
	media := rtsp.Describe(res.Body)
	if len(media) == 0 {
		return errors.New("the session has no media")
	}
	o.Readings = append(o.Readings, discover.Reading("rtsp.tracks", strconv.Itoa(len(media))))
	control := media[0].Control
	if !strings.HasPrefix(control, s.url) {
		if strings.Contains(control, "://") {
			return errors.New("the session points at another host")
		}
		control = strings.TrimSuffix(s.url, "/") + "/" + strings.TrimPrefix(control, "/")
	}
	res, err = s.ask("SETUP", control, "Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
	if err != nil {
		return err
	}
	id, _, _ := strings.Cut(res.Header.Get("Session"), ";")
	if _, err := s.ask("PLAY", s.url, "Session: "+id); err != nil {
		return err
	}
	frame, err := rtsp.ReadFrame(s.r)
	if err != nil {
		return err
	}
	o.Readings = append(o.Readings, discover.Reading("rtsp.media", strconv.Itoa(len(frame))))
	_, _ = s.c.Write(rtsp.Request("TEARDOWN", s.url, s.seq+1, "Session: "+id)) // a courtesy: the stream was seen
	return nil
}

// describe asks for the first stream that is there.
func (s *session) describe() (res rtsp.Response, err error) {
	for _, path := range streamPaths {
		s.url = s.base + path
		if res, err = s.ask("DESCRIBE", s.url, "Accept: application/sdp"); res.Status != http.StatusNotFound {
			break
		}
	}
	return res, err
}

// ask sends a request, a second time with the answer to a challenge where one comes.
func (s *session) ask(method, url string, headers ...string) (rtsp.Response, error) {
	res, err := s.once(method, url, headers)
	if err == nil && res.Status == http.StatusUnauthorized && s.secret != "" {
		if s.challenge, err = digest.FindChallenge(http.Header(res.Header)); err != nil {
			return res, fmt.Errorf("the stream asks for its password in another way: %w", err)
		}
		s.answered = 0
		res, err = s.once(method, url, headers)
	}
	switch {
	case err != nil:
		return res, err
	case res.Status == http.StatusUnauthorized:
		return res, errors.New("it wants another password (firmward credentials set)")
	case res.Status != http.StatusOK:
		return res, fmt.Errorf("%s was answered with %d", method, res.Status)
	}
	return res, nil
}

func (s *session) once(method, url string, headers []string) (rtsp.Response, error) {
	s.seq++
	if s.challenge != nil {
		s.answered++
		cred, err := digest.Digest(s.challenge, digest.Options{Method: method, URI: url, Username: s.user, Password: s.secret, Count: s.answered})
		if err != nil {
			return rtsp.Response{}, fmt.Errorf("answer challenge: %w", err)
		}
		headers = append([]string{"Authorization: " + cred.String()}, headers...)
	}
	if _, err := s.c.Write(rtsp.Request(method, url, s.seq, headers...)); err != nil {
		return rtsp.Response{}, fmt.Errorf("send %s: %w", method, err)
	}
	return rtsp.ReadResponse(s.r)
}
