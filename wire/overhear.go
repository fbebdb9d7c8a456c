package wire

import (
	"context"
	"net/netip"

	"github.com/firmward/firmward"
)

// Overhearing is the optional ability to listen to what hosts on the link of a prefix say to everybody on it: ARP, the
// neighbour messages of IPv6 and DHCP clients that ask. Nothing is sent.
//
// Overhear hands over one Ethernet frame after another until ctx ends, which is no error; a frame holds until hear
// returns. A host without an interface in the prefix, and a system that cannot listen, give NotSupported; where only the
// right to listen is missing, the error is also an fs.ErrPermission.
type Overhearing interface {
	Overhear(ctx context.Context, prefix netip.Prefix, hear func(frame []byte)) error
}

// OverhearRate is how many frames Overhear hands over in a second, after a burst of as many. What comes faster is left to
// the kernel, which drops it: a flood costs no more than that.
const OverhearRate = 1000

// Overhear listens at every interface of this host whose own network overlaps with prefix, never in promiscuous mode. It
// needs CAP_NET_RAW on Linux.
func (o *OS) Overhear(ctx context.Context, prefix netip.Prefix, hear func(frame []byte)) error {
	ears, err := overhearers(prefix)
	if err != nil {
		return err
	}
	return overhear(ctx, ears, hear)
}

// Overhear listens inside the namespace, as OS.Overhear does.
func (n *Netns) Overhear(ctx context.Context, prefix netip.Prefix, hear func(frame []byte)) error {
	var ears []ear
	if err := n.Do(func() (err error) {
		ears, err = overhearers(prefix)
		return err
	}); err != nil {
		return err
	}
	return overhear(ctx, ears, hear)
}

// Overhear gives NotSupported, as Neighbors does.
func (m *PortMap) Overhear(context.Context, netip.Prefix, func(frame []byte)) error {
	return firmward.Errorf(firmward.NotSupported, "behind a port map nothing is to be heard")
}

// Overhear passes through: what is heard was not asked for by us.
func (n *guarded) Overhear(ctx context.Context, prefix netip.Prefix, hear func(frame []byte)) error {
	o, ok := n.inner.(Overhearing)
	if !ok {
		return firmward.Errorf(firmward.NotSupported, "this network cannot be listened to")
	}
	return o.Overhear(ctx, prefix, hear)
}
