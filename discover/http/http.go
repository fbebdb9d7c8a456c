// Package http asks a web server for its start page and the few further paths that the suspected
// family's catalogue file declares. One request at a time, nothing is followed.
package http

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/discover"
)

// Probe implements discover.Probe.
type Probe struct{}

// Info declares the probe.
func (Probe) Info() discover.Info {
	return discover.Info{
		Name: "http", Safety: firmward.Polite, Ports: []discover.Port{{Network: "tcp", Number: 80}},
		Period: 24 * time.Hour, Timeout: 5 * time.Second, Service: true,
	}
}

var (
	titlePattern = regexp.MustCompile(`(?is)<title[^>]{0,100}>\s*(.{0,200}?)\s*</title>`)
	realmPattern = regexp.MustCompile(`(?i)realm="([^"]{0,200})"`)
)

// Run reports http.status, http.server, http.title, http.realm, http.body (its first 4 KiB) and,
// per further path, "http:<path>".
func (Probe) Run(ctx context.Context, t discover.Target, report func(firmward.Observation)) error {
	port := t.PortOr(80)
	a := discover.Exchange(ctx, t, port, "/", "", nil)
	o := firmward.Observation{Addr: t.Addr, Port: port, Outcome: a.Outcome, Note: a.Note}
	if a.Status != 0 {
		add := func(name, v string) {
			if v != "" {
				o.Readings = append(o.Readings, discover.Reading(name, v))
			}
		}
		add("http.status", strconv.Itoa(a.Status))
		add("http.server", a.Header.Get("Server"))
		if m := titlePattern.FindSubmatch(a.Body); m != nil {
			add("http.title", string(m[1]))
		}
		if m := realmPattern.FindStringSubmatch(a.Header.Get("WWW-Authenticate")); m != nil {
			add("http.realm", m[1])
		}
		add("http.body", string(a.Body))
		for _, path := range t.Paths {
			if a.Outcome != firmward.Answered {
				break // who cannot be read is not asked for more
			}
			if a = discover.Exchange(ctx, t, port, path, "", nil); a.Status == 200 && strings.HasPrefix(path, "/") {
				add("http:"+path, string(a.Body))
			}
		}
	}
	report(o)
	return nil
}
