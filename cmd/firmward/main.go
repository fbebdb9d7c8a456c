// Command firmward is the one program: server and command line.
//
// It holds wiring and words only. Every command but serve, restore, audit verify and the lab goes
// through the HTTP API, either of a server or of the same process.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // sites have clocks, also on a machine without the zone files
)

func main() {
	// An empty variable means the default and not, as a path, the directory in which one happens to be.
	for _, name := range []string{"FIRMWARD_DATA", "FIRMWARD_SERVER", "FIRMWARD_TOKEN", "FIRMWARD_FINGERPRINT", "FIRMWARD_DB", "FIRMWARD_LAB_MAP"} {
		if os.Getenv(name) == "" {
			_ = os.Unsetenv(name) // it cannot fail for a plain name
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
