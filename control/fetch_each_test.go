package control_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/firmward/firmward/control"
)

func vexDocument(n int, day string) string {
	return fmt.Sprintf(`{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://acme.example/vex-%d","author":"Acme","timestamp":"%sT08:00:00Z","version":1,"statements":[`+
		`{"vulnerability":{"name":"CVE-2026-%04d"},"products":[{"@id":"cpe:2.3:o:acme:door_firmware:2.0:*:*:*:*:*:*:*"}],"status":"not_affected","justification":"component_not_present"}]}`, n, day, n)
}

// TestFetchEach: a document and an archive at addresses that the operator named, each by itself and only when it has changed. An archive is held to
// pinned keys like a document.
func TestFetchEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours := newSigner(t, "acme")
		pack := func(pairs ...string) string {
			var b bytes.Buffer
			z := zip.NewWriter(&b)
			for i := 0; i < len(pairs); i += 2 {
				w, err := z.Create(pairs[i])
				if err == nil {
					_, err = w.Write([]byte(pairs[i+1]))
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := z.Close(); err != nil {
				t.Fatal(err)
			}
			return b.String()
		}
		one, two, three := vexDocument(1, "2026-11-01"), vexDocument(2, "2026-11-02"), vexDocument(3, "2026-11-03")
		p := &provider{files: map[string]string{}}
		p.put("acme.example/one.json", one, "acme.example/one.json.asc", ours.sign(one), "acme.example/all.zip", pack("v/two.json", two, "v/three.json", three, "README", "for people"))
		n := newInternet(t, p.ServeHTTP)
		c := fetchHouse(t, n)
		if _, err := c.FetchFeed(t.Context(), anna, "vex"); err == nil || !strings.Contains(err.Error(), "feeds set FEED --url") {
			t.Errorf("without an address: %v", err)
		}
		from(t, c, "vex", "http://acme.example/one.json", "http://acme.example/all.zip")
		if s, err := c.FetchFeed(t.Context(), anna, "vex"); err != nil || s.Records != 3 || s.Refused != 0 {
			t.Fatalf("%+v, %v", s, err)
		}
		if got := strings.Join(n.take(), " "); got != "acme.example/one.json acme.example/all.zip" {
			t.Errorf("asked %s", got)
		}
		keys := ours.public()
		if _, err := c.SetFeed(t.Context(), anna, "vex", control.SetFeed{OpenPGP: &keys}); err != nil {
			t.Fatal(err)
		}
		two = vexDocument(2, "2026-11-22")
		p.put("acme.example/all.zip", pack("v/two.json", two, "v/two.json.asc", ours.sign(two), "v/three.json", vexDocument(3, "2026-11-23")))
		if s, err := c.FetchFeed(t.Context(), anna, "vex"); err != nil || s.Refused != 1 || s.Dated.Day() != 22 {
			t.Errorf("with keys: %+v, %v", s, err)
		}
		from(t, c, "vex", "http://acme.example/folder/")
		if _, err := c.FetchFeed(t.Context(), anna, "vex"); err == nil || !strings.Contains(err.Error(), "is a folder") {
			t.Errorf("%v", err)
		}
		from(t, c, "vex", "http://acme.example/gone.json")
		if _, err := c.FetchFeed(t.Context(), anna, "vex"); err == nil {
			t.Error("nothing is there, and nobody says so")
		}
	})
}
