package privilege

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/enforce"
	"github.com/firmward/firmward/wire"
)

// Client is the side without rights.
type Client struct {
	Socket string // path
}

// dial sends a request and reads its answer. end closes the connection.
func (c Client) dial(ctx context.Context, req request) (a answer, r *bufio.Reader, end func(), err error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", c.Socket)
	if err != nil {
		return a, nil, nil, &firmward.Error{Code: firmward.Unavailable, Message: "the helper does not answer (systemctl start firmward-helper.socket, or firmward helper as root)", Err: err}
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	hangUp := func() {
		stop()
		_ = conn.Close()
	}
	defer func() {
		if err != nil {
			hangUp()
		}
	}()
	sent := send(conn, req) // a helper that turns us away may close before it has read
	r = bufio.NewReader(conn)
	line, err := readLine(r)
	if err != nil {
		return a, nil, nil, &firmward.Error{Code: firmward.Unavailable, Message: "the helper gave no answer", Err: errors.Join(sent, err)}
	}
	if err := decode(line, &a); err != nil {
		return a, nil, nil, err
	}
	if a.Error != nil {
		return a, nil, nil, a.Error.err()
	}
	return a, r, hangUp, nil
}

func (c Client) ask(ctx context.Context, req request) (answer, error) {
	a, _, end, err := c.dial(ctx, req)
	if err == nil {
		end()
	}
	return a, err
}

// OS is the operating system's network without rights: what needs them the helper does.
type OS struct {
	wire.OS
	Helper Client
}

// Overhear listens through the helper, as wire.OS does.
func (o *OS) Overhear(ctx context.Context, prefix netip.Prefix, hear func(frame []byte)) error {
	_, r, end, err := o.Helper.dial(ctx, request{Overhear: &place{prefix}})
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	defer end()
	b := make([]byte, maxFrame)
	for {
		frame, err := readFrame(r, b)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return &firmward.Error{Code: firmward.Unavailable, Message: "the helper stopped listening", Err: err}
		}
		hear(frame)
	}
}

// Sweep sweeps through the helper, as wire.OS does.
func (o *OS) Sweep(ctx context.Context, prefix netip.Prefix) (map[netip.Addr]net.HardwareAddr, error) {
	a, err := o.Helper.ask(ctx, request{Sweep: &place{prefix}})
	if err != nil {
		return nil, err
	}
	seen := make(map[netip.Addr]net.HardwareAddr, len(a.Seen))
	for addr, text := range a.Seen {
		mac, err := net.ParseMAC(text)
		if err != nil {
			return nil, &firmward.Error{Code: firmward.Unavailable, Message: "the helper's answer is none", Err: err}
		}
		seen[addr] = mac
	}
	return seen, nil
}

// Remote is a wall that the helper builds. It implements enforce.Enforcer and enforce.Counter.
type Remote struct {
	Helper Client
	Wall   enforce.Info // of the wall that the helper has
}

// Info declares the wall.
func (w *Remote) Info() enforce.Info {
	i := w.Wall
	i.Needs = "firmward helper on this machine; " + i.Needs
	return i
}

// Ready says why no wall can stand, or nil.
func (w *Remote) Ready(ctx context.Context) error {
	_, err := w.Helper.ask(ctx, request{Ready: &nothing{}})
	return err
}

// Apply puts want on trial, if the helper's own guard lets it.
func (w *Remote) Apply(ctx context.Context, want []firmward.AccessRule, confirmBy time.Time) (enforce.Applied, error) {
	a, err := w.Helper.ask(ctx, request{Apply: &rules{Want: want, ConfirmBy: confirmBy}})
	if err != nil {
		return enforce.Applied{}, err
	}
	if a.Applied == nil {
		return enforce.Applied{}, firmward.Errorf(firmward.Unavailable, "the helper's answer is none")
	}
	return *a.Applied, nil
}

// Confirm makes the last change stand.
func (w *Remote) Confirm(ctx context.Context, a enforce.Applied) error {
	_, err := w.Helper.ask(ctx, request{Confirm: &change{a.Token}})
	return err
}

// Dropped tells how many packets were cut.
func (w *Remote) Dropped(ctx context.Context) (enforce.Dropped, error) {
	a, err := w.Helper.ask(ctx, request{Dropped: &nothing{}})
	if err != nil || a.Dropped == nil {
		return enforce.Dropped{}, err
	}
	return *a.Dropped, nil
}
