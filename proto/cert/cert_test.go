package cert_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward/proto/cert"
	"github.com/firmward/firmward/wire/wiretest/needs"
)

func key(name string) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, name)
	return ed25519.NewKeyFromSeed(seed)
}

// made is a certificate about subject's key, signed by another.
func made(t testing.TB, subject, issuer string) []byte {
	t.Helper()
	day := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	of := func(name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(1), NotBefore: day, NotAfter: day.AddDate(10, 0, 0), IPAddresses: []net.IP{net.IPv4(192, 0, 2, 1)},
			DNSNames: []string{name + ".example"}, Subject: pkix.Name{CommonName: name, Organization: []string{"Acme"}, SerialNumber: "SN-" + name},
		}
	}
	der, err := x509.CreateCertificate(nil, of(subject), of(issuer), key(subject).Public(), key(issuer))
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestRead(t *testing.T) {
	own, err := cert.Read(made(t, "cam", "cam"))
	if err != nil {
		t.Fatal(err)
	}
	if !own.SelfSigned || own.CommonName != "cam" || own.Organization != "Acme" || own.SubjectSerial != "SN-cam" || strings.Join(own.Names, " ") != "cam.example 192.0.2.1" {
		t.Errorf("%+v", own)
	}
	signed, err := cert.Read(made(t, "cam", "ca"))
	if err != nil || signed.SelfSigned || signed.Key != own.Key || !strings.Contains(signed.Issuer, "CN=ca") {
		t.Errorf("%+v, %v", signed, err)
	}
}

// TestKeyAsOpenSSLHasIt compares the key's hash with that of another implementation.
func TestKeyAsOpenSSLHasIt(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		needs.Missing(t, "install openssl to compare with it")
	}
	der := made(t, "cam", "cam")
	path := filepath.Join(t.TempDir(), "cert.der")
	if err := os.WriteFile(path, der, 0o600); err != nil {
		t.Fatal(err)
	}
	script := openssl + " x509 -inform der -in " + path + " -noout -pubkey | " + openssl + " pkey -pubin -outform der | " + openssl + " dgst -sha256 -binary | base64"
	out, err := exec.CommandContext(t.Context(), "sh", "-c", script).Output()
	if err != nil {
		t.Fatal(err)
	}
	c, err := cert.Read(der)
	if want := "SHA256:" + strings.TrimRight(strings.TrimSpace(string(out)), "="); err != nil || c.Key != want {
		t.Errorf("%q, want %q, %v", c.Key, want, err)
	}
}

// FuzzRead reads any bytes: an error, or a certificate with a key and not too many names.
func FuzzRead(f *testing.F) {
	f.Add(made(f, "cam", "cam"))
	f.Fuzz(func(t *testing.T, der []byte) {
		c, err := cert.Read(der)
		if err == nil && (len(c.Key) != len("SHA256:")+43 || len(c.Names) > 64) {
			t.Errorf("%+v", c)
		}
	})
}
