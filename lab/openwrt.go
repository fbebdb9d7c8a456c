package lab

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// OpenWrtSpec describes a router or access point that runs OpenWrt with its web interface (LuCI).
type OpenWrtSpec struct {
	Place
	Board    string // for images; tplink,archer-c7-v2 if empty
	Model    string // for people; TP-Link Archer C7 v2 if empty
	Target   string // ath79/generic if empty
	Version  string // 22.03.5 if empty
	Password string // of user root
	Plain    bool   // without rpcd-mod-rpcsys: what LuCI alone brings
	ReadOnly bool   // the account may look and not update
	TmpKiB   int64  // room for an image; 61440 if zero
	Broker   bool   // carries the messages of the house too: mosquitto from OpenWrt's packages
}

// router is a box with OpenWrt. Its state is guarded by the device's mutex. It has one place for firmware.
type router struct {
	*Device
	spec     OpenWrtSpec
	rand     *rand.Rand
	sessions map[string]*ubusSession
	file     *uploaded // /tmp/firmware.bin; gone after a restart
}

type ubusSession struct {
	life  time.Duration // after it was used last
	until time.Time
}

// uploaded is a file that was taken in whole, whether it is an image or not.
type uploaded struct {
	img         receivedImage
	err         error
	size        int64
	md5, sha256 string
}

const (
	routerBoot  = 90 * time.Second
	routerWrite = 256 << 10 // bytes per second
	// routerBegins is how long after its answer rpc-sys lets sysupgrade run.
	routerBegins = 2 * time.Second
)

// AddOpenWrt adds a router and boots it.
func (l *Lab) AddOpenWrt(spec OpenWrtSpec) (*Device, error) {
	spec.Board, spec.Model = or(spec.Board, "tplink,archer-c7-v2"), or(spec.Model, "TP-Link Archer C7 v2")
	spec.Target, spec.Version = or(spec.Target, "ath79/generic"), or(spec.Version, "22.03.5")
	if spec.TmpKiB == 0 {
		spec.TmpKiB = 61440
	}
	d, err := l.add("router", spec.Place, []byte{0xc4, 0x6e, 0x1f}, false, spec.Version) // TP-Link
	if err != nil {
		return nil, err
	}
	c := &router{Device: d, spec: spec, rand: d.random('s')}
	d.model, d.hardware, d.bootTime = spec.Board, spec.Target, routerBoot
	d.serial = strings.ToUpper(d.host.ifaces[0].mac.String())
	d.onBoot = func() { c.sessions, c.file = map[string]*ubusSession{}, nil }
	d.services = []service{
		{name: "http", network: "tcp", port: 80, main: true, stream: d.serveHTTP(c.handler())},
		{name: "telnet", network: "tcp", port: 23, flaw: FlawOpenTelnet, opened: true, stream: d.serveConns(c.serveTelnet)},
	}
	if spec.Broker {
		b := &broker{Device: d}
		d.services = append(d.services, service{name: "mqtt", network: "tcp", port: 1883, flaw: FlawDeadBroker, stream: d.serveConns(b.serve)})
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.boot()
	return d, nil
}

// luciStart is the start page: it leads on without a title.
const luciStart = `<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.1//EN" "http://www.w3.org/TR/xhtml11/DTD/xhtml11.dtd">
<html xmlns="http://www.w3.org/1999/xhtml">
<head>
<meta http-equiv="Cache-Control" content="no-cache" />
<meta http-equiv="refresh" content="0; URL=/cgi-bin/luci/" />
</head>
<body style="background-color: white">
<a style="color: black; font-family: arial, helvetica, sans-serif;" href="/cgi-bin/luci/">LuCI - Lua Configuration Interface</a>
</body>
</html>
`

func (c *router) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { writePage(w, http.StatusOK, luciStart) })
	mux.HandleFunc("GET /cgi-bin/luci/", c.serveLogin)
	mux.HandleFunc("GET /cgi-bin/luci", c.serveLogin)
	mux.HandleFunc("POST /ubus", c.serveUbus)
	mux.HandleFunc("POST /cgi-bin/cgi-upload", c.serveUpload)
	mux.HandleFunc("POST /cgi-bin/cgi-backup", c.serveBackup)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.flawed(FlawSluggish) {
			_ = c.clock().Wait(r.Context(), 2*time.Second)
		}
		mux.ServeHTTP(w, r)
	})
}

// flawed tells whether the running image has a flaw. It must be called without mu.
func (c *router) flawed(flaw string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.flawedNow(flaw)
}

// flawedNow needs mu.
func (c *router) flawedNow(flaw string) bool { return slices.Contains(c.slots[c.active].flaws, flaw) }

// serveTelnet asks who comes, and lets nobody in.
func (c *router) serveTelnet(_ context.Context, conn net.Conn) {
	_, _ = io.WriteString(conn, c.name+" login: ")
	_, _ = io.Copy(io.Discard, io.LimitReader(conn, 1<<10))
}

// hostname is what the router calls itself. It needs mu.
func (c *router) hostname() string {
	if c.flawedNow(FlawResetConfig) {
		return "OpenWrt"
	}
	return c.name
}

// serveLogin is the page that asks for the password. It is forbidden, and says nothing of versions.
func (c *router) serveLogin(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("X-LuCI-Login-Required", "yes")
	writePage(w, http.StatusForbidden, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>"+c.name+" | LuCI</title></head><body><form method=\"post\"><input name=\"luci_username\"><input name=\"luci_password\" type=\"password\"></form></body></html>\n")
}

// login opens a session. It needs mu, as do the following.
func (c *router) login(user, password string, life time.Duration) (id string, ok bool) {
	factory := password == RouterFactory && c.flawedNow(FlawFactoryLogin)
	if user != "root" || password != c.spec.Password && !factory {
		return "", false
	}
	id = fmt.Sprintf("%016x%016x", c.rand.Uint64(), c.rand.Uint64())
	c.sessions[id] = &ubusSession{life, c.clock().Now().Add(life)}
	return id, true
}

const nobody = "00000000000000000000000000000000"

// may tells what a session may do: what the files in /usr/share/rpcd/acl.d of LuCI, of rpcd-mod-rpcsys and of an own
// account allow. Nobody may log in and ask what he may.
func (c *router) may(session, scope, object, function string) bool {
	what := scope + " " + object + " " + function
	if what == "ubus session login" || what == "ubus session access" {
		return true
	}
	s := c.sessions[session]
	if s == nil || c.clock().Now().After(s.until) {
		return false
	}
	s.until = c.clock().Now().Add(s.life)
	look := []string{"ubus system board", "ubus system info", "ubus luci-rpc getNetworkDevices", "cgi-io backup read"}
	update := []string{
		"cgi-io upload write", "file /tmp/firmware.bin write", "ubus system validate_firmware_image", "ubus file exec", "ubus file remove",
		"file " + sysupgradeTest + " exec", "file " + sysupgradeKeep + " exec",
	}
	more := []string{"ubus rpc-sys upgrade_test", "ubus rpc-sys upgrade_start", "ubus rpc-sys upgrade_clean"}
	return slices.Contains(look, what) ||
		!c.spec.ReadOnly && (slices.Contains(update, what) || !c.spec.Plain && slices.Contains(more, what))
}

// ran is a command that came to its end.
type ran struct {
	Code   int    `json:"code"`
	Stdout string `json:"stdout,omitempty"`
	Stderr string `json:"stderr,omitempty"`
}

// test is "sysupgrade --test": whether the stored file is an image for this board that keeps the settings.
func (c *router) test() ran {
	why := ""
	switch f := c.file; {
	case f == nil:
		return ran{1, "", "Image file '" + firmwareBin + "' not found.\n"}
	case f.err != nil:
		why = "Image metadata not present"
	case !f.img.fits(c.hardware, c.model) && !c.has(FaultWrongModelBricks):
		why = "Device " + c.model + " not supported by this image\nSupported devices: " + f.img.Model
	case slices.Contains(f.img.Flaws, FlawNewLayout):
		why = "The device is supported, but the config is incompatible to the new image (1.0->1.1). Please upgrade without keeping config (sysupgrade -n)."
	default:
		return ran{}
	}
	stamp := c.now().UTC().Format(time.UnixDate) + " upgrade: "
	return ran{1, "", stamp + strings.ReplaceAll(why, "\n", "\n"+stamp) + "\nImage check failed.\n"}
}

// sysupgrade begins soon and tells nobody how it goes: every service ends first.
func (c *router) sysupgrade(wait time.Duration) {
	if c.busy || c.has(FaultAcceptedAndNothing) || c.power.Err() != nil {
		return
	}
	c.busy = true
	flash := c.beginFlash(PathPush)
	c.after(wait, func() {
		f := c.file
		if f == nil {
			f = &uploaded{err: errInvalidImage}
		}
		if c.test().Code != 0 {
			c.judge(flash, f.img, f.err, true, c.model)
			if c.flashes[flash].Outcome == OutcomeWriting {
				c.flashes[flash].Outcome = OutcomeWrongModel
			}
			c.busy = false
			return
		}
		_, strange := c.judge(flash, f.img, f.err, true, c.model)
		power := c.power
		for name, end := range c.running {
			end()
			delete(c.running, name)
		}
		c.lab.wg.Go(func() { c.flash(power, f.img, flash, strange) })
	})
}

func (c *router) flash(power context.Context, img receivedImage, flash int, strange bool) {
	if !c.write(power, flash, writeTime(img.bytes, routerWrite)) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if power.Err() == nil {
		c.activate(img, flash, strange)
	}
}

// hang waits until the router goes, at most for the time that rpcd gives a command.
func (c *router) hang(power context.Context) (gone bool) {
	return c.clock().Wait(power, 30*time.Second) != nil
}

// discard reads what a client still sends, so that it hears the answer.
func discard(r io.Reader) { _, _ = io.Copy(io.Discard, io.LimitReader(r, maxImage)) }
