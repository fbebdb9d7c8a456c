package wire

import (
	"bytes"
	"net/url"
	"strings"
	"testing"
)

// FuzzKeep records any write with any secret: the secret is never in the record, nor the answer to a challenge.
func FuzzKeep(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\nAuthorization: Digest username=\"root\", response=\"0123\"\r\n\r\n"), "hunter2", uint16(0))
	f.Add([]byte("community"), "community", uint16(RecordMax-4))
	f.Add([]byte("\naUTHORIZATION:x hunter2"), "unter", uint16(2*RecordMax))
	f.Fuzz(func(t *testing.T, b []byte, secret string, before uint16) {
		b = append(bytes.Repeat([]byte{'.'}, int(before)), b...)
		got := keep(b, []string{secret, ""})
		if len(got) > RecordMax {
			t.Errorf("%d bytes are kept", len(got))
		}
		if secret != "" && !strings.Contains(secret, "*") && bytes.Contains(got, []byte(secret)) {
			t.Errorf("secret %q stands in %q", secret, got)
		}
		if m := authorization.FindSubmatch(got); m != nil && !strings.ContainsAny(secret, "\r\n") && strings.Trim(string(m[0][len(m[1]):]), " *") != "" {
			t.Errorf("an answer to a challenge stands in %q", got)
		}
	})
}

// TestSecretsAsWritten masks a secret in the form in which the protocol writes it.
func TestSecretsAsWritten(t *testing.T) {
	const secret = `p&ss "w+rd`
	for name, sent := range map[string]string{
		"plain": "x " + secret + " y",
		"form":  "user=admin&password=" + url.QueryEscape(secret) + "&cmnd=Status",
		"JSON":  `{"pin":"p\u0026ss \"w+rd"}`,
	} {
		got := string(keep([]byte(sent), written([]string{secret, ""})))
		if len(got) != len(sent) || strings.Contains(got, "w+rd") || strings.Contains(got, "w%2Brd") || !strings.Contains(got, "****") {
			t.Errorf("%s: %q was recorded as %q", name, sent, got)
		}
	}
}
