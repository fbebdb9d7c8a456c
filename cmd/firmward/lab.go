package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/lab"
)

// LabCmd is about simulated devices.
type LabCmd struct {
	Serve   LabServeCmd   `cmd:"" help:"Run simulated devices on loopback sockets."`
	Fault   LabFaultCmd   `cmd:"" help:"Let a simulated device fail."`
	Install LabInstallCmd `cmd:"" help:"Be the person at a simulated device."`
	Image   LabImageCmd   `cmd:"" help:"Make firmware for a simulated device, to try updates with."`
}

// LabControl is where the lab is steered.
type LabControl struct {
	Control string `help:"Address at which the lab is steered; loopback only." default:"127.0.0.1:18099" placeholder:"ADDR"`
}

// LabServeCmd runs the lab.
type LabServeCmd struct {
	LabControl
	Map  string `help:"Write the port map here, for --lab-map." type:"path" placeholder:"FILE"`
	Port int    `help:"First port; the system chooses when 0." default:"0"`
}

// Help gives examples.
func (LabServeCmd) Help() string {
	return "Three sites: home (192.168.20.0/24), clinic (10.40.0.0/24) and plant (10.50.0.0/24). No packet leaves this machine.\n\n" +
		examples("firmward lab serve --map lab.json", "firmward scan 192.168.20.0/24 --site home --profile home \\", "    --lab-map lab.json")
}

// Run carries it out.
func (c *LabServeCmd) Run(ctx context.Context, a *app) error {
	host, _, err := net.SplitHostPort(c.Control)
	if err != nil || !loopbackName(host) {
		return usageError("--control wants a loopback address with a port: the lab has no passwords of its own")
	}
	l, err := lab.ThreeSites(lab.Options{})
	if err != nil {
		return err
	}
	defer l.Close()
	ports, err := l.ServeLoopback(ctx, c.Port)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", c.Control)
	if err != nil {
		return &firmward.Error{Code: firmward.Unavailable, Message: "the lab's control address is taken: choose another --control", Err: err}
	}
	srv := &http.Server{Handler: l.ControlHandler(), ReadHeaderTimeout: 5 * time.Second}
	defer context.AfterFunc(ctx, func() { srv.Close() })()
	if c.Map != "" {
		b, err := json.MarshalIndent(ports, "", "  ")
		if err == nil {
			err = os.WriteFile(c.Map, append(b, '\n'), 0o600)
		}
		if err != nil {
			return fmt.Errorf("write port map: %w", err)
		}
	}
	fmt.Fprint(a.out, ports)
	fmt.Fprintf(a.out, "The lab runs; it is steered at http://%s. Stop it with Ctrl-C.\n", ln.Addr())
	if err := srv.Serve(ln); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// LabFaultCmd injects a fault.
type LabFaultCmd struct {
	Device string `arg:"" optional:"" help:"Device of the lab."`
	Fault  string `arg:"" optional:"" help:"Fault."`
	Clear  bool   `help:"Take all faults away."`
	LabControl
}

// Help gives examples.
func (LabFaultCmd) Help() string {
	return "Without arguments it lists the faults.\n\n" + examples("firmward lab fault", "firmward lab fault cam-1 silent-after-update", "firmward lab fault cam-1 --clear")
}

// Run carries it out.
func (c *LabFaultCmd) Run(ctx context.Context, a *app) error {
	if c.Device == "" {
		if a.JSON {
			return a.jsonLines(anys(lab.Faults()))
		}
		t := table{head: []string{"FAULT", "WHAT HAPPENS"}}
		for _, f := range lab.Faults() {
			t.rows = append(t.rows, []string{f.Name, f.Meaning})
		}
		t.write(a)
		return nil
	}
	if (c.Fault == "") != c.Clear {
		return usageError("say which fault, or --clear")
	}
	method, order := http.MethodDelete, any(nil)
	if !c.Clear {
		method, order = http.MethodPost, map[string]string{"fault": c.Fault}
	}
	f, err := c.steer(ctx, method, c.Device, "faults", order)
	if err != nil {
		return err
	}
	return a.say(map[string]any{"device": c.Device, "faults": append([]string{}, f.Faults...)}, fmt.Sprintf("%s has now: %s", c.Device, join(f.Faults)))
}

// labAnswer is what the lab says of a device that it was told something about.
type labAnswer struct {
	Error  string   `json:"error"`
	Faults []string `json:"faults"`
}

// steer tells the running lab what happens to a device.
func (c LabControl) steer(ctx context.Context, method, device, what string, order any) (answer labAnswer, err error) {
	var body []byte
	if order != nil {
		if body, err = json.Marshal(order); err != nil {
			return answer, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+c.Control+"/lab/devices/"+url.PathEscape(device)+"/"+what, bytes.NewReader(body))
	if err != nil {
		return answer, usageError("--control wants an address with a port")
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer, &firmward.Error{Code: firmward.Unavailable, Message: "no lab answers at " + c.Control + ": start 'firmward lab serve'", Err: errors.Unwrap(err)}
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&answer); err != nil {
		return answer, fmt.Errorf("read the lab's answer: %w", err)
	}
	switch {
	case resp.StatusCode == http.StatusNotFound:
		return answer, firmward.Errorf(firmward.NotFound, answer.Error)
	case resp.StatusCode >= 300:
		return answer, firmward.Errorf(firmward.Invalid, answer.Error)
	}
	return answer, nil
}

// LabInstallCmd is the person at a simulated device.
type LabInstallCmd struct {
	Device  string `arg:"" help:"Device of the lab: a printer, a pump or a plug."`
	Version string `arg:"" help:"Version that is installed."`
	LabControl
}

// Help gives examples.
func (LabInstallCmd) Help() string {
	return "What a person does with a stick, the service tool or the vendor's app, to try work orders with.\n\n" + examples("firmward lab install printer-1 20240912")
}

// Run carries it out.
func (c *LabInstallCmd) Run(ctx context.Context, a *app) error {
	if _, err := c.steer(ctx, http.MethodPost, c.Device, "install", map[string]string{"version": c.Version}); err != nil {
		return err
	}
	return a.say(map[string]string{"device": c.Device, "version": c.Version}, fmt.Sprintf("%s restarts into %s.", c.Device, c.Version))
}

// LabImageCmd makes firmware that simulated devices take.
type LabImageCmd struct {
	File    string   `arg:"" help:"File to write; it must not exist."`
	For     string   `help:"Device of the lab: a plug or a camera." required:"" placeholder:"DEVICE"`
	Version string   `help:"Version that it carries." required:"" placeholder:"VERSION"`
	Flaw    []string `help:"Let it be bad: dead-stream, boot-loop, wrong-checksum, wrong-magic; may be repeated." placeholder:"FLAW"`
}

// Help gives examples.
func (LabImageCmd) Help() string {
	return "The real devices that are simulated refuse it.\n\n" + examples("firmward lab image plug.bin --for plug-1 --version 1.4.4",
		"firmward lab image bad.bin --for cam-1 --version 11.11.192 --flaw boot-loop")
}

// Run carries it out.
func (c *LabImageCmd) Run(_ context.Context, a *app) error {
	l, err := lab.ThreeSites(lab.Options{})
	if err != nil {
		return err
	}
	defer l.Close()
	d, ok := l.Device(c.For)
	if !ok {
		return firmward.Errorf(firmward.NotFound, "the lab has no device "+c.For+" (they stand in the port map of 'lab serve')")
	}
	image, err := d.Image(c.Version, c.Flaw...)
	if err != nil {
		return &firmward.Error{Code: firmward.Invalid, Message: "no image was made", Err: err}
	}
	if err := newFile(c.File, func(f *os.File) error {
		_, err := f.Write(image)
		return err
	}); err != nil {
		return err
	}
	facts := d.Facts()
	made := map[string]any{"file": c.File, "model": facts.Model, "hardware": facts.HardwareRev, "version": c.Version, "size": len(image)}
	return a.say(made, fmt.Sprintf("%s: %s for model %s, hardware %s, %d bytes.", c.File, c.Version, facts.Model, facts.HardwareRev, len(image)))
}
