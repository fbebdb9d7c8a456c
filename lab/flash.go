package lab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// beginFlash opens a record and returns its index. It needs d.mu.
func (d *Device) beginFlash(path string) int {
	d.flashes = append(d.flashes, Flash{At: d.clock().Now(), Outcome: OutcomeWriting, DeliveryPath: path})
	return len(d.flashes) - 1
}

// judge fills the record of a received file and returns OutcomeWriting if the device takes it, else why not.
// strange says that the device takes it although it is made for another model. It needs d.mu.
func (d *Device) judge(flash int, img receivedImage, err error, allowOlder bool, names ...string) (outcome string, strange bool) {
	f := &d.flashes[flash]
	f.SHA256, f.Version, f.Bytes = img.sum, img.Version, img.bytes
	strange = !img.fits(d.hardware, names...)
	switch {
	case errors.Is(err, errInvalidImage):
		f.Outcome = OutcomeInvalid
	case err != nil:
		f.Outcome = OutcomeDownloadFailed
	case strange && !d.has(FaultWrongModelBricks):
		f.Outcome = OutcomeWrongModel
	case d.kind == "camera" && slices.Contains(img.Flaws, FlawUnsigned):
		f.Outcome = OutcomeUnsigned
	case d.kind == "camera" && slices.Contains(img.Flaws, FlawRevoked):
		f.Outcome = OutcomeRevoked
	case !strange && !allowOlder && older(img.Version, d.version()):
		f.Outcome = OutcomeOlder
	}
	return f.Outcome, strange
}

// cutDuringWrite takes the power away if that fault is set: two slots survive it, one does not. It needs d.mu.
func (d *Device) cutDuringWrite(flash int) bool {
	if !d.use(FaultPowerCut) {
		return false
	}
	d.flashes[flash].Outcome = OutcomePowerCut
	if len(d.slots) == 1 {
		d.bricked = true
	} else {
		d.slots[1-d.active] = slot{}
	}
	d.powerOff()
	d.startBoot(d.bootTime)
	return true
}

// write takes the time that writing needs, and tells whether it was completed. It must be called without d.mu.
func (d *Device) write(ctx context.Context, flash int, takes time.Duration) bool {
	err := d.clock().Wait(ctx, takes/2)
	d.mu.Lock()
	cut := err == nil && ctx.Err() == nil && d.cutDuringWrite(flash)
	d.mu.Unlock()
	if cut {
		return false
	}
	err = d.clock().Wait(ctx, takes/2)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil && ctx.Err() == nil {
		return true
	}
	if d.flashes[flash].Outcome == OutcomeWriting { // the power went for another reason
		d.flashes[flash].Outcome = OutcomePowerCut
		d.bricked = d.bricked || len(d.slots) == 1
	}
	return false
}

// activate puts a judged image into its slot and reboots into it, as far as the faults let it. It needs d.mu.
func (d *Device) activate(img receivedImage, flash int, strange bool) {
	if d.cutDuringWrite(flash) {
		return
	}
	f := &d.flashes[flash]
	f.Version = img.Version
	fresh := slot{
		Slot: Slot{Version: img.Version, ImageSHA256: img.sum}, flaws: img.Flaws,
		deadMain: d.has(FaultDeadService), mute: d.has(FaultSilentAfterUpdate), loses: d.has(FaultLosesOne),
	}
	target := d.active
	if len(d.slots) == 2 {
		target = 1 - d.active
	}
	dark := d.bootTime
	switch {
	case strange:
		f.Outcome, d.bricked = OutcomeBricked, true
		d.slots[target], d.active = fresh, target
	case d.has(FaultOldVersionBack):
		f.Outcome = OutcomeReverted
		if target != d.active {
			d.slots[target] = fresh
		}
	case slices.Contains(img.Flaws, FlawBootLoop) && d.kind != "camera":
		if target == d.active {
			f.Outcome, d.bricked = OutcomeBricked, true
			break
		}
		// The boot loader gives the new slot three tries, then goes back.
		f.Outcome = OutcomeReverted
		d.slots[target] = fresh
		dark *= 4
	default:
		f.Outcome = OutcomeInstalled
		d.slots[target], d.active = fresh, target
	}
	d.reboot(dark)
}

// writeTime is how long the device needs to take in and write n bytes, in house time.
func writeTime(n int64, bytesPerSecond int64) time.Duration {
	return time.Duration(n) * time.Second / time.Duration(bytesPerSecond)
}

// download fetches an image over HTTP and checks it while it comes in.
func (d *Device) download(ctx context.Context, url string) (receivedImage, error) {
	client := &http.Client{Transport: &http.Transport{
		DialContext: d.dial, DisableKeepAlives: true, ResponseHeaderTimeout: d.clock().real(time.Minute),
	}}
	ctx, cancel := context.WithTimeout(ctx, d.clock().real(30*time.Minute))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return receivedImage{}, fmt.Errorf("fetch image: %w", err)
	}
	res, err := client.Do(req)
	if err != nil {
		return receivedImage{}, fmt.Errorf("fetch image: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return receivedImage{}, fmt.Errorf("fetch image: the server says %s", res.Status)
	}
	if res.ContentLength > maxImage {
		return receivedImage{}, fmt.Errorf("fetch image: %d bytes are too many", res.ContentLength)
	}
	return readImage(res.Body)
}
