// Package openwrt drives routers and access points with OpenWrt by the interface of their own web pages: an image is
// uploaded, sysupgrade says whether it takes it, then sysupgrade is started and everything goes dark. Nothing tells how
// it goes; verification carries the weight. There is one place for firmware and no way back.
//
// Settings are always kept (sysupgrade without -n), and what sysupgrade refuses is never forced: where a new layout
// (compat_version) asks for a fresh start, a person must do it.
//
// sysupgrade is run by rpc-sys (package rpcd-mod-rpcsys) where the account may, else as LuCI does, by file.exec. The
// latter is not answered when an update begins, so that the driver then cannot say more than "look".
//
// The password is sent in clear in a login, as a browser would over HTTP. A session is good for a minute after its
// last use; no longer one is asked for, because it stands in the record of what was sent.
package openwrt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/driver"
	"github.com/firmward/firmward/proto/ubus"
	"github.com/firmward/firmward/wire"
)

// Driver implements driver.Driver, Preflighter, Installer and Backuper.
type Driver struct{}

const port = 80

// sessionLife is in seconds.
const sessionLife = 60

// Info declares the driver.
func (Driver) Info() driver.Info {
	return driver.Info{
		Name: "openwrt-ubus", Path: driver.Push, Progress: "none", Rollback: firmward.RollbackNone,
		Reboots: true, Settle: 4 * time.Minute,
	}
}

// session is a router into which firmward has logged in.
type session struct {
	conn wire.Conn // without the password
	id   string
}

func login(ctx context.Context, c wire.Conn) (session, error) {
	user, password := c.Secret.User, c.Secret.Password
	c.Secret = wire.Secret{}
	if user == "" {
		user = "root"
	}
	body, err := ubus.Login(user, password, sessionLife)
	if err != nil {
		return session{}, err
	}
	b, err := driver.Post(ctx, c, port, ubus.Path, "application/json", body)
	if err != nil {
		return session{}, fmt.Errorf("log in: %w", err)
	}
	id, err := ubus.Session(b)
	if ue, ok := errors.AsType[*ubus.Error](err); ok && ue.Denied() {
		return session{}, &firmward.Error{Code: firmward.Unauthorized, Message: "the router wants another password (firmward credentials set)", Err: err}
	}
	if err != nil {
		return session{}, &firmward.Error{Code: firmward.Unavailable, Message: "log in", Err: err}
	}
	return session{c, id}, nil
}

// call calls a method. What the router itself says against it is in the error as *ubus.Error.
func (s session) call(ctx context.Context, object, method string, args, into any) error {
	body, err := ubus.Call(s.id, object, method, args)
	if err != nil {
		return err
	}
	what := object + "." + method
	b, err := driver.Post(ctx, s.conn, port, ubus.Path, "application/json", body)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	err = ubus.Answer(b, into)
	if ue, ok := errors.AsType[*ubus.Error](err); ok && ue.Denied() {
		return &firmward.Error{Code: firmward.Unauthorized, Message: "the account may not call " + what, Err: err}
	}
	if err != nil {
		return &firmward.Error{Code: firmward.Unavailable, Message: what, Err: err}
	}
	return nil
}

// Read asks system.board, and LuCI for the hardware address.
func (Driver) Read(ctx context.Context, c wire.Conn) (driver.State, error) {
	_, state, err := read(ctx, c)
	return state, err
}

func read(ctx context.Context, c wire.Conn) (session, driver.State, error) {
	s, err := login(ctx, c)
	if err != nil {
		return s, driver.State{}, err
	}
	var b ubus.Board
	if err := s.call(ctx, "system", "board", nil, &b); err != nil {
		return s, driver.State{}, err
	}
	if !b.Complete() {
		return s, driver.State{}, firmward.Errorf(firmward.Unavailable, "the router does not say what it is")
	}
	state := driver.State{Version: b.Release.Version, Variant: b.Release.Revision, Model: b.Name, Hardware: b.Release.Target}
	devices := map[string]ubus.Device{}
	err = s.call(ctx, "luci-rpc", "getNetworkDevices", nil, &devices)
	if _, said := errors.AsType[*ubus.Error](err); said { // it has no LuCI, or does not tell this account
		err = nil
	}
	state.Serial = ubus.MAC(devices)
	return s, state, err
}

// Preflight refuses an image for another board or target, an account that may not update, and waits while /tmp, which
// is memory, has no room.
func (Driver) Preflight(ctx context.Context, c wire.Conn, img driver.Image) (none firmward.Vitals, err error) {
	s, state, err := read(ctx, c)
	if err == nil {
		err = driver.MustFit(state, img.Release)
	}
	if err == nil {
		_, err = s.hand(ctx)
	}
	if err != nil {
		return none, err
	}
	var i ubus.Info
	if err := s.call(ctx, "system", "info", nil, &i); err != nil {
		return none, err
	}
	if room := i.Room(); room > 0 && room < img.Release.Size {
		return none, firmward.Errorf(firmward.Unavailable, fmt.Sprintf("the router has %d KiB free in /tmp, and the image has %d KiB", room>>10, img.Release.Size>>10))
	}
	return none, nil
}

// hand is how sysupgrade is run: which of its two uses rpc-sys does for this account.
type hand struct{ test, start bool }

// hand asks the router what the account may do.
func (s session) hand(ctx context.Context) (h hand, err error) {
	if h.test, err = s.way(ctx, "upgrade_test", ubus.LineTest); err == nil {
		h.start, err = s.way(ctx, "upgrade_start", ubus.LineStart)
	}
	return h, err
}

// way reports whether rpc-sys does it; else the command line must be allowed.
func (s session) way(ctx context.Context, method, line string) (rpc bool, err error) {
	for _, what := range [...][3]string{{"ubus", "rpc-sys", method}, {"file", line, "exec"}} {
		var may struct{ Access bool }
		err := s.call(ctx, "session", "access", map[string]string{"scope": what[0], "object": what[1], "function": what[2]}, &may)
		if err != nil {
			return false, err
		}
		if may.Access {
			return what[0] == "ubus", nil
		}
	}
	return false, firmward.Errorf(firmward.Unauthorized, "the account of this password may not run sysupgrade: give it the access groups of LuCI's flash page, or rpc-sys")
}

// Install uploads the image, lets sysupgrade judge it and starts it. Until then nothing was begun, whatever happened.
func (Driver) Install(ctx context.Context, c wire.Conn, img driver.Image) error {
	s, h, err := upload(ctx, c, img)
	if err != nil {
		return driver.NotBegun(err)
	}
	var ran ubus.Ran
	if h.test {
		err = s.call(ctx, "rpc-sys", "upgrade_test", nil, &ran)
	} else {
		err = s.exec(ctx, ubus.LineTest, &ran)
	}
	switch {
	case err != nil:
		s.clean(ctx)
		return driver.NotBegun(fmt.Errorf("check the image: %w", err))
	case ran.Code != 0:
		s.clean(ctx)
		return firmward.Errorf(firmward.Refused, "the router refused the image: "+ran.Why())
	}
	return s.start(ctx, h)
}

// upload stores the image on the router and proves that it is whole. The session with which it ends is fresh: an
// upload may take longer than a session lasts.
func upload(ctx context.Context, c wire.Conn, img driver.Image) (session, hand, error) {
	s, err := login(ctx, c)
	if err != nil {
		return s, hand{}, err
	}
	h, err := s.hand(ctx)
	if err != nil {
		return s, h, err
	}
	contentType, head, tail, err := ubus.Form(s.id)
	if err != nil {
		return s, h, err
	}
	b, err := driver.Upload(ctx, s.conn, port, ubus.UploadPath, driver.Form{
		ContentType: contentType, Head: head, Tail: tail, Open: img.Open, Size: img.Release.Size,
	})
	if err != nil {
		return s, h, fmt.Errorf("upload: %w", err)
	}
	stored, err := ubus.ReadStored(b)
	if err == nil && (stored.Size != img.Release.Size || stored.SHA256 != "" && !strings.EqualFold(stored.SHA256, img.Release.SHA256)) {
		err = errors.New("what the router stored is not what was sent")
	}
	if err != nil {
		return s, h, &firmward.Error{Code: firmward.Unavailable, Message: "upload", Err: err}
	}
	s, err = login(ctx, c)
	return s, h, err
}

// start lets sysupgrade go. By rpc-sys the answer comes before it does; otherwise none comes.
func (s session) start(ctx context.Context, h hand) error {
	if h.start {
		err := s.call(ctx, "rpc-sys", "upgrade_start", map[string]bool{"keep": true}, nil)
		if _, said := errors.AsType[*ubus.Error](err); said {
			return driver.NotBegun(err)
		}
		return err
	}
	var ran ubus.Ran
	err := s.exec(ctx, ubus.LineStart, &ran)
	ue, said := errors.AsType[*ubus.Error](err)
	switch {
	case said && (ue.Denied() || ue.Missing()):
		return driver.NotBegun(err)
	case err != nil:
		return fmt.Errorf("the router was told to update and did not answer, as it does when it begins: %w", err)
	case ran.Code != 0:
		s.clean(ctx)
		return firmward.Errorf(firmward.Refused, "the router refused the image: "+ran.Why())
	}
	return nil
}

// exec runs a command line as LuCI does.
func (s session) exec(ctx context.Context, line string, ran *ubus.Ran) error {
	words := strings.Fields(line)
	return s.call(ctx, "file", "exec", map[string]any{"command": words[0], "params": words[1:]}, ran)
}

// clean takes the image out of the router's memory again, as far as it lets us.
func (s session) clean(ctx context.Context) {
	if s.call(ctx, "file", "remove", map[string]string{"path": ubus.ImageFile}, nil) != nil {
		_ = s.call(ctx, "rpc-sys", "upgrade_clean", nil, nil)
	}
}

// Backup fetches the archive of the settings that sysupgrade would keep. It holds the router's secrets.
func (Driver) Backup(ctx context.Context, c wire.Conn, w io.Writer) error {
	s, err := login(ctx, c)
	if err != nil {
		return err
	}
	contentType, body := ubus.Backup(s.id)
	b, err := driver.Post(ctx, s.conn, port, ubus.BackupPath, contentType, body)
	if firmward.CodeOf(err) == firmward.Unauthorized {
		return &firmward.Error{Code: firmward.Unauthorized, Message: "the account of this password may not make a backup", Err: err}
	}
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if len(b) < 2 || b[0] != 0x1f || b[1] != 0x8b {
		return firmward.Errorf(firmward.Unavailable, "backup: what came is no archive")
	}
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("keep the backup: %w", err)
	}
	return nil
}
