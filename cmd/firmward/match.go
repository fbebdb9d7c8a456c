package main

// MatchCmd is about how firmward matches devices and advisories. It needs no server and no data directory.
type MatchCmd struct {
	Build   MatchBuildCmd   `cmd:"" help:"Make an index file from feed documents."`
	Run     MatchRunCmd     `cmd:"" help:"Judge lists of CPE names by an index file."`
	Compare MatchCompareCmd `cmd:"" help:"Tell which of two firmware versions is newer, by the vendor's own rule."`
}
