package lab

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// digestAuth is the server side of HTTP digest authentication (RFC 7616) with qop=auth.
type digestAuth struct {
	realm     string
	algorithm string // MD5 or SHA-256
	users     map[string]string
	now       func() time.Time

	mu     sync.Mutex
	random *rand.Rand
	nonces map[string]*nonceUse
}

type nonceUse struct {
	born time.Time
	used map[uint64]bool // nonce counts that were seen: each is good once
}

const (
	nonceLife = 5 * time.Minute // house time
	nonceUses = 4096
	nonceMax  = 256
)

func newDigestAuth(realm, algorithm string, users map[string]string, now func() time.Time, random *rand.Rand) *digestAuth {
	return &digestAuth{
		realm: realm, algorithm: algorithm, users: users, now: now, random: random, nonces: map[string]*nonceUse{},
	}
}

// allow tells whether the request is authenticated. If not it has answered 401 with a challenge.
func (a *digestAuth) allow(w http.ResponseWriter, r *http.Request) bool {
	ok, stale := a.check(r.Method, r.RequestURI, r.Header.Get("Authorization"))
	if ok {
		return true
	}
	if r.Header.Get("Expect") == "" {
		// A client that sends a body unasked gets its answer only after it, as with Apache; else it would find a
		// broken pipe instead of the challenge.
		_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, maxImage))
	}
	w.Header().Set("WWW-Authenticate", a.challenge(stale))
	w.Header().Set("Content-Type", "text/plain")
	w.WriteHeader(http.StatusUnauthorized)
	fmt.Fprintln(w, "401 Unauthorized")
	return false
}

// challenge makes a new one; stale says that the answer before was right, but too old.
func (a *digestAuth) challenge(stale bool) string {
	c := fmt.Sprintf(`Digest realm=%q, qop="auth", nonce=%q, algorithm=%s`, a.realm, a.newNonce(), a.algorithm)
	if stale {
		c += ", stale=true"
	}
	return c
}

func (a *digestAuth) newNonce() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	if len(a.nonces) >= nonceMax {
		oldest := ""
		for n, use := range a.nonces {
			if oldest == "" || use.born.Before(a.nonces[oldest].born) {
				oldest = n
			}
		}
		delete(a.nonces, oldest)
	}
	nonce := fmt.Sprintf("%016x%016x", a.random.Uint64(), a.random.Uint64())
	a.nonces[nonce] = &nonceUse{born: now, used: map[uint64]bool{}}
	return nonce
}

// check judges the Authorization header of a request.
func (a *digestAuth) check(method, uri, authorization string) (ok, stale bool) {
	p, found := parseDigest(authorization)
	if !found {
		return false, false
	}
	password, known := a.users[p["username"]]
	count, err := strconv.ParseUint(p["nc"], 16, 32)
	switch {
	case !known, err != nil, count == 0, len(p["nc"]) != 8, p["realm"] != a.realm, p["qop"] != "auth", p["cnonce"] == "":
		return false, false
	case p["uri"] != uri:
		return false, false
	case p["algorithm"] != a.algorithm && (p["algorithm"] != "" || a.algorithm != "MD5"):
		return false, false
	}
	ha1 := a.hash(p["username"] + ":" + a.realm + ":" + password)
	ha2 := a.hash(method + ":" + p["uri"])
	want := a.hash(strings.Join([]string{ha1, p["nonce"], p["nc"], p["cnonce"], "auth", ha2}, ":"))
	if subtle.ConstantTimeCompare([]byte(want), []byte(strings.ToLower(p["response"]))) != 1 {
		return false, false
	}
	// The answer is right; now the nonce must be one of ours, young, and this count unused.
	a.mu.Lock()
	defer a.mu.Unlock()
	use := a.nonces[p["nonce"]]
	if use == nil || a.now().Sub(use.born).Abs() > nonceLife || len(use.used) >= nonceUses || use.used[count] {
		return false, true
	}
	use.used[count] = true
	return true, false
}

func (a *digestAuth) hash(s string) string {
	var h hash.Hash = sha256.New()
	if a.algorithm == "MD5" {
		h = md5.New()
	}
	h.Write([]byte(s))
	return hex.EncodeToString(h.Sum(nil))
}

// parseDigest takes an Authorization header apart: name=token or name="quoted", separated by commas. A name that
// stands twice makes it unreadable.
func parseDigest(header string) (map[string]string, bool) {
	scheme, rest, found := strings.Cut(header, " ")
	if !found || !strings.EqualFold(scheme, "Digest") {
		return nil, false
	}
	params := map[string]string{}
	for {
		rest = strings.TrimLeft(rest, " \t,")
		if rest == "" {
			return params, true
		}
		name, after, found := strings.Cut(rest, "=")
		name = strings.ToLower(strings.TrimSpace(name))
		if !found || name == "" {
			return nil, false
		}
		after = strings.TrimLeft(after, " \t")
		var value string
		if strings.HasPrefix(after, `"`) {
			var b strings.Builder
			i := 1
			for ; i < len(after) && after[i] != '"'; i++ {
				if after[i] == '\\' && i+1 < len(after) {
					i++
				}
				b.WriteByte(after[i])
			}
			if i >= len(after) {
				return nil, false
			}
			value, rest = b.String(), after[i+1:]
		} else {
			end := strings.IndexAny(after, ", \t")
			if end < 0 {
				end = len(after)
			}
			value, rest = after[:end], after[end:]
		}
		if _, twice := params[name]; twice {
			return nil, false
		}
		params[name] = value
	}
}
