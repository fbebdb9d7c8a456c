package demo

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/httpapi"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/store"
)

// The named networks of the story.
var (
	Home   = netip.MustParsePrefix("192.168.20.0/24")
	Clinic = netip.MustParsePrefix("10.40.0.0/24")
	Plant  = netip.MustParsePrefix("10.50.0.0/24")
)

// named, allowed and passwords are what anna says of the three places. Clinic and plant are careful zones: nothing is sent to
// a device there until she allows it.
var (
	named = []httpapi.NewNetwork{
		{Prefix: Home.String(), Site: "home", Profile: firmward.ProfileHome},
		{Prefix: Clinic.String(), Site: "clinic", Profile: firmward.ProfileMedical},
		{Prefix: Plant.String(), Site: "plant", Profile: firmward.ProfileOT},
	}
	allowed = []struct {
		Prefix netip.Prefix
		Step   string
	}{{Clinic, "polite"}, {Plant, "polite"}, {Plant, "stateful"}}
	passwords = []httpapi.NewCredential{
		{Family: "axis", Site: "clinic", User: "root", Password: lab.CameraPassword},
		{Device: "192.168.20.12", User: "admin", Password: lab.PlugPassword},
		{Device: "192.168.20.50", Password: lab.HueKey},
		{Device: "192.168.20.70", User: "root", Password: lab.RedfishPassword},
		{Device: "192.168.20.71", User: "admin", Password: lab.HikvisionPassword},
		{Family: "hikvision", Site: "clinic", User: "admin", Password: lab.HikvisionPassword},
		{Family: "openwrt", Site: "plant", User: "root", Password: lab.RouterPassword},
	}
)

// inventory is the sheet that the owners keep: names, owners, what a device is for. plug-7 has no owner;
// plug-8 is the spare.
const inventory = `address,name,owner,function,criticality,location,spare
192.168.20.11,plug-1,anna,lamp,1,hall,
192.168.20.12,plug-2,anna,lamp,1,study,
192.168.20.13,plug-3,anna,heater,2,bath,
192.168.20.14,plug-4,anna,lamp,1,kitchen,
192.168.20.15,plug-5,anna,lamp,1,cellar,
192.168.20.16,plug-6,anna,lamp,1,garage,
192.168.20.17,plug-7,,aquarium,2,living room,
192.168.20.18,plug-8,anna,spare on the shelf,1,study,true
192.168.20.21,plug-g3-1,anna,lamp,1,terrace,
192.168.20.22,plug-g3-2,anna,lamp,1,garden,
192.168.20.30,nas-1,anna,old photos,2,cellar,
192.168.20.40,printer-1,anna,printing,1,study,
192.168.20.3,gateway-1,anna,way to the internet,4,hall,
192.168.20.50,hue-1,anna,lamps,1,hall,
192.168.20.61,strip-1,anna,light,1,kitchen,
192.168.20.62,strip-2,anna,light,1,bedroom,
192.168.20.63,relay-1,anna,blinds,1,study,
192.168.20.64,relay-2,anna,blinds,1,kitchen,
192.168.20.70,bmc-1,anna,server of the house,2,cellar,
192.168.20.71,cam-yard,anna,view of the yard,2,yard,
10.40.0.11,cam-1,ward 3,entrance,2,entrance,
10.40.0.12,cam-2,ward 3,corridor,3,corridor,
10.40.0.13,cam-3,ward 3,store room,3,store,
10.40.0.14,cam-4,ward 3,lift,3,lift,
10.40.0.15,cam-5,ward 3,stairs,3,stairs,
10.40.0.16,cam-6,ward 3,parking,3,parking,
10.40.0.21,cam-gate-1,ward 3,gate,3,gate,
10.40.0.22,cam-gate-2,ward 3,gate,3,gate,
10.40.0.51,pump-1,clinical engineering,infusion,5,ward 3,
10.40.0.52,pump-2,clinical engineering,infusion,5,ward 3,
10.50.0.3,gateway-2,plant engineering,way into the plant,4,hall 1,
10.50.0.11,plc-1,plant engineering,mixer,4,hall 1,
10.50.0.12,plc-2,plant engineering,filling,4,hall 1,
`

func (s *Story) see(ctx context.Context) error {
	for _, n := range named {
		if err := s.Anna.post(ctx, "/networks", n, nil); err != nil {
			return err
		}
		s.tell("anna names %s (%s, profile %s)", n.Prefix, n.Site, n.Profile)
	}
	for _, site := range []struct {
		prefix     netip.Prefix
		name, text string
	}{{Clinic, "clinic", "clinical network"}, {Plant, "plant", "plant"}} {
		if err := s.scan(ctx, site.prefix); err != nil {
			return err
		}
		touched := s.touched(site.name)
		s.outcome(1, len(touched) == 0, "the "+site.text+" got not one byte beyond the neighbour table", or(strings.Join(touched, ", "), "no packet reached its devices"))
	}
	if err := s.scan(ctx, Home); err != nil {
		return err
	}
	for _, allow := range allowed {
		if err := s.Anna.post(ctx, "/networks/"+url.PathEscape(allow.Prefix.String())+"/allow", httpapi.AllowStep{Step: allow.Step}, nil); err != nil {
			return err
		}
	}
	s.tell("anna allows polite probes in the clinic and one identification by Modbus in the plant, and enters the passwords that she has")
	for _, cred := range passwords {
		if err := s.Anna.call(ctx, http.MethodPut, "/credentials", cred, nil); err != nil {
			return err
		}
	}
	for _, prefix := range []netip.Prefix{Clinic, Plant, Home} {
		if err := s.scan(ctx, prefix); err != nil {
			return err
		}
	}
	frozen := []string{}
	for _, d := range s.Lab.Devices() {
		if f := d.Facts(); f.Frozen || f.PrintedPages > 0 {
			frozen = append(frozen, f.Name+" "+f.FrozenBy)
		}
	}
	s.outcome(1, len(frozen) == 0, "no fragile device was hurt: no pump or controller froze, no page was printed", or(strings.Join(frozen, ", "), "none frozen, no pages"))
	var sheet httpapi.Imported
	if err := s.Anna.post(ctx, "/devices/import?name=inventory.csv", strings.NewReader(inventory), &sheet); err != nil {
		return err
	}
	s.tell("anna imports her sheet: %d devices named, %d new", sheet.Changed, sheet.Added)
	return s.byHand(ctx)
}

func (s *Story) byHand(ctx context.Context) error {
	err := s.Anna.post(ctx, "/devices", httpapi.DeviceFacts{
		Name: new("router"), Site: new("home"), Vendor: new("MikroTik"), Model: new("RB750Gr3"), Hardware: new("r2"), Firmware: new("6.42"),
		Class: new("router"), Owner: new("anna"), Criticality: new(4),
	}, nil)
	if err != nil {
		return err
	}
	s.tell("anna adds the router by hand: no network shows it")
	return nil
}

// touched lists the devices of a site that any packet reached.
func (s *Story) touched(site string) []string {
	var out []string
	for _, d := range s.Lab.Devices() {
		f := d.Facts()
		for port, n := range f.Ports {
			if f.Site == site && n.Conns+n.Refused > 0 {
				out = append(out, f.Name+" "+port)
			}
		}
	}
	return out
}

func (s *Story) scan(ctx context.Context, prefix netip.Prefix) error {
	var run httpapi.Scan
	if err := s.Anna.post(ctx, "/scans", httpapi.NewScan{Network: prefix.String()}, &run); err != nil {
		return err
	}
	_, err := s.until(ctx, 48*time.Hour, func() (bool, error) {
		err := s.Anna.call(ctx, http.MethodGet, "/scans/"+run.ID, nil, &run)
		return run.Done, err
	})
	if err != nil {
		return err
	}
	if run.Error != "" {
		return fmt.Errorf("scan of %s: %s", prefix, run.Error)
	}
	s.tell("scan of %s: %d of %d addresses answered, %d devices%s", prefix, run.Answered, run.Targets, run.Devices, prefixed("; not sent: ", run.Withheld))
	return nil
}

// secretive is a device that tells nobody which version it runs.
const secretive = "gateway-1"

func (s *Story) know(ctx context.Context) error {
	wrong := []string{}
	for _, d := range s.Lab.Devices() {
		f := d.Facts()
		known, err := s.device(ctx, f.Name)
		if err != nil {
			wrong = append(wrong, err.Error())
			continue
		}
		s.ids[f.Name] = known.ID
		version := strings.TrimPrefix(f.InstalledVersion, "v")
		if f.Name == secretive {
			version = ""
		}
		if known.Model == "" || !strings.HasSuffix(f.Model, strings.TrimPrefix(known.Model, "AXIS ")) || known.Firmware != version {
			wrong = append(wrong, fmt.Sprintf("%s: firmward says %q %q, it is %q %q", f.Name, known.Model, known.Firmware, f.Model, f.InstalledVersion))
		}
	}
	s.outcome(2, len(wrong) == 0, "every device is known with model and version; but "+secretive+" tells nobody its version", or(strings.Join(wrong, "; "), fmt.Sprintf("%d of %d as in the lab", len(s.Lab.Devices()), len(s.Lab.Devices()))))
	cam, err := s.device(ctx, "cam-2")
	if err != nil {
		return err
	}
	alone := len(cam.Addrs) == 2
	for _, addr := range cam.Addrs {
		there, err := s.Store.DevicesAt(ctx, cam.Site, addr)
		if err != nil {
			return err
		}
		alone = alone && len(there) == 1
	}
	s.outcome(2, alone, "cam-2 under two addresses is one device", fmt.Sprintf("%s is at %s and %s, and nobody else is", cam.Name, cam.Addrs[0], cam.Addrs[len(cam.Addrs)-1]))
	if err := s.knowLamps(ctx); err != nil {
		return err
	}
	printer, err := s.device(ctx, "printer-1")
	if err != nil {
		return err
	}
	id, err := s.Store.Identity(ctx, printer.ID)
	if err != nil {
		return err
	}
	text := "none"
	for _, c := range id.Contradictions {
		text = fmt.Sprintf("%s: %s says %s, %s says %s; %s", c.Field, c.Chosen.Source, c.Chosen.Value, c.Others[0].Source, c.Others[0].Value, c.Why)
	}
	s.outcome(2, len(id.Contradictions) == 1 && id.Contradictions[0].Field == firmward.FieldFirmware, "the printer's contradiction stays visible", text)
	router, err := s.Store.FindDevices(ctx, "router")
	if err != nil {
		return err
	}
	s.outcome(2, len(router) == 1 && router[0].Origin == firmward.OriginByHand, "the router added by hand is in the inventory", fmt.Sprintf("%d device called router", len(router)))
	status, err := s.Store.FeedStatuses(ctx)
	if err != nil {
		return err
	}
	records := 0
	for _, f := range status {
		if f.Name == "starter" {
			records += f.Records
		}
	}
	s.outcome(3, records >= 60, "the starter set is loaded, and labelled as such", fmt.Sprintf("%d records", records))
	return nil
}

// knowLamps compares what firmward knows of the lamps behind the bridge with what hangs on it.
func (s *Story) knowLamps(ctx context.Context) error {
	bridge, _ := s.Lab.Device("hue-1")
	var right []string
	for _, lamp := range bridge.Lamps() {
		found, err := s.Store.FindDevices(ctx, lamp.Name)
		if err != nil {
			return err
		}
		if len(found) != 1 || found[0].Model != lamp.Model || found[0].Firmware != lamp.Version {
			continue
		}
		edges, err := s.Store.RelationsOf(ctx, found[0].ID)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(edges, func(e firmward.Relation) bool { return e.To == s.ids["hue-1"] && e.Kind == firmward.Behind }) {
			right = append(right, lamp.Name)
		}
	}
	s.outcome(2, len(right) == len(bridge.Lamps()), "the lamps that have no address of their own are known behind their bridge", strings.Join(right, ", "))
	return nil
}

func (s *Story) decide(ctx context.Context) error {
	var steps []firmward.NextStep
	devices, _, err := s.Store.Devices(ctx, store.DeviceFilter{}, store.Page{Limit: 1000})
	if err != nil {
		return err
	}
	if _, err := s.until(ctx, time.Hour, func() (bool, error) {
		steps, _, err = s.Store.NextSteps(ctx, store.StepFilter{}, store.Page{Limit: 1000})
		return len(steps) >= len(devices), err
	}); err != nil {
		return err
	}
	s.outcome(4, len(steps) == len(devices), "every device has exactly one next step", fmt.Sprintf("%d devices, %d steps", len(devices), len(steps)))
	if len(steps) > 0 {
		s.say("           " + steps[0].Knowledge)
	}
	names := map[string]string{}
	for _, d := range devices {
		names[d.ID] = d.Name
	}
	for _, st := range steps {
		line := fmt.Sprintf("%3d  %-10s %s", st.Risk, names[st.DeviceID], st.Now.Action)
		if st.Finally != nil {
			line += ", finally " + st.Finally.Action
		}
		s.say("           " + line)
	}
	for _, name := range []string{"nas-1", "cam-yard"} {
		at := slices.IndexFunc(steps, func(st firmward.NextStep) bool { return st.DeviceID == s.ids[name] })
		ok := at >= 0 && steps[at].Now.Kind == firmward.StepContain && steps[at].Finally != nil && steps[at].Finally.Kind == firmward.StepReplace
		seen := "no step"
		if at >= 0 {
			seen = steps[at].Now.Action
			if steps[at].Finally != nil {
				seen += ", finally " + steps[at].Finally.Action + " by " + steps[at].Finally.By.Format(time.DateOnly)
			}
		}
		s.outcome(4, ok, name+", abandoned and exploited: contain now, replace finally", seen)
	}
	return nil
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}
