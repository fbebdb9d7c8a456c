// Package kev reads CISA's catalogue of known exploited vulnerabilities in its JSON form.
package kev

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/feed"
)

// Source is the reader.
type Source struct{}

// Info declares the source.
func (Source) Info() feed.Info {
	return feed.Info{
		Name: "kev", Title: "CISA known exploited vulnerabilities", Kind: "exploited", Gives: "that somebody uses a vulnerability, and a due date",
		Licence: "CC0 1.0", Home: "www.cisa.gov/known-exploited-vulnerabilities-catalog",
		Period: 12 * time.Hour, StaleAfter: 4 * 24 * time.Hour,
		// As named on the home page ("JSON"); check there. The catalogue can be silent for more than a week around holidays.
		URLs:  []string{"https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json"},
		Quiet: 14 * 24 * time.Hour,
	}
}

// Next asks for the catalogue.
func (Source) Next(f feed.Fetching) (feed.Batch, error) {
	return feed.One(f, "known_exploited_vulnerabilities.json"), nil
}

// Detect looks for the catalogue's own member names.
func (Source) Detect(head []byte, _ string) bool {
	return bytes.Contains(head, []byte(`"catalogVersion"`)) && bytes.Contains(head, []byte(`"dateReleased"`))
}

type entry struct {
	ID         string `json:"cveID"`
	Added      string `json:"dateAdded"`
	Due        string `json:"dueDate"`
	Action     string `json:"requiredAction"`
	Ransomware string `json:"knownRansomwareCampaignUse"`
}

// Sync reads the catalogue. The cursor is its version.
func (Source) Sync(ctx context.Context, _ feed.Cursor, in feed.Input, put feed.Sink) (feed.Cursor, error) {
	put = put.Complete()
	d := feed.NewDecoder(ctx, in)
	origin := firmward.Origins{Feed: "kev", Document: in.Document, Imported: in.Now}
	version, declared, records, found := "", 0, 0, false
	err := d.Object(func(name string) error {
		switch name {
		case "catalogVersion":
			return d.Value(&version)
		case "count":
			return d.Value(&declared)
		case "dateReleased":
			var text string
			if err := d.Value(&text); err != nil {
				return err
			}
			day, err := feed.Day(text)
			if err != nil {
				return err
			}
			origin.Dated = day
			put.Dated(day)
			return nil
		case "vulnerabilities":
			found = true
			return d.Array(func(raw json.RawMessage, at int64) error {
				records++
				return one(raw, at, origin, put)
			})
		}
		return d.Skip()
	})
	switch {
	case err != nil:
		return "", err
	case !found || version == "":
		return "", d.Fail(fmt.Errorf("this is no KEV catalogue: catalogVersion or vulnerabilities is missing"))
	case records < declared:
		return "", d.Fail(fmt.Errorf("the catalogue declares %d entries and holds %d", declared, records))
	}
	return feed.Cursor(version), d.End()
}

// one delivers one entry or refuses it. The error is the sink's.
func one(raw json.RawMessage, at int64, origin firmward.Origins, put feed.Sink) error {
	var e entry
	x, err := firmward.Exploited{Origin: origin}, json.Unmarshal(raw, &e)
	if err == nil && !feed.CVE(e.ID) {
		err = fmt.Errorf("%q is no CVE id", e.ID)
	}
	if err == nil {
		x.Added, err = feed.Day(e.Added)
	}
	if err == nil && e.Due != "" {
		x.Due, err = feed.Day(e.Due)
	}
	if err != nil {
		where := e.ID
		if where == "" {
			where = "entry ending at byte " + strconv.FormatInt(at, 10)
		}
		put.Refuse(where, err.Error())
		return nil
	}
	x.Advisory, x.Action, x.Ransomware = e.ID, feed.Clip(e.Action), strings.EqualFold(e.Ransomware, "Known")
	return put.Exploited(x)
}
