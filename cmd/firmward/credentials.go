package main

import (
	"context"
	"net/http"

	"github.com/firmward/firmward/httpapi"
)

// CredentialsCmd is about passwords of devices.
type CredentialsCmd struct {
	Set CredentialsSetCmd `cmd:"" help:"Store a password. It is sealed and never shown again."`
}

// CredentialsSetCmd stores a password.
type CredentialsSetCmd struct {
	Device string `help:"For one device." placeholder:"REF" xor:"for" required:""`
	Family string `help:"For a catalogue family at a site." xor:"for" required:"" placeholder:"FAMILY"`
	Site   string `help:"The site, with --family." placeholder:"NAME"`
	User   string `help:"User name." placeholder:"NAME"`

	Factory bool `help:"With --family: it is the maker's. Rehearsals try on a spare whether an image lets it in again; nothing else uses it."`
}

// Help gives examples.
func (CredentialsSetCmd) Help() string {
	return "The password is asked for without echo, or read from the first line of the input. It is never an argument.\n" +
		"To a device that speaks TLS it goes only while that shows the certificate that it shows now; such a device needs --device.\n\n" +
		examples("firmward credentials set --device cam-1 --user root", "pass show cams | firmward credentials set --family axis --site clinic")
}

// Run carries it out.
func (c *CredentialsSetCmd) Run(ctx context.Context, a *app) error {
	if c.Family != "" && c.Site == "" {
		return usageError("--family goes with --site")
	}
	password, err := a.hidden(ctx, "Password: ")
	if err != nil {
		return err
	}
	if err := a.client.do(ctx, call{method: http.MethodPut, path: "/credentials", in: httpapi.NewCredential{
		Device: c.Device, Family: c.Family, Site: c.Site, User: c.User, Password: password, Factory: c.Factory,
	}}); err != nil {
		return err
	}
	return a.say(map[string]bool{"stored": true}, "The password is stored.")
}
