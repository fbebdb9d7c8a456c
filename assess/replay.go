package assess

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/cpe"
)

// Remember gives what a verdict rests on beside the records; by is the version of the program that judges.
func (e Essence) Remember(by string) firmward.Judged {
	b, err := json.Marshal(e)
	if err != nil {
		panic("assess: an essence of text and numbers: " + err.Error())
	}
	return firmward.Judged{Essence: b, By: by}
}

// recall gives the subject back.
func recall(device string, j firmward.Judged) (Subject, error) {
	var e Essence
	if err := json.Unmarshal(j.Essence, &e); err != nil {
		return Subject{}, err
	}
	s := e.Subject()
	s.Device.ID = device
	return s, nil
}

// ReplayResult says how a verdict fared when it was given again.
type ReplayResult string

// The results of a replay.
const (
	ReplaySame       ReplayResult = "same"
	ReplayDiffers    ReplayResult = "differs"
	ReplayImpossible ReplayResult = "not-possible" // what it rested on is not kept
)

// Replayed is the outcome of a replay.
type Replayed struct {
	Result  ReplayResult
	Text    string            // in a sentence
	Finding *firmward.Finding // what comes out today, where that differs; nil also when nothing does
}

// Replay judges the device of then by the records of then once more, and compares the digests. then holds what each source said
// in the generation of f. Same device and records give the same answer unless the matcher was changed, which by, the version of
// this program, tells from the one that judged.
func Replay(f firmward.Form, then []firmward.Advisory, by string) Replayed {
	switch {
	case !f.ClosedAt.IsZero() && f.Verdict != firmward.NotAffected:
		return Replayed{Result: ReplayImpossible, Text: "It was closed then, and no record named the product any more: there is nothing to judge again."}
	case f.Judged == nil || f.Digest == "":
		return Replayed{Result: ReplayImpossible, Text: "It is of a time before the device and the records were kept: the recorded answer stands alone."}
	}
	used, missing := recordsUsed(f.Records, then)
	if missing != "" {
		return Replayed{Result: ReplayImpossible, Text: "The record of " + missing + " by which it was judged is not kept: the recorded answer stands alone."}
	}
	was, err := recall(f.DeviceID, *f.Judged)
	if err != nil {
		return Replayed{Result: ReplayImpossible, Text: "The device as it was is kept in a form that this program cannot read: the recorded answer stands alone."}
	}
	var again *firmward.Finding
	for _, fd := range Evaluate(was, used, Extras{Snapshot: f.Snapshot}, f.OpenedAt) {
		if fd.AdvisoryID == f.AdvisoryID {
			again = &fd
		}
	}
	if again != nil && again.Digest == f.Digest {
		return Replayed{Result: ReplaySame, Text: "The same device and records give the same answer today."}
	}
	said := "no finding"
	if again != nil {
		said = fmt.Sprintf("%s (%s)", again.Verdict, again.Reason)
	}
	why := fmt.Sprintf("the matcher has changed. Version %s judged then, this is %s", cmp.Or(f.Judged.By, "unknown"), cmp.Or(by, "unknown"))
	if by != "" && f.Judged.By == by {
		why = "though version " + by + " judged then too. Either it was built from other source, or a record was replaced while it judged"
	}
	return Replayed{Result: ReplayDiffers, Finding: again, Text: "The same device and records give another answer today, " + said + ": " + why + "."}
}

// recordsUsed picks the records that refs name, with the document that they came with then. missing is the source of one that is
// not there as it was.
func recordsUsed(refs []firmward.RecordRef, then []firmward.Advisory) (used []firmward.Advisory, missing string) {
	for _, ref := range refs {
		i := slices.IndexFunc(then, func(a firmward.Advisory) bool {
			return a.Source == ref.Source && a.Modified.Truncate(time.Second).Equal(ref.Modified)
		})
		if i < 0 {
			return nil, ref.Source
		}
		a := then[i]
		a.Origin.Document, a.Origin.Dated = ref.Document, ref.Dated
		used = append(used, a)
	}
	return used, ""
}

// namesShown bounds how many products a sentence lists.
const namesShown = 3

// Unnamed says why an advisory is no finding of s: the products that it names, and those that s goes by.
func Unnamed(s Subject, advisories []firmward.Advisory) string {
	names := s.Names
	if names == nil {
		names = Names(s.Model, s.Device)
	}
	if len(names) == 0 {
		return "Nobody knows what product this device is, so no advisory can be matched to it. Say what it is (devices set --vendor --model), or have it scanned."
	}
	var others, own []string
	for _, a := range advisories {
		for _, c := range a.Configurations {
			others = products(c.Nodes, others)
		}
	}
	for _, n := range names {
		own = once(own, n.CPE.Vendor.Text()+" "+n.CPE.Product.Text())
	}
	if len(others) == 0 {
		return "Its record names no product at all. This device goes by " + shown(own) + "."
	}
	return "It names other products: " + shown(others) + ". This device goes by " + shown(own) + "."
}

func products(nodes []firmward.Node, out []string) []string {
	for _, n := range nodes {
		for _, m := range n.Matches {
			if name, err := cpe.Parse(m.Criteria); err == nil {
				out = once(out, name.Vendor.Text()+" "+name.Product.Text())
			}
		}
		out = products(n.Children, out)
	}
	return out
}

func once(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

func shown(list []string) string {
	if n := len(list) - namesShown; n > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:namesShown], ", "), n)
	}
	return strings.Join(list, ", ")
}
