package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/firmward/firmward/httpapi"
)

// preview prints what a scan would send, probe by probe, and what it would not.
func (c *ScanCmd) preview(ctx context.Context, a *app, prefix string) error {
	var p httpapi.ScanPreview
	if err := a.client.get(ctx, "/networks/"+url.PathEscape(prefix)+"/preview", values("profile", c.Profile), &p); err != nil {
		return err
	}
	if done, err := a.asJSON(p); done {
		return err
	}
	place := "not named yet"
	if p.Named {
		place = "at " + p.Site
	}
	fmt.Fprintf(a.out, "%s, %s, profile %s: probes may be %s, %s, an unknown device is touched at most %s.\n", p.Network, place, p.Profile, p.Allowed,
		plural(p.Targets, "address", "addresses"), pace(p.Every))
	if p.NotSwept != "" {
		a.para(0, "Not swept: "+p.NotSwept+"; the neighbour table and the inventory say who is there.")
	}
	withheld := table{head: []string{"PROBE", "SAFETY", "PORTS", "WHY NOT"}}
	a.title("Would be sent")
	for _, one := range p.Probes {
		if one.Withheld != "" {
			withheld.rows = append(withheld.rows, []string{one.Probe, one.Safety, strings.Join(one.Ports, " "), one.Withheld})
		}
		if len(one.When) == 0 {
			continue
		}
		a.para(0, fmt.Sprintf("%s, %s: %s", one.Probe, one.Safety, strings.Join(one.When, "; ")))
		for _, line := range firstOf(one.First) {
			a.para(4, line)
		}
	}
	a.title("Would be withheld")
	withheld.write(a)
	fmt.Fprintln(a.out, "Nothing was sent. What follows an answer depends on the answer; every byte is kept: firmward device REF --sent")
	return nil
}

// pace says how often something happens that happens once in a time.
func pace(every string) string {
	if d, err := time.ParseDuration(every); err == nil && d > 0 && d < time.Second {
		return fmt.Sprintf("%d times a second", time.Second/d)
	}
	return "once in " + every
}

// firstOf tells packets to people: where they go, how much it is and how it begins. Connections without a word share
// a line.
func firstOf(packets []httpapi.Packet) []string {
	var out, knocks []string
	for _, p := range packets {
		if p.Bytes == 0 {
			knocks = append(knocks, p.To[strings.LastIndex(p.To, ":")+1:])
			continue
		}
		out = append(out, fmt.Sprintf("%s %s: %s", p.To, plural(p.Bytes, "byte", "bytes"), beginning(p)))
	}
	if len(knocks) > 0 {
		out = append(out, "connects to tcp "+strings.Join(knocks, ", ")+" and leaves without a word")
	}
	return out
}

// beginning is the first line of a packet where that is text, whatever follows; else its first bytes in hex.
func beginning(p httpapi.Packet) string {
	const most = 32
	b, err := hex.DecodeString(p.Hex)
	line, _, _ := strings.Cut(string(b), "\r\n")
	unprintable := func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }
	switch {
	case err == nil && line != "" && !strings.ContainsFunc(line, unprintable):
		return line
	case len(p.Hex) <= most:
		return p.Hex
	}
	return p.Hex[:most] + "…"
}
