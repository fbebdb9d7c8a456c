package control_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/policy"
	"github.com/firmward/firmward/twin"
)

const faultPolicy = `
rollout-policies:
  - name: quick
    waves: [100]
    canary-soak: 10m
    wave-soak: 10m
    max-in-flight: 4
    canary-in-flight: 1
    failure-budget-percent: 50
    failure-floor: 5
    approvals: 0
    deadline: 60m
    commit-within: 30m
    window: always
    require-owner: false
    hold-core-network: false
risk-policies:
  - {name: r, exploited-and-exposed: 1d, exploited: 1d, critical: 1d, high: 1d, other: 1d, contain-within: 1d, replace-within: 1d, look-every: 7d}
`

// TestFaults plays each file of testdata/faults: a whole firmward beside a lab, real protocol bytes, in a bubble.
func TestFaults(t *testing.T) {
	files, err := filepath.Glob("testdata/faults/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for word := range strings.FieldsSeq(string(text)) {
			told[word] = true
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { newFaultStory(t, file).play(string(text)) })
		})
	}
	for _, f := range lab.Faults() {
		if !told[f.Name] {
			t.Errorf("no file tells what must happen under the fault %s: %s", f.Name, f.Meaning)
		}
	}
}

// faultStory is one file being played.
type faultStory struct {
	t      *testing.T
	file   string
	line   int
	lab    *lab.Lab
	house  bubble
	ids    map[string]string // lab name → device id
	ro     string
	rel    firmward.Release
	began  time.Time
	spares []string
	twins  []twin.Twin
	policy string
	change func(*control.Config) // of the house; nil: nothing
}

// outlet is a spare of the lab whose power can be cut.
type outlet struct {
	twin.Device
	device *lab.Device
}

// CutPower takes the power away and gives it back.
func (o outlet) CutPower(context.Context) error {
	o.device.PowerCycle()
	return nil
}

// bench is one whose power can be cut while it writes firmware.
type bench struct{ outlet }

// CutWhileWriting waits until the device writes.
func (b bench) CutWhileWriting(ctx context.Context) error {
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for {
		flashes := b.device.Facts().Flashes
		if n := len(flashes); n > 0 && flashes[n-1].Outcome == lab.OutcomeWriting && flashes[n-1].Bytes > 0 {
			return b.CutPower(ctx)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-look.C:
		}
	}
}

func newFaultStory(t *testing.T, file string) *faultStory {
	return &faultStory{t: t, file: file, lab: newLab(t), ids: map[string]string{}, policy: faultPolicy}
}

// plugHouse is a house with plugs p1, p2 … that no file tells of, settled with policies; empty: those of the fault stories.
func plugHouse(t *testing.T, n int, policies string) *faultStory {
	t.Helper()
	s := newFaultStory(t, "")
	s.policy = cmp.Or(policies, s.policy)
	for i := range n {
		s.device([]string{"plug", fmt.Sprintf("p%d", i+1)})
	}
	s.settle()
	return s
}

func (s *faultStory) fail(format string, args ...any) {
	s.t.Helper()
	s.t.Errorf("%s:%d: %s", cmp.Or(s.file, s.t.Name()), s.line, fmt.Sprintf(format, args...))
}

func (s *faultStory) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("%s:%d: %v", cmp.Or(s.file, s.t.Name()), s.line, err)
	}
}

// play carries out a story line by line.
func (s *faultStory) play(text string) {
	musts := 0
	for line := range strings.Lines(text) {
		s.line++
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		rest := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), words[0]))
		switch words[0] {
		case "plug", "app-plug", "printer", "camera", "light", "relay", "router", "bridge", "gateway":
			s.device(words)
		case "release":
			s.release(words)
		case "advisory":
			s.advisory(words)
		case "start":
			s.start()
		case "at":
			s.until(words[1])
			s.act(words[2:])
		case "until":
			s.until(words[1])
		case "must":
			musts++
			s.check(words[1], strings.TrimSpace(strings.TrimPrefix(rest, words[1])))
		default:
			s.act(words)
		}
	}
	if musts == 0 {
		s.fail("nothing must happen here")
	}
	s.audited()
}

// device adds "KIND NAME [spare] [behind=NAME] [arch=WORD] [hardware=WORD]" to the lab.
func (s *faultStory) device(words []string) {
	at := lab.Place{Name: words[1], Site: "home"}
	said := map[string]string{}
	for _, w := range words[2:] {
		k, v, _ := strings.Cut(w, "=")
		said[k] = v
		if k == "spare" {
			s.spares = append(s.spares, words[1])
		}
	}
	at.Behind = said["behind"]
	var err error
	switch words[0] {
	case "plug":
		_, err = s.lab.AddPlug(lab.PlugSpec{Place: at})
	case "app-plug":
		_, err = s.lab.AddPlug(lab.PlugSpec{Place: at, Gen: 3, Model: appPlug, App: "PlugSG3"})
	case "printer":
		_, err = s.lab.AddPrinter(lab.PrinterSpec{Place: at})
	case "camera":
		_, err = s.lab.AddCamera(lab.CameraSpec{Place: at, Password: lab.CameraPassword, HardwareRev: said["hardware"]})
	case "light":
		_, err = s.lab.AddWLED(lab.WLEDSpec{Place: at, Arch: said["arch"], Release: said["release"]})
	case "relay":
		_, err = s.lab.AddTasmota(lab.TasmotaSpec{Place: at})
	case "router":
		_, err = s.lab.AddOpenWrt(lab.OpenWrtSpec{Place: at, Password: lab.RouterPassword, Broker: said["broker"] != ""})
	case "gateway":
		_, err = s.lab.AddGateway(lab.GatewaySpec{Place: at})
	case "bridge":
		_, err = s.lab.AddHue(lab.HueSpec{Place: at, Key: lab.HueKey, Lamps: []lab.HueLamp{{Name: "Sofa"}, {Name: "Desk"}}})
	}
	s.must(err)
	if d, ok := s.lab.Device(words[1]); ok && said["outlet"] != "" {
		o := outlet{twin.Device{Place: firmward.PlaceLab, Prefix: netip.PrefixFrom(d.Facts().Addrs[0], 32), Way: s.lab.Attach("home")}, d}
		switch said["outlet"] {
		case "vm":
			o.Place = firmward.PlaceVM
			s.twins = append(s.twins, o)
		case "bench":
			s.twins = append(s.twins, bench{o})
		default:
			s.twins = append(s.twins, o)
		}
	}
}

// settle names the network, scans it and learns who is who.
func (s *faultStory) settle(change ...func(*control.Config)) {
	if s.house.Control != nil {
		return
	}
	pol, err := policy.Parse([]byte(s.policy), "faults.yaml")
	s.must(err)
	s.house = live(s.t, s.lab.Attach("home"), "home", map[netip.Prefix]firmward.Profile{home: firmward.ProfileHome}, func(cfg *control.Config) {
		cfg.Twins = s.twins
		cfg.Policies, cfg.Serve = pol, netip.AddrPortFrom(home.Addr().Next().Next(), 8390)
		for _, f := range append(change, s.change) {
			if f != nil {
				f(cfg)
			}
		}
	})
	for family, password := range map[string]string{"axis": lab.CameraPassword, "hue": lab.HueKey, "openwrt": lab.RouterPassword} {
		s.must(s.house.SetCredential(s.house.ctx, anna, control.Credential{Family: family, Site: "home", User: "root", Password: password}))
	}
	s.look()
	s.look() // with the passwords
	s.began = time.Now()
}

// look scans and learns the ids of all devices.
func (s *faultStory) look() {
	all := s.house.scan(home)
	for _, d := range s.lab.Devices() {
		for _, known := range all {
			if slices.ContainsFunc(d.Facts().Addrs, func(a netip.Addr) bool { return slices.Contains(known.Addrs, a) }) {
				s.ids[d.Name()] = known.ID
				name := d.Name()
				_, err := s.house.SetDevice(s.house.ctx, anna, known.ID, control.DeviceFacts{Name: &name})
				s.must(err)
			}
		}
		for _, lamp := range d.Lamps() {
			for _, known := range all {
				if known.Name == lamp.Name {
					s.ids[lamp.Name] = known.ID
				}
			}
		}
	}
	for _, d := range s.lab.Devices() {
		id := s.ids[d.Name()]
		if front := s.behind(d.Name()); front != "" && id != "" {
			_, err := s.house.LinkDevices(s.house.ctx, anna, id, firmward.Behind, s.ids[front])
			s.must(err)
		}
	}
	for _, name := range s.spares {
		yes := true
		_, err := s.house.SetDevice(s.house.ctx, anna, s.ids[name], control.DeviceFacts{Spare: &yes})
		s.must(err)
	}
}

// behind finds what a device was said to stand behind.
func (s *faultStory) behind(name string) string {
	if s.file == "" {
		return ""
	}
	text, err := os.ReadFile(s.file)
	s.must(err)
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) > 2 && words[1] == name {
			for _, w := range words[2:] {
				if front, ok := strings.CutPrefix(w, "behind="); ok {
					return front
				}
			}
		}
	}
	return ""
}

// release imports "release NAME VERSION [made-for=MODEL] [flaw=WORD] [closes=ID,…]": an image for the device NAME and all like it.
func (s *faultStory) release(words []string) {
	s.settle()
	d, ok := s.lab.Device(words[1])
	if !ok {
		s.t.Fatalf("%s:%d: no device %s", s.file, s.line, words[1])
	}
	known, err := s.house.Store.Device(s.house.ctx, s.ids[words[1]])
	s.must(err)
	var flaws, closes []string
	image := []byte(nil)
	models, noFile := []string{known.Model}, false
	for _, w := range words[3:] {
		switch k, v, _ := strings.Cut(w, "="); k {
		case "also":
			other, _ := s.lab.Device(v)
			models = append(models, other.Facts().Model)
		case "no-file":
			noFile = true
		case "flaw":
			flaws = append(flaws, v)
		case "closes":
			closes = strings.Split(v, ",")
		case "made-for":
			other, _ := s.lab.Device(v)
			image, err = other.Image(words[2])
			s.must(err)
		}
	}
	if image == nil && !noFile {
		image, err = d.Image(words[2], flaws...)
		s.must(err)
	}
	var file io.Reader
	if !noFile {
		file = bytes.NewReader(image)
	}
	hardware := known.Hardware
	if len(models) > 1 || hardware == "" {
		hardware = "*"
	}
	s.rel, err = s.house.ImportRelease(s.house.ctx, anna, firmward.Release{
		Family: known.Family, Vendor: known.Vendor, Models: models, Hardware: []string{hardware}, Version: words[2], FileName: "image.bin", Origin: "the lab", Fixes: closes,
	}, file)
	s.must(err)
}

func (s *faultStory) start() {
	p, err := s.house.PlanRollout(s.house.ctx, anna, s.rel.ID, "quick", firmward.Filter{})
	s.must(err)
	s.ro, s.began = p.Rollout.ID, time.Now()
	_, err = s.house.SteerRollout(s.house.ctx, anna, s.ro, "start", "")
	s.must(err)
}

// until lets time pass: "ended" until the rollout is over, else until so long after the start.
func (s *faultStory) until(what string) {
	s.settle()
	if what != "ended" {
		d, err := time.ParseDuration(what)
		s.must(err)
		time.Sleep(time.Until(s.began.Add(d)))
		synctest.Wait()
		return
	}
	for range 7 * 24 * 12 {
		r, err := s.house.Store.Rollout(s.house.ctx, s.ro)
		s.must(err)
		over := []firmward.RolloutState{firmward.RolloutFinished, firmward.RolloutHalted, firmward.RolloutPaused, firmward.RolloutStopped}
		if slices.Contains(over, r.State) && r.InFlight == 0 {
			synctest.Wait()
			return
		}
		time.Sleep(5 * time.Minute)
	}
	s.fail("the rollout did not end in a week")
}
