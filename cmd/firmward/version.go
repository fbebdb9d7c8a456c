package main

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/firmward/firmward/httpapi"
)

// version is what the build knows of itself.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "devel"
	}
	return info.Main.Version
}

// VersionCmd shows the version.
type VersionCmd struct {
	Remote bool `help:"Ask the server too."`
}

// Help gives examples.
func (VersionCmd) Help() string {
	return examples("firmward version", "firmward version --remote --server https://patch.example:8099")
}

// Run carries it out.
func (c *VersionCmd) Run(ctx context.Context, a *app) error {
	shown := struct {
		Version string           `json:"version"`
		Server  *httpapi.Version `json:"server,omitempty"`
	}{Version: version()}
	text := "firmward " + shown.Version
	if c.Remote {
		var v httpapi.Version
		if err := a.client.get(ctx, "/version", nil, &v); err != nil {
			return err
		}
		shown.Server = &v
		text += fmt.Sprintf("\nserver %s, instance %s, schema %d, %s; you are %s (%s)", v.Version, v.Origin, v.Schema, when(v.Time), v.Person, v.Role)
	}
	if done, err := a.asJSON(shown); done {
		return err
	}
	fmt.Fprintln(a.out, text)
	return nil
}
