package ubus_test

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"strings"
	"testing"

	"github.com/firmward/firmward/proto/ubus"
)

func TestAnswer(t *testing.T) {
	var board ubus.Board
	err := ubus.Answer([]byte(`{"jsonrpc":"2.0","id":1,"result":[0,{"hostname":"ap","model":"TP-Link Archer C7 v2","board_name":"tplink,archer-c7-v2","release":{"distribution":"OpenWrt","version":"22.03.5","revision":"r20134-5f15225c1e","target":"ath79/generic"}}]}`), &board)
	if err != nil || board.Name != "tplink,archer-c7-v2" || board.Release.Target != "ath79/generic" || !board.Complete() {
		t.Errorf("%+v, %v", board, err)
	}
	for answer, want := range map[string]struct{ denied, missing, word bool }{
		`{"jsonrpc":"2.0","id":1,"result":[6]}`:                                         {true, false, true},
		`{"jsonrpc":"2.0","id":1,"error":{"code":-32002,"message":"Access denied"}}`:    {true, false, true},
		`{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"Object not found"}}`: {false, true, true},
		`{"jsonrpc":"2.0","id":1,"result":[4]}`:                                         {false, true, true},
		`{"jsonrpc":"2.0","id":1,"result":[99]}`:                                        {false, false, true},
		`{"jsonrpc":"2.0","id":1,"result":[0]}`:                                         {}, // empty where something was asked for
		`{"result":[]}`:                                                                 {}, `{}`: {}, `[]`: {}, ``: {}, `<html>`: {}, `{"result":["0"]}`: {},
	} {
		err := ubus.Answer([]byte(answer), &board)
		ue, ok := errors.AsType[*ubus.Error](err)
		if err == nil || ok != want.word || ok && (ue.Denied() != want.denied || ue.Missing() != want.missing) {
			t.Errorf("%s: %v", answer, err)
		}
	}
	if err := ubus.Answer([]byte(`{"result":[0]}`), nil); err != nil {
		t.Errorf("a call without a result: %v", err)
	}
}

func TestWhy(t *testing.T) {
	for stderr, want := range map[string]string{
		"Sat Sep 16 23:42:50 CEST 2023 upgrade: The device is supported, but the config is incompatible to the new image (1.1->1.0). Please upgrade without keeping config (sysupgrade -n).\nImage check failed.\n": "The device is supported, but the config is incompatible to the new image (1.1->1.0). Please upgrade without keeping config (sysupgrade -n).",
		"\n\x1b[31mImage check failed.\n": "[31mImage check failed.",
		"":                                "sysupgrade ended with code 1",
		strings.Repeat("ä", 200):          strings.Repeat("ä", 100),
	} {
		if got := (ubus.Ran{Code: 1, Stderr: stderr}).Why(); got != want {
			t.Errorf("%q: %q", stderr, got)
		}
	}
}

func TestMAC(t *testing.T) {
	for want, devices := range map[string]map[string]ubus.Device{
		"C4:6E:1F:00:00:01": {"br-lan": {MAC: "c4:6e:1f:00:00:01"}, "eth0": {MAC: "c4:6e:1f:00:00:02"}},
		"C4:6E:1F:00:00:02": {"br-lan": {MAC: "00:00:00:00:00:00"}, "eth0": {MAC: "c4:6e:1f:00:00:02"}},
		"":                  {"wlan0": {MAC: "c4:6e:1f:00:00:03"}},
	} {
		if got := ubus.MAC(devices); got != want {
			t.Errorf("%v: %q, want %q", devices, got, want)
		}
	}
}

// FuzzAnswer reads any answer as each kind: what comes out is whole and short, or an error.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"result":[0,{"ubus_rpc_session":"0123456789abcdef0123456789abcdef"}]}`))
	f.Add([]byte(`{"result":[0,{"code":1,"stderr":"a upgrade: b"}],"error":{"code":-1,"message":"x\n"}}`))
	f.Add([]byte(`{"size":5,"sha256sum":"00","failure":[1,"Operation not permitted"],"message":"\u0000"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if id, err := ubus.Session(b); err == nil && len(id) != 32 {
			t.Errorf("session %q", id)
		}
		var ran ubus.Ran
		if err := ubus.Answer(b, &ran); err == nil {
			if why := ran.Why(); why == "" || len(why) > 200 || strings.ContainsAny(why, "\r\n\x1b") {
				t.Errorf("%q from %q", why, b)
			}
		} else if ue, ok := errors.AsType[*ubus.Error](err); ok && (len(ue.Message) > 200 || strings.Contains(ue.Message, "\n")) {
			t.Errorf("%q from %q", ue.Message, b)
		}
		if s, err := ubus.ReadStored(b); err == nil && s.Size <= 0 || err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v, %v from %q", s, err, b)
		}
	})
}

// FuzzForm frames any image: the standard library's reader finds the fields in their order and exactly that image.
func FuzzForm(f *testing.F) {
	f.Add("0123456789abcdef0123456789abcdef", []byte("image"))
	f.Fuzz(func(t *testing.T, session string, image []byte) {
		contentType, head, tail, err := ubus.Form(session)
		if err != nil {
			t.Fatal(err)
		}
		_, params, err := mime.ParseMediaType(contentType)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(session+string(image), params["boundary"]) {
			return
		}
		form := multipart.NewReader(io.MultiReader(bytes.NewReader(head), bytes.NewReader(image), bytes.NewReader(tail)), params["boundary"])
		for _, want := range [][2]string{{"sessionid", session}, {"filename", ubus.ImageFile}, {"filemode", "0600"}, {"filedata", string(image)}} {
			part, err := form.NextPart()
			if err != nil {
				t.Fatalf("%s: %v", want[0], err)
			}
			if got, err := io.ReadAll(part); part.FormName() != want[0] || string(got) != want[1] || err != nil {
				t.Errorf("%s is %q, %v", part.FormName(), got, err)
			}
		}
		if _, err := form.NextPart(); err != io.EOF {
			t.Errorf("a fifth part: %v", err)
		}
	})
}
