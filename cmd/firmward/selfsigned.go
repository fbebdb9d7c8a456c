package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/firmward/firmward"
)

// ownCertificate is the certificate of a data directory.
type ownCertificate struct {
	cert, key   string // files
	fingerprint string // SHA-256 of the certificate, hexadecimal
	anew        string // why it was made anew; empty when it was not, or is the first
}

// selfSigned gives the certificate of the data directory. It is made when it is missing, has expired, or lacks a
// name under which the server is reached. Whoever connects compares its fingerprint (--fingerprint).
func selfSigned(dir string, hosts []string) (ownCertificate, error) {
	own := ownCertificate{cert: filepath.Join(dir, "tls.crt"), key: filepath.Join(dir, "tls.key")}
	b, err := os.ReadFile(own.cert)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		b, err = makeCertificate(own.cert, own.key, hosts)
	case err == nil:
		var leaf *x509.Certificate
		if leaf, err = parseCertificate(own.cert, b); err != nil {
			break
		}
		if own.anew = lacks(leaf, hosts, time.Now()); own.anew != "" {
			for _, ip := range leaf.IPAddresses {
				hosts = append(hosts, ip.String())
			}
			b, err = makeCertificate(own.cert, own.key, append(hosts, leaf.DNSNames...))
		}
	}
	if err != nil {
		return own, fmt.Errorf("certificate of the data directory: %w", err)
	}
	leaf, err := parseCertificate(own.cert, b)
	if err != nil {
		return own, err
	}
	own.fingerprint = fingerprint(leaf)
	return own, nil
}

// fingerprint is how people compare a certificate.
func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

func parseCertificate(path string, b []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, firmward.Errorf(firmward.Invalid, path+" holds no certificate: move it away and a new one is made")
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, &firmward.Error{Code: firmward.Invalid, Message: path + " cannot be read: move it away and a new one is made", Err: err}
	}
	return c, nil
}

// lacks says why a certificate will not do, or nothing.
func lacks(c *x509.Certificate, hosts []string, now time.Time) string {
	if now.After(c.NotAfter) {
		return "has expired"
	}
	for _, h := range hosts {
		if c.VerifyHostname(h) != nil {
			return "does not speak for " + h
		}
	}
	return ""
}

func makeCertificate(certPath, keyPath string, hosts []string) ([]byte, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	t := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "firmward"}, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(2, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	for _, h := range hosts {
		if t.VerifyHostname(h) == nil { // named already
			continue
		}
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, private.Public(), private)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	out := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(keyPath, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600); err != nil {
		return nil, err
	}
	return out, os.WriteFile(certPath, out, 0o644)
}
