// Package needs is what tests do where a daemon, a right or a file is missing: they skip and say so, and where
// FIRMWARD_REQUIRE_DAEMONS=1 demands that everything is there they fail.
package needs

import (
	"os"
	"testing"
)

// Missing ends the test. why says what is missing and how to get it.
func Missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("FIRMWARD_REQUIRE_DAEMONS") == "1" {
		t.Fatal(why + "; FIRMWARD_REQUIRE_DAEMONS=1 asks for it")
	}
	t.Skip(why)
}
