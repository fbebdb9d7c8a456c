package notify_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/notify"
	"github.com/firmward/firmward/wire"
	"github.com/firmward/firmward/wire/wiretest"
)

var message = firmward.Notice{
	ID: "msg_1", At: time.Date(2026, 3, 2, 7, 0, 0, 0, time.UTC), Title: "firmward: 2 to do now", Lines: []string{"2 devices need something now"}, Action: "Do the first step.",
}

// TestWebhook lets openssl make the signature that Standard Webhooks asks for.
func TestWebhook(t *testing.T) {
	openssl := wiretest.Tool(t, "openssl", "openssl")
	var head http.Header
	var body []byte
	status := http.StatusNoContent
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head = r.Header
		body, _ = io.ReadAll(r.Body)
		w.WriteHeader(status)
	}))
	defer srv.Close()
	key := notify.NewKey()
	if err := notify.Send(t.Context(), &wire.OS{}, srv.URL+"/hook?token=do-not-tell", key, message); err != nil {
		t.Fatal(err)
	}
	var got struct{ ID, Title, Action string }
	if err := json.Unmarshal(body, &got); err != nil || got.ID != "msg_1" || got.Title != message.Title || got.Action != message.Action {
		t.Errorf("%s, %v", body, err)
	}
	secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(key, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), openssl, "dgst", "-sha256", "-mac", "HMAC", "-macopt", "hexkey:"+hex.EncodeToString(secret), "-binary")
	cmd.Stdin = io.MultiReader(strings.NewReader(head.Get("Webhook-Id")+"."+head.Get("Webhook-Timestamp")+"."), bytes.NewReader(body))
	mac, err := cmd.Output()
	if want := "v1," + base64.StdEncoding.EncodeToString(mac); err != nil || head.Get("Webhook-Signature") != want {
		t.Errorf("signed %s, openssl says %s (%v)", head.Get("Webhook-Signature"), want, err)
	}
	for _, status = range []int{http.StatusFound, http.StatusInternalServerError} {
		err := notify.Send(t.Context(), &wire.OS{}, srv.URL+"/hook?token=do-not-tell", key, message)
		if firmward.CodeOf(err) != firmward.Unavailable || strings.Contains(err.Error(), "do-not-tell") {
			t.Errorf("status %d: %v", status, err)
		}
	}
	srv.Close()
	if err := notify.Send(t.Context(), &wire.OS{}, srv.URL+"/hook?token=do-not-tell", key, message); firmward.CodeOf(err) != firmward.Unavailable || strings.Contains(err.Error(), "do-not-tell") {
		t.Errorf("nobody listens: %v", err)
	}
}

// TestNtfy is what ntfy's documentation asks for: the text as body, the title as a header.
func TestNtfy(t *testing.T) {
	var title, path string
	var body []byte
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		title, path = r.Header.Get("Title"), r.URL.Path
		body, _ = io.ReadAll(r.Body)
		io.WriteString(w, `{"id":"hwQ2YpKdmg","time":1635528757,"event":"message","topic":"our-topic"}`)
	}))
	defer srv.Close()
	at := netip.MustParseAddrPort(strings.TrimPrefix(srv.URL, "http://"))
	if err := notify.Send(t.Context(), &wire.OS{}, "ntfy://"+at.String()+"/our-topic?scheme=http", "", message); err != nil {
		t.Fatal(err)
	}
	if title != message.Title || !strings.Contains(path+string(body), "our-topic") || !strings.Contains(string(body), message.Action) {
		t.Errorf("title %q, path %s, body %s", title, path, body)
	}
}

// TestMail sends to a mail server that is not ours.
func TestMail(t *testing.T) {
	const python = "/usr/bin/python3"
	if out, err := exec.CommandContext(t.Context(), python, "-c", "import aiosmtpd").CombinedOutput(); err != nil {
		wiretest.Missing(t, "no mail server (Debian: python3-aiosmtpd): "+string(out))
	}
	box := filepath.Join(t.TempDir(), "box")
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := free.Addr().String()
	free.Close()
	server := exec.CommandContext(t.Context(), python, "-m", "aiosmtpd", "-n", "-c", "aiosmtpd.handlers.Mailbox", "-l", at, box)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Process.Kill()
		server.Wait()
	})
	wiretest.Await(t, 10*time.Second, "the mail server", func() bool {
		c, err := net.Dial("tcp", at)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	address := "smtp://" + at + "/?from=firmward@example.org&to=anna@example.org&usestarttls=no&auth=none"
	if err := notify.Send(t.Context(), &wire.OS{}, address, "", message); err != nil {
		t.Fatal(err)
	}
	mails, err := filepath.Glob(filepath.Join(box, "new", "*"))
	if err != nil || len(mails) != 1 {
		t.Fatalf("%v, %v", mails, err)
	}
	mail, err := os.ReadFile(mails[0])
	if err != nil || !bytes.Contains(mail, []byte(message.Title)) || !bytes.Contains(mail, []byte(message.Action)) || !bytes.Contains(mail, []byte("anna@example.org")) {
		t.Errorf("%s, %v", mail, err)
	}
}

func TestCheck(t *testing.T) {
	for address, want := range map[string]string{
		"https://hooks.example/x": "webhook hooks.example", "ntfy://ntfy.example/topic": "ntfy ntfy.example",
		"smtp://u:secret-word@mail.example:587/?from=a@example.org&to=b@example.org": "smtp mail.example",
		"": "", "hooks.example": "", "https:///x": "", "gopher://x/y": "", "smtp://u:secret-word@/?to=x": "", "logger://": "", "generic+https://x/y": "",
	} {
		kind, host, err := notify.Check(address)
		if got := strings.TrimSpace(kind + " " + host); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v; want %q", address, got, err, want)
		}
		if err != nil && (firmward.CodeOf(err) != firmward.Invalid || strings.Contains(err.Error(), "secret-word")) {
			t.Errorf("%s: %v", address, err)
		}
	}
}
