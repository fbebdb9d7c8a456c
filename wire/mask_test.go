package wire

import (
	"bytes"
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
