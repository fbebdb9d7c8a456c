package control

import (
	"context"
	"slices"
	"strings"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

// merge makes two devices one in a transaction. What people said of the one that goes is kept where nobody
// said anything else of the one that stays. The identity of the latter is to be worked out anew.
func (c *Control) merge(ctx context.Context, tx *store.Tx, into, from, why string, change store.Change) error {
	a, err := tx.Identity(ctx, into)
	if err != nil {
		return err
	}
	b, err := tx.Identity(ctx, from)
	if err != nil {
		return err
	}
	if err := tx.MergeDevices(ctx, into, from, why, change); err != nil {
		return err
	}
	claims := a.Claims
	for _, cl := range b.Claims {
		if said(cl) && !slices.ContainsFunc(a.Claims, func(have firmward.Claim) bool { return said(have) && have.Field == cl.Field }) {
			claims = append(claims, cl)
		}
	}
	if err := tx.PutIdentity(ctx, into, firmward.Identity{Claims: claims}); err != nil {
		return err
	}
	if err := c.leaf(ctx, tx, change.Actor, "device-merge", into, map[string]string{"from": from, "why": why}); err != nil {
		return err
	}
	return c.emit(ctx, tx, "device", into, "two devices are one: "+why)
}

// MergeDevices is a person's word that two entries of the inventory are one device. It can be taken back: see SplitDevice.
func (c *Control) MergeDevices(ctx context.Context, who firmward.Person, intoRef, fromRef, why string) (firmward.Device, error) {
	into, err := c.find(ctx, intoRef)
	if err != nil {
		return into, err
	}
	from, err := c.find(ctx, fromRef)
	if err != nil {
		return into, err
	}
	if why == "" {
		return into, firmward.Errorf(firmward.Invalid, "say why they are one device (--why)")
	}
	change := store.Change{Actor: who.Name, Source: "person:" + who.Name, At: c.Clock.Now()}
	err = c.Store.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.Together(ctx, into.ID, from.ID); err != nil { // who splits may join again
			return err
		}
		if err := c.merge(ctx, tx, into.ID, from.ID, why, change); err != nil {
			return err
		}
		_, err := c.reidentify(ctx, tx, into.ID, change)
		return err
	})
	if err != nil {
		return into, err
	}
	c.touch(into.ID)
	return c.Store.Device(ctx, into.ID)
}

// SplitDevice takes a merge back, a rule's or a person's: part is the id of the device that was merged away, or empty when there
// is just one. Both identities are worked out anew, and the two are kept apart from then on. It gives the
// device that is there again.
func (c *Control) SplitDevice(ctx context.Context, who firmward.Person, ref, part, why string) (firmward.Device, error) {
	whole, err := c.find(ctx, ref)
	if err != nil {
		return whole, err
	}
	if why == "" {
		return whole, firmward.Errorf(firmward.Invalid, "say why they are two devices (--why)")
	}
	merges, err := c.Store.MergesOf(ctx, whole.ID)
	if err != nil {
		return whole, err
	}
	if part == "" && len(merges) == 1 {
		part = merges[0].From
	}
	if !slices.ContainsFunc(merges, func(m store.Merge) bool { return m.From == part }) {
		return whole, notAPart(whole, part, merges)
	}
	change := store.Change{Actor: who.Name, Source: "person:" + who.Name, At: c.Clock.Now()}
	err = c.Store.Tx(ctx, func(tx *store.Tx) error {
		m, err := tx.UnmergeDevice(ctx, part, change)
		if err != nil {
			return err
		}
		rest, err := tx.Identity(ctx, whole.ID)
		if err != nil {
			return err
		}
		rest.Claims = slices.DeleteFunc(rest.Claims, func(cl firmward.Claim) bool {
			return said(cl) && slices.Contains(m.Identity.Claims, cl)
		})
		if err := tx.PutIdentity(ctx, whole.ID, rest); err != nil {
			return err
		}
		for _, id := range []string{whole.ID, part} {
			if _, err := c.reidentify(ctx, tx, id, change); err != nil {
				return err
			}
		}
		if err := c.leaf(ctx, tx, who.Name, "device-split", whole.ID, map[string]string{"part": part, "why": why}); err != nil {
			return err
		}
		return c.emit(ctx, tx, "device", whole.ID, who.Name+": two devices, not one: "+why)
	})
	if err != nil {
		return whole, err
	}
	c.touch(whole.ID, part)
	return c.Store.Device(ctx, part)
}

func notAPart(d firmward.Device, part string, merges []store.Merge) error {
	if len(merges) == 0 {
		return firmward.Errorf(firmward.Conflict, d.Name+" was never merged with another device: there is nothing to split")
	}
	var text strings.Builder
	text.WriteString(d.Name + " holds")
	for i, m := range merges {
		if i > 0 {
			text.WriteString(" and")
		}
		text.WriteString(" " + m.From + " (" + m.Device.Name + ", " + m.Why + ")")
	}
	if part == "" {
		return firmward.Errorf(firmward.Invalid, text.String()+": name the one to split off")
	}
	return firmward.Errorf(firmward.NotFound, part+" is no part of it; "+text.String())
}
