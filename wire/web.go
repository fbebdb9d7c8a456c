package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/firmward/firmward"
)

const (
	maxRedirects = 3                // how often a server may send on within itself
	webDial      = 15 * time.Second // finding a name included
)

// WebClient returns a client for servers that publish, not for devices: certificates are verified as the system does it,
// names are allowed, connections are kept until CloseIdleConnections. Only hosts ("name:port") are dialled. A redirect is
// followed within the same scheme, host and port only. Compressed bodies are left as they are. Bodies are bounded by who reads.
func WebClient(n Network, hosts []string) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext: dial(onlyHosts{n, hosts}), DisableCompression: true, MaxResponseHeaderBytes: 64 << 10,
			TLSHandshakeTimeout: tlsLimit, ResponseHeaderTimeout: time.Minute, IdleConnTimeout: time.Minute, MaxConnsPerHost: 1,
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			switch from := via[len(via)-1].URL; {
			case req.URL.Scheme != from.Scheme || req.URL.Host != from.Host:
				return firmward.Errorf(firmward.Refused, fmt.Sprintf("it sends on to %s://%s, another host: nothing was asked there", req.URL.Scheme, req.URL.Host))
			case len(via) > maxRedirects:
				return firmward.Errorf(firmward.Refused, "it sends on again and again")
			}
			return nil
		},
	}
}

// onlyHosts dials what was named.
type onlyHosts struct {
	Network
	hosts []string
}

func (n onlyHosts) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if !slices.Contains(n.hosts, address) {
		return nil, firmward.Errorf(firmward.Refused, "nobody named "+address+": it is not asked")
	}
	_, port, err := net.SplitHostPort(address)
	number, err2 := strconv.ParseUint(port, 10, 16)
	if err := errors.Join(err, err2); err != nil {
		return nil, &firmward.Error{Code: firmward.Invalid, Message: address + " is no host with a port", Err: err}
	}
	if NeverPorts(uint16(number)) {
		return nil, firmward.Errorf(firmward.Refused, "port "+port+" is never touched: a byte there may print or move something")
	}
	ctx, cancel := context.WithTimeout(ctx, webDial)
	defer cancel()
	return n.Network.DialContext(ctx, network, address)
}
