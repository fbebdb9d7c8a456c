package version

import (
	"regexp"
	"strings"
)

// Range is a span of versions as an advisory's words give it. An empty bound is open, so the zero
// value holds every version; From equal to To, both included, is one version. The bounds keep the
// letters of the text.
type Range struct {
	From, To       string
	After, Exclude bool // From itself, To itself lies outside
}

// One gives the single version of the range, if it is one.
func (r Range) One() (string, bool) {
	return r.From, r.From != "" && r.From == r.To && !r.After && !r.Exclude
}

// maxWords bounds the text that ParseRange reads: longer ones are stories.
const maxWords = 200

// The words of a range. A version starts with a digit, a v, or an r before dotted numbers, and a few words may carry it on
// ("5.37 Patch 1", "2.2.0 Build 20221208", "12.0(1) SU1").
const (
	words1 = `(?:(?:all|the|any|known|axis os|firmware|fw|software|sw|versions?|ver|releases?)[ :._]*)*`
	one    = `((?:v?\.? ?\d|r\d+\.\d)[\w.+~:-]*(?:\([\w.-]+\)\w*)?(?:[ _-]?(?:build|patch|update|upd|service pack|sp|su|sr|msr|mr|cu|ru|mp|hotfixrev|hotfix|hf|rel|rc|beta|p|r)[ .:_-]*\d[\w.-]*)*)`
	tail   = `(?: (?:versions?|releases?|firmware|\(?inclusive\)?))?`
)

// sayings are the forms that are read, the first that fits counts. The groups of a form are its
// versions, in the order of fill.
var sayings = []struct {
	form *regexp.Regexp
	fill func(v []string) Range
}{
	{saying(`(?:\*|all|any|(?:all|any) (?:known |released |supported |firmware |software )*(?:versions?|releases?))`), func([]string) Range { return Range{} }},
	{saying(`(?:=+ ?)?` + words1 + one), func(v []string) Range { return Range{From: v[0], To: v[0]} }},
	{saying(words1 + `(?:prior to and including|up to(?: and including)?|through|less than or equal to|<=|=<) ?` + words1 + one + tail), func(v []string) Range { return Range{To: v[0]} }},
	{saying(words1 + `(?:prior to|before|earlier than|older than|less than|lower than|below|<) ?` + words1 + one), func(v []string) Range { return Range{To: v[0], Exclude: true} }},
	{saying(words1 + one + `,?(?: ?\(?and| ?\(?or| &|/)? ?(?:all )?(?:earlier|prior|below|older|previous|lower)` + tail + `\)?`), func(v []string) Range { return Range{To: v[0]} }},
	{saying(words1 + one + `,? (?:and|or) (?:later|newer|above|higher|up|onwards?)` + tail), func(v []string) Range { return Range{From: v[0]} }},
	{saying(words1 + `(?:>=|=>|from|since|starting (?:with|from)) ?` + words1 + one + `(?: (?:onwards?|and later|and newer))?`), func(v []string) Range { return Range{From: v[0]} }},
	{saying(words1 + `(?:>|later than|newer than|after) ?` + words1 + one), func(v []string) Range { return Range{From: v[0], After: true} }},
	{saying(words1 + `(?:from |between )?` + words1 + one + ` (?:through|thru|to|up to|-|and including) ` + words1 + one + tail), func(v []string) Range { return Range{From: v[0], To: v[1]} }},
	{saying(words1 + `(?:from |>= ?)?` + words1 + one + `,? (?:(?:and|to|up to) )?(?:before|prior to|<(?: |)) ?` + words1 + one), func(v []string) Range { return Range{From: v[0], To: v[1], Exclude: true} }},
	{saying(words1 + `>= ?` + one + ` ?(?:,|and)? ?<= ?` + one), func(v []string) Range { return Range{From: v[0], To: v[1]} }},
	{saying(words1 + `> ?` + one + ` ?(?:,|and)? ?<= ?` + one), func(v []string) Range { return Range{From: v[0], To: v[1], After: true} }},
	{saying(words1 + `>= ?` + one + ` ?(?:,|and)? ?< ?` + one), func(v []string) Range { return Range{From: v[0], To: v[1], Exclude: true} }},
	{saying(words1 + `> ?` + one + ` ?(?:,|and)? ?< ?` + one), func(v []string) Range { return Range{From: v[0], To: v[1], After: true, Exclude: true} }},
}

func saying(form string) *regexp.Regexp { return regexp.MustCompile(`(?i)^` + form + `$`) }

var (
	reWildcard = regexp.MustCompile(`(?i)(?:^|\.)x+(?:$|\.)|\dxx`)
	reProse    = regexp.MustCompile(`(?i)_(?:on|in|if|for|with|and|or|to|up|only|than|the|installed|including)(?:_|$)`)
	reSpan     = regexp.MustCompile(`(?i)^v?\d+(?:\.\d+)+-v?\d+(?:\.\d+)+$`)
	reHash     = regexp.MustCompile(`(?i)^[0-9a-f]{7,64}$`)
	plainSigns = strings.NewReplacer("≤", "<=", "≥", ">=", "–", "-", "—", "-", "“", "", "”", "", `"`, "", "'", "", "’", "", "‘", "")
)

// ParseRange reads the versions that an advisory gives in words: "4.60 through 4.73", "< 2.1.4",
// "V1.0.15 and earlier", "all versions". It reports false for what it does not understand in full,
// "n/a" and "unspecified" among it: that says nothing of any version, and is neither none nor all.
func ParseRange(text string) (Range, bool) {
	if len(text) > maxWords {
		return Range{}, false
	}
	text = strings.Trim(strings.Join(strings.Fields(plainSigns.Replace(text)), " "), " .,;")
	if isDigit((text + " ")[0]) && strings.Trim(text, "0123456789.") == "" {
		return Range{From: text, To: text}, true // the most frequent form by far
	}
	if r, ok := parseConstraints(text); ok {
		return r, true
	}
	for _, s := range sayings {
		m := s.form.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		for i, v := range m[1:] {
			m[i+1] = strings.Trim(v, " .,:")
			if !version(m[i+1]) {
				return Range{}, false
			}
		}
		return s.fill(m[1:]), true
	}
	return Range{}, false
}

// version refuses what looks like a version and is none to compare with: a pattern ("8.11.x"), the
// hash of a commit, what may be a span ("1.0-1.5", "2.1+"), words in disguise ("8.89_installed_on_CP100").
func version(v string) bool {
	hash := reHash.MatchString(v) && strings.ContainsAny(v, "abcdefABCDEF")
	return v != "" && !hash && !reWildcard.MatchString(v) && !reProse.MatchString(v) && !reSpan.MatchString(v) && !strings.ContainsAny(v[len(v)-1:], "+~-")
}
