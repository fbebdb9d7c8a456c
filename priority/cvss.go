package priority

import (
	"cmp"
	"fmt"
	"strings"

	gocvss20 "github.com/pandatix/go-cvss/20"
	gocvss30 "github.com/pandatix/go-cvss/30"
	gocvss31 "github.com/pandatix/go-cvss/31"
	gocvss40 "github.com/pandatix/go-cvss/40"

	"github.com/firmward/firmward"
)

// Vector is a CVSS vector of version 2.0, 3.0, 3.1 or 4.0. Scores are 0.0 … 10.0 with one decimal.
type Vector struct {
	Version string
	metrics interface {
		Get(metric string) (string, error)
		Set(metric, value string) error
		Vector() string
	}
	// These are closures: a method value would be bound to a copy, and never see what Set changes.
	base  func() float64 // base metrics alone; nil where there is no way but to take the others away
	whole func() float64 // every metric that is set
}

// ParseVector reads a vector. The version is the one of its prefix ("CVSS:3.1/"); a vector without one is of version 2.0,
// which NVD wrote in brackets for a time.
func ParseVector(text string) (Vector, error) {
	fail := func(err error) (Vector, error) { return Vector{}, fmt.Errorf("CVSS vector %q: %w", clip(text), err) }
	version := "2.0"
	if rest, ok := strings.CutPrefix(text, "CVSS:"); ok {
		version, _, _ = strings.Cut(rest, "/")
	}
	switch version {
	case "2.0":
		v, err := gocvss20.ParseVector(strings.TrimSuffix(strings.TrimPrefix(text, "("), ")"))
		if err != nil {
			return fail(err)
		}
		return Vector{version, v, func() float64 { return v.BaseScore() }, func() float64 { return v.EnvironmentalScore() }}, nil
	case "3.0":
		v, err := gocvss30.ParseVector(text)
		if err != nil {
			return fail(err)
		}
		return Vector{version, v, func() float64 { return v.BaseScore() }, func() float64 { return v.EnvironmentalScore() }}, nil
	case "3.1":
		v, err := gocvss31.ParseVector(text)
		if err != nil {
			return fail(err)
		}
		return Vector{version, v, func() float64 { return v.BaseScore() }, func() float64 { return v.EnvironmentalScore() }}, nil
	case "4.0":
		v, err := gocvss40.ParseVector(text)
		if err != nil {
			return fail(err)
		}
		return Vector{version, v, nil, v.Score}, nil
	}
	return fail(fmt.Errorf("version %q is none of 2.0, 3.0, 3.1, 4.0", clip(version)))
}

// clip keeps what a feed says short in an error.
func clip(s string) string { return s[:min(len(s), 200)] }

// Metric gives the value of a metric, "" when the version has none of that name.
func (v Vector) Metric(name string) string {
	value, err := v.metrics.Get(name)
	if err != nil {
		return ""
	}
	return value
}

func (v Vector) String() string { return v.metrics.Vector() }

// Score is worked out from all metrics that are set.
func (v Vector) Score() float64 { return v.whole() }

// Base is worked out from the base metrics alone.
func (v Vector) Base() float64 {
	if v.base != nil {
		return v.base()
	}
	var base []string // version 4.0 has one score for all metrics: keep the eleven of the base group
	for part := range strings.SplitSeq(v.String(), "/") {
		name, _, _ := strings.Cut(part, ":")
		switch name {
		case "CVSS", "AV", "AC", "AT", "PR", "UI", "VC", "VI", "VA", "SC", "SI", "SA":
			base = append(base, part)
		}
	}
	b, err := gocvss40.ParseVector(strings.Join(base, "/"))
	if err != nil {
		return v.whole() // cannot be: a vector that was parsed has its base metrics
	}
	return b.Score()
}

// CheckScore reads a score as a source gives it. The base score is worked out anew; where the source gives another number,
// both are kept, the source's in Base and ours in Computed. A vector that cannot be read, or that is of another version
// than the source says, is an error. A score without a vector is taken as it is.
func CheckScore(s firmward.Score) (firmward.Score, error) {
	s.Computed = 0
	if !(s.Base >= 0 && s.Base <= 10) {
		return s, fmt.Errorf("CVSS score %v lies outside 0 … 10", s.Base)
	}
	if s.Vector == "" {
		return s, nil
	}
	v, err := ParseVector(s.Vector)
	if err != nil {
		return s, err
	}
	if s.Version != "" && s.Version != v.Version {
		return s, fmt.Errorf("CVSS vector %q is not of version %s", clip(s.Vector), clip(s.Version))
	}
	if ours := v.Base(); ours != s.Base {
		s.Computed = ours
	}
	return s, nil
}

// Base is the highest CVSS base score of a finding: as its vector gives it where a source calls another number base, as the
// source gives it where there is no vector. 0 when no source gives one.
func Base(f firmward.Finding) float64 {
	if len(f.Threat.Scores) == 0 {
		return f.Score // of the time before scores were kept
	}
	var top float64
	for _, s := range f.Threat.Scores {
		top = max(top, cmp.Or(s.Computed, s.Base))
	}
	return top
}

// reading is the score that decisions rest on, with its vector. ok is false when no score has a vector that can be read.
type reading struct {
	score  firmward.Score
	vector Vector
	ok     bool
}

// readBest takes the newest version, and of that the highest score.
func readBest(scores []firmward.Score) (best reading) {
	for _, s := range scores {
		v, err := ParseVector(s.Vector)
		if err != nil {
			continue
		}
		if !best.ok || v.Version > best.vector.Version || v.Version == best.vector.Version && v.Base() > best.vector.Base() {
			best = reading{s, v, true}
		}
	}
	return best
}
