package control

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/staging"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/twin"
)

// TwinRun says on which twin a release is rehearsed for which device in use. The twin runs already.
type TwinRun struct {
	Release string
	For     string // the device in use, by name, id or address
	Policy  string // rollout policy whose limits hold; empty: that of the device
	Watch   time.Duration
	Twin    twin.Twin
	Addr    netip.Addr        // where the twin answers
	Say     func(text string) // told each step
}

// TwinFor finds the device for which a release shall be rehearsed on a twin, and the release. It refuses a device that would not get it.
func (c *Control) TwinFor(ctx context.Context, releaseID, ref, policyName string) (firmward.Device, firmward.Release, error) {
	d, rel, _, _, err := c.twinFor(ctx, releaseID, ref, policyName)
	return d, rel, err
}

func (c *Control) twinFor(ctx context.Context, releaseID, ref, policyName string) (d firmward.Device, rel firmward.Release, pol firmward.RolloutPolicy, like []firmward.Device, err error) {
	if d, err = c.find(ctx, ref); err != nil {
		return d, rel, pol, nil, err
	}
	rel, pol, all, err := c.toStage(ctx, releaseID, policyName, firmward.Filter{})
	if err != nil {
		return d, rel, pol, nil, err
	}
	if !slices.ContainsFunc(all, func(other firmward.Device) bool { return other.ID == d.ID }) {
		return d, rel, pol, nil, firmward.Errorf(firmward.Refused, fmt.Sprintf("%s would not get %s: firmward rollout plan %s says why", d.Name, rel.Version, rel.ID))
	}
	return d, rel, pol, all, nil
}

// twinBoots is how long a twin may take until it is found, in real time.
const twinBoots = 2 * time.Minute

// RehearseOnTwin rehearses a release on a twin that was made for this, and gives the verdict. The loops run meanwhile. The twin has a network
// of its own while it lasts; afterwards it is a retired device.
func (c *Control) RehearseOnTwin(ctx context.Context, who firmward.Person, in TwinRun) (v firmward.StagingVerdict, err error) {
	d, rel, pol, all, err := c.twinFor(ctx, in.Release, in.For, in.Policy)
	if err != nil {
		return v, err
	}
	if in.Say == nil {
		in.Say = func(string) {}
	}
	c.addTwin(in.Twin)
	defer c.dropTwin(in.Twin)
	spare, gone, err := c.moveIn(ctx, who, in, d)
	if gone != nil {
		defer func() {
			if left := gone(); err == nil {
				err = left
			}
		}()
	}
	if err != nil {
		return v, err
	}
	began := c.Clock.Now()
	place, err := c.member(ctx, c.Store.Reader, spare, true)
	if err != nil {
		return v, err
	}
	id := ""
	err = c.Store.Tx(ctx, func(tx *store.Tx) error {
		var members []staging.Member
		for _, other := range all {
			if other.Model != d.Model {
				continue
			}
			m, err := c.member(ctx, tx.Reader, other, true)
			if err != nil {
				return err
			}
			members = append(members, m)
		}
		for _, cl := range staging.Clusters(rel, members, []staging.Member{place}) {
			switch {
			case !slices.ContainsFunc(cl.Devices, func(other firmward.Device) bool { return other.ID == d.ID }):
			case cl.By == nil:
				return firmward.Errorf(firmward.Refused, "the twin cannot stand for "+d.Name+": "+cl.Why)
			default:
				cl.By.Like = d.ID
				in.Say(fmt.Sprintf("it stands for %s", devicesText(cl.Devices, d)))
				if id, err = c.rehearse(ctx, tx, firmward.Rollout{Policy: pol, Author: who.Name}, rel, *cl.By, in.Watch); err != nil {
					return err
				}
			}
		}
		if id == "" {
			return firmward.Errorf(firmward.Refused, d.Name+" is in no cluster that gets the release")
		}
		return c.leaf(ctx, tx, who.Name, "staging-twin", rel.ID, map[string]string{"rehearsal": id, "for": d.ID, "twin": spare.ID, "policy": pol.Name})
	})
	if err != nil {
		return v, err
	}
	c.wake(loopStage, loopDeploy)
	if v, err = c.awaitVerdict(ctx, id, rel, spare, began, in.Say); err != nil {
		err = errors.Join(err, c.giveUp(context.WithoutCancel(ctx), id, "the rehearsal was cut off"))
	}
	return v, err
}

// devicesText names a device and counts those like it.
func devicesText(all []firmward.Device, d firmward.Device) string {
	switch n := len(all) - 1; n {
	case 0:
		return d.Name
	case 1:
		return d.Name + " and 1 device like it"
	default:
		return fmt.Sprintf("%s and %d devices like it", d.Name, n)
	}
}

// moveIn gives a twin its network, finds it and makes it a spare. gone takes that back.
func (c *Control) moveIn(ctx context.Context, who firmward.Person, in TwinRun, like firmward.Device) (spare firmward.Device, gone func() error, err error) {
	at := netip.PrefixFrom(in.Addr, in.Addr.BitLen())
	real, err := c.networkOf(ctx, like)
	if err != nil {
		return spare, nil, err
	}
	_, err = c.NameNetwork(ctx, who, AddNetwork{Prefix: at, Site: like.Site, Profile: real.Profile, Owned: true})
	if err != nil && firmward.CodeOf(err) != firmward.Conflict { // one that was cut off may have left it
		return spare, nil, err
	}
	yes, no := true, false
	gone = func() error {
		ctx := context.WithoutCancel(ctx)
		left, err := c.deviceAt(ctx, like.Site, in.Addr)
		if err == nil {
			_, err = c.SetDevice(ctx, who, left.ID, DeviceFacts{Spare: &no, Retired: &yes})
		}
		if err != nil && firmward.CodeOf(err) != firmward.NotFound {
			return fmt.Errorf("retire the twin: %w", err)
		}
		return c.RemoveNetwork(ctx, who, at)
	}
	in.Say("waiting until it answers")
	until, began := time.Now().Add(twinBoots), c.Clock.Now()
	for spare.ID == "" {
		found, err := c.lookFor(ctx, who, at, like.Site)
		switch {
		case err != nil:
			return spare, gone, err
		case found.Firmware == like.Firmware && !found.LastSeen.Before(began): // an earlier twin had the same hardware address
			spare = found
		case time.Now().After(until):
			return spare, gone, firmward.Errorf(firmward.Unavailable, "the twin does not answer")
		}
	}
	name := "twin of " + like.Name
	spare, err = c.SetDevice(ctx, who, spare.ID, DeviceFacts{Name: &name, Spare: &yes, Retired: &no})
	return spare, gone, err
}

// lookFor scans for one address and gives the device there; none is no error.
func (c *Control) lookFor(ctx context.Context, who firmward.Person, at netip.Prefix, site string) (d firmward.Device, err error) {
	scan, err := c.StartScan(ctx, who, at)
	for err == nil && scan.Ended.IsZero() {
		select {
		case <-ctx.Done():
			return d, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
		scan, err = c.ScanByID(scan.ID)
	}
	if err != nil {
		return d, err
	}
	if d, err = c.deviceAt(ctx, site, at.Addr()); firmward.CodeOf(err) == firmward.NotFound {
		err = nil
	}
	return d, err
}

// phaseText says what happens in a phase of a rehearsal.
var phaseText = map[firmward.RehearsalPhase]string{
	firmward.RehearseMirror: "it takes over the configuration", firmward.RehearseBefore: "the test pack sees it as it is", firmward.RehearseUpdate: "the engine brings the release, and watches",
	firmward.RehearseAfter: "the test pack runs again", firmward.RehearsePower: "its power is cut", firmward.RehearseBack: "it goes back", firmward.RehearseFlash: "its power is cut while it writes the image",
	firmward.RehearseForward: "the engine brings the release once more",
}

// awaitVerdict tells the phases of a rehearsal, and what the engine says of the spare, until its verdict is there.
func (c *Control) awaitVerdict(ctx context.Context, id string, rel firmward.Release, spare firmward.Device, began time.Time, say func(string)) (v firmward.StagingVerdict, err error) {
	told, why := firmward.RehearsalPhase(""), "rehearsal" // what a target says that nobody has looked at
	for {
		h, err := c.Store.Rehearsal(ctx, id)
		if err != nil {
			return v, err
		}
		if h.Phase != told && phaseText[h.Phase] != "" {
			say(phaseText[h.Phase])
		}
		if told = h.Phase; told == firmward.RehearseDone {
			break
		}
		run := map[firmward.RehearsalPhase]string{firmward.RehearseUpdate: id, firmward.RehearseForward: again(h)}[told]
		if t, err := c.Store.Target(ctx, run, spare.ID); run != "" && err == nil && t.Why != why {
			why = t.Why
			say("  " + why)
		}
		select {
		case <-ctx.Done():
			return v, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
	all, err := c.Store.StagingsOf(ctx, rel.SHA256)
	if err != nil {
		return v, err
	}
	for _, other := range all {
		if other.SpareID == spare.ID && !other.At.Before(began.Truncate(time.Second)) {
			return other, nil
		}
	}
	return v, firmward.Errorf(firmward.Internal, "the rehearsal "+id+" ended without a verdict")
}

// addTwin lets a place be found by its prefix; dropTwin takes that back.
func (c *Control) addTwin(t twin.Twin) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made = append(c.made, t)
}

func (c *Control) dropTwin(t twin.Twin) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made = slices.DeleteFunc(c.made, func(other twin.Twin) bool { return other == t })
}

// twins are all places beside the ordinary networks.
func (c *Control) twins() []twin.Twin {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append(slices.Clone(c.Twins), c.made...)
}
