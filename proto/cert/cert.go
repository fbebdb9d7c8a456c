// Package cert reads what a TLS certificate tells about the device that shows it. No I/O.
package cert

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Certificate is what is kept of a certificate.
type Certificate struct {
	Subject, Issuer string // RFC 2253
	CommonName      string
	Organization    string
	SubjectSerial   string   // serialNumber in the subject: some makers write the device's there
	Names           []string // subject alternative names, DNS names before addresses
	NotBefore       time.Time
	NotAfter        time.Time
	SelfSigned      bool   // by its own key, which was then made for this device or this model
	Key             string // SHA-256 of the public key (SubjectPublicKeyInfo), base64, as "SHA256:…"
}

// maxNames bounds the names that are kept.
const maxNames = 32

// Read reads one certificate in DER.
func Read(der []byte) (Certificate, error) {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return Certificate{}, fmt.Errorf("read certificate: %w", err)
	}
	out := Certificate{
		Subject: c.Subject.String(), Issuer: c.Issuer.String(), CommonName: c.Subject.CommonName, SubjectSerial: c.Subject.SerialNumber,
		Names: slices.Clone(c.DNSNames[:min(len(c.DNSNames), maxNames)]), NotBefore: c.NotBefore, NotAfter: c.NotAfter,
	}
	if len(c.Subject.Organization) > 0 {
		out.Organization = c.Subject.Organization[0]
	}
	for _, ip := range c.IPAddresses[:min(len(c.IPAddresses), maxNames)] {
		out.Names = append(out.Names, ip.String())
	}
	// Old devices sign with algorithms that are no longer checked: the same name on both sides is enough then.
	err = c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature)
	_, insecure := errors.AsType[x509.InsecureAlgorithmError](err)
	out.SelfSigned = bytes.Equal(c.RawIssuer, c.RawSubject) && (err == nil || insecure)
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	out.Key = "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
	return out, nil
}
