package demo

import "context"

// Contain tells the chapter of the abandoned storage box alone.
func (s *Story) Contain(ctx context.Context) error { return s.contain(ctx) }

// Open reports whether packets get through between the storage box and everybody.
func (w *Wall) Open(ctx context.Context) bool { return w.try(ctx) == allOpen }

// What anna says of the three places, for tests that let a firmward of their own look at them.
var (
	Named     = named
	Allowed   = allowed
	Passwords = passwords
)
