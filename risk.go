package firmward

import "time"

// RiskPolicy sets the clocks and weights of prioritisation. Package policy reads it, package remedy
// obeys it and prints it with each score.
type RiskPolicy struct {
	Name             string
	ExploitedExposed time.Duration // exploited and reachable from the internet
	Exploited        time.Duration
	Critical         time.Duration // CVSS 9.0 and above
	High             time.Duration // CVSS 7.0 and above
	Other            time.Duration
	ContainWithin    time.Duration // exploited and no fix: cut off within this time
	ReplaceWithin    time.Duration // unsupported: replaced within this time
	LookEvery        time.Duration // evidence older than this asks for another look
}
