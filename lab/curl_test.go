package lab

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestCurlUpdatesTasmota gives a relay the commands that its own web page gives, and lets it fetch an image.
func TestCurlUpdatesTasmota(t *testing.T) {
	curl := tool(t, "curl", "curl")
	l := New(Options{Clock: ScaledClock(time.Now(), 100)})
	defer l.Close()
	relay, err := l.AddTasmota(TasmotaSpec{Place: Place{Name: "relay"}, Password: "s3cret"})
	if err != nil {
		t.Fatal(err)
	}
	ports, err := l.ServeLoopback(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	at := "http://" + ports[0].Real.String()
	image, err := relay.Image("14.4.1")
	if err != nil {
		t.Fatal(err)
	}
	files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "tasmota.bin", time.Time{}, bytes.NewReader(image))
	}))
	defer files.Close()
	expectAll(t, run(t, curl, "-sS", "-i", at+"/"), "HTTP/1.1 401", `Www-Authenticate: Basic realm="Login Required"`)
	expectAll(t, run(t, curl, "-sS", "-i", at+"/cm?cmnd=Status%202"), "HTTP/1.1 401", `{"WARNING":"Need user=`, "Server: Tasmota/14.2.0 (ESP8266EX)")
	command := func(line string) string {
		return run(t, curl, "-sS", "-G", "-u", "admin:s3cret", "--retry", "20", "--retry-all-errors", "--retry-delay", "1", "--max-time", "5", "--data-urlencode", "cmnd="+line, at+"/cm")
	}
	expectAll(t, command("Status 0"), `"StatusFWR":{"Version":"14.2.0(release-tasmota)"`, `"Hardware":"ESP8266EX"`, `"Mac":"`+relay.Facts().Serial+`"`, `"ProgramSize":640,"Free":1376`)
	expectAll(t, run(t, curl, "-sS", at+"/cm?user=admin&password=s3cret&cmnd=Power%20toggle"), `{"POWER":"OFF"}`)
	expectAll(t, command("OtaUrl "+files.URL), `{"OtaUrl":"`+files.URL+`"}`)
	expectAll(t, command("Upgrade 2"), `{"Upgrade":"1 or >14.2.0 to upgrade"}`)
	expectAll(t, command("Upgrade 1"), `{"Upgrade":"Version 14.2.0 from `+files.URL+`"}`)
	deadline := time.Now().Add(10 * time.Second)
	for lastFlash(relay).Outcome != OutcomeInstalled && time.Now().Before(deadline) {
		command("Status 2")
	}
	expectAll(t, command("Status 2"), `"Version":"14.4.1(release-tasmota)"`)
	if got := lastFlash(relay); got.Version != "14.4.1" || got.DeliveryPath != PathPull {
		t.Errorf("flash: %+v", got)
	}
}

// TestCurlUpdatesOpenWrt logs in, uploads and updates as scripts for OpenWrt do: with curl alone.
func TestCurlUpdatesOpenWrt(t *testing.T) {
	curl := tool(t, "curl", "curl")
	l := New(Options{Clock: ScaledClock(time.Now(), 600)})
	defer l.Close()
	ap, err := l.AddOpenWrt(OpenWrtSpec{Place: Place{Name: "ap"}, Password: "s3cret"})
	if err != nil {
		t.Fatal(err)
	}
	ports, err := l.ServeLoopback(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	at := "http://" + ports[0].Real.String()
	call := func(session, object, method, args string) string {
		return run(t, curl, "-sS", "--retry", "30", "--retry-all-errors", "--retry-delay", "1", "--max-time", "5",
			"-d", `{"jsonrpc":"2.0","id":1,"method":"call","params":["`+session+`","`+object+`","`+method+`",`+args+`]}`, at+"/ubus")
	}
	login := func() string {
		answer := call(nobody, "session", "login", `{"username":"root","password":"s3cret","timeout":36000}`)
		_, after, found := strings.Cut(answer, `"ubus_rpc_session":"`)
		if !found {
			t.Fatal(answer)
		}
		return after[:len(nobody)]
	}
	expectAll(t, run(t, curl, "-sS", at+"/"), `content="0; URL=/cgi-bin/luci/"`, "LuCI - Lua Configuration Interface")
	expectAll(t, run(t, curl, "-sS", "-i", at+"/cgi-bin/luci/"), "HTTP/1.1 403", "X-Luci-Login-Required: yes", "<title>ap | LuCI</title>")
	expectAll(t, call(nobody, "session", "login", `{"username":"root","password":"wrong"}`), `"result":[6]`)
	expectAll(t, call(nobody, "system", "board", "{}"), `"error":{"code":-32002,"message":"Access denied"}`)
	session := login()
	expectAll(t, call(session, "system", "board", "{}"), `"board_name":"tplink,archer-c7-v2"`, `"target":"ath79/generic"`, `"version":"22.03.5"`)
	expectAll(t, call(session, "nothing", "at all", "{}"), `"code":-32000`)
	expectAll(t, run(t, curl, "-sS", "-d", "{", at+"/ubus"), `"code":-32700`)
	expectAll(t, run(t, curl, "-sS", "--compressed", "-i", "-o", "-", "-d", "sessionid="+session, at+"/cgi-bin/cgi-backup"), "200 OK", "application/x-targz", `filename="backup-ap-`)
	upload := func(image []byte) string {
		file := filepath.Join(t.TempDir(), "fw.bin")
		if err := os.WriteFile(file, image, 0o600); err != nil {
			t.Fatal(err)
		}
		return run(t, curl, "-sS", "-F", "sessionid="+session, "-F", "filename=/tmp/firmware.bin", "-F", "filemode=0600", "-F", "filedata=@"+file, at+"/cgi-bin/cgi-upload")
	}
	expectAll(t, upload([]byte("hello")), `"size": 5`, `"checksum": "5d41402abc4b2a76b9719d911017c592"`, `"sha256sum": "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"`)
	expectAll(t, call(session, "rpc-sys", "upgrade_test", "{}"), `[0,{"code":1,"stderr":"`, "Image metadata not present")
	upload(BuildImage(ImageSpec{Family: FamilyOpenWrt, Model: "tplink,archer-c7-v2", Version: "22.03.7", Size: 100_000}))
	expectAll(t, call(session, "rpc-sys", "upgrade_test", "{}"), `[0,{"code":0}]`)
	expectAll(t, call(session, "rpc-sys", "upgrade_start", `{"keep":true}`), `"result":[0]`)
	deadline := time.Now().Add(10 * time.Second)
	for !contains(call(login(), "system", "board", "{}"), `"version":"22.03.7"`) {
		if time.Now().After(deadline) {
			t.Fatalf("%+v", ap.Facts())
		}
	}
	if got := lastFlash(ap); got.Outcome != OutcomeInstalled || got.DeliveryPath != PathPush {
		t.Errorf("flash: %+v", got)
	}
}
