package version

import "strings"

// parseDebian encodes a Debian version so that token order is Debian order (Debian Policy §5.6.12):
// epoch, then upstream version, then revision, each as alternating non-digit and digit parts, where
// ~ sorts before the end, the end before letters, and letters before all else.
func parseDebian(s string) (key, bool) {
	epoch, rest, ok := strings.Cut(s, ":")
	if !ok {
		epoch, rest = "0", s
	}
	for i := range len(epoch) {
		if !isDigit(epoch[i]) {
			return key{}, false
		}
	}
	if epoch == "" || rest == "" || !isDigit(rest[0]) {
		return key{}, false
	}
	upstream, revision := rest, "0"
	if i := strings.LastIndexByte(rest, '-'); i >= 0 {
		upstream, revision = rest[:i], rest[i+1:]
	}
	tokens := []token{number(epoch)}
	tokens = append(tokens, debianPart(upstream)...)
	tokens = append(tokens, token{class: debianSplit})
	tokens = append(tokens, debianPart(revision)...)
	return key{tokens: trimEnd(tokens)}, true
}

// The classes of Debian tokens; they are never compared with tokens of another scheme. A word token
// holds one rune: ~ is a pre-release, then the end of the part, then letters, then other signs.
const (
	debianSplit = classEnd
	debianSign  = classWord
)

// debianWords knows every sign: Debian's order is complete.
var debianWords = func() map[string]word {
	m := map[string]word{}
	for c := 1; c < 256; c++ {
		m[string(rune(c))] = word{c, string(rune(c))}
	}
	return m
}()

// debianPart splits one part into alternating lexical and numeric tokens; a missing number is zero.
func debianPart(s string) []token {
	var out []token
	for i := 0; i < len(s); {
		for ; i < len(s) && !isDigit(s[i]); i++ {
			switch c := s[i]; {
			case c == '~':
				out = append(out, token{class: classPre - 1, word: "~"})
			case isLetter(c):
				out = append(out, token{class: debianSign, rank: int(c), word: string(rune(c))})
			default:
				out = append(out, token{class: debianSign, rank: 256 + int(c), word: string(rune(c))})
			}
		}
		j := i
		for j < len(s) && isDigit(s[j]) {
			j++
		}
		// A number stands where dpkg ends its lexical run: as low as the end of the string.
		out = append(out, token{class: classEnd, num: trimZeros(s[i:j])})
		i = j
	}
	return out
}

// trimEnd drops zero numbers at the end: 1.0- equals 1.0-0.
func trimEnd(t []token) []token {
	for len(t) > 1 && t[len(t)-1].class == classEnd && (t[len(t)-1].num == "0" || t[len(t)-1].num == "") {
		t = t[:len(t)-1]
	}
	return t
}
