package lab

import (
	"archive/tar"
	"compress/gzip"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	firmwareBin    = "/tmp/firmware.bin"
	sysupgradeTest = "/sbin/sysupgrade --test " + firmwareBin
	sysupgradeKeep = "/sbin/sysupgrade " + firmwareBin
)

// Codes of ubus, and of the web server in front of it.
const (
	ubusOK        = 0
	ubusInvalid   = 2
	ubusNoMethod  = 3
	ubusDenied    = 6
	ubusTimeout   = 7
	httpParse     = -32700
	httpNoMethod  = -32601
	httpNoObject  = -32000
	httpForbidden = -32002
)

type ubusRequest struct {
	ID      json.RawMessage   `json:"id"`
	Version string            `json:"jsonrpc"`
	Method  string            `json:"method"`
	Params  []json.RawMessage `json:"params"`
}

type ubusResponse struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Result  []any           `json:"result,omitempty"`
	Error   *rpcError       `json:"error,omitempty"`
}

// ubusCall is one call of a method. Its arguments stand as the methods that the router has need them.
type ubusCall struct {
	session, object, method string
	args                    struct {
		Username, Password      string
		Timeout                 *int64
		Scope, Object, Function string
		Path, Command           string
		Params                  []string
		Keep                    bool
	}
}

// serveUbus answers one call of JSON-RPC. Every answer has status 200.
func (c *router) serveUbus(w http.ResponseWriter, r *http.Request) {
	var req ubusRequest
	err := decode(r.Body, &req)
	res := ubusResponse{Version: "2.0", ID: req.ID}
	if len(res.ID) == 0 {
		res.ID = null
	}
	var call ubusCall
	switch {
	case err != nil || req.Version != "2.0" || req.Method == "call" && !call.read(req.Params):
		res.Error = &rpcError{httpParse, "Parse error"}
	case req.Method != "call":
		res.Error = &rpcError{httpNoMethod, "Method not found"}
	default:
		c.mu.Lock()
		power := c.power
		result, fail, hangs := c.call(call)
		c.mu.Unlock()
		if hangs {
			if c.hang(power) {
				panic(http.ErrAbortHandler) // nobody is left to answer
			}
			result = []any{ubusTimeout}
		}
		res.Result, res.Error = result, fail
	}
	writeJSON(w, http.StatusOK, res)
}

func (u *ubusCall) read(params []json.RawMessage) bool {
	return len(params) == 4 && json.Unmarshal(params[0], &u.session) == nil && json.Unmarshal(params[1], &u.object) == nil &&
		json.Unmarshal(params[2], &u.method) == nil && json.Unmarshal(params[3], &u.args) == nil
}

// object tells whether the router has an object.
func (c *router) object(name string) bool {
	return slices.Contains([]string{"session", "system", "file", "luci-rpc"}, name) || name == "rpc-sys" && !c.spec.Plain
}

// call does a call; hangs says that its answer comes when the router has gone. It needs mu.
func (c *router) call(u ubusCall) (result []any, fail *rpcError, hangs bool) {
	switch {
	case !c.object(u.object):
		return nil, &rpcError{httpNoObject, "Object not found"}, false
	case !c.may(u.session, "ubus", u.object, u.method):
		return nil, &rpcError{httpForbidden, "Access denied"}, false
	}
	ok := func(v any) ([]any, *rpcError, bool) { return []any{ubusOK, v}, nil, false }
	code := func(n int) ([]any, *rpcError, bool) { return []any{n}, nil, false }
	switch u.object + " " + u.method {
	case "session login":
		life := 300 * time.Second
		if u.args.Timeout != nil {
			life = time.Duration(min(max(*u.args.Timeout, 0), 1<<31)) * time.Second
		}
		id, right := c.login(u.args.Username, u.args.Password, life)
		if !right {
			return code(ubusDenied)
		}
		return ok(map[string]any{"ubus_rpc_session": id, "timeout": int(life.Seconds()), "expires": int(life.Seconds()), "acls": map[string]any{}, "data": map[string]any{"username": "root"}})
	case "session access":
		return ok(map[string]bool{"access": c.may(u.session, u.args.Scope, u.args.Object, u.args.Function)})
	case "system board":
		return ok(c.board())
	case "system info":
		return ok(map[string]any{
			"localtime": c.now().Unix(), "uptime": int64(c.clock().Now().Sub(c.upSince).Seconds()),
			"tmp": map[string]int64{"total": c.spec.TmpKiB, "free": c.spec.TmpKiB, "used": 0, "avail": c.spec.TmpKiB},
		})
	case "luci-rpc getNetworkDevices":
		mac := c.host.ifaces[0].mac.String()
		return ok(map[string]any{"br-lan": map[string]any{"name": "br-lan", "mac": mac, "up": true}, "eth0": map[string]any{"name": "eth0", "mac": mac, "up": true}})
	case "system validate_firmware_image":
		valid := c.test().Code == 0
		return ok(map[string]any{"tests": map[string]bool{"fwtool_signature": true, "fwtool_device_match": valid}, "valid": valid, "forceable": true, "allow_backup": true})
	case "rpc-sys upgrade_test":
		return ok(c.test())
	case "rpc-sys upgrade_start":
		if !u.args.Keep { // it would wipe the settings: no test may come to that
			return code(ubusInvalid)
		}
		c.sysupgrade(routerBegins)
		return code(ubusOK)
	case "rpc-sys upgrade_clean":
		c.file = nil
		return code(ubusOK)
	case "file remove":
		if !c.may(u.session, "file", u.args.Path, "write") {
			return code(ubusDenied)
		}
		c.file = nil
		return code(ubusOK)
	case "file exec":
		return c.exec(u)
	}
	return code(ubusNoMethod)
}

// exec runs one of the two commands that LuCI may run. That which updates does not come to its end.
func (c *router) exec(u ubusCall) ([]any, *rpcError, bool) {
	line := strings.Join(append([]string{u.args.Command}, u.args.Params...), " ")
	switch {
	case !c.may(u.session, "file", line, "exec"):
		return []any{ubusDenied}, nil, false
	case line == sysupgradeTest:
		return []any{ubusOK, c.test()}, nil, false
	}
	if t := c.test(); t.Code != 0 {
		return []any{ubusOK, t}, nil, false
	}
	c.sysupgrade(time.Second)
	return nil, nil, true
}

// board is what the router says it is. It needs mu.
func (c *router) board() map[string]any {
	return map[string]any{
		"kernel": "5.10.176", "hostname": c.hostname(), "system": "Qualcomm Atheros QCA9558 ver 1 rev 0", "model": c.spec.Model, "board_name": c.model,
		"rootfs_type": "squashfs", "release": map[string]string{
			"distribution": "OpenWrt", "version": c.version(), "revision": "r20134-5f15225c1e", "target": c.reportedHardware(),
			"description": "OpenWrt " + c.version() + " r20134-5f15225c1e",
		},
	}
}

// serveUpload stores a file. The fields come in this order: session, name, mode, data.
func (c *router) serveUpload(w http.ResponseWriter, r *http.Request) {
	defer discard(r.Body)
	refuse := func(message string, errno int, why string) {
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprintf(w, "{\n\t\"message\": %q,\n\t\"failure\": [ %d, %q ]\n}\n", message, errno, why)
	}
	form, err := r.MultipartReader()
	if err != nil {
		refuse("Invalid request", 22, "Invalid argument")
		return
	}
	fields := map[string]string{}
	for {
		part, err := form.NextPart()
		if err != nil {
			return // as cgi-io: it says nothing
		}
		if part.FormName() == "filedata" {
			c.storeFile(w, fields, part, refuse)
			return
		}
		value, err := io.ReadAll(io.LimitReader(part, 4096))
		if err != nil {
			return
		}
		fields[part.FormName()] = string(value)
		c.mu.Lock()
		allowed := part.FormName() != "sessionid" || c.may(string(value), "cgi-io", "upload", "write")
		c.mu.Unlock()
		if !allowed {
			refuse("Upload permission denied", 1, "Operation not permitted")
			return
		}
	}
}

func (c *router) storeFile(w http.ResponseWriter, fields map[string]string, part *multipart.Part, refuse func(string, int, string)) {
	c.mu.Lock()
	allowed := c.may(fields["sessionid"], "file", fields["filename"], "write")
	room := c.spec.TmpKiB << 10
	c.mu.Unlock()
	switch {
	case fields["sessionid"] == "":
		refuse("File data without session", 0, "Success")
		return
	case fields["filename"] == "":
		refuse("File data without name", 0, "Success")
		return
	case !allowed:
		refuse("Access to path denied by ACL", 0, "Success")
		return
	}
	m, s, n := md5.New(), sha256.New(), new(byteCount)
	img, err := readImage(io.TeeReader(io.LimitReader(part, room+1), io.MultiWriter(m, s, n)))
	switch {
	case err != nil && !errors.Is(err, errInvalidImage):
		return
	case int64(*n) > room:
		refuse("I/O failure while writing temporary file", 28, "No space left on device")
		return
	}
	f := &uploaded{img: img, err: err, size: int64(*n), md5: hex.EncodeToString(m.Sum(nil)), sha256: hex.EncodeToString(s.Sum(nil))}
	c.mu.Lock()
	c.file = f
	c.mu.Unlock()
	w.Header().Set("Content-Type", "text/plain")
	fmt.Fprintf(w, "{\n\t\"size\": %d,\n\t\"checksum\": %q,\n\t\"sha256sum\": %q\n}\n", f.size, f.md5, f.sha256)
}

// byteCount counts what is written to it.
type byteCount int64

// Write counts.
func (n *byteCount) Write(b []byte) (int, error) {
	*n += byteCount(len(b))
	return len(b), nil
}

// serveBackup sends the settings as an archive.
func (c *router) serveBackup(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 4096)
	session := r.PostFormValue("sessionid")
	c.mu.Lock()
	allowed := c.may(session, "cgi-io", "backup", "read")
	day, files := c.now().UTC().Format(time.DateOnly), c.settings()
	c.mu.Unlock()
	if !allowed {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintln(w, "Backup permission denied")
		return
	}
	w.Header().Set("Content-Type", "application/x-targz")
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=\"backup-%s-%s.tar.gz\"", c.name, day))
	z := gzip.NewWriter(w)
	t := tar.NewWriter(z)
	for _, f := range files {
		_ = t.WriteHeader(&tar.Header{Name: f[0], Mode: 0o600, Size: int64(len(f[1]))})
		_, _ = io.WriteString(t, f[1])
	}
	_ = t.Close()
	_ = z.Close()
}

// settings are the files that sysupgrade would keep. It needs mu.
func (c *router) settings() [][2]string {
	system := [2]string{"etc/config/system", "config system\n\toption hostname '" + c.hostname() + "'\n"}
	if c.flawedNow(FlawResetConfig) {
		return [][2]string{system}
	}
	return [][2]string{system, {"etc/config/firewall", "config rule\n\toption name 'no guests'\n\toption target 'DROP'\n"}}
}
