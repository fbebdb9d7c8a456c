// Package fda reads recalls of medical devices as the US Food and Drug Administration publishes them through openFDA: the
// enforcement reports and the recalls, downloads and answers of the API alike.
//
// A recall becomes a firmward.Advisory under its recall number (Z-1234-2024), also where it is about no vulnerability: its
// class, reason and action stand in the title. The product is named in words, the recalling firm as its vendor, and no
// version is told.
package fda

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/feed"
)

// name is the feed's, which its advisories carry as their source.
const name = "fda"

// Source is the reader.
type Source struct{}

// Info declares the source.
func (Source) Info() feed.Info {
	return feed.Info{
		Name: name, Title: "FDA recalls of medical devices", Kind: "advisories", Gives: "recalls of medical devices, with class and action",
		Licence: "US-government public domain (CC0 1.0)", Home: "open.fda.gov",
		Period: 7 * 24 * time.Hour, StaleAfter: 30 * 24 * time.Hour,
	}
}

var mark = regexp.MustCompile(`open\.fda\.gov|"recall_number"|"product_res_number"`)

// Detect looks for the publisher's address or the number of a recall.
func (Source) Detect(head []byte, _ string) bool {
	return bytes.HasPrefix(bytes.TrimLeft(head, " \t\r\n"), []byte("{")) && bytes.Contains(head, []byte(`"meta"`)) && mark.Match(head)
}

// Sync reads one document. The document's date and the cursor are those of its last update.
func (Source) Sync(ctx context.Context, _ feed.Cursor, in feed.Input, put feed.Sink) (feed.Cursor, error) {
	put = put.Complete()
	d := feed.NewDecoder(ctx, in)
	origin := firmward.Origins{Feed: name, Document: in.Document, Imported: in.Now}
	var meta struct {
		Updated string `json:"last_updated"`
	}
	found := false
	err := d.Object(func(member string) error {
		switch member {
		case "meta":
			if err := d.Value(&meta); err != nil {
				return err
			}
			day, err := feed.Day(meta.Updated)
			if err != nil {
				return err
			}
			origin.Dated = day
			put.Dated(day)
			return nil
		case "results":
			found = true
			return d.Array(func(raw json.RawMessage, at int64) error { return one(raw, at, origin, put) })
		}
		return d.Skip()
	})
	switch {
	case err != nil:
		return "", err
	case !found || meta.Updated == "":
		return "", d.Fail(errors.New("this is no openFDA document: meta, last_updated or results is missing"))
	}
	return feed.Cursor(meta.Updated), d.End()
}

// recall is one record of either endpoint.
type recall struct {
	Number      string `json:"recall_number"`      // enforcement
	Other       string `json:"product_res_number"` // recall
	Class       string `json:"classification"`
	Product     string `json:"product_description"`
	Firm        string `json:"recalling_firm"`
	Reason      string `json:"reason_for_recall"`
	Action      string `json:"action"`
	Status      string `json:"status"`
	OtherStatus string `json:"recall_status"`
	Initiated   string `json:"recall_initiation_date"` // YYYYMMDD
	OtherDay    string `json:"event_date_initiated"`   // YYYY-MM-DD
	Reported    string `json:"report_date"`
	Posted      string `json:"event_date_posted"`
	Terminated  string `json:"termination_date"`
	OtherEnd    string `json:"event_date_terminated"`
	Event       string `json:"event_id"`         // enforcement
	OtherEvent  string `json:"res_event_number"` // recall
}

var number = regexp.MustCompile(`^Z-\d{3,5}-\d{2,4}$`)

// one delivers one recall or refuses it. The error is the sink's.
func one(raw json.RawMessage, at int64, origin firmward.Origins, put feed.Sink) error {
	var r recall
	var a firmward.Advisory
	err := json.Unmarshal(raw, &r)
	id := r.Number + r.Other
	if r.Number == r.Other {
		id = r.Number
	}
	if err == nil {
		a, err = r.advisory(id, origin, put)
	}
	if err == nil {
		err = feed.Finish(&a, put)
	}
	if err != nil {
		where := "record ending at byte " + strconv.FormatInt(at, 10)
		if id != "" {
			where = feed.Clip(id)
		}
		put.Refuse(where, err.Error())
		return nil
	}
	return put.Advisory(a)
}

// day reads both ways of writing one.
func day(text string) (time.Time, error) {
	if t, err := time.Parse("20060102", text); err == nil {
		return t, nil
	}
	return feed.Day(text)
}

func (r recall) advisory(id string, origin firmward.Origins, put feed.Sink) (firmward.Advisory, error) {
	a := firmward.Advisory{ID: id, Source: name, Origin: origin}
	if !number.MatchString(id) {
		return a, fmt.Errorf("recall number %q is not of the form Z-1234-2024", feed.Clip(id))
	}
	switch r.Class {
	case "", "Class I", "Class II", "Class III", "Not Yet Classified":
	default:
		return a, fmt.Errorf("classification %q is none of Class I, II, III", feed.Clip(r.Class))
	}
	if r.Product == "" || r.Firm == "" || r.Reason == "" {
		return a, errors.New("product, firm or reason is missing")
	}
	for _, d := range []struct {
		text string
		into []*time.Time
	}{
		{r.Initiated + r.OtherDay, []*time.Time{&a.Published, &a.Modified}},
		{r.Reported + r.Posted, []*time.Time{&a.Modified}},
		{r.Terminated + r.OtherEnd, []*time.Time{&a.Modified}},
	} {
		if d.text == "" {
			continue
		}
		t, err := day(d.text)
		if err != nil {
			return a, err
		}
		if feed.Future(t, origin.Imported) {
			return a, fmt.Errorf("its date %s lies in the future", t.Format(time.DateOnly))
		}
		for _, into := range d.into {
			if t.After(*into) {
				*into = t
			}
		}
	}
	a.Title = feed.Clip(r.title())
	if event := cmp.Or(r.Event, r.OtherEvent); event != "" && strings.Trim(event, "0123456789") == "" {
		a.References = append(a.References, "https://www.accessdata.fda.gov/scripts/cdrh/cfdocs/cfRES/res.cfm?event="+event)
	}
	names, err := feed.InWords(r.Firm, product(r.Product))
	if err != nil {
		put.Refuse(id+" product", err.Error())
	}
	var matches []firmward.CPEMatch
	for _, n := range names {
		matches = append(matches, n.Match(feed.Versions{Vague: true}))
	}
	if len(matches) > 0 {
		a.Configurations = []firmward.Configuration{{Operator: "OR", Nodes: []firmward.Node{{Operator: "OR", Matches: matches}}}}
	}
	return a, nil
}

// title says what a person has to know first: class, state, product, reason, action.
func (r recall) title() string {
	class := r.Class
	if class == "" || class == "Not Yet Classified" {
		class = "Not yet classified"
	}
	state := ""
	if strings.EqualFold(r.Status+r.OtherStatus, "Terminated") || r.Terminated+r.OtherEnd != "" {
		state = ", terminated"
	}
	text := fmt.Sprintf("FDA recall, %s%s: %s. Reason: %s", class, state, product(r.Product), r.Reason)
	if r.Action != "" {
		text += " Action: " + r.Action
	}
	return text
}

// product is the name at the beginning of a description, which goes on with models, codes and packages.
func product(description string) string {
	text := strings.Join(strings.Fields(strings.NewReplacer("®", "", "™", "", "(R)", "", "(TM)", "").Replace(description)), " ")
	if i := strings.IndexAny(text, ",;:"); i > 0 {
		text = text[:i]
	}
	return strings.TrimRight(text, " .")
}
