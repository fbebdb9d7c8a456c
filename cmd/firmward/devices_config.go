package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
)

// DevicesSavedConfigCmd takes a saved configuration out.
type DevicesSavedConfigCmd struct {
	Ref  string `arg:"" help:"Id, name, address, serial number or MAC address."`
	File string `arg:"" help:"File to write; it must not exist."`
}

// Help gives examples.
func (DevicesSavedConfigCmd) Help() string {
	return "A configuration is saved before an update that wipes it, where the driver can read it. It holds the device's secrets, in the device's own form; " +
		"who takes it out is recorded. Putting it back is done on the device.\n\n" + examples("firmward devices saved-config gateway gateway.tar.gz")
}

// Run carries it out.
func (c *DevicesSavedConfigCmd) Run(ctx context.Context, a *app) error {
	if err := newFile(c.File, func(f *os.File) error {
		return a.client.do(ctx, call{method: http.MethodGet, path: "/devices/" + url.PathEscape(c.Ref) + "/saved-config", out: f})
	}); err != nil {
		return err
	}
	if done, err := a.asJSON(map[string]string{"file": c.File}); done {
		return err
	}
	fmt.Fprintln(a.out, "The configuration is in", c.File+". It holds secrets.")
	return nil
}
