package httpapi

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/store"
)

// Device is one row of the inventory. What is not known is empty or absent.
type Device struct {
	ID           string           `json:"id"`
	Name         string           `json:"name"`
	Site         string           `json:"site"`
	Network      string           `json:"network,omitempty"`
	Zone         firmward.Zone    `json:"zone"`
	Class        firmward.Class   `json:"class"`
	Family       string           `json:"family,omitempty"`
	Vendor       string           `json:"vendor,omitempty"`
	Model        string           `json:"model,omitempty"`
	Hardware     string           `json:"hardware,omitempty"`
	Serial       string           `json:"serial,omitempty"`
	Firmware     string           `json:"firmware,omitempty"`
	Addresses    []string         `json:"addresses"`
	MACs         []string         `json:"macs"`
	Origin       firmward.Origin  `json:"origin" enum:"seen,by-hand,imported"`
	Owner        string           `json:"owner,omitempty"`
	Function     string           `json:"function,omitempty"`
	Criticality  int              `json:"criticality,omitempty" doc:"1 (spare) to 5 (life or plant depends on it)"`
	Location     string           `json:"location,omitempty"`
	Spare        bool             `json:"spare"`
	Lab          bool             `json:"lab"`
	NeverContain bool             `json:"neverContain"`
	Exposed      bool             `json:"exposed" doc:"reachable from the internet, as far as known"`
	Retired      bool             `json:"retired"`
	Updates      firmward.Updates `json:"updates,omitempty" enum:"ask,never" doc:"absent: as its policy says; ask: each time only while its owner has released it; never: none"`
	Released     *Span            `json:"released,omitempty" doc:"the owner allows touching it in this time"`
	FirstSeen    time.Time        `json:"firstSeen,omitzero"`
	LastSeen     time.Time        `json:"lastSeen,omitzero"`
}

// Span is a half-open stretch of time.
type Span struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

func deviceOf(d firmward.Device) Device {
	out := Device{
		ID: d.ID, Name: d.Name, Site: d.Site, Network: d.Network, Zone: d.Zone, Class: d.Class, Family: d.Family, Vendor: d.Vendor,
		Model: d.Model, Hardware: d.Hardware, Serial: d.Serial, Firmware: d.Firmware, Addresses: each(d.Addrs, netip.Addr.String),
		MACs: list(d.MACs), Origin: d.Origin, Owner: d.Owner, Function: d.Function, Criticality: d.Criticality, Location: d.Location,
		Spare: d.Spare, Lab: d.Lab, NeverContain: d.NeverContain, Exposed: d.Exposed, Retired: d.Retired, Updates: d.Updates, FirstSeen: d.FirstSeen, LastSeen: d.LastSeen,
	}
	if !d.Released.To.IsZero() {
		out.Released = &Span{d.Released.From, d.Released.To}
	}
	return out
}

// DeviceFacts is what a person says about a device. Absent members are left as they are.
type DeviceFacts struct {
	Name         *string `json:"name,omitempty"`
	Site         *string `json:"site,omitempty" doc:"only for a new device"`
	Address      *string `json:"address,omitempty" doc:"only for a new device"`
	MAC          *string `json:"mac,omitempty"`
	Vendor       *string `json:"vendor,omitempty"`
	Model        *string `json:"model,omitempty"`
	Hardware     *string `json:"hardware,omitempty"`
	Serial       *string `json:"serial,omitempty"`
	Firmware     *string `json:"firmware,omitempty"`
	Variant      *string `json:"variant,omitempty" doc:"which of the vendor's builds for the model it runs"`
	Class        *string `json:"class,omitempty"`
	Owner        *string `json:"owner,omitempty"`
	Function     *string `json:"function,omitempty"`
	Location     *string `json:"location,omitempty"`
	Criticality  *int    `json:"criticality,omitempty"`
	Updates      *string `json:"updates,omitempty" enum:"auto,ask,never" doc:"auto: as its policy says; ask: each time only while its owner has released it; never: none"`
	Spare        *bool   `json:"spare,omitempty"`
	NeverContain *bool   `json:"neverContain,omitempty"`
	Exposed      *bool   `json:"exposed,omitempty"`
	Retired      *bool   `json:"retired,omitempty"`
	Released     *Span   `json:"released,omitempty"`

	Parts map[string]string `json:"parts,omitempty" doc:"versions of parts beside the firmware, such as bootloader; an empty one takes back what was said"`
}

func (f DeviceFacts) facts() (control.DeviceFacts, error) {
	out := control.DeviceFacts{
		Name: f.Name, Vendor: f.Vendor, Model: f.Model, Hardware: f.Hardware, Serial: f.Serial, Firmware: f.Firmware, Class: f.Class,
		Variant: f.Variant, Parts: f.Parts, MAC: f.MAC, Owner: f.Owner, Function: f.Function, Location: f.Location, Criticality: f.Criticality, Updates: f.Updates, Spare: f.Spare,
		NeverContain: f.NeverContain, Exposed: f.Exposed, Retired: f.Retired, Site: f.Site,
	}
	if f.Address != nil {
		addr, err := netip.ParseAddr(*f.Address)
		if err != nil {
			return out, invalid(*f.Address + " is not an address")
		}
		out.Addr = &addr
	}
	if f.Released != nil {
		out.Released = &firmward.Span{From: f.Released.From, To: f.Released.To}
	}
	return out, nil
}

// DevicesInput filters the inventory.
type DevicesInput struct {
	PageInput
	Site    string         `query:"site"`
	Network string         `query:"network"`
	Zone    firmward.Zone  `query:"zone"`
	Class   firmward.Class `query:"class"`
	Family  string         `query:"family"`
	Vendor  string         `query:"vendor"`
	Model   string         `query:"model"`
	Owner   string         `query:"owner"`
	Text    string         `query:"text" doc:"part of name, vendor, model or serial"`
	Spare   string         `query:"spare" enum:"true,false"`
	Retired string         `query:"retired" enum:"true,false"`
}

// Ref names a device by id, name, address, serial number or MAC address.
type Ref struct {
	Ref string `path:"ref" doc:"id, name, address, serial number or MAC address"`
}

// Imported tells what an inventory file changed.
type Imported struct {
	Added   int `json:"added"`
	Changed int `json:"changed"`
}

func (a *API) deviceRoutes() {
	serve(a, spec{method: http.MethodGet, path: "/devices", id: "list-devices", role: firmward.Viewer, tag: "Devices", summary: "List devices"},
		func(ctx context.Context, in *DevicesInput) (Page[Device], error) {
			l, next, err := a.Store.Devices(ctx, store.DeviceFilter{
				Site: in.Site, Network: in.Network, Zone: in.Zone, Class: in.Class, Family: in.Family, Vendor: in.Vendor, Model: in.Model,
				Owner: in.Owner, Text: in.Text, Spare: tri(in.Spare), Retired: tri(in.Retired),
			}, in.page())
			return pageOf(l, next, err, deviceOf)
		})
	serve(a, spec{
		method: http.MethodPost, path: "/devices", id: "add-device", role: firmward.Operator, tag: "Devices", summary: "Add a device by hand", status: http.StatusCreated,
		doc: "For a device that no scan finds. It gets findings and a next step like every other.",
	}, func(ctx context.Context, in *struct{ Body DeviceFacts }) (Device, error) {
		f, err := in.Body.facts()
		if err != nil {
			return Device{}, err
		}
		d, err := a.Control.AddDevice(ctx, person(ctx), f)
		return deviceOf(d), err
	})
	serve(a, spec{method: http.MethodPatch, path: "/devices/{ref}", id: "set-device", role: firmward.Operator, tag: "Devices", summary: "Say something about a device"},
		func(ctx context.Context, in *struct {
			Ref
			Body DeviceFacts
		},
		) (Device, error) {
			f, err := in.Body.facts()
			if err != nil {
				return Device{}, err
			}
			d, err := a.Control.SetDevice(ctx, person(ctx), in.Ref.Ref, f)
			return deviceOf(d), err
		})
	serve(a, spec{
		method: http.MethodPost, path: "/devices/import", id: "import-devices", role: firmward.Operator, tag: "Devices", summary: "Import an inventory",
		upload: "text/csv", doc: "CSV with a header line. One bad row fails the whole file, with its line.",
	}, func(ctx context.Context, in *struct {
		Upload
		Name string `query:"name" default:"inventory.csv" doc:"file name shown to people"`
	},
	) (Imported, error) {
		body, done, err := a.upload(in.Upload, maxInventory)
		if err != nil {
			return Imported{}, err
		}
		defer done()
		added, changed, err := a.Control.ImportDevices(ctx, person(ctx), fileName(in.Name), body)
		return Imported{added, changed}, err
	})
}
