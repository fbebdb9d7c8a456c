package csaf

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/firmward/firmward/feed"
	"github.com/firmward/firmward/version"
)

// constraint is one comparison of a list such as ">=1.0|<2.0". Publishers leave the "|" out between two of them.
var constraint = regexp.MustCompile(`\s*\|?\s*(>=|<=|!=|=|<|>|)\s*([^<>=!|]+)`)

// conjunction stands between two comparisons in words: ">= V2.3 and < V6.30".
var conjunction = regexp.MustCompile(`(?: and|,) ?([<>])`)

var all = []feed.Versions{{}}

// vague is what is said where no version can be told.
var vague = []feed.Versions{{Vague: true}}

// versions reads the name of a branch of versions: a version range specifier (vers:generic/>=1.0|<2.0), a list of
// comparisons, or words. What cannot be told in full is vague.
func versions(product, text string) []feed.Versions {
	text = strings.TrimSpace(text)
	if rest, ok := cutPrefixFold(text, "vers:"); ok {
		_, list, ok := strings.Cut(rest, "/")
		if list, err := url.PathUnescape(list); err == nil && ok {
			return comparisons(list)
		}
		return vague
	}
	text = feed.Plain(product, text)
	if strings.ContainsAny(text, "|") || strings.HasPrefix(text, "<") || strings.HasPrefix(text, ">") {
		return comparisons(text)
	}
	r, ok := version.ParseRange(text)
	if !ok {
		return vague
	}
	if strings.Trim(r.From, "0.") == "" && r.To != "" {
		r.From, r.After = "", false // "0 < 1.2"
	}
	return []feed.Versions{{Range: r}}
}

func cutPrefixFold(text, prefix string) (string, bool) {
	if len(text) < len(prefix) || !strings.EqualFold(text[:len(prefix)], prefix) {
		return text, false
	}
	return text[len(prefix):], true
}

// comparisons reads a list of comparisons in the order of versions: each lower bound belongs to the upper bound that
// follows (the VERS specification, which CSAF 2.0 §3.1.2.3.2 recommends).
func comparisons(text string) []feed.Versions {
	if text = conjunction.ReplaceAllString(strings.TrimSpace(text), "|$1"); text == "*" {
		return all
	}
	var out []feed.Versions
	open := false // the last range waits for its upper bound
	at := 0
	for _, m := range constraint.FindAllStringSubmatchIndex(text, -1) {
		sign, v := text[m[2]:m[3]], strings.TrimSpace(text[m[4]:m[5]])
		r, ok := version.ParseRange(v)
		one, single := r.One()
		if m[0] != at || !ok || !single {
			return vague
		}
		at = m[1]
		switch sign {
		case "", "=":
			if open {
				return vague
			}
			out = append(out, feed.Versions{Range: r})
		case ">", ">=":
			if open {
				return vague
			}
			out = append(out, feed.Versions{Range: version.Range{From: one, After: sign == ">"}})
			open = true
		case "<", "<=":
			if !open {
				out = append(out, feed.Versions{})
			}
			last := &out[len(out)-1]
			last.To, last.Exclude, open = one, sign == "<", false
		default: // all but one
			return vague
		}
	}
	if at != len(text) || len(out) == 0 || !ordered(out) {
		return vague
	}
	return out
}

// ordered reports whether each range of several starts after the one before it: else nobody knows what was meant.
func ordered(list []feed.Versions) bool {
	for i := 1; i < len(list); i++ {
		a, b := list[i-1], list[i]
		_, first := a.One()
		_, second := b.One()
		if first && second {
			continue
		}
		o, _ := version.Compare(version.Guess(a.To, b.From), a.To, b.From)
		if a.To == "" || b.From == "" || o != version.Less && o != version.Equal {
			return false
		}
	}
	return true
}
