package wire_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/wire"
)

// TestWebClient: only named hosts are dialled, certificates are verified, and nobody sends it elsewhere.
func TestWebClient(t *testing.T) {
	asked := 0
	there := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer there.Close()
	here := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/within":
			http.Redirect(w, r, "/", http.StatusFound)
		case "/away":
			http.Redirect(w, r, there.URL, http.StatusFound)
		}
	}))
	defer here.Close()
	secret := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer secret.Close()
	host := func(u string) string { _, h, _ := strings.Cut(u, "://"); return h }
	c := wire.WebClient(&wire.OS{}, []string{host(here.URL), host(secret.URL), "127.0.0.1:9100"})
	defer c.CloseIdleConnections()
	get := func(u string) error {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, u, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := c.Do(req)
		if err == nil {
			res.Body.Close()
		}
		return err
	}
	for _, path := range []string{"/", "/within"} {
		if err := get(here.URL + path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, u := range []string{here.URL + "/away", there.URL, "http://127.0.0.1:9100/"} {
		if err := get(u); firmward.CodeOf(err) != firmward.Refused {
			t.Errorf("%s: %v", u, err)
		}
	}
	if err := get(secret.URL); asked != 0 || !isCertificate(err) {
		t.Errorf("a certificate that nobody signed: %v, %d requests arrived", err, asked)
	}
}

func isCertificate(err error) bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok
}
