// Package ssh looks at what an SSH server says of itself and at its host key. It agrees on keys as any client does and
// leaves before anybody would be asked who he is: no name and no password is sent.
package ssh

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/discover"
	ident "github.com/firmward/firmward/proto/ssh"
)

// Probe implements discover.Probe.
type Probe struct{}

// Info declares the probe.
func (Probe) Info() discover.Info {
	return discover.Info{
		Name: "ssh", Safety: firmward.Polite, Ports: []discover.Port{{Network: "tcp", Number: 22}},
		Period: 24 * time.Hour, Timeout: 8 * time.Second,
	}
}

// errSeen ends the handshake once the key was seen.
var errSeen = errors.New("the host key was seen")

// Run reports ssh.ident, ssh.software, ssh.comment, ssh.key (the fingerprint as ssh-keygen prints it) and ssh.key-type.
func (Probe) Run(ctx context.Context, t discover.Target, report func(firmward.Observation)) error {
	port := t.PortOr(22)
	at := netip.AddrPortFrom(t.Addr, port).String()
	o := firmward.Observation{Addr: t.Addr, Port: port, Outcome: firmward.Answered}
	raw, ear, err := t.Call(ctx, port, report)
	if raw == nil {
		return err
	}
	defer raw.Close()
	first := &beginning{Conn: raw}
	var key ssh.PublicKey
	_, _, _, err = ssh.NewClientConn(first, at, config(func(k ssh.PublicKey) { key = k }))
	who, line, bad := first.ident()
	if bad != nil {
		if o.Outcome, o.Note = ear.Failed(err); ctx.Err() == nil && o.Outcome == firmward.Cut {
			o.Outcome, o.Note = firmward.Closed, "it is no SSH server: "+bad.Error()
		}
		report(o)
		return nil
	}
	add := func(name, v string) {
		if v != "" {
			o.Readings = append(o.Readings, discover.Reading("ssh."+name, v))
		}
	}
	add("ident", line)
	add("software", who.Software)
	add("comment", who.Comment)
	if key != nil {
		add("key", ssh.FingerprintSHA256(key))
		add("key-type", key.Type())
	} else {
		o.Note = "its host key was not seen: " + discover.Note(err)
	}
	report(o)
	return nil
}

// config takes part in what old devices still need: nothing secret passes.
func config(show func(ssh.PublicKey)) *ssh.ClientConfig {
	good, old := ssh.SupportedAlgorithms(), ssh.InsecureAlgorithms()
	return &ssh.ClientConfig{
		Config: ssh.Config{
			KeyExchanges: slices.Concat(good.KeyExchanges, old.KeyExchanges),
			Ciphers:      slices.Concat(good.Ciphers, old.Ciphers),
			MACs:         slices.Concat(good.MACs, old.MACs),
		},
		HostKeyAlgorithms: hostKeys(good, old),
		ClientVersion:     "SSH-2.0-firmward",
		HostKeyCallback: func(_ string, _ net.Addr, k ssh.PublicKey) error {
			show(k)
			return errSeen
		},
	}
}

// hostKeys are the key algorithms, always in one order, so that a device shows the same of its keys each time.
func hostKeys(good, old ssh.Algorithms) []string {
	first := []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521}
	for _, a := range slices.Concat(good.HostKeys, old.HostKeys) {
		if !slices.Contains(first, a) && !strings.Contains(a, "-cert-") {
			first = append(first, a)
		}
	}
	return first
}

// beginning keeps the first bytes that come: the identification string, which the library does not give when the
// handshake ends early.
type beginning struct {
	net.Conn
	said []byte
}

const maxBeginning = 8 << 10

// ident finds the identification string. Lines of greeting may stand before it (RFC 4253 §4.2).
func (c *beginning) ident() (who ident.Ident, line string, err error) {
	for l := range strings.Lines(string(c.said)) {
		if line = strings.TrimRight(l, "\r\n"); strings.HasSuffix(l, "\n") && strings.HasPrefix(line, "SSH-") {
			break
		}
		line = ""
	}
	who, err = ident.ReadIdent(line)
	return who, line, err
}

// Read reads and keeps the beginning.
func (c *beginning) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.said = append(c.said, b[:min(n, maxBeginning-len(c.said))]...)
	return n, err
}
