package wire

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/firmward/firmward"
)

// HTTPSClient is an HTTPClient that speaks TLS 1.2 or newer. Devices sign their certificates themselves, so who signed one,
// for which name and until when, says nothing: believe gets its key ("SHA256:…" of the public key) before a byte of a
// request is sent, and its error ends the connection. An error of the handshake is ErrUndialled too: nothing was asked yet.
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
		c := tls.Client(raw, cfg)
		if err := c.HandshakeContext(asked(ctx)); err != nil {
			_ = raw.Close()
			return nil, undialled{err}
		}
		return c, nil
	}}, timeout)
}

// Anyone believes every certificate: for questions that carry no secret, whose answers are weighed like any other evidence.
func Anyone(string) error { return nil }

// GoesTo says whether the password may go to who shows a certificate with this key, as HTTPSClient asks it.
func (s Secret) GoesTo(key string) error {
	switch s.Key {
	case key:
		return nil
	case "":
		return firmward.Errorf(firmward.Unavailable, "firmward does not know the certificate of this device, so its password stays here: scan its network, then enter the device's own password (credentials set DEVICE)")
	}
	return firmward.Errorf(firmward.Refused, "the device shows another certificate than the one firmward knows, so its password stays here: if somebody renewed the certificate, scan again and enter the device's password anew (credentials set DEVICE)")
}
