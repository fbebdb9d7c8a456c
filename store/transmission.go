package store

import (
	"context"
	"net/netip"
	"time"
)

// transmissionsOf bounds the record per address.
const transmissionsOf = 500

// Transmission is the record of one write to a device: what was sent, when and why.
type Transmission struct {
	Device  string // empty when it was not known yet
	Addr    netip.Addr
	At      time.Time
	Network string // "tcp" or "udp"
	Port    uint16
	Purpose string // probe, driver or enforcer
	Bytes   []byte // the first 2048 bytes
	Total   int    // bytes really sent
}

// AddTransmissions adds to the record and forgets all but the newest 500 of each address.
func (t *Tx) AddTransmissions(ctx context.Context, batch []Transmission) error {
	next := make(map[string]int64)
	for _, m := range batch {
		addr := addrText(m.Addr)
		seq, ok := next[addr]
		if !ok {
			if _, err := t.row(ctx, "SELECT COALESCE(MAX(seq), 0) FROM transmission WHERE addr = $1", args(addr), &seq); err != nil {
				return err
			}
		}
		seq++
		next[addr] = seq
		err := t.put(ctx, `INSERT INTO transmission (addr, seq, at, device, network, port, purpose, bytes, total)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			addr, seq, m.At, m.Device, m.Network, m.Port, m.Purpose, m.Bytes[:min(len(m.Bytes), 2048)], m.Total)
		if err != nil {
			return err
		}
	}
	for addr, seq := range next {
		if err := t.put(ctx, "DELETE FROM transmission WHERE addr = $1 AND seq <= $2", addr, seq-transmissionsOf); err != nil {
			return err
		}
	}
	return nil
}

// TransmissionsOf lists what was sent to an address, newest first.
func (r Reader) TransmissionsOf(ctx context.Context, addr netip.Addr, p Page) ([]Transmission, string, error) {
	var f filter
	f.add("addr = ?", addr)
	return page(ctx, r, keyset{columns: []string{"seq"}, desc: true}, p, f, "transmission",
		"device, addr, at, network, port, purpose, bytes, total", func(s scan) (m Transmission, err error) {
			err = s(&m.Device, addrInto{&m.Addr}, timeInto{&m.At}, &m.Network, &m.Port, &m.Purpose, &m.Bytes, &m.Total)
			return m, err
		})
}
