package vm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/firmward/firmward/wire/netns"
)

// The segment in which a machine stands: nothing but the machine and its stand-ins.
var (
	prefix  = netip.MustParsePrefix("198.18.77.0/24") // of the range for tests of network devices (RFC 2544): no site has it
	gateway = netip.MustParseAddr("198.18.77.1")      // the stand-ins
	address = netip.MustParseAddr("198.18.77.2")      // the machine
)

// tap is the machine's end of the segment.
const tap = "tap0"

// wall keeps the machine in. No wire leads out of the namespace, so this rule stops nothing that could get anywhere: it tells whom the
// machine tried to reach. The set is bounded; what does not fit is counted.
const wall = `table inet twin {
	set tried { type ipv4_addr . inet_proto . inet_service; size 256; flags dynamic; }
	set other { type ipv4_addr . inet_proto; size 64; flags dynamic; }
	counter tried { }
	chain out {
		type filter hook prerouting priority raw; policy accept;
		iifname != "tap0" accept
		meta nfproto ipv6 drop
		ip daddr { 198.18.77.0/24, 255.255.255.255, 224.0.0.0/4 } accept
		counter name tried
		meta l4proto { tcp, udp } add @tried { ip daddr . meta l4proto . th dport } limit rate 10/second log prefix "firmward-twin " drop
		meta l4proto { tcp, udp } drop
		add @other { ip daddr . meta l4proto } drop
		drop
	}
	chain on {
		type filter hook forward priority filter; policy drop;
	}
}
`

// newSegment makes the namespace with its wall and the machine's end of it.
func newSegment(ctx context.Context, nft string) (*netns.Space, error) {
	s, err := netns.New(ctx, "twin")
	if err != nil {
		return nil, err
	}
	for _, args := range [][]string{
		{"tuntap", "add", "dev", tap, "mode", "tap"},
		{"addr", "add", gateway.String() + "/" + strconv.Itoa(prefix.Bits()), "dev", tap},
		{"link", "set", tap, "up"},
		{"route", "add", "255.255.255.255/32", "dev", tap}, // offers of addresses go to everybody
	} {
		if err == nil {
			err = s.IP(ctx, args...)
		}
	}
	if err == nil {
		_, err = inside(ctx, s, wall, nft, "-f", "-")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make the twin's segment: %w", err), s.Remove())
	}
	return s, nil
}

// inside runs a program within the namespace.
func inside(ctx context.Context, s *netns.Space, stdin, program string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	ip, err := netns.Program("ip", "iproute2")
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, ip, append([]string{"netns", "exec", s.Name, program}, args...)...)
	var out, said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &said
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", program, err, strings.TrimSpace(said.String()))
	}
	return out.Bytes(), nil
}

// tried reads whom the machine tried to reach.
func tried(ctx context.Context, s *netns.Space, nft string) (whom []string, more int, err error) {
	packets := 0
	for _, set := range [...]string{"tried", "other"} {
		b, err := inside(ctx, s, "", nft, "-j", "-n", "list", "set", "inet", "twin", set)
		if err != nil {
			return nil, 0, err
		}
		some, err := readSet(b)
		if err != nil {
			return nil, 0, err
		}
		whom = append(whom, some...)
	}
	b, err := inside(ctx, s, "", nft, "-j", "list", "counter", "inet", "twin", "tried")
	if err == nil {
		packets, err = readCounter(b)
	}
	slices.Sort(whom)
	return whom, packets, err
}

// readSet reads the elements of a set as nft prints them: lists of an address, a protocol and, where there is one, a port.
func readSet(b []byte) ([]string, error) {
	var said struct {
		Nftables []struct {
			Set *struct {
				Elem []json.RawMessage `json:"elem"`
			} `json:"set"`
		} `json:"nftables"`
	}
	if err := json.Unmarshal(b, &said); err != nil {
		return nil, fmt.Errorf("read whom the twin tried to reach: %w", err)
	}
	var out []string
	for _, part := range said.Nftables {
		if part.Set == nil {
			continue
		}
		for _, raw := range part.Set.Elem {
			var wrapped struct {
				Elem struct {
					Val json.RawMessage `json:"val"`
				} `json:"elem"`
			}
			if json.Unmarshal(raw, &wrapped) == nil && wrapped.Elem.Val != nil {
				raw = wrapped.Elem.Val
			}
			var e struct {
				Concat []any `json:"concat"`
			}
			if err := json.Unmarshal(raw, &e); err != nil || len(e.Concat) < 2 {
				return nil, fmt.Errorf("read whom the twin tried to reach: %s is no address with a protocol", raw)
			}
			words := make([]string, len(e.Concat))
			for i, v := range e.Concat {
				words[i] = fmt.Sprint(v)
			}
			words[1] = protocol(words[1])
			out = append(out, strings.Join(words, " "))
		}
	}
	return out, nil
}

func protocol(number string) string {
	switch number {
	case "6":
		return "tcp"
	case "17":
		return "udp"
	case "1":
		return "icmp"
	}
	return number
}

func readCounter(b []byte) (int, error) {
	var said struct {
		Nftables []struct {
			Counter *struct {
				Packets int `json:"packets"`
			} `json:"counter"`
		} `json:"nftables"`
	}
	if err := json.Unmarshal(b, &said); err != nil {
		return 0, fmt.Errorf("read how much the twin tried: %w", err)
	}
	for _, part := range said.Nftables {
		if part.Counter != nil {
			return part.Counter.Packets, nil
		}
	}
	return 0, errors.New("read how much the twin tried: nft names no counter")
}
