package demo

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/audit"
	"github.com/firmward/firmward/httpapi"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/rollout"
)

// batch is a rollout that runs beside the others while the story goes on.
type batch struct {
	device  string // one of them
	version string
	file    string
	text    string // its outcome
	rollout string
	devices []string // all of them
}

// offered is what the bridge's maker brings in one of the nights.
const offered = "1948086000"

// small starts what needs no watching: rollouts of other makers' devices, and a bridge that shall update itself. Their ends are
// told by smallEnd.
func (s *Story) small(ctx context.Context) error {
	for _, b := range []batch{
		{device: "strip-1", version: "0.15.1", file: "WLED_ESP32.bin", text: "both light controllers run 0.15.1: the image was pushed to them"},
		{device: "relay-1", version: "14.4.1", file: "tasmota.bin", text: "both relays run 14.4.1: they fetched the image"},
		{device: "bmc-1", version: "1.46.2", file: "bmc.bin", text: "the server's controller runs 1.46.2: pushed by TLS, to the certificate for which its password was entered"},
		{device: "cam-gate-1", version: "V5.7.15 build 230313", file: "digicap.dav", text: "both cameras at the gate run V5.7.15 build 230313, in the nights for which ward 3 released them"},
	} {
		if err := s.beside(ctx, b); err != nil {
			return fmt.Errorf("%s: %w", b.device, err)
		}
	}
	if err := s.held(ctx); err != nil {
		return err
	}
	return s.auto(ctx)
}

// beside plans and starts a rollout for a device of the lab and all like it. Ward 3 releases its cameras, and ben approves.
func (s *Story) beside(ctx context.Context, b batch) error {
	dev, _ := s.Lab.Device(b.device)
	image, err := dev.Image(b.version)
	if err != nil {
		return err
	}
	known, err := s.device(ctx, b.device)
	if err != nil {
		return err
	}
	rel, err := s.release(ctx, firmward.Release{Family: known.Family, Vendor: known.Vendor, Models: []string{known.Model}, Hardware: []string{known.Hardware}, Version: b.version, FileName: b.file}, image)
	if err != nil {
		return err
	}
	for _, d := range s.Lab.Devices() {
		if f := d.Facts(); f.Model == dev.Facts().Model {
			b.devices = append(b.devices, f.Name)
		}
	}
	if known.Zone == firmward.ZoneClinical {
		if err := s.releaseUntil(ctx, b.devices...); err != nil {
			return err
		}
	}
	p, err := s.Anna.plan(ctx, rel.ID)
	if err != nil {
		return err
	}
	if err := s.Anna.steer(ctx, p.Rollout.ID, "start", ""); err != nil {
		return err
	}
	if known.Zone == firmward.ZoneClinical {
		if _, err := s.Ben.approve(ctx, p.Rollout.ID, "seen"); err != nil {
			return err
		}
	}
	b.rollout = p.Rollout.ID
	s.batches = append(s.batches, b)
	s.tell("anna starts the rollout of %s to %s; it runs beside the others", b.version, strings.Join(b.devices, ", "))
	return nil
}

// held shows that the plant's router is not updated as one of many.
func (s *Story) held(ctx context.Context) error {
	dev, _ := s.Lab.Device("gateway-2")
	image, err := dev.Image("22.03.7")
	if err != nil {
		return err
	}
	known, err := s.device(ctx, "gateway-2")
	if err != nil {
		return err
	}
	rel, err := s.release(ctx, firmward.Release{Family: known.Family, Vendor: "OpenWrt", Models: []string{known.Model}, Hardware: []string{known.Hardware}, Version: "22.03.7", FileName: "sysupgrade.bin"}, image)
	if err != nil {
		return err
	}
	p, err := s.Anna.plan(ctx, rel.ID)
	if err != nil {
		return err
	}
	if err := s.refused(ctx, p, "gateway-2", rollout.RefuseCore, "the plant's router is held back: two controllers stand behind it"); err != nil {
		return err
	}
	return s.Anna.steer(ctx, p.Rollout.ID, "stop", "it waits for the plant's own night")
}

// auto lets the bridge update itself.
func (s *Story) auto(ctx context.Context) error {
	path := "/devices/" + s.ids["hue-1"] + "/auto-updates"
	var before, after httpapi.AutoUpdates
	if err := s.Anna.call(ctx, http.MethodGet, path, nil, &before); err != nil {
		return err
	}
	if err := s.Anna.call(ctx, http.MethodPut, path, httpapi.SetAutoUpdates{On: true}, &after); err != nil {
		return err
	}
	s.outcome(12, !before.On && after.On, "the bridge's own automatic updates were off; anna switches them on, and the bridge says so", fmt.Sprintf("before %v, after %v, at %s", before.On, after.On, after.At))
	dev, _ := s.Lab.Device("hue-1")
	dev.Offer(offered, nil)
	s.tell("(its maker will bring %s in the night)", offered)
	return nil
}

// smallEnd waits for what small began and looks at it.
func (s *Story) smallEnd(ctx context.Context) error {
	for _, b := range s.batches {
		if err := s.ended(ctx, b.rollout); err != nil {
			return err
		}
		var good []string
		for _, name := range b.devices {
			if f := s.truth(name); f.InstalledVersion == b.version && len(f.Flashes) == 1 {
				good = append(good, name)
			}
		}
		s.outcome(12, len(good) > 0 && len(good) == len(b.devices), b.text, or(strings.Join(good, ", "), "none"))
	}
	router := s.truth("gateway-2")
	s.outcome(12, len(router.Flashes) == 0, "gateway-2 was not touched", fmt.Sprintf("flashed %d times", len(router.Flashes)))
	return s.byItself(ctx)
}

// byItself shows that a version that nobody here ordered is told as what it is.
func (s *Story) byItself(ctx context.Context) error {
	if err := s.scan(ctx, Home); err != nil {
		return err
	}
	seen := func() (bool, error) {
		d, err := s.device(ctx, "hue-1")
		return d.Firmware == offered, err
	}
	if _, err := s.until(ctx, 48*time.Hour, seen); err != nil {
		return err
	}
	said, err := s.recorded(ctx, "changed-by-itself", s.ids["hue-1"], func(l audit.Leaf) string { return l.Detail["before"] + " → " + l.Detail["after"] })
	if err != nil {
		return err
	}
	f := s.truth("hue-1")
	installed := slices.ContainsFunc(f.Flashes, func(fl lab.Flash) bool {
		return fl.DeliveryPath == lab.PathVendor && fl.Outcome == lab.OutcomeInstalled
	})
	s.outcome(12, installed && f.InstalledVersion == offered && said != unrecorded, "the bridge updated itself, and the record says that nobody here ordered it", said)
	return nil
}
