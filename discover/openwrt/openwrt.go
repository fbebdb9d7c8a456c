// Package openwrt asks a router with OpenWrt what it is, by ubus over HTTP. It answers only who logged in: without a
// password of its own the probe learns no more than that. The login, password in it, is sent in clear, as a browser
// would over HTTP; the session ends a minute later.
package openwrt

import (
	"context"
	"errors"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/proto/ubus"
	"github.com/firmward/firmward/wire"
)

// Probe implements discover.Probe.
type Probe struct{}

// Info declares the probe.
func (Probe) Info() discover.Info {
	return discover.Info{
		Name: "openwrt", Safety: firmward.Stateful, Ports: []discover.Port{{Network: "tcp", Number: 80}},
		Credential: true, Period: 6 * time.Hour, Timeout: 8 * time.Second,
	}
}

// sessionLife is in seconds.
const sessionLife = 60

// Run reports openwrt.board_name, .model, .hostname, .distribution, .version, .revision, .target and .mac.
func (Probe) Run(ctx context.Context, t discover.Target, report func(firmward.Observation)) error {
	who := t.Secret
	t.Secret = wire.Secret{} // it goes into the login and nowhere else
	port := t.PortOr(80)
	o := firmward.Observation{Addr: t.Addr, Port: port}
	defer func() { report(o) }()
	ask := func(body []byte, err error) ([]byte, bool) {
		if err != nil {
			o.Outcome, o.Note = firmward.NoAnswer, err.Error()
			return nil, false
		}
		a := discover.Exchange(ctx, t, port, ubus.Path, "application/json", body)
		if o.Outcome, o.Note = a.Outcome, a.Note; a.Outcome == firmward.Answered && a.Status != 200 {
			o.Outcome, o.Note = a.Closed("a web server answers, but it is no OpenWrt")
		}
		return a.Body, o.Outcome == firmward.Answered
	}
	session := ubus.Nobody
	if who.Password != "" {
		user := who.User
		if user == "" {
			user = "root"
		}
		b, ok := ask(ubus.Login(user, who.Password, sessionLife))
		if !ok {
			return nil
		}
		var err error
		if session, err = ubus.Session(b); err != nil {
			o.Outcome, o.Note = firmward.Closed, why(err, "the router refuses the password (credentials set)")
			return nil
		}
	}
	b, ok := ask(ubus.Call(session, "system", "board", nil))
	if !ok {
		return nil
	}
	var board ubus.Board
	if err := ubus.Answer(b, &board); err != nil {
		o.Outcome, o.Note = firmward.Closed, why(err, "it tells what it is only to who logs in (credentials set)")
		return nil
	}
	devices := map[string]ubus.Device{}
	if session != ubus.Nobody {
		if b, ok := ask(ubus.Call(session, "luci-rpc", "getNetworkDevices", nil)); ok {
			_ = ubus.Answer(b, &devices) // without LuCI nobody tells
		}
		o.Outcome, o.Note = firmward.Answered, "" // what it is was told
	}
	r := board.Release
	for _, each := range [...][2]string{
		{"board_name", board.Name},
		{"model", board.Model},
		{"hostname", board.Hostname},
		{"distribution", r.Distribution},
		{"version", r.Version},
		{"revision", r.Revision},
		{"target", r.Target},
		{"mac", ubus.MAC(devices)},
	} {
		if each[1] != "" {
			o.Readings = append(o.Readings, discover.Reading("openwrt."+each[0], each[1]))
		}
	}
	return nil
}

// why tells a refusal from an answer that is none.
func why(err error, refused string) string {
	if ue, ok := errors.AsType[*ubus.Error](err); ok && ue.Denied() {
		return refused
	}
	return "a web server answers, but it is no OpenWrt"
}
