package ssh_test

import (
	"testing"

	"github.com/firmward/firmward/proto/ssh"
)

func TestReadIdent(t *testing.T) {
	for line, want := range map[string]ssh.Ident{
		"SSH-2.0-dropbear_2019.78\r\n":               {Protocol: "2.0", Software: "dropbear_2019.78"},
		"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n": {Protocol: "2.0", Software: "OpenSSH_9.2p1", Comment: "Debian-2+deb12u3"},
		"SSH-1.99-Cisco-1.25":                        {Protocol: "1.99", Software: "Cisco-1.25"},
		"HTTP/1.1 400 Bad Request":                   {},
		"SSH-2.0":                                    {},
		"":                                           {},
	} {
		if got, err := ssh.ReadIdent(line); got != want || (err == nil) != (want != ssh.Ident{}) {
			t.Errorf("%q: %+v, %v", line, got, err)
		}
	}
}

// FuzzReadIdent reads any line: an error, or parts that were in it.
func FuzzReadIdent(f *testing.F) {
	f.Add("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n")
	f.Fuzz(func(t *testing.T, line string) {
		i, err := ssh.ReadIdent(line)
		if err == nil && (i.Protocol == "" || len(i.Software)+len(i.Comment) > len(line)) {
			t.Errorf("%q: %+v", line, i)
		}
	})
}
