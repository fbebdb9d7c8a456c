package lab

import (
	"bytes"
	"net/http"
	"net/http/httptest"
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
