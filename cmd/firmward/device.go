package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/httpapi"
)

// DeviceCmd shows one device.
type DeviceCmd struct {
	Ref     string `arg:"" help:"Id, name, address, serial number or MAC address."`
	History bool   `help:"Show what changed, newest first."`
	Sent    bool   `help:"Show every byte that was sent to it, newest first."`
	At      string `help:"Show what was known of it then." placeholder:"YYYY-MM-DD|TIME"`
	Closed  bool   `help:"Show findings that are closed or do not concern it, too."`
	Limit   int    `help:"At most so many lines of history or of what was sent; 0 shows all." default:"50"`
}

// Help gives examples.
func (DeviceCmd) Help() string {
	return examples("firmward device cam-1", "firmward device 192.168.1.17 --sent", "firmward device ACCC8E123456 --history --json",
		"firmward device pump-7 --at 2026-03-01")
}

// Run carries it out.
func (c *DeviceCmd) Run(ctx context.Context, a *app) error {
	path := "/devices/" + url.PathEscape(c.Ref)
	switch {
	case c.History:
		return listTo(ctx, a, path+"/history", nil, c.Limit, []string{"WHEN", "WHO", "SOURCE", "CHANGE"}, func(h httpapi.FieldChange) []string {
			return []string{when(h.At), h.Actor, h.Source, changeText(h)}
		})
	case c.Sent:
		return listTo(ctx, a, path+"/transmissions", nil, c.Limit, []string{"WHEN", "TO", "PURPOSE", "BYTES", "SENT"}, func(t httpapi.Transmission) []string {
			return []string{when(t.At), fmt.Sprintf("%s %s %d", t.Network, t.Address, t.Port), t.Purpose, strconv.Itoa(t.Total), t.Text}
		})
	}
	if c.At != "" {
		return c.then(ctx, a, path)
	}
	if err := a.client.settle(ctx); err != nil {
		return err
	}
	var d httpapi.DeviceDetail
	if err := a.client.get(ctx, path, nil, &d); err != nil {
		return err
	}
	if done, err := a.asJSON(d); done {
		return err
	}
	c.print(a, d)
	return nil
}

// then shows what was known at a time; a day means its end.
func (c *DeviceCmd) then(ctx context.Context, a *app, path string) error {
	at, err := dayOrTime(c.At)
	if err != nil {
		return err
	}
	var d httpapi.Device
	if err := a.client.get(ctx, path+"/then", values("at", at.Format(time.RFC3339Nano)), &d); err != nil {
		return err
	}
	if done, err := a.asJSON(d); done {
		return err
	}
	fmt.Fprintln(a.out, a.bold(clean(d.Name)), " ", d.ID, " ", "as it was known", when(at))
	printFacts(a, facts(d))
	return nil
}

// changeText says what changed, in words: the API gives Go's field names and values as JSON.
func changeText(h httpapi.FieldChange) string {
	if h.Before == "" {
		return h.Field // "created": what it was then is in the lines above it
	}
	return fmt.Sprintf("%s: %s → %s", fieldWords(h.Field), plainJSON(h.Before), plainJSON(h.After))
}

// fieldWords takes a field's name apart: NeverContain is "never contain", MACs stays.
func fieldWords(name string) string {
	var b strings.Builder
	before := ' '
	for i, r := range name {
		next, _ := utf8.DecodeRuneInString(name[i+1:])
		if unicode.IsUpper(r) && !unicode.IsUpper(next) && !unicode.IsUpper(before) {
			if i > 0 {
				b.WriteByte(' ')
			}
			b.WriteRune(unicode.ToLower(r))
		} else {
			b.WriteRune(r)
		}
		before = r
	}
	return b.String()
}

// plainJSON shows a JSON value as people write it.
func plainJSON(text string) string {
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return text
	}
	switch v := v.(type) {
	case nil:
		return "none"
	case string:
		return cmp.Or(v, "none")
	case bool:
		return yes(v)
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = fmt.Sprint(e)
		}
		return join(parts)
	}
	return text
}

func orNone(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

func (c *DeviceCmd) print(a *app, d httpapi.DeviceDetail) {
	fmt.Fprintln(a.out, a.bold(clean(d.Device.Name)), " ", d.Device.ID)
	known := append(facts(d.Device), [2]string{"Last seen", lastSeen(d.Device)})
	for _, m := range d.Merges {
		known = append(known, [2]string{"Was also", fmt.Sprintf("%s, %s, until %s (%s: %s)", m.Part, m.Name, when(m.At), m.By, m.Why)})
	}
	known = append(known, relations(d)...)
	printFacts(a, known)
	a.title("Next step")
	printStep(a, d.NextStep)
	a.title("Evidence")
	printClaims(a, d)
	a.title("Model card")
	printModel(a, d.Model)
	a.title("Findings")
	c.printFindings(a, d.Findings)
	printWork(a, d)
}

// relations tells on what a device depends, and how many depend on it.
func relations(d httpapi.DeviceDetail) (out [][2]string) {
	var on []string
	for _, r := range d.Relations {
		if r.From == d.Device.ID {
			out = append(out, [2]string{"Is", relationWords(r.Kind) + " " + r.ToName + " (" + r.Source + ")"})
		} else {
			on = append(on, r.FromName)
		}
	}
	if len(on) > 0 {
		out = append(out, [2]string{"Bears", join(on)})
	}
	return out
}

// facts are the fields of a device, label and text.
func facts(v httpapi.Device) [][2]string {
	return [][2]string{
		{"Is", vendorModel(v.Vendor, v.Model) + hardware(v)},
		{"Firmware", known(v.Firmware)},
		{"Class", string(v.Class)},
		{"Serial", known(v.Serial)},
		{"Addresses", join(v.Addresses)},
		{"MACs", join(v.MACs)},
		{"Stands", fmt.Sprintf("site %s, zone %s, network %s", v.Site, v.Zone, orNone(v.Network))},
		{"Owner", known(v.Owner)},
		{"Function", known(v.Function)},
		{"Marks", marks(v)},
		{"Origin", fmt.Sprintf("%s, first %s", v.Origin, when(v.FirstSeen))},
	}
}

func printFacts(a *app, facts [][2]string) {
	for _, f := range facts {
		fmt.Fprintf(a.out, "%-10s %s\n", f[0], clean(f[1]))
	}
}

// vendorModel says the vendor once: many models begin with it ("AXIS P3265-LV").
func vendorModel(vendor, model string) string {
	if len(model) > len(vendor) && vendor != "" && strings.EqualFold(model[:len(vendor)+1], vendor+" ") {
		return model
	}
	return strings.TrimSpace(known(vendor) + " " + model)
}

func hardware(v httpapi.Device) string {
	if v.Hardware == "" {
		return ""
	}
	return ", hardware " + v.Hardware
}

func lastSeen(v httpapi.Device) string {
	if v.LastSeen.IsZero() {
		return "never"
	}
	return when(v.LastSeen)
}

func marks(v httpapi.Device) string {
	var out []string
	for _, m := range []struct {
		on   bool
		text string
	}{
		{v.Retired, "retired"},
		{v.Spare, "spare"},
		{v.Lab, "lab"},
		{v.NeverContain, "never contain"},
		{v.Updates == firmward.UpdatesAsk, "its owner is asked before each update"},
		{v.Updates == firmward.UpdatesNever, "never updated"},
		{v.Exposed, "reachable from the internet"},
		{v.Criticality > 0, "criticality " + strconv.Itoa(v.Criticality)},
	} {
		if m.on {
			out = append(out, m.text)
		}
	}
	if v.Released != nil {
		out = append(out, "released for maintenance "+when(v.Released.From)+" to "+when(v.Released.To))
	}
	return join(out)
}

func dueBy(p httpapi.Phase) string {
	if p.By.IsZero() {
		return ""
	}
	if p.Rule == "" {
		return " by " + when(p.By)
	}
	return " by " + when(p.By) + " (" + p.Rule + ")"
}

func printClaims(a *app, d httpapi.DeviceDetail) {
	if len(d.Claims) == 0 {
		fmt.Fprintln(a.out, "none")
		return
	}
	t := table{head: []string{"FIELD", "VALUE", "SURE", "SOURCE", "RULE"}}
	var seen []string // one answer often carries several claims: it is shown once, with its time
	for _, c := range d.Claims {
		t.rows = append(t.rows, []string{string(c.Field), c.Value, strconv.Itoa(c.Confidence) + "%", c.Source, c.Rule})
		text := when(c.At) + "  " + cmp.Or(c.Rule, c.Source)
		if c.Raw != "" {
			text += " “" + strings.TrimSpace(c.Raw) + "”"
		}
		if !slices.Contains(seen, text) {
			seen = append(seen, text)
		}
	}
	t.write(a)
	fmt.Fprintln(a.out, "What was seen or said:")
	for _, text := range seen {
		a.para(2, text)
	}
	for _, c := range d.Contradictions {
		others := make([]string, len(c.Others))
		for i, o := range c.Others {
			others[i] = fmt.Sprintf("%s (%s)", o.Value, o.Source)
		}
		a.para(0, fmt.Sprintf("Contradiction: %s is %s, but also %s. %s", c.Field, c.Chosen.Value, strings.Join(others, ", "), c.Why))
	}
}
