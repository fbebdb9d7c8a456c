// Package catalog is the one place of data about device families: fingerprints, model cards, update
// instructions. One YAML file a family, embedded; a new device on a known protocol is one such file
// and no Go (docs/adding-a-device.md).
//
// Files are checked when they are read: unknown keys, patterns that do not compile and examples that
// do not match are errors that name file and place.
package catalog

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/cpe"
	"github.com/firmward/firmward/identify"
	"github.com/firmward/firmward/version"
)

//go:embed *.yaml
var files embed.FS

// Catalogue is all families, ready for use.
type Catalogue struct {
	Families []firmward.Family // sorted by name
	Rules    *identify.Rules
	Digest   string // hash of all files: another one means that other rules may read the same evidence differently
}

// Embedded reads the families that firmward ships.
func Embedded() (*Catalogue, error) { return Read(files) }

// Read reads every *.yaml file at the top of dir.
func Read(dir fs.FS) (*Catalogue, error) {
	names, err := fs.Glob(dir, "*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list catalogue: %w", err)
	}
	c := &Catalogue{}
	sum := sha256.New()
	var prints []firmward.Fingerprint
	for _, name := range names {
		b, err := fs.ReadFile(dir, name)
		if err != nil {
			return nil, fmt.Errorf("read catalogue: %w", err)
		}
		fmt.Fprintf(sum, "%s %d\n%s", name, len(b), b)
		f, err := parse(b, strings.TrimSuffix(path.Base(name), ".yaml"))
		if err != nil {
			return nil, &firmward.Error{Code: firmward.Invalid, Message: "catalogue file " + name, Err: err}
		}
		c.Families = append(c.Families, f)
		prints = append(prints, f.Fingerprints...)
	}
	if c.Rules, err = identify.Compile(prints); err != nil {
		return nil, err
	}
	c.Digest = hex.EncodeToString(sum.Sum(nil))
	return c, nil
}

// Family finds a family by name.
func (c *Catalogue) Family(name string) (firmward.Family, bool) {
	for _, f := range c.Families {
		if f.Name == name {
			return f, true
		}
	}
	return firmward.Family{}, false
}

// Model finds the model card of a device: the exact model of its family, else the family's default
// card "*", else a card that says only that nothing is known. The name is always the device's own.
func (c *Catalogue) Model(d firmward.Device) firmward.Model {
	f, ok := c.Family(d.Family)
	if !ok {
		f, ok = c.byVendorModel(d)
	}
	var fallback *firmward.Model
	for i, m := range f.Models {
		if m.Name == d.Model {
			return m
		}
		if m.Name == "*" {
			fallback = &f.Models[i]
		}
	}
	if ok && fallback != nil {
		m := *fallback
		m.Name = d.Model
		return m
	}
	return firmward.Model{Family: d.Family, Vendor: d.Vendor, Name: d.Model, Class: d.Class}
}

// byVendorModel finds the family of a device that was added by hand: exact vendor and model.
func (c *Catalogue) byVendorModel(d firmward.Device) (firmward.Family, bool) {
	for _, f := range c.Families {
		for _, m := range f.Models {
			if d.Model != "" && m.Name == d.Model && strings.EqualFold(m.Vendor, d.Vendor) {
				return f, true
			}
		}
	}
	return firmward.Family{}, false
}

// FamilyOf names the family whose card lists exactly this vendor and model, or "".
func (c *Catalogue) FamilyOf(vendor, model string) string {
	f, _ := c.byVendorModel(firmward.Device{Vendor: vendor, Model: model})
	return f.Name
}

// file is the shape of a catalogue file. Facts may be written as plain values: they then take the
// file's source and date.
type file struct {
	Family       string
	Vendor       string
	Source       string
	Date         string
	Probes       []string
	Paths        []string
	Fingerprints []struct {
		ID         string
		When       map[string]string
		Unless     map[string]string
		Claim      map[firmward.Field]string
		Confidence int
		Examples   []struct {
			Readings map[string]string
			Claims   map[firmward.Field]string
		}
	}
	Models []struct {
		Names      []string
		Class      firmward.Class
		Mechanism  fact
		MayPatch   fact `yaml:"may-patch"`
		Signed     fact
		AutoUpdate fact `yaml:"auto-update"`
		Rollback   fact
		Outage     fact
		SupportEnd fact `yaml:"support-end"`
		Recovery   fact
		Settle     fact
		Driver     string
		Params     map[string]string
		Scheme     string
		CPE        []string
		Services   []string
		Update     instruction
		VendorCall instruction `yaml:"vendor-call"`
	}
}

type instruction struct {
	Title   string
	Steps   []string
	Minutes int
	Outage  string
	Never   string
	IfBad   string `yaml:"if-bad"`
	Source  string
	Date    string
}

type fact firmward.Fact

// UnmarshalYAML takes a plain value or {value, source, date}.
func (f *fact) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		f.Value = n.Value
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		switch key, v := n.Content[i], n.Content[i+1].Value; key.Value {
		case "value":
			f.Value = v
		case "source":
			f.Source = v
		case "date":
			f.Date = v
		default:
			return fmt.Errorf("line %d: unknown key %q in a fact: want value, source, date", key.Line, key.Value)
		}
	}
	return nil
}

func parse(b []byte, name string) (firmward.Family, error) {
	var in file
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(&in); err != nil {
		return firmward.Family{}, err
	}
	if err := dec.Decode(&struct{}{}); !errors.Is(err, io.EOF) {
		return firmward.Family{}, errors.New("one document a file")
	}
	if in.Family != name {
		return firmward.Family{}, fmt.Errorf("family %q must be named as its file", in.Family)
	}
	if _, err := time.Parse(time.DateOnly, in.Date); err != nil || in.Source == "" {
		return firmward.Family{}, errors.New("the file needs a source and a date (YYYY-MM-DD)")
	}
	out := firmward.Family{Name: in.Family, Vendor: in.Vendor, Probes: in.Probes, Paths: in.Paths}
	for _, p := range in.Fingerprints {
		fp := firmward.Fingerprint{ID: p.ID, Family: in.Family, When: p.When, Unless: p.Unless, Claim: p.Claim, Confidence: p.Confidence}
		for _, e := range p.Examples {
			fp.Examples = append(fp.Examples, firmward.Example{Readings: e.Readings, Claims: e.Claims})
		}
		out.Fingerprints = append(out.Fingerprints, fp)
	}
	dated := func(f fact) firmward.Fact {
		if f.Value != "" && f.Source == "" {
			f.Source, f.Date = in.Source, in.Date
		}
		return firmward.Fact(f)
	}
	guide := func(i instruction) firmward.Instruction {
		if i.Title != "" && i.Source == "" {
			i.Source, i.Date = in.Source, in.Date
		}
		return firmward.Instruction(i)
	}
	for _, m := range in.Models {
		if len(m.Names) == 0 {
			return out, errors.New("a model card needs names")
		}
		for _, modelName := range m.Names {
			card := firmward.Model{
				Family: in.Family, Vendor: in.Vendor, Name: modelName, Class: m.Class,
				Mechanism: dated(m.Mechanism), MayPatch: dated(m.MayPatch), Signed: dated(m.Signed), AutoUpdate: dated(m.AutoUpdate),
				Rollback: dated(m.Rollback), Outage: dated(m.Outage), SupportEnd: dated(m.SupportEnd), Recovery: dated(m.Recovery),
				Settle: dated(m.Settle), Driver: m.Driver, Params: m.Params, Scheme: m.Scheme, CPE: m.CPE, Services: m.Services,
				Update: guide(m.Update), VendorCall: guide(m.VendorCall),
			}
			if err := check(card); err != nil {
				return out, fmt.Errorf("model %s: %w", modelName, err)
			}
			out.Models = append(out.Models, card)
		}
	}
	return out, nil
}

// check refuses values that no rule would understand.
func check(m firmward.Model) error {
	for _, f := range []struct {
		name string
		fact firmward.Fact
		want string
	}{
		{"mechanism", m.Mechanism, "vendor-app-or-cloud manual-download vendor-manager-or-technician none unknown"},
		{"may-patch", m.MayPatch, "owner vendor-only unknown"},
		{"rollback", m.Rollback, "unknown none reflash slot dead-man"},
		{"signed", m.Signed, "yes no unknown"},
		{"auto-update", m.AutoUpdate, "on off unknown"},
	} {
		if f.fact.Value != "" && !contains(strings.Fields(f.want), f.fact.Value) {
			return fmt.Errorf("%s is %q: want one of %s", f.name, f.fact.Value, strings.Join(strings.Fields(f.want), ", "))
		}
	}
	if m.Scheme != "" && !version.Known(m.Scheme) {
		return fmt.Errorf("scheme is %q: want one of %s", m.Scheme, strings.Join(version.Schemes(), ", "))
	}
	for _, name := range m.CPE {
		if _, err := cpe.Parse(name); err != nil {
			return fmt.Errorf("cpe %s: %w", name, err)
		}
	}
	if m.SupportEnd.Value != "" {
		if _, err := time.Parse(time.DateOnly, m.SupportEnd.Value); err != nil {
			return fmt.Errorf("support-end: %w", err)
		}
	}
	return nil
}

func contains(list []string, v string) bool {
	return slices.Contains(list, v)
}
