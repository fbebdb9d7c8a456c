// Package mdns builds and reads messages of multicast DNS and DNS service discovery (RFC 6762, RFC 6763) with the
// codec of miekg/dns. No I/O.
package mdns

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// Group is where questions to all go (RFC 6762 §3).
var Group = netip.AddrPortFrom(netip.AddrFrom4([4]byte{224, 0, 0, 251}), 5353)

// everything is the name under which a host lists its service types (RFC 6763 §9).
const everything = "_services._dns-sd._udp.local."

// common are types that are asked for by name: many small stacks do not answer for everything.
var common = [...]string{
	"_http._tcp", "_hap._tcp", "_ipp._tcp", "_printer._tcp", "_googlecast._tcp", "_airplay._tcp", "_hue._tcp", "_shelly._tcp",
	"_esphomelib._tcp", "_axis-video._tcp", "_wled._tcp", "_matter._tcp", "_matterc._udp", "_sonos._tcp",
}

// Bounds of what is kept of one host.
const (
	maxNames = 64  // types, instances, hosts
	maxTXT   = 64  // pairs of one service
	maxAddrs = 16  // of one host name
	perQuery = 16  // questions in one message
	maxLabel = 256 // bytes of a label or key
)

// Question is a name and a record type.
type Question struct {
	Name string // as miekg/dns writes it: escaped, with a final dot
	Type uint16
}

// Browse asks a host, or all, what services it has.
func Browse() []Question {
	qs := []Question{{everything, dns.TypePTR}}
	for _, t := range common {
		qs = append(qs, Question{t + ".local.", dns.TypePTR})
	}
	return qs
}

// Queries encodes questions into as few messages as is polite. Answers are asked for by unicast.
func Queries(id uint16, qs []Question) ([][]byte, error) {
	const unicast = 1 << 15 // RFC 6762 §5.4
	var out [][]byte
	for part := range slices.Chunk(qs, perQuery) {
		m := dns.Msg{MsgHdr: dns.MsgHdr{Id: id}, Compress: true}
		for _, q := range part {
			m.Question = append(m.Question, dns.Question{Name: q.Name, Qtype: q.Type, Qclass: dns.ClassINET | unicast})
		}
		b, err := m.Pack()
		if err != nil {
			return nil, fmt.Errorf("encode mDNS question: %w", err)
		}
		out = append(out, b)
	}
	return out, nil
}

// Answers is what one host said, in any number of messages.
type Answers struct {
	types     []string // "_hap._tcp.local."
	instances []string // "bridge._hap._tcp.local."
	srv       map[string]dns.SRV
	txt       map[string][]string
	addrs     map[string][]netip.Addr // of a host name
}

// Add reads one message. Records that are no part of service discovery are left out, and so is what
// passes a bound.
func (a *Answers) Add(message []byte) (err error) {
	defer func() { // the codec is not ours; a device must not end the program
		if r := recover(); r != nil {
			err = fmt.Errorf("read mDNS answer: broken message")
		}
	}()
	var m dns.Msg
	if err := m.Unpack(message); err != nil {
		return fmt.Errorf("read mDNS answer: %w", err)
	}
	if !m.Response {
		return fmt.Errorf("read mDNS answer: it is a question")
	}
	if a.srv == nil {
		a.srv, a.txt, a.addrs = map[string]dns.SRV{}, map[string][]string{}, map[string][]netip.Addr{}
	}
	for _, rr := range slices.Concat(m.Answer, m.Extra) {
		a.record(rr)
	}
	return nil
}

func (a *Answers) record(rr dns.RR) {
	name := strings.ToLower(rr.Header().Name)
	switch r := rr.(type) {
	case *dns.PTR:
		target := r.Ptr
		switch {
		case name == everything && serviceType(target):
			a.types = keep(a.types, strings.ToLower(target))
		case serviceType(name) && strings.HasSuffix(strings.ToLower(target), "."+name):
			a.types, a.instances = keep(a.types, name), keep(a.instances, target)
		}
	case *dns.SRV:
		if len(a.srv) < maxNames {
			a.srv[name] = *r
		}
	case *dns.TXT:
		if len(a.txt) < maxNames {
			a.txt[name] = r.Txt
		}
	case *dns.A:
		a.address(name, r.A.To4())
	case *dns.AAAA:
		a.address(name, r.AAAA)
	}
}

func (a *Answers) address(host string, ip []byte) {
	addr, ok := netip.AddrFromSlice(ip)
	if ok && (len(a.addrs) < maxNames || a.addrs[host] != nil) && len(a.addrs[host]) < maxAddrs && !slices.Contains(a.addrs[host], addr.Unmap()) {
		a.addrs[host] = append(a.addrs[host], addr.Unmap())
	}
}

func keep(list []string, v string) []string {
	if len(list) >= maxNames || slices.ContainsFunc(list, func(o string) bool { return strings.EqualFold(o, v) }) {
		return list
	}
	return append(list, v)
}

// serviceType reports whether a name is "_type._tcp.local." or the like.
func serviceType(name string) bool {
	labels := dns.SplitDomainName(strings.ToLower(name))
	return len(labels) == 3 && strings.HasPrefix(labels[0], "_") && (labels[1] == "_tcp" || labels[1] == "_udp") && labels[2] == "local"
}

// Missing are the questions that are still open: instances of types, what an instance is, where its host is.
func (a *Answers) Missing() []Question {
	var qs []Question
	for _, t := range a.types {
		if !slices.ContainsFunc(a.instances, func(i string) bool { return strings.HasSuffix(strings.ToLower(i), "."+t) }) {
			qs = append(qs, Question{t, dns.TypePTR})
		}
	}
	for _, i := range a.instances {
		key := strings.ToLower(i)
		srv, ok := a.srv[key]
		if !ok {
			qs = append(qs, Question{i, dns.TypeSRV})
		}
		if _, ok := a.txt[key]; !ok {
			qs = append(qs, Question{i, dns.TypeTXT})
		}
		if ok && a.addrs[strings.ToLower(srv.Target)] == nil {
			qs = append(qs, Question{srv.Target, dns.TypeA})
		}
	}
	return qs
}

// Service is one instance of a service.
type Service struct {
	Type     string // "_hap._tcp"
	Instance string // "Bridge 1.2", unescaped
	Host     string // "bridge.local"
	Port     uint16
	Addrs    []netip.Addr
	TXT      []Pair // sorted by key; of keys that come twice the first counts (RFC 6763 §6.4)
}

// Pair is one key of a TXT record, in lower case, and its value.
type Pair struct{ Key, Value string }

// Services lists what was resolved as far as a port, sorted by type and instance.
func (a *Answers) Services() []Service {
	var out []Service
	for _, i := range a.instances {
		srv, ok := a.srv[strings.ToLower(i)]
		labels := dns.SplitDomainName(i)
		if !ok || len(labels) < 4 {
			continue
		}
		n := len(labels)
		out = append(out, Service{
			Type: strings.ToLower(labels[n-3] + "." + labels[n-2]), Instance: unescape(strings.Join(labels[:n-3], ".")),
			Host: strings.TrimSuffix(unescape(srv.Target), "."), Port: srv.Port,
			Addrs: slices.Clone(a.addrs[strings.ToLower(srv.Target)]), TXT: pairs(a.txt[strings.ToLower(i)]),
		})
	}
	slices.SortFunc(out, func(x, y Service) int {
		return cmp.Or(cmp.Compare(x.Type, y.Type), cmp.Compare(x.Instance, y.Instance))
	})
	return out
}

// pairs reads the strings of a TXT record. Keys are printable US-ASCII without "=" (RFC 6763 §6.4).
func pairs(txt []string) []Pair {
	var out []Pair
	for _, s := range txt[:min(len(txt), maxTXT)] {
		key, value, ok := strings.Cut(unescape(s), "=")
		key = strings.ToLower(key)
		bad := func(r rune) bool { return r < '!' || r > '~' }
		if !ok || key == "" || len(key) > maxLabel || strings.ContainsFunc(key, bad) || slices.ContainsFunc(out, func(p Pair) bool { return p.Key == key }) {
			continue
		}
		out = append(out, Pair{key, value})
	}
	slices.SortFunc(out, func(x, y Pair) int { return cmp.Compare(x.Key, y.Key) })
	return out
}

// unescape turns the codec's "\." and "\032" into the bytes that the host sent.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch digits := s[min(i+1, len(s)):min(i+4, len(s))]; {
		case s[i] != '\\' || i+1 == len(s):
			b.WriteByte(s[i])
		case len(digits) == 3 && strings.Trim(digits, "0123456789") == "":
			b.WriteByte((digits[0]-'0')*100 + (digits[1]-'0')*10 + digits[2] - '0')
			i += 3
		default:
			b.WriteByte(s[i+1])
			i++
		}
	}
	return strings.ToValidUTF8(b.String(), "")
}
