package wire

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/firmward/firmward"
)

// HTTPSClient is an HTTPClient that speaks TLS 1.2 or newer. Devices sign their certificates themselves, so who signed one,
// for which name and until when, says nothing: believe gets its key ("SHA256:…" of the public key) before a byte of a
// request is sent, and its error ends the connection. An error of the handshake is ErrUndialled too: nothing was asked yet.
// A handshake, and each record, ends within tlsLimit: what drips shows no byte of itself before its record is whole.
func HTTPSClient(n Network, timeout time.Duration, believe func(key string) error) *http.Client {
	plain := dial(n)
	cfg := &tls.Config{
		InsecureSkipVerify: true, // believe decides
		MinVersion:         tls.VersionTLS12,
		CurvePreferences:   []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384}, // a hello that fits one packet
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 {
				return errors.New("it shows no certificate")
			}
			sum := sha256.Sum256(s.PeerCertificates[0].RawSubjectPublicKeyInfo)
			return believe("SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:]))
		},
	}
	return client(&http.Transport{DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		raw, err := plain(ctx, network, address)
		if err != nil {
			return nil, err
		}
		hctx, cancel := context.WithTimeout(asked(ctx), tlsLimit)
		defer cancel()
		c := tls.Client(&records{Conn: raw}, cfg)
		if err := c.HandshakeContext(hctx); err != nil {
			_ = raw.Close()
			return nil, undialled{err}
		}
		return c, nil
	}}, timeout)
}

// tlsLimit ends a handshake, and a record from its first byte to its last.
const tlsLimit = 10 * time.Second

// records is a connection on which a TLS record that has begun must end within tlsLimit.
type records struct {
	net.Conn
	head [5]byte // type, version, length (RFC 8446 §5.1)
	got  int     // bytes of the head that are here
	left int     // bytes of the record that are still to come, once its head is here
}

// Read gives what came and minds where its records end.
func (r *records) Read(b []byte) (int, error) {
	n, err := r.Conn.Read(b)
	before := r.got > 0
	for rest := b[:n]; len(rest) > 0; {
		if r.got < len(r.head) {
			c := copy(r.head[r.got:], rest)
			r.got, rest = r.got+c, rest[c:]
			r.left = int(binary.BigEndian.Uint16(r.head[3:]))
		}
		if r.got == len(r.head) {
			c := min(r.left, len(rest))
			r.left, rest = r.left-c, rest[c:]
			if r.left == 0 {
				r.got, before = 0, false
			}
		}
	}
	switch now := r.got > 0; {
	case err != nil || n == 0:
	case now && !before:
		err = r.SetReadDeadline(time.Now().Add(tlsLimit))
	case !now:
		err = r.SetReadDeadline(time.Time{})
	}
	return n, err
}

// Anyone believes every certificate: for questions that carry no secret, whose answers are weighed like any other evidence.
func Anyone(string) error { return nil }

// GoesTo says whether the password may go to who shows a certificate with this key, as HTTPSClient asks it.
func (s Secret) GoesTo(key string) error {
	switch s.Key {
	case key:
		return nil
	case "":
		return firmward.Errorf(firmward.Unavailable, "firmward does not know the certificate of this device, so its password stays here: scan its network, then enter the device's own password (credentials set --device)")
	}
	return firmward.Errorf(firmward.Refused, "the device shows another certificate than the one firmward knows, so its password stays here: if somebody renewed the certificate, scan again and enter the device's password anew (credentials set --device)")
}
