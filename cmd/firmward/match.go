package main

// MatchCmd is about how firmward matches devices and advisories. It needs no server and no data directory.
type MatchCmd struct {
	Compare MatchCompareCmd `cmd:"" help:"Tell which of two firmware versions is newer, by the vendor's own rule."`
}
