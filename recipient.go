package firmward

import "time"

// How often a Recipient gets a digest.
const (
	DigestDaily  = "daily"
	DigestWeekly = "weekly" // on Mondays
	DigestOff    = "off"
)

// Recipient is a place where people are told: a webhook, a mailbox, a push service. Its address is sealed: it holds passwords.
type Recipient struct {
	Name    string
	Kind    string // "webhook", else the service: "smtp", "ntfy"
	Host    string // of the address, for people
	Digest  string // DigestDaily, DigestWeekly or DigestOff
	Hour    int    // local hour of the digest
	Zone    string // time zone of Hour
	Urgent  bool   // told at once of what cannot wait
	Details bool   // messages may name devices, models and versions; else they only count
	By      string
	Created time.Time

	Told       int64     // Seq of the last event that was looked at for it
	NextDigest time.Time // zero when it gets none
	Alarmed    time.Time // last message at once
	LastSent   time.Time
	Failures   int // tries in a row that failed
	LastError  string
	RetryAt    time.Time // zero when nothing failed
}

// Notice is one message to people. It ends with the one thing to do.
type Notice struct {
	ID     string // the same when it is sent again
	At     time.Time
	Urgent bool
	Title  string
	Lines  []string
	Action string
}
