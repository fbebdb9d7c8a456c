package wire_test

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/proto/cert"
	"github.com/firmward/firmward/wire"
)

// shown is a network on which everybody is one TLS server.
type shown struct {
	wire.Network
	cert   tls.Certificate
	asked  chan string // the password in each request that arrived, readable by its receiver
	speaks bool        // else it answers in clear text
}

func newShown(t *testing.T, seed string) (*shown, string) {
	t.Helper()
	key := ed25519.NewKeyFromSeed([]byte(seed + strings.Repeat(" ", ed25519.SeedSize-len(seed))))
	made := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: seed}, NotAfter: time.Unix(1, 0)} // over for long
	der, err := x509.CreateCertificate(nil, made, made, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := cert.Read(der)
	if err != nil {
		t.Fatal(err)
	}
	return &shown{cert: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, asked: make(chan string, 1), speaks: true}, c.Key
}

func (s *shown) DialContext(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	go func() {
		defer close(s.asked)
		defer there.Close()
		if !s.speaks {
			_, _ = there.Read(make([]byte, 4096))
			_, _ = there.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			return
		}
		c := tls.Server(there, &tls.Config{Certificates: []tls.Certificate{s.cert}})
		req, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		_, password, _ := req.BasicAuth()
		s.asked <- password
		_, _ = c.Write([]byte("HTTP/1.1 204 No Content\r\n\r\n"))
		_, _ = io.Copy(io.Discard, c) // until the other side has closed
	}()
	return here, nil
}

// TestPasswordGoesToOneCertificate: over TLS a password reaches who shows the certificate for which it was entered, and
// nobody else: not a byte of the request is sent.
func TestPasswordGoesToOneCertificate(t *testing.T) {
	_, other := newShown(t, "other")
	for name, tc := range map[string]struct {
		known string // "-": the device's own
		plain bool
		want  firmward.Code
		word  string
	}{
		"the known one": {known: "-"},
		"another":       {known: other, want: firmward.Refused, word: "another certificate"},
		"none is known": {known: "", want: firmward.Unavailable, word: "scan"},
		"no TLS at all": {known: "-", plain: true, want: firmward.Internal},
	} {
		s, key := newShown(t, "bmc")
		s.speaks = !tc.plain
		secret := wire.Secret{User: "root", Password: "correct horse", Key: tc.known}
		if tc.known == "-" {
			secret.Key = key
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://192.0.2.1/redfish/v1/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth(secret.User, secret.Password)
		res, err := wire.HTTPSClient(s, 5*time.Second, secret.GoesTo).Do(req)
		got, arrived := <-s.asked
		if tc.want == "" {
			if err != nil || got != secret.Password {
				t.Errorf("%s: %v, %q arrived", name, err, got)
				continue
			}
			res.Body.Close()
			continue
		}
		if firmward.CodeOf(err) != tc.want || !strings.Contains(err.Error(), tc.word) || !errors.Is(err, wire.ErrUndialled) || arrived {
			t.Errorf("%s: %v, something arrived: %v", name, err, arrived)
		}
		if strings.Contains(err.Error(), secret.Password) {
			t.Errorf("%s: the password is in %v", name, err)
		}
	}
}

// TestHandshakeEndsWithItsRequest: a device that says nothing holds no connection open.
func TestHandshakeEndsWithItsRequest(t *testing.T) {
	closed := make(chan struct{})
	_, err := wire.HTTPSClient(mute{closed: closed}, 50*time.Millisecond, wire.Anyone).Get("https://192.0.2.1/")
	if !wire.Timeout(err) {
		t.Errorf("%v, want a timeout", err)
	}
	select {
	case <-closed:
	case <-time.After(5 * time.Second):
		t.Error("the connection stays open")
	}
}

// mute is a network on which everybody takes what comes and never answers.
type mute struct {
	wire.Network
	closed chan struct{}
}

func (m mute) DialContext(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	go func() {
		defer close(m.closed)
		b := make([]byte, 4096)
		for {
			if _, err := there.Read(b); err != nil {
				return
			}
		}
	}()
	return here, nil
}
