package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/firmward/firmward/httpapi"
)

// FeedsFetchCmd fetches feeds once.
type FeedsFetchCmd struct {
	Names []string `arg:"" optional:"" name:"feed" help:"Feeds; all that have an address unless given, cve only when it was named before."`
}

// Help gives examples.
func (FeedsFetchCmd) Help() string {
	return "Only the hosts of the feeds are asked, and no request names a device, a serial number or a version. The first fetch of nvd reads all years and takes " +
		"some minutes; that of cve moves several hundred megabytes. Later ones read what changed. What was read before an error stays, and the next fetch goes on there.\n\n" +
		examples("firmward feeds fetch", "firmward feeds fetch kev epss", "firmward feeds fetch cve", "firmward feeds fetch nvd --json")
}

// Run carries it out. A feed that fails does not keep the others.
func (c *FeedsFetchCmd) Run(ctx context.Context, a *app) error {
	if len(c.Names) == 0 {
		var all httpapi.Feeds
		if err := a.client.get(ctx, "/feeds", nil, &all); err != nil {
			return err
		}
		c.Names = all.Fetchable
	}
	var first error
	for _, name := range c.Names {
		err := c.one(ctx, a, name)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && first != nil {
			fmt.Fprintln(a.err, "firmward:", first)
		}
		if err != nil {
			first = err
		}
	}
	return first
}

func (c *FeedsFetchCmd) one(ctx context.Context, a *app, name string) error {
	stop := fetchProgress(ctx, a, name)
	var f httpapi.Feed
	err := a.client.post(ctx, "/feeds/"+url.PathEscape(name)+"/fetch", nil, &f)
	stop()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if done, err := a.asJSON(f); done {
		return err
	}
	fmt.Fprintf(a.out, "%s: %s, dated %s\n", f.Name, plural(f.Records, "record", "records"), day(f.Dated))
	return nil
}

// fetchProgress says on a terminal how far a fetch is.
func fetchProgress(ctx context.Context, a *app, name string) (stop func()) {
	return watch(ctx, a, name, func(all httpapi.Feeds) string {
		for _, i := range all.Importing {
			if i.Feed == name {
				return fmt.Sprintf("fetched %s, %d MB", plural(i.Read, "document", "documents"), i.Bytes/1e6)
			}
		}
		return "asking"
	})
}

// FeedsFollowCmd follows feeds.
type FeedsFollowCmd struct {
	Names []string `arg:"" name:"feed" help:"Feeds."`
}

// Help gives examples.
func (FeedsFollowCmd) Help() string {
	return "A running server fetches a followed feed at once, and then as often as its source says. It is tried again after an error, later each time, and people are " +
		"told when it gives nothing new for too long (firmward notices).\n\n" +
		examples("firmward feeds follow nvd kev epss")
}

// Run carries it out.
func (c *FeedsFollowCmd) Run(ctx context.Context, a *app) error {
	return setFeeds(ctx, a, c.Names, httpapi.FeedChange{Follow: new(true)}, "is followed: a running server fetches it by itself.")
}

// FeedsUnfollowCmd follows them no more.
type FeedsUnfollowCmd struct {
	Names []string `arg:"" name:"feed" help:"Feeds."`
}

// Help gives examples.
func (FeedsUnfollowCmd) Help() string { return examples("firmward feeds unfollow epss") }

// Run carries it out.
func (c *FeedsUnfollowCmd) Run(ctx context.Context, a *app) error {
	return setFeeds(ctx, a, c.Names, httpapi.FeedChange{Follow: new(false)}, "is fetched by hand only.")
}

// FeedsSetCmd says from where a feed is fetched.
type FeedsSetCmd struct {
	Name    string   `arg:"" name:"feed" help:"Feed."`
	URL     []string `help:"Where it is fetched from, as a mirror of one's own; may be repeated." name:"url" xor:"url" placeholder:"URL"`
	Default bool     `help:"Fetch it from where its source says." xor:"url" name:"default-url"`
	Key     bool     `help:"Enter a key for its server; it is asked for without echo, or read from the first line of the input." xor:"key"`
	NoKey   bool     `help:"Forget the key." xor:"key" name:"no-key"`
	OpenPGP []string `help:"A file with public OpenPGP keys, by one of which every document must be signed; may be repeated." name:"openpgp-key" xor:"openpgp" type:"existingfile" placeholder:"FILE"`
	NoPGP   bool     `help:"Go back to the keys that the provider names, if it says that it signs." xor:"openpgp" name:"no-openpgp-key"`
}

// Help gives examples.
func (FeedsSetCmd) Help() string {
	return "nvd takes two addresses, the folder of its yearly files and its API; with the first alone, changes come from the file \"modified\" in that folder. " +
		"csaf takes the provider-metadata.json of each vendor. cve takes an archive of the whole list, and the folder in which cves/deltaLog.json lies, with a slash at its end. Other addresses begin anew. " +
		"With --openpgp-key a document that none of these keys signed is left out, one of an imported archive too.\n\n" +
		examples("firmward feeds set nvd --url https://mirror.example/nvd/", "firmward feeds set csaf --url https://vendor.example/provider-metadata.json",
			"pass show nvd-key | firmward feeds set nvd --key", "firmward feeds set nvd --default-url --no-key",
			"firmward feeds set csaf --openpgp-key vendor.asc")
}

// Run carries it out.
func (c *FeedsSetCmd) Run(ctx context.Context, a *app) error {
	var change httpapi.FeedChange
	switch {
	case len(c.URL) > 0:
		change.URLs = &c.URL
	case c.Default:
		change.URLs = &[]string{}
	}
	switch {
	case c.Key:
		key, err := a.hidden(ctx, "Key: ")
		if err != nil {
			return err
		}
		change.Key = &key
	case c.NoKey:
		change.Key = new("")
	}
	if c.NoPGP {
		change.OpenPGP = new("")
	}
	if len(c.OpenPGP) > 0 {
		var keys strings.Builder
		for _, name := range c.OpenPGP {
			b, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			fmt.Fprintf(&keys, "%s\n", b)
		}
		change.OpenPGP = new(keys.String())
	}
	if change.URLs == nil && change.Key == nil && change.OpenPGP == nil {
		return usageError("say what to set: --url, --default-url, --key, --no-key, --openpgp-key or --no-openpgp-key")
	}
	return setFeeds(ctx, a, []string{c.Name}, change, "is set.")
}

func setFeeds(ctx context.Context, a *app, names []string, change httpapi.FeedChange, said string) error {
	for _, name := range names {
		var f httpapi.Feed
		if err := a.client.do(ctx, call{method: http.MethodPatch, path: "/feeds/" + url.PathEscape(name), in: change, out: &f}); err != nil {
			return err
		}
		if done, err := a.asJSON(f); err != nil || done {
			if err != nil {
				return err
			}
			continue
		}
		fmt.Fprintln(a.out, name, said)
	}
	return nil
}

// feedState says in words whether a feed can be relied on. "Fresh" stands alone.
func feedState(f httpapi.Feed) string {
	var parts []string
	if f.LastError != "" && !strings.Contains(f.Trouble, f.LastError) {
		parts = append(parts, "the import of "+day(f.FailedAt)+" failed, the data before it stays in use: "+f.LastError)
	}
	switch {
	case f.Trouble != "" && f.Fetch == nil:
		parts = append(parts, "stale: import a newer document")
	case f.Trouble != "":
		parts = append(parts, f.Trouble)
	}
	if len(parts) == 0 && f.Records == 0 && f.Imported.IsZero() {
		parts = append(parts, "never imported")
	}
	if len(parts) == 0 {
		parts = append(parts, "fresh")
	}
	if f.Fetch != nil && !f.Fetch.Next.IsZero() && f.Trouble != "" {
		parts = append(parts, "next try "+when(f.Fetch.Next))
	}
	return strings.Join(parts, "; ")
}

// fetchState says how a feed comes in: with the program, by hand, or fetched, and when that went well last.
func fetchState(f httpapi.Feed) string {
	n := f.Fetch
	switch {
	case n == nil && f.Kind == "starter":
		return "with firmward"
	case n == nil:
		return "by hand"
	}
	how := "fetched by hand"
	if n.Followed {
		how = "followed"
	}
	at := func(t time.Time) string {
		if t.IsZero() {
			return "never"
		}
		return when(t)
	}
	how += ", well " + at(n.Good)
	if n.Tried.After(n.Good) {
		how += ", tried " + at(n.Tried)
	}
	return how
}
