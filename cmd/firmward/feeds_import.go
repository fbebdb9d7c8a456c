package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/firmward/firmward/feed"
	"github.com/firmward/firmward/httpapi"
)

// FeedsImportCmd imports documents.
type FeedsImportCmd struct {
	Files  []string `arg:"" name:"file" type:"path" help:"Documents as their source publishes them, plain, gzip or zip; or folders and archives (zip, tar, tar.gz) of many documents of one feed."`
	Source string   `help:"Name of the feed; found by content unless given." placeholder:"FEED"`
}

// Help gives examples.
func (FeedsImportCmd) Help() string {
	return "Nothing is half-imported: after an error the last good data stays in use. In a folder or an archive a broken document is left out " +
		"and counted; hashes beside documents are checked, signatures are not.\n\n" +
		examples("firmward feeds import nvdcve-2.0-2026.json.gz", "firmward feeds import known_exploited_vulnerabilities.json epss.csv.gz",
			"firmward feeds import csaf-mirror/ cvelistV5-main.zip")
}

// Run carries it out.
func (c *FeedsImportCmd) Run(ctx context.Context, a *app) error {
	for _, path := range c.Files {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return usageError("no such file or folder: " + path)
		}
	}
	for i, path := range c.Files {
		if err := c.one(ctx, a, path); err != nil {
			if rest := c.Files[i+1:]; len(rest) > 0 {
				fmt.Fprintln(a.err, "Not tried after the error: "+strings.Join(rest, ", "))
			}
			return err
		}
	}
	return nil
}

func (c *FeedsImportCmd) one(ctx context.Context, a *app, path string) error {
	name := filepath.Base(path)
	body, sent, err := open(path)
	if err != nil {
		return err
	}
	defer body.Close()
	done := c.progress(ctx, a, name, sent)
	var s httpapi.Feed
	err = a.client.do(ctx, call{
		method: http.MethodPost, path: "/feeds/import", query: values("name", name, "source", c.Source),
		body: body, bodyType: "application/octet-stream", out: &s,
	})
	done()
	if err != nil {
		return err
	}
	if done, err := a.asJSON(s); done {
		return err
	}
	fmt.Fprintf(a.out, "%s: %s from %s, dated %s", s.Name, plural(s.Records, "record", "records"), s.Document, day(s.Dated))
	if s.Refused > 0 {
		fmt.Fprintf(a.out, ", %s left out", plural(s.Refused, "broken one", "broken ones"))
	}
	if s.Aside > 0 {
		fmt.Fprintf(a.out, ", %d that say nothing of devices left aside", s.Aside)
	}
	fmt.Fprintln(a.out)
	return nil
}

// open opens a file, or packs a folder while it is read. sent says how far that is.
func open(path string) (body io.ReadCloser, sent func() string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if !info.IsDir() {
		f, err := os.Open(path)
		if err != nil {
			return nil, nil, err
		}
		size := max(1, info.Size())
		return f, func() string {
			at, _ := f.Seek(0, io.SeekCurrent)
			return fmt.Sprintf("sent %d%%", at*100/size)
		}, nil
	}
	var files atomic.Int64
	r, w := io.Pipe()
	go func() { w.CloseWithError(feed.Pack(w, path, func(n int) { files.Store(int64(n)) })) }()
	return r, func() string { return "sent " + plural(int(files.Load()), "file", "files") }, nil
}

// progress says on a terminal how far an import is, until the function that it gives is called.
func (c *FeedsImportCmd) progress(ctx context.Context, a *app, name string, sent func() string) (done func()) {
	return watch(ctx, a, name, func(all httpapi.Feeds) string {
		for _, i := range all.Importing {
			if i.Document == name {
				return "read " + plural(i.Read, "document", "documents") + " of " + i.Feed
			}
		}
		return sent()
	})
}

// watch shows on a terminal what text says of the feeds, again and again until the function that it gives is called.
func watch(ctx context.Context, a *app, name string, text func(httpapi.Feeds) string) (done func()) {
	if !a.tty || a.JSON || a.client.open(ctx) != nil { // an error shows again when the work is asked for
		return func() {}
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				fmt.Fprint(a.out, "\r\x1b[K")
				return
			case <-tick.C:
			}
			var feeds httpapi.Feeds
			_ = a.client.get(ctx, "/feeds", nil, &feeds) // then nothing is said of it
			fmt.Fprintf(a.out, "\r\x1b[K%s: %s ", name, text(feeds))
		}
	}()
	return func() { close(stop); <-stopped }
}
