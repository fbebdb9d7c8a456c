package main

// MatchCmd is the matcher by itself.
type MatchCmd struct {
	Build MatchBuildCmd `cmd:"" help:"Make an index file from feed documents."`
	Run   MatchRunCmd   `cmd:"" help:"Judge lists of CPE names by an index file."`
}
