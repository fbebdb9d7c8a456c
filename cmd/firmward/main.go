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
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
