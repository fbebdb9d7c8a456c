package hue_test

import (
	"errors"
	"testing"

	"github.com/firmward/firmward/proto/hue"
)

const config = `{"name":"Hall","bridgeid":"001788FFFE112233","mac":"00:17:88:11:22:33","modelid":"BSB002","swversion":"1935144040","apiversion":"1.35.0",
	"swupdate2":{"state":"allreadytoinstall","autoinstall":{"updatetime":"T14:00:00","on":true}},"whitelist":{"another-key":{"name":"app"}}}`

func TestReadConfig(t *testing.T) {
	c, err := hue.ReadConfig([]byte(config))
	if err != nil || c.Model != "BSB002" || c.Update == nil || !c.Update.Auto.On || !c.Update.Ready() || c.Update.Time() != "14:00" {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err = hue.ReadConfig([]byte(`{"bridgeid":"001788FFFE112233","swversion":"1"}`)); err != nil || c.Update != nil {
		t.Errorf("what a stranger is told: %+v, %v", c, err)
	}
	for _, b := range []string{"", "[]", "{}", "<html>", `{"swversion":"1"}`} {
		if _, err := hue.ReadConfig([]byte(b)); err == nil {
			t.Errorf("%q was read as a bridge", b)
		}
	}
}

func TestReadLamps(t *testing.T) {
	lamps, err := hue.ReadLamps([]byte(`{"10":{"name":"b","uniqueid":"00:17:88:01:00:00:00:0a-0b","state":{"reachable":false}},
		"9":{"name":"a","uniqueid":"00:17:88:01:00:00:00:09-0b","swversion":"1.50.2","state":{"reachable":true}},"11":{"name":"no address"}}`))
	if err != nil || len(lamps) != 2 || lamps[0].Name != "a" || lamps[0].Address() != "00:17:88:01:00:00:00:09" || lamps[1].State.Reachable {
		t.Errorf("%+v, %v", lamps, err)
	}
	_, err = hue.ReadLamps([]byte(`[{"error":{"type":1,"address":"/","description":"unauthorized user"}}]`))
	if e, ok := errors.AsType[*hue.Error](err); !ok || !e.Unauthorized() {
		t.Errorf("%v", err)
	}
}

func TestReadSet(t *testing.T) {
	if err := hue.ReadSet([]byte(`[{"success":{"/config/swupdate2/autoinstall/on":true}}]`)); err != nil {
		t.Error(err)
	}
	for _, b := range []string{"", "[]", "[{}]", "{}", `[{"error":{"type":6,"description":"parameter, not available"}}]`} {
		if err := hue.ReadSet([]byte(b)); err == nil {
			t.Errorf("%q was read as done", b)
		}
	}
}

func TestKey(t *testing.T) {
	for key, want := range map[string]bool{"": false, "short": false, "abc/../config": false, "83b7780291a6ceffbe0bd049104df": true, "lab-hue-application-key": true} {
		if hue.Key(key) != want {
			t.Errorf("%q: %v", key, !want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(config))
	f.Add([]byte(`[{"error":{"type":1,"description":"x"}}]`))
	f.Add([]byte(`{"1":{"uniqueid":"00:17:88:01:00:bd:c7:b9-0b"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := hue.ReadConfig(b); err == nil && c.BridgeID == "" {
			t.Error("a bridge without a name")
		}
		lamps, err := hue.ReadLamps(b)
		for _, l := range lamps {
			if err != nil || l.Address() == "" {
				t.Errorf("%+v, %v", l, err)
			}
		}
		_ = hue.ReadSet(b)
	})
}
