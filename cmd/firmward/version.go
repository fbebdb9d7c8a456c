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
	fmt.Fprintln(a.out, "firmward", version())
	if !c.Remote {
		return nil
	}
	var v httpapi.Version
	if err := a.client.get(ctx, "/version", nil, &v); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "server %s, instance %s, schema %d, %s; you are %s (%s)\n", v.Version, v.Origin, v.Schema, when(v.Time), v.Person, v.Role)
	return nil
}
