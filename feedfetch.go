package firmward

import "time"

// FeedFetch is how a feed is fetched over the network, and how that goes. A feed that was never fetched and is not followed has none.
type FeedFetch struct {
	Name      string
	Follow    bool               // fetched again and again, as often as its source says
	URLs      []string           // in place of the source's own; empty: those
	Keyed     bool               // a key for the server is sealed
	OpenPGP   string             `json:",omitempty"` // armored public keys: every document must be signed by one of them, that of a file too
	By        string             // who asked for it last
	Since     time.Time          // when that was
	Cursor    string             // how far the feed was read: the source's own mark
	Tags      map[string]FeedTag // by URL
	Tried     time.Time          // the last try
	Good      time.Time          // the last try that ended well, whether or not anything was new
	Failures  int                // tries in a row that failed
	LastError string
	Next      time.Time // when a followed feed is due
	Alarmed   time.Time // when people were told that it is in trouble; zero: it is not
}

// FeedTag is what a server said of the form in which it gave a document, so that it need not give it again (RFC 9110 §8.8).
type FeedTag struct {
	ETag     string `json:",omitempty"`
	Modified string `json:",omitempty"` // Last-Modified, as the server wrote it
}
