package staging

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/firmward/firmward"
)

// Member is a device of the inventory with what a cluster is made of: one that shall get the release, or one on which it can be
// rehearsed.
type Member struct {
	Device firmward.Device
	Config firmward.ConfigClass
	Path   string         // how an image reaches it
	Place  firmward.Place // what kind of place it is for a rehearsal; empty for a device in use
}

// Cluster is a group of devices for which one rehearsal speaks: of one model, hardware revision, version, configuration class and
// delivery path.
type Cluster struct {
	Model, Hardware, Version, Path string
	Config                         firmward.ConfigClass
	Devices                        []firmward.Device // sorted by name
	By                             *Representative   // nil: there is none
	Why                            string            // why there is none
}

// Representative is the device on which a release is rehearsed for a cluster, and in what it differs from it.
type Representative struct {
	Member
	Differences []string // empty: none
	Like        string   // device of the cluster whose configuration it may take over
}

// Clusters groups the devices that shall get a release and finds each group its representative among places: never a device in use,
// always of exactly the model, revision and delivery path. The nearest one is taken: of the same version and configuration, else of
// the same configuration, else of the same version; then one of the same site, then by name. One place may stand for several
// clusters. The result is sorted by model, revision, version and class.
func Clusters(rel firmward.Release, members, places []Member) []Cluster {
	type key struct{ model, hardware, version, class, path string }
	at := map[key]int{}
	var out []Cluster
	for _, m := range members {
		if m.Path == "" || m.Device.Spare || m.Device.Retired {
			continue
		}
		d := m.Device
		k := key{d.Model, d.Hardware, d.Firmware, m.Config.Class, m.Path}
		i, ok := at[k]
		if !ok {
			i = len(out)
			at[k] = i
			out = append(out, Cluster{Model: d.Model, Hardware: d.Hardware, Version: d.Firmware, Path: m.Path, Config: m.Config})
		}
		out[i].Devices = append(out[i].Devices, d)
	}
	for i := range out {
		slices.SortFunc(out[i].Devices, func(a, b firmward.Device) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
		out[i].By, out[i].Why = represent(rel, out[i], places)
	}
	slices.SortFunc(out, func(a, b Cluster) int {
		return cmp.Or(cmp.Compare(a.Model, b.Model), cmp.Compare(a.Hardware, b.Hardware), cmp.Compare(a.Version, b.Version),
			cmp.Compare(a.Config.Class, b.Config.Class), cmp.Compare(a.Path, b.Path))
	})
	return out
}

// represent finds a cluster its representative, or says why there is none.
func represent(rel firmward.Release, c Cluster, places []Member) (*Representative, string) {
	var fit []Member
	why := "no spare " + c.Model + " is at hand"
	for _, p := range places {
		d := p.Device
		switch {
		case !d.Spare || d.Retired || d.Model != c.Model:
		case d.Hardware != c.Hardware || !rel.FitsModel(d.Model) || !rel.FitsHardware(d.Hardware):
			why = fmt.Sprintf("no spare %s is of hardware revision %s", c.Model, c.Hardware)
		case p.Path != c.Path:
			why = fmt.Sprintf("no spare %s gets its image by %s", c.Model, c.Path)
		case d.Network == "":
			why = "no network shows the spare " + d.Name
		case d.Firmware == rel.Version && c.Version != rel.Version:
			why = fmt.Sprintf("the spare %s runs %s already: bring it back to what the devices run", d.Name, rel.Version)
		default:
			fit = append(fit, p)
		}
	}
	if len(fit) == 0 {
		return nil, why
	}
	best := slices.MinFunc(fit, func(a, b Member) int {
		return cmp.Or(cmp.Compare(far(a, c), far(b, c)), -cmp.Compare(near(a, c), near(b, c)), cmp.Compare(a.Device.Name, b.Device.Name))
	})
	return &Representative{Member: best, Like: c.Devices[0].ID, Differences: Differences(best.Device.Firmware, best.Config, c.Version, c.Config)}, ""
}

// far is how little a place is like a cluster: its configuration weighs more than the version from which it comes.
func far(p Member, c Cluster) int {
	n := 0
	if apart(p.Config, c.Config) != nil {
		n += 2
	}
	if p.Device.Firmware != c.Version {
		n++
	}
	return n
}

// near counts the cluster's devices at the place's site.
func near(p Member, c Cluster) int {
	n := 0
	for _, d := range c.Devices {
		if d.Site == p.Device.Site {
			n++
		}
	}
	return n
}

// Differences names in what a tested device, by the version it ran and its configuration, differs from a real one. Model, revision
// and path never differ: a verdict does not speak of others at all.
func Differences(testedFrom string, tested firmward.ConfigClass, from string, config firmward.ConfigClass) []string {
	var out []string
	if testedFrom != from {
		out = append(out, fmt.Sprintf("version: the tested one came from %s, this one runs %s", known(testedFrom), known(from)))
	}
	for _, d := range apart(tested, config) {
		out = append(out, "configuration: "+d)
	}
	return out
}

func known(s string) string { return cmp.Or(s, "a version that is not known") }

// Representatives lists the places that clusters are to be rehearsed on, each once, sorted by name.
func Representatives(clusters []Cluster) []Representative {
	var out []Representative
	for _, c := range clusters {
		if c.By != nil && !slices.ContainsFunc(out, func(r Representative) bool { return r.Device.ID == c.By.Device.ID }) {
			out = append(out, *c.By)
		}
	}
	slices.SortFunc(out, func(a, b Representative) int { return cmp.Compare(a.Device.Name, b.Device.Name) })
	return out
}

// Speaks reports whether a verdict says something at a time: a passed one until it expires, a failed one until the image was
// rehearsed anew.
func Speaks(v firmward.StagingVerdict, now time.Time) bool {
	switch v.Result {
	case Failed:
		return true
	case Passed:
		return v.Expires.IsZero() || now.Before(v.Expires)
	}
	return false
}

// Stand gives the verdict that stands for a device, out of all on one image, path, model and revision: the one whose tested device
// differs least from it, with the differences named. Where two are equally near the worse one stands, then the newer. Where none
// speaks the answer is "not-staged", and says why.
func Stand(verdicts []firmward.StagingVerdict, from string, config firmward.ConfigClass, now time.Time) firmward.StagingVerdict {
	var best firmward.StagingVerdict
	least, silent := 0, firmward.StagingVerdict{Result: NotStaged, Why: "it was not rehearsed"}
	for _, v := range verdicts {
		if !Speaks(v, now) {
			silent = v
			if v.Result == Passed {
				silent.Result, silent.Why = NotStaged, fmt.Sprintf("the verdict of %s has expired on %s: rehearse it again (firmward staging run %s)",
					v.At.Format(time.DateOnly), v.Expires.Format(time.DateOnly), v.ReleaseID)
			}
			continue
		}
		v.Differences = Differences(v.From, v.Config, from, config)
		if v.Config.Class == "" { // it was made before verdicts knew configurations
			v.Differences = nil
		}
		n := len(v.Differences)
		switch {
		case best.Result == "", n < least, n == least && v.Result == Failed && best.Result != Failed, n == least && v.Result == best.Result && v.At.After(best.At):
			best, least = v, n
		}
	}
	if best.Result == "" {
		return silent
	}
	return best
}
