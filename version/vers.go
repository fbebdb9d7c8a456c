package version

import "strings"

// constraint is one comparison of a range written with signs: an operator and a version.
type constraint struct{ op, version string }

// parseConstraints reads ranges written with signs alone: package-URL's vers (vers:generic/>=1.0|<2.0, also as
// CISA writes it: vers:all/>=V3.0.1<V3.0.3), the same without its head (>= 1.0 | < 2.0), and Maven's [1.0,2.0). A
// Range is one span, so what names several, or leaves one out, is not read.
// Source: https://github.com/package-url/vers-spec, and the CSAF 2.0 definition of product_version_range.
func parseConstraints(text string) (Range, bool) {
	if len(text) > 5 && strings.EqualFold(text[:5], "vers:") {
		_, list, ok := strings.Cut(text[5:], "/")
		if list = strings.TrimSpace(list); ok && list == "*" {
			return Range{}, true
		}
		return spanOf(constraints(list))
	}
	if strings.IndexByte(text, '|') >= 0 {
		return spanOf(constraints(text))
	}
	return parseMaven(text)
}

// constraints cuts at | and before operators; nil when there is something between that is neither.
func constraints(list string) (out []constraint) {
	for part := range strings.SplitSeq(list, "|") {
		part = strings.TrimSpace(part)
		if part == "" {
			return nil
		}
		for part != "" {
			op := ""
			for _, sign := range []string{">=", "<=", "!=", ">", "<", "="} {
				if rest, ok := strings.CutPrefix(part, sign); ok {
					op, part = sign, rest
					break
				}
			}
			end := strings.IndexAny(part, "<>=!")
			if end < 0 {
				end = len(part)
			}
			v := strings.TrimSpace(part[:end])
			if !single(v) {
				return nil
			}
			out, part = append(out, constraint{op, v}), part[end:]
		}
	}
	return out
}

// spanOf makes one span of one comparison, or of a lower one and an upper one in this order: the other
// way round they would leave out what lies between.
func spanOf(c []constraint) (Range, bool) {
	switch {
	case len(c) == 1:
		switch c[0].op {
		case "", "=":
			return Range{From: c[0].version, To: c[0].version}, true
		case ">=", ">":
			return Range{From: c[0].version, After: c[0].op == ">"}, true
		case "<=", "<":
			return Range{To: c[0].version, Exclude: c[0].op == "<"}, true
		}
	case len(c) == 2 && (c[0].op == ">" || c[0].op == ">=") && (c[1].op == "<" || c[1].op == "<="):
		return Range{From: c[0].version, To: c[1].version, After: c[0].op == ">", Exclude: c[1].op == "<"}, true
	}
	return Range{}, false
}

// parseMaven reads one interval: [1.0,2.0), (,1.5]. A round bracket excludes.
func parseMaven(text string) (Range, bool) {
	if len(text) < 4 || text[0] != '[' && text[0] != '(' || text[len(text)-1] != ']' && text[len(text)-1] != ')' {
		return Range{}, false
	}
	from, to, ok := strings.Cut(text[1:len(text)-1], ",")
	from, to = strings.TrimSpace(from), strings.TrimSpace(to)
	if !ok || from == "" && to == "" || from != "" && !single(from) || to != "" && !single(to) {
		return Range{}, false
	}
	return Range{From: from, To: to, After: from != "" && text[0] == '(', Exclude: to != "" && text[len(text)-1] == ')'}, true
}

// single reports whether v is one version and nothing beside.
func single(v string) bool {
	if strings.ContainsAny(v, "<>=|[]!%*") {
		return false
	}
	r, ok := ParseRange(v)
	return ok && r.From == v && r.To == v
}
