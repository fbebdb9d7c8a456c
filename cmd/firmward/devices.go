package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"

	"github.com/firmward/firmward/httpapi"
)

// DevicesCmd is about the inventory.
type DevicesCmd struct {
	List   DevicesListCmd   `cmd:"" default:"withargs" help:"List devices."`
	Add    DevicesAddCmd    `cmd:"" help:"Add a device that no scan finds."`
	Set    DevicesSetCmd    `cmd:"" help:"Say something about a device."`
	Import DevicesImportCmd `cmd:"" help:"Import an inventory as CSV."`
	Merge  DevicesMergeCmd  `cmd:"" help:"Say that two entries are one device."`
	Split  DevicesSplitCmd  `cmd:"" help:"Say that one entry is two devices: take a merge back."`
	Link   DevicesLinkCmd   `cmd:"" help:"Say on which other device one depends."`

	AutoUpdates DevicesAutoUpdatesCmd `cmd:"" help:"Ask whether a device updates itself, or switch that."`
	SavedConfig DevicesSavedConfigCmd `cmd:"" help:"Take out the configuration that was saved before an update wiped it."`
}

// DevicesListCmd lists devices.
type DevicesListCmd struct {
	Listing
	Site    string `help:"Only of this site." placeholder:"NAME"`
	Class   string `help:"Only of this class." placeholder:"camera"`
	Vendor  string `help:"Only of this vendor." placeholder:"VENDOR"`
	Model   string `help:"Only of this model." placeholder:"MODEL"`
	Owner   string `help:"Only of this owner." placeholder:"NAME"`
	Find    string `help:"Part of name, vendor, model or serial." placeholder:"TEXT"`
	Spare   bool   `help:"Only spares."`
	Retired bool   `help:"Retired ones too."`
}

// Help gives examples.
func (DevicesListCmd) Help() string {
	return examples("firmward devices", "firmward devices --class camera --site clinic", "firmward devices list --json --limit 0")
}

// Run carries it out.
func (c *DevicesListCmd) Run(ctx context.Context, a *app) error {
	if err := siteKnown(ctx, a, c.Site); err != nil {
		return err
	}
	q := values("site", c.Site, "class", c.Class, "vendor", c.Vendor, "model", c.Model, "owner", c.Owner, "text", c.Find)
	if c.Spare {
		q.Set("spare", "true")
	}
	if !c.Retired {
		q.Set("retired", "false")
	}
	return listSorted(ctx, a, "/devices", q, c.Limit, []string{"NAME", "SITE", "ADDRESS", "CLASS", "FIRMWARE", "VENDOR AND MODEL"}, func(d httpapi.Device) []string {
		addr := "none"
		if len(d.Addresses) > 0 {
			addr = d.Addresses[0]
		}
		what := vendorModel(d.Vendor, d.Model)
		if d.Retired {
			what += " (retired)"
		}
		return []string{d.Name, d.Site, addr, string(d.Class), known(d.Firmware), what}
	}, byPlace)
}

// byPlace orders devices by site, address and name; those without an address come last in their site.
func byPlace(x, y httpapi.Device) int {
	return cmp.Or(cmp.Compare(x.Site, y.Site), cmp.Compare(min(len(y.Addresses), 1), min(len(x.Addresses), 1)),
		firstAddr(x).Compare(firstAddr(y)), cmp.Compare(x.Name, y.Name))
}

func firstAddr(d httpapi.Device) netip.Addr {
	if len(d.Addresses) == 0 {
		return netip.Addr{}
	}
	addr, _ := netip.ParseAddr(d.Addresses[0]) // else the zero address, which sorts first
	return addr
}

// Facts are what a person may say of a device.
type Facts struct {
	Vendor       *string `help:"Vendor." placeholder:"VENDOR"`
	Model        *string `help:"Model, exactly as the vendor writes it." placeholder:"MODEL"`
	Hardware     *string `help:"Hardware revision." placeholder:"REVISION"`
	Serial       *string `help:"Serial number."`
	Firmware     *string `help:"Firmware version."`
	Variant      *string `help:"Which of the vendor's builds for the model it runs: region, feature set." placeholder:"VARIANT"`
	Class        *string `help:"What it is for: camera, printer, infusion-pump, …"`
	MAC          *string `help:"MAC address." name:"mac"`
	Owner        *string `help:"Who answers for it." placeholder:"NAME"`
	Function     *string `help:"What it does, in the owner's words."`
	Location     *string `help:"Where it stands."`
	Criticality  *int    `help:"1 (spare) to 5 (life or plant depends on it)."`
	Updates      *string `help:"auto: as its policy says; ask: each time only while its owner has released it; never: none." placeholder:"auto|ask|never"`
	Spare        *bool   `help:"It may be used for staging." negatable:""`
	NeverContain *bool   `help:"It must never be cut off." negatable:""`
	Exposed      *bool   `help:"It is reachable from the internet." negatable:""`

	Part map[string]string `help:"Version of a part beside the firmware; may be repeated. An empty one takes back what was said." placeholder:"bootloader=VERSION"`
}

func (f Facts) body() httpapi.DeviceFacts {
	return httpapi.DeviceFacts{
		Vendor: f.Vendor, Model: f.Model, Hardware: f.Hardware, Serial: f.Serial, Firmware: f.Firmware, Variant: f.Variant, Parts: f.Part, Class: f.Class, MAC: f.MAC, Owner: f.Owner,
		Function: f.Function, Location: f.Location, Criticality: f.Criticality, Updates: f.Updates, Spare: f.Spare, NeverContain: f.NeverContain, Exposed: f.Exposed,
	}
}

// DevicesAddCmd adds a device by hand.
type DevicesAddCmd struct {
	Name    string  `arg:"" help:"What people call it."`
	Site    *string `help:"Where it is: a known site (firmward sites). An address in a named network says it too, and the only site need not be named." placeholder:"NAME"`
	Address *string `help:"Its address, when it has one." placeholder:"IP"`
	Facts
}

// Help gives examples.
func (DevicesAddCmd) Help() string {
	return examples(`firmward devices add "Storage box" --site home --vendor D-Link \`, "    --model DNS-320L --firmware 1.11",
		"firmward devices add pump-7 --address 10.40.0.51 --class infusion-pump")
}

// Run carries it out.
func (c *DevicesAddCmd) Run(ctx context.Context, a *app) error {
	in := c.body()
	in.Name, in.Site, in.Address = &c.Name, c.Site, c.Address
	var d httpapi.Device
	if err := a.client.post(ctx, "/devices", in, &d); err != nil {
		return err
	}
	return a.say(d, fmt.Sprintf("%s is in the inventory of %s as %s. Now: firmward device %s", d.Name, d.Site, d.ID, d.ID))
}

// DevicesSetCmd says something about a device.
type DevicesSetCmd struct {
	Ref  string  `arg:"" help:"Id, name, address, serial number or MAC address."`
	Name *string `help:"What people call it."`
	Facts
	Retired      *bool   `help:"It is no longer in use." negatable:""`
	ReleasedFrom *string `help:"The owner allows touching it from this time on." placeholder:"TIME"`
	ReleasedTo   *string `help:"… until this time." placeholder:"TIME"`
}

// Help gives examples.
func (DevicesSetCmd) Help() string {
	return examples("firmward devices set cam-1 --owner Anna --criticality 3", "firmward devices set 192.168.1.17 --no-spare",
		"firmward devices set gateway --part bootloader=6.49.10",
		"firmward devices set pump-7 --released-from 2027-03-01T01:00:00Z \\", "    --released-to 2027-03-01T05:00:00Z")
}

// Run carries it out.
func (c *DevicesSetCmd) Run(ctx context.Context, a *app) error {
	in := c.body()
	in.Name, in.Retired = c.Name, c.Retired
	if (c.ReleasedFrom == nil) != (c.ReleasedTo == nil) {
		return usageError("--released-from and --released-to go together")
	}
	if c.ReleasedFrom != nil {
		from, err := dayOrTime(*c.ReleasedFrom)
		if err != nil {
			return err
		}
		to, err := dayOrTime(*c.ReleasedTo)
		if err != nil {
			return err
		}
		in.Released = &httpapi.Span{From: from, To: to}
	}
	var d httpapi.Device
	if err := a.client.do(ctx, call{method: http.MethodPatch, path: "/devices/" + url.PathEscape(c.Ref), in: in, out: &d}); err != nil {
		return err
	}
	return a.say(d, d.Name+" is changed.")
}

// DevicesImportCmd imports an inventory.
type DevicesImportCmd struct {
	File string `arg:"" type:"existingfile" help:"CSV file with a header line."`
}

// Help gives examples.
func (DevicesImportCmd) Help() string {
	return "Columns: address, mac, serial, name, site, vendor, model, hardware, firmware, class, owner, function, location, criticality, spare. " +
		"A row that names a known device adds to it. One bad row fails the whole file.\n\n" + examples("firmward devices import inventory.csv")
}

// Run carries it out.
func (c *DevicesImportCmd) Run(ctx context.Context, a *app) error {
	f, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer f.Close()
	var done httpapi.Imported
	if err := a.client.do(ctx, call{
		method: http.MethodPost, path: "/devices/import", query: values("name", filepath.Base(c.File)), body: f, bodyType: "text/csv", out: &done,
	}); err != nil {
		return err
	}
	return a.say(done, fmt.Sprintf("%s added, %d changed.", plural(done.Added, "device", "devices"), done.Changed))
}

// DevicesMergeCmd joins two entries.
type DevicesMergeCmd struct {
	Ref   string `arg:"" help:"The entry that stays: id, name, address, serial number or MAC address."`
	Other string `arg:"" help:"The entry that becomes part of it."`
	Why   string `help:"How it is known." required:""`
}

// Help gives examples.
func (DevicesMergeCmd) Help() string {
	return examples(`firmward devices merge cam-1 "Door camera" --why "same sticker"`)
}

// Run carries it out.
func (c *DevicesMergeCmd) Run(ctx context.Context, a *app) error {
	var d httpapi.Device
	if err := a.client.post(ctx, "/devices/"+url.PathEscape(c.Ref)+"/merge", httpapi.MergeBody{Device: c.Other, Why: c.Why}, &d); err != nil {
		return err
	}
	return a.say(d, fmt.Sprintf("%s and %s are one device now, %s. Take it back: firmward devices split %s", d.Name, c.Other, d.ID, d.ID))
}

// DevicesSplitCmd takes a merge back.
type DevicesSplitCmd struct {
	Ref  string `arg:"" help:"The entry that is two devices: id, name, address, serial number or MAC address."`
	Part string `arg:"" optional:"" help:"Id of the device that was merged away, as 'firmward device REF' shows it; may be left out when there is one only."`
	Why  string `help:"How it is known." required:""`
}

// Help gives examples.
func (DevicesSplitCmd) Help() string {
	return examples(`firmward devices split cam-1 --why "one cloned serial number"`)
}

// Run carries it out.
func (c *DevicesSplitCmd) Run(ctx context.Context, a *app) error {
	var d httpapi.Device
	if err := a.client.post(ctx, "/devices/"+url.PathEscape(c.Ref)+"/split", httpapi.SplitBody{Part: c.Part, Why: c.Why}, &d); err != nil {
		return err
	}
	return a.say(d, fmt.Sprintf("%s is a device of its own again, %s, and stays one: no evidence joins the two any more.", d.Name, d.ID))
}
