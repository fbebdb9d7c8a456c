package lab

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"time"
)

// keyOf makes a key that is always the same for the same seed.
func keyOf(seed string) ed25519.PrivateKey {
	b := make([]byte, ed25519.SeedSize)
	copy(b, seed)
	return ed25519.NewKeyFromSeed(b)
}

// KeyOf is the key of the certificate that a device shows whose KeySeed, or name, is seed: the SHA-256 of the public key in
// base64, as "SHA256:…".
func KeyOf(seed string) string {
	der, err := x509.MarshalPKIXPublicKey(keyOf(seed).Public())
	if err != nil {
		panic(err) // a key of this kind always marshals
	}
	sum := sha256.Sum256(der)
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// selfSigned makes a certificate that a device gave to itself, valid for ten years from the day the lab's devices were made.
func (d *Device) selfSigned(key ed25519.PrivateKey, name, organization string) (tls.Certificate, error) {
	made := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: made, NotAfter: made.AddDate(10, 0, 0),
		Subject:     pkix.Name{CommonName: name, Organization: []string{organization}},
		DNSNames:    []string{name},
		IPAddresses: []net.IP{d.host.ifaces[0].addr.AsSlice()},
	}
	der, err := x509.CreateCertificate(nil, c, c, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make a certificate for %s: %w", d.name, err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// serveHTTPS runs a handler as serveHTTP does, behind TLS.
func (d *Device) serveHTTPS(certificate tls.Certificate, h http.Handler) func(net.Listener) func() {
	serve := d.serveHTTP(h)
	return func(l net.Listener) func() {
		return serve(tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}))
	}
}
