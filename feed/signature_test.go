package feed_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/feed"
	"github.com/firmward/firmward/wire/wiretest/needs"
)

// gnupg is GnuPG with a keyring of its own.
type gnupg struct {
	t    *testing.T
	home string
}

func newGnuPG(t *testing.T) gnupg {
	t.Helper()
	if _, err := exec.LookPath("gpg"); err != nil {
		needs.Missing(t, "gpg (Debian: apt-get install gnupg)")
	}
	home, err := os.MkdirTemp("", "gpg") // its agent's socket has a short path only
	if err != nil {
		t.Fatal(err)
	}
	g := gnupg{t, home}
	t.Cleanup(func() {
		_ = exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run() // there may be none
		if err := os.RemoveAll(home); err != nil {
			t.Error(err)
		}
	})
	return g
}

// run gives what gpg prints. at is the time that it takes for now, empty for the clock's.
func (g gnupg) run(at, in string, args ...string) []byte {
	g.t.Helper()
	all := []string{"--homedir", g.home, "--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", "", "--yes"}
	if at != "" {
		all = append(all, "--faked-system-time", at+"!")
	}
	cmd := exec.CommandContext(g.t.Context(), "gpg", append(all, args...)...)
	cmd.Stdin = strings.NewReader(in)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		g.t.Fatalf("gpg %v: %v\n%s", args, err, said.String())
	}
	return out
}

func (g gnupg) key(name, algorithm, at, expires string) feed.Keys {
	g.t.Helper()
	g.run(at, "", "--quick-generate-key", name, algorithm, "sign", expires)
	return g.public(name)
}

func (g gnupg) public(names ...string) feed.Keys {
	g.t.Helper()
	k, err := feed.ReadKeys(g.run("", "", append([]string{"--armor", "--export"}, names...)...))
	if err != nil {
		g.t.Fatal(err)
	}
	return k
}

// TestSignature checks what GnuPG signs.
func TestSignature(t *testing.T) {
	g := newGnuPG(t)
	const document = `{"document": {"category": "csaf_security_advisory"}}`
	now := time.Now().Add(time.Minute) // the keys are made from here on
	rsa := g.key("rsa@acme.example", "rsa2048", "", "never")
	ed := g.key("ed@acme.example", "ed25519", "", "never")
	old := g.key("old@acme.example", "ed25519", "20200101T000000", "1y")
	both := g.public("rsa@acme.example", "ed@acme.example")
	sign := func(by string, more ...string) []byte {
		t.Helper()
		return g.run("", document, append(append([]string{"--local-user", by}, more...), "--armor", "--detach-sign")...)
	}
	check := func(name string, k feed.Keys, text string, sig []byte, want string) {
		t.Helper()
		print, err := k.Check(strings.NewReader(text), sig, now)
		switch {
		case want == "" && (err != nil || !k.Has(print) || len(print) != 40):
			t.Errorf("%s: %q, %v", name, print, err)
		case want != "" && (err == nil || firmward.CodeOf(err) != firmward.Invalid || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want …%s…", name, err, want)
		}
	}
	byRSA, byEd := sign("rsa@acme.example"), sign("ed@acme.example")
	check("RSA", rsa, document, byRSA, "")
	check("Ed25519", ed, document, byEd, "")
	check("two keys", both, document, byRSA, "")
	check("joined keys", rsa.With(ed), document, byEd, "")
	check("as bytes", rsa, document, g.run("", document, "--local-user", "rsa@acme.example", "--detach-sign"), "")
	check("two signatures", ed, document, g.run("", document, "--local-user", "rsa@acme.example", "--local-user", "ed@acme.example", "--armor", "--detach-sign"), "")
	check("another key", rsa, document, byEd, "by none of the keys "+rsa.Fingerprints()[0])
	check("another text", rsa, document+" ", byRSA, "invalid signature")
	check("no signature", rsa, document, []byte("<html>"), "check the signature")
	check("nothing", rsa, document, nil, "check the signature")
	check("a key in its place", rsa, document, g.run("", "", "--armor", "--export", "rsa@acme.example"), "no OpenPGP signature but")
	check("cut off", rsa, document, byRSA[:len(byRSA)/2], "check the signature")
	check("SHA-1", rsa, document, sign("rsa@acme.example", "--digest-algo", "SHA1"), "by key "+rsa.Fingerprints()[0]+": it rests on SHA-1")
	check("before the key expired", old, document, g.run("20200601T000000", document, "--local-user", "old@acme.example", "--armor", "--detach-sign"), "")

	g.run("", "", "--command-fd", "0", "--import", revocation(t, g, "rsa@acme.example"))
	check("revoked", g.public("rsa@acme.example"), document, byRSA, "revoked")

	if !slices.Equal(both.Fingerprints(), g.prints("rsa@acme.example", "ed@acme.example")) {
		t.Errorf("fingerprints %v, by gpg %v", both.Fingerprints(), g.prints("rsa@acme.example", "ed@acme.example"))
	}
}

// TestReadKeys: what is no public key is refused.
func TestReadKeys(t *testing.T) {
	g := newGnuPG(t)
	g.key("a@acme.example", "ed25519", "", "never")
	g.key("b@acme.example", "ed25519", "", "never")
	a, b := g.run("", "", "--armor", "--export", "a@acme.example"), g.run("", "", "--armor", "--export", "b@acme.example")
	for name, text := range map[string][]byte{"two blocks": append(append([]byte("Comment\n"), a...), b...), "one block": g.run("", "", "--armor", "--export"), "bytes": g.run("", "", "--export")} {
		if k, err := feed.ReadKeys(text); err != nil || len(k.Fingerprints()) != 2 || k.Empty() || !k.Has(strings.ToLower(k.Fingerprints()[1])) || k.Has("ABCD") {
			t.Errorf("%s: %v, %v", name, k.Fingerprints(), err)
		}
	}
	for name, text := range map[string][]byte{
		"two in a line": append(bytes.TrimSpace(a), b...), "nothing": nil, "a page": []byte("<html>"), "a signature": g.run("", "x", "--armor", "--detach-sign"), "cut off": a[:len(a)/2],
		"a secret key": g.run("", "", "--armor", "--export-secret-keys", "a@acme.example"), "secret bytes": g.run("", "", "--export-secret-keys", "a@acme.example"),
	} {
		if k, err := feed.ReadKeys(text); err == nil || !k.Empty() {
			t.Errorf("%s was taken: %v", name, k.Fingerprints())
		}
	}
}

// FuzzSignature reads keys and signatures that somebody else made.
func FuzzSignature(f *testing.F) {
	for _, seed := range []string{"", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEZ\n-----END PGP PUBLIC KEY BLOCK-----", "-----BEGIN PGP SIGNATURE-----\n\n=\n-----END PGP SIGNATURE-----", "\x99\x01\x0d\x04"} {
		f.Add([]byte(seed), []byte(seed))
	}
	f.Fuzz(func(t *testing.T, keys, sig []byte) {
		k, err := feed.ReadKeys(keys)
		if (err == nil) == k.Empty() {
			t.Fatalf("%d keys, %v", len(k.Fingerprints()), err)
		}
		if print, err := k.Check(strings.NewReader("text"), sig, time.Now()); err == nil && !k.Has(print) {
			t.Fatal("signed by nobody")
		}
	})
}

func revocation(t *testing.T, g gnupg, name string) string {
	t.Helper()
	path := filepath.Join(g.home, "openpgp-revocs.d", g.prints(name)[0]+".rev")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	armed := filepath.Join(g.home, "revoke.asc")
	if err := os.WriteFile(armed, bytes.Replace(b, []byte(":-----BEGIN"), []byte("-----BEGIN"), 1), 0o600); err != nil { // gpg's guard against haste
		t.Fatal(err)
	}
	return armed
}

// prints gives the fingerprints as gpg has them, sorted.
func (g gnupg) prints(names ...string) []string {
	g.t.Helper()
	var out []string
	primary := false
	for line := range strings.Lines(string(g.run("", "", append([]string{"--with-colons", "--list-keys"}, names...)...))) {
		fields := strings.Split(line, ":")
		switch {
		case fields[0] == "pub":
			primary = true
		case fields[0] == "fpr" && primary:
			out, primary = append(out, fields[9]), false
		}
	}
	slices.Sort(out)
	return out
}
