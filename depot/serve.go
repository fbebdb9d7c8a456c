package depot

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/netip"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/firmward/firmward"
)

// Served tells of one request for a granted file.
type Served struct {
	At       time.Time
	Addr     netip.Addr // who asked
	SHA256   string     // empty when the request was refused
	Filename string
	Status   int    // HTTP status
	Bytes    int64  // bytes of content sent
	Range    string // the Range header, empty for the whole file
	Why      string // why it was refused, empty when it was served
}

// Server is the handler that devices fetch firmware from. A grant lets one device fetch one file until it expires or was
// fetched: its path cannot be guessed and works from the device's own address only. A device may
// fetch in parts and resume; the grant is used up when each byte was sent as often as it may be. Every refusal
// is an empty 404, so nobody learns what is here.
//
// Grants live in memory. After a restart whoever steers the devices lets them go on, see Resume.
type Server struct {
	depot *Depot
	now   func() time.Time
	log   func(Served)

	mu     sync.Mutex
	grants map[string]*grant
}

type grant struct {
	sum, filename string
	addr          netip.Addr
	expires       time.Time
	size          int64
	left          int64 // bytes that may still be sent
}

// fetches is how often the content of a grant may be sent in all: a device that loses its connection starts again.
const fetches = 3

// NewServer serves files of d. log is called after each request and may be nil.
func NewServer(d *Depot, now func() time.Time, log func(Served)) *Server {
	if log == nil {
		log = func(Served) {}
	}
	return &Server{depot: d, now: now, log: log, grants: make(map[string]*grant)}
}

// Grant gives the path under which the device at addr may fetch the file until expires. filename is what the path ends with:
// many devices judge a file by its ending.
func (s *Server) Grant(sum, filename string, addr netip.Addr, expires time.Time) (string, error) {
	if filename = path.Base(filename); strings.Trim(filename, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.+") != "" || strings.Trim(filename, ".") == "" {
		return "", firmward.Errorf(firmward.Invalid, "the file name may hold letters, digits and - _ . + only")
	}
	granted := prefix + rand.Text() + "/" + filename
	if err := s.Resume(granted, sum, addr, expires); err != nil {
		return "", err
	}
	return granted, nil
}

// prefix is what every granted path begins with.
const prefix = "/f/"

// Resume makes a path that was granted before a restart work again, as if nothing had been fetched yet.
func (s *Server) Resume(granted, sum string, addr netip.Addr, expires time.Time) error {
	if !addr.IsValid() || !s.now().Before(expires) {
		return firmward.Errorf(firmward.Invalid, "a grant needs the address of the device and an end in the future")
	}
	f, err := s.depot.Open(sum, -1)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return plain("open firmware file", err)
	}
	token, filename, _ := strings.Cut(strings.TrimPrefix(granted, prefix), "/")
	s.mu.Lock()
	defer s.mu.Unlock()
	for old, g := range s.grants {
		if !s.now().Before(g.expires) {
			delete(s.grants, old)
		}
	}
	s.grants[token] = &grant{sum: sum, filename: filename, addr: addr.Unmap().WithZone(""), expires: expires, size: st.Size(), left: fetches * st.Size()}
	return nil
}

// Revoke ends the grant behind a path at once.
func (s *Server) Revoke(granted string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	token, _, _ := strings.Cut(strings.TrimPrefix(granted, prefix), "/")
	delete(s.grants, token)
}

// ServeHTTP serves GET and HEAD of granted paths, with ranges.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	served := Served{At: s.now(), Range: r.Header.Get("Range"), Status: http.StatusNotFound}
	if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		served.Addr = ap.Addr().Unmap().WithZone("")
	}
	defer func() { s.log(served) }()
	token, filename, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, prefix), "/")
	g, err := s.take(r, token, filename, served.Addr)
	if err != nil {
		served.Why = err.Error()
		w.WriteHeader(http.StatusNotFound)
		return
	}
	f, err := s.depot.Open(g.sum, g.size)
	if err != nil {
		served.Why = err.Error()
		w.WriteHeader(http.StatusNotFound)
		return
	}
	defer f.Close()
	served.SHA256, served.Filename = g.sum, g.filename
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("ETag", `"`+g.sum+`"`)
	w.Header().Set("Cache-Control", "no-store")
	out := &counter{ResponseWriter: w, status: http.StatusOK, grant: g, server: s}
	http.ServeContent(out, r, "", time.Time{}, f)
	served.Status, served.Bytes = out.status, out.bytes
}

func (s *Server) take(r *http.Request, token, filename string, from netip.Addr) (*grant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.grants[token]
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return nil, errors.New("a method other than GET and HEAD")
	case !strings.HasPrefix(r.URL.Path, prefix) || g == nil || filename != g.filename:
		return nil, errors.New("no such grant")
	case !s.now().Before(g.expires):
		delete(s.grants, token)
		return nil, errors.New("the grant has expired")
	case from != g.addr:
		return nil, errors.New("the grant is for another address")
	case g.left <= 0:
		return nil, errors.New("the grant is used up")
	case r.Method == http.MethodGet && strings.Count(r.Header.Get("Range"), ",") > 0:
		return nil, errors.New("several ranges in one request")
	}
	return g, nil
}

// counter counts the content that was sent and stops when the grant is used up.
type counter struct {
	http.ResponseWriter
	status int
	bytes  int64
	grant  *grant
	server *Server
}

func (c *counter) WriteHeader(status int) {
	c.status = status
	c.ResponseWriter.WriteHeader(status)
}

func (c *counter) Write(b []byte) (int, error) {
	c.server.mu.Lock()
	allowed := min(int64(len(b)), c.grant.left)
	c.grant.left -= allowed
	c.server.mu.Unlock()
	n, err := c.ResponseWriter.Write(b[:allowed])
	c.bytes += int64(n)
	if err == nil && n < len(b) {
		err = errors.New("the grant is used up")
	}
	return n, err
}
