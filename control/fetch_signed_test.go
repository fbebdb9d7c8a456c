package control_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/store"
)

// signer has an OpenPGP key of the year before.
type signer struct {
	t *testing.T
	*openpgp.Entity
}

func newSigner(t *testing.T, name string) signer {
	t.Helper()
	e, err := openpgp.NewEntity(name, "", name+"@acme.example", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, Time: func() time.Time { return fetchDay.AddDate(-1, 0, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	return signer{t, e}
}

func (s signer) sign(text string) string {
	s.t.Helper()
	var out bytes.Buffer
	if err := openpgp.ArmoredDetachSign(&out, s.Entity, strings.NewReader(text), &packet.Config{Time: func() time.Time { return fetchDay.AddDate(0, -1, 0) }}); err != nil {
		s.t.Fatal(err)
	}
	return out.String()
}

func (s signer) public() string {
	s.t.Helper()
	var out bytes.Buffer
	w, err := armor.Encode(&out, openpgp.PublicKeyType, nil)
	if err == nil {
		err = s.Serialize(w)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return out.String()
}

func (s signer) print() string { return fmt.Sprintf("%X", s.PrimaryKey.Fingerprint) }

// signedIn gives what the newest audit leaf of an action on the feed csaf says of signatures.
func signedIn(t *testing.T, c *control.Control, action string) string {
	t.Helper()
	leaves, _, err := c.Store.FindLeaves(t.Context(), store.LeafFilter{Subject: "csaf", Action: action}, store.Page{Limit: 1})
	if err != nil || len(leaves) == 0 {
		t.Fatalf("%v, %v", leaves, err)
	}
	return leaves[0].Detail["signed"]
}

// TestFetchTrusted: of a trusted provider only what its own key signed is used. The others are left out and tried again.
func TestFetchTrusted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, other := newSigner(t, "acme"), newSigner(t, "mallory")
		metadata := func(role, print, key string) string {
			return `{"role":"` + role + `","public_openpgp_keys":[{"fingerprint":"` + print + `","url":"` + key + `"}],"distributions":[{"directory_url":"http://acme.example/csaf/"},{"rolie":{"feeds":[{"url":"http://acme.example/feed.json"}]}}]}`
		}
		good := metadata("csaf_trusted_provider", ours.print(), "http://acme.example/key.asc")
		p := &provider{files: map[string]string{}}
		p.put("acme.example/pm.json", good, "acme.example/key.asc", ours.public())
		var list strings.Builder
		doc := func(n int) string {
			return csafDocument(fmt.Sprintf("AC-%d", n), fmt.Sprintf("CVE-2026-%04d", n), "2026-03-01T10:00:00Z")
		}
		for n, sig := range map[int]string{1: ours.sign(doc(1)), 2: "", 3: other.sign(doc(3)), 4: ours.sign(doc(1)), 5: "<html>not found</html>"} {
			path := fmt.Sprintf("acme.example/csaf/%d.json", n)
			list.WriteString(fmt.Sprintf("%d.json,2026-03-01T10:00:00Z\n", n))
			p.put(path, doc(n))
			if sig != "" {
				p.put(path+".asc", sig)
			}
		}
		p.put("acme.example/csaf/changes.csv", list.String(),
			"acme.example/feed.json", `{"feed":{"entry":[{"updated":"2026-03-02T10:00:00Z","content":{"src":"http://acme.example/6.json"},"link":[{"rel":"signature","href":"http://acme.example/6.sig"}]},`+
				`{"updated":"2026-03-02T10:00:00Z","content":{"src":"http://acme.example/7.json"}}]}}`,
			"acme.example/6.json", doc(6), "acme.example/6.sig", ours.sign(doc(6)), "acme.example/7.json", doc(7))
		c := fetchHouse(t, newInternet(t, p.ServeHTTP))
		from(t, c, "csaf", "http://acme.example/pm.json")
		s, err := c.FetchFeed(t.Context(), anna, "csaf")
		if err != nil || s.Records != 2 {
			t.Fatalf("%+v, %v", s, err)
		}
		if said := signedIn(t, c, "feed-fetch"); said != "2 by "+ours.print() {
			t.Errorf("the record says %q", said)
		}
		for n := range 5 {
			p.put(fmt.Sprintf("acme.example/csaf/%d.json.asc", n+1), ours.sign(doc(n+1)))
		}
		if s, err = c.FetchFeed(t.Context(), anna, "csaf"); err != nil || s.Records != 6 {
			t.Errorf("signed by now: %+v, %v", s, err)
		}
		for text, want := range map[string]string{
			metadata("csaf_trusted_provider", other.print(), "http://acme.example/key.asc"):                    "this is not the key " + other.print(),
			metadata("csaf_trusted_provider", ours.print(), "http://keys.example/key.asc"):                     "a list or a key on another host",
			metadata("csaf_trusted_provider", ours.print(), "http://acme.example/feed.json"):                   "no OpenPGP key",
			`{"role":"csaf_trusted_provider","distributions":[{"directory_url":"http://acme.example/csaf/"}]}`: "names no OpenPGP key",
		} {
			p.put("acme.example/pm.json", text)
			if _, err := c.FetchFeed(t.Context(), anna, "csaf"); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want …%s…", err, want)
			}
		}
		p.put("acme.example/pm.json", metadata("csaf_provider", "", "http://keys.example/key.asc")) // need not sign: its key is not asked for
		if s, err = c.FetchFeed(t.Context(), anna, "csaf"); err != nil || s.Records != 7 {
			t.Errorf("no trusted provider: %+v, %v", s, err)
		}
	})
}

// TestPinnedKeys: with keys that the operator named, only what one of them signed is used, over the network and of an archive.
func TestPinnedKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, other := newSigner(t, "acme"), newSigner(t, "mallory")
		one, two := csafDocument("AC-1", "CVE-2026-0001", "2026-03-01T10:00:00Z"), csafDocument("AC-2", "CVE-2026-0002", "2026-03-02T10:00:00Z")
		p := &provider{files: map[string]string{}}
		p.put("acme.example/pm.json", `{"role":"csaf_provider","distributions":[{"directory_url":"http://acme.example/csaf/"}]}`,
			"acme.example/csaf/changes.csv", "1.json,2026-03-01T10:00:00Z\n2.json,2026-03-02T10:00:00Z\n",
			"acme.example/csaf/1.json", one, "acme.example/csaf/1.json.asc", ours.sign(one), "acme.example/csaf/2.json", two, "acme.example/csaf/2.json.asc", other.sign(two))
		c := fetchHouse(t, newInternet(t, p.ServeHTTP))
		from(t, c, "csaf", "http://acme.example/pm.json")
		pin := func(keys string) error {
			_, err := c.SetFeed(t.Context(), anna, "csaf", control.SetFeed{OpenPGP: &keys})
			return err
		}
		if err := pin("-----BEGIN PGP MESSAGE-----\n"); firmward.CodeOf(err) != firmward.Invalid {
			t.Errorf("nonsense was pinned: %v", err)
		}
		if err := pin(ours.public()); err != nil {
			t.Fatal(err)
		}
		if prints := control.Fingerprints(status(t, c, "csaf").Fetch.OpenPGP); len(prints) != 1 || prints[0] != ours.print() {
			t.Errorf("pinned are %v", prints)
		}
		if s, err := c.FetchFeed(t.Context(), anna, "csaf"); err != nil || s.Records != 1 || s.Refused != 1 {
			t.Errorf("over the network: %+v, %v", s, err)
		}
		mirror := folder(t, "2026/a.json", one, "2026/a.json.asc", ours.sign(one), "2026/b.json", two, "2026/b.json.asc", ours.sign(one), "2026/c.json", two)
		if s, err := c.ImportFeed(t.Context(), anna, "", mirror, "mirror"); err != nil || s.Records != 1 || s.Refused != 2 {
			t.Errorf("from a folder: %+v, %v", s, err)
		}
		if said := signedIn(t, c, "feed-import"); said != "1 by "+ours.print() {
			t.Errorf("the record says %q", said)
		}
		if _, err := c.ImportFeed(t.Context(), anna, "", mirror+"/2026/c.json", "c.json"); firmward.CodeOf(err) != firmward.Refused || !strings.Contains(err.Error(), "c.json.asc") {
			t.Errorf("alone: %v", err)
		}
		if err := pin(ours.public() + "\n" + other.public()); err != nil {
			t.Fatal(err)
		}
		if s, err := c.FetchFeed(t.Context(), anna, "csaf"); err != nil || s.Records != 2 {
			t.Errorf("with both keys: %+v, %v", s, err)
		}
		if err := pin(""); err != nil {
			t.Fatal(err)
		}
		if _, err := c.ImportFeed(t.Context(), anna, "", mirror+"/2026/c.json", "c.json"); err != nil {
			t.Errorf("without pinned keys: %v", err)
		}
	})
}
