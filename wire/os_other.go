//go:build !linux

package wire

import (
	"context"
	"net"
	"net/netip"

	"github.com/firmward/firmward"
)

func inNamespace(string, func() error) error {
	return firmward.Errorf(firmward.NotSupported, "only Linux has network namespaces")
}

func neighbors(context.Context, netip.Prefix) (map[netip.Addr]net.HardwareAddr, error) {
	return nil, firmward.Errorf(firmward.NotSupported, "this system's neighbour table cannot be read: only Linux's can")
}

func sweep(context.Context, netip.Prefix) (map[netip.Addr]net.HardwareAddr, error) {
	return nil, firmward.Errorf(firmward.NotSupported, "only Linux can be asked to sweep by ARP")
}

type ear struct{}

func overhearers(netip.Prefix) ([]ear, error) {
	return nil, firmward.Errorf(firmward.NotSupported, "only Linux can be asked to listen to ARP and DHCP")
}

func overhear(context.Context, []ear, func([]byte)) error { return nil }
