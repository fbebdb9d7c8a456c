// Package tls looks at the certificate that a server shows: one handshake, then a clean close. Nothing is trusted
// because of it and nothing is asked over it.
package tls

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/proto/cert"
)

// Probe implements discover.Probe.
type Probe struct{}

// Info declares the probe.
func (Probe) Info() discover.Info {
	return discover.Info{
		Name: "tls", Safety: firmward.Polite, Ports: []discover.Port{{Network: "tcp", Number: 443}},
		Period: 24 * time.Hour, Timeout: 6 * time.Second,
	}
}

// Run reports tls.subject, tls.issuer, tls.cn, tls.organization, tls.serial (of the subject), tls.names,
// tls.not-before, tls.not-after, tls.self-signed, tls.key and tls.version.
func (Probe) Run(ctx context.Context, t discover.Target, report func(firmward.Observation)) error {
	port := t.PortOr(443)
	o := firmward.Observation{Addr: t.Addr, Port: port, Outcome: firmward.Answered}
	raw, ear, err := t.Call(ctx, port, report)
	if raw == nil {
		return err
	}
	defer raw.Close()
	var leaf []byte
	c := tls.Client(raw, config(func(chain [][]byte) { leaf = chain[0] }))
	err = c.HandshakeContext(ctx)
	if leaf == nil {
		if o.Outcome, o.Note = ear.Failed(err); ctx.Err() == nil && o.Outcome == firmward.Cut {
			o.Outcome, o.Note = firmward.Closed, "no certificate was shown: "+discover.Note(err)
		}
		report(o)
		return nil
	}
	shown, bad := cert.Read(leaf)
	if bad != nil {
		o.Outcome, o.Note = firmward.Closed, bad.Error()
		report(o)
		return nil
	}
	add := func(name, v string) {
		if v != "" {
			o.Readings = append(o.Readings, discover.Reading("tls."+name, v))
		}
	}
	add("subject", shown.Subject)
	add("issuer", shown.Issuer)
	add("cn", shown.CommonName)
	add("organization", shown.Organization)
	add("serial", shown.SubjectSerial)
	add("names", strings.Join(shown.Names, " "))
	add("not-before", shown.NotBefore.UTC().Format(time.DateOnly))
	add("not-after", shown.NotAfter.UTC().Format(time.DateOnly))
	add("key", shown.Key)
	if shown.SelfSigned {
		add("self-signed", "yes")
	}
	if err == nil {
		add("version", tls.VersionName(c.ConnectionState().Version))
		_ = c.Close()
	}
	report(o)
	return nil
}

// config offers what old devices still need: only their certificate is looked at, no secret passes.
func config(show func(chain [][]byte)) *tls.Config {
	c := &tls.Config{
		InsecureSkipVerify: true, // who it is, is what we want to learn; nothing is believed by it
		MinVersion:         tls.VersionTLS10,
		CurvePreferences:   []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521}, // a hello that fits one packet
		VerifyPeerCertificate: func(chain [][]byte, _ [][]*x509.Certificate) error {
			if len(chain) > 0 {
				show(chain)
			}
			return nil
		},
	}
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		c.CipherSuites = append(c.CipherSuites, s.ID)
	}
	return c
}
