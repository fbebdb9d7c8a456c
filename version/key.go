package version

import "strings"

// key is a parsed version. Parts that are empty are not stated. Two keys are compared part by part;
// the parts must not contradict each other, else the keys are incomparable. So no chain of
// comparisons can contradict a direct one.
type key struct {
	group   string  // must be equal where both state it: a model code, a release train
	tokens  []token // the dotted version
	build   string  // build date as digits, most significant first, or empty
	coarse  bool    // the reading itself is a guess
	patched bool    // the tokens carry a patch number that holds for every group
	depth   int     // how many tokens are stated when that is less than a full version; 0: all
}

// token is one element of a version. The order of classes is the order of the elements.
type token struct {
	class int
	num   string // digits without leading zeros
	word  string
	rank  int
}

// The classes. A line has a name and no order: versions of different lines are incomparable.
const (
	classPre    = 0 // a pre-release word
	classEnd    = 1 // the end, or a missing part
	classWord   = 2
	classNumber = 3
	classText   = 4 // letters where numbers come first (semver)
	classLine   = 5
)

func number(digits string) token { return token{class: classNumber, num: trimZeros(digits)} }

func line(name string) token { return token{class: classLine, word: name} }

// wordToken reads a word by a vocabulary.
func wordToken(w string, known map[string]word) token {
	k, ok := known[w]
	if !ok {
		return token{class: classWord, word: w}
	}
	t := token{class: classWord, word: k.as, rank: k.rank}
	if k.rank < 0 {
		t.class = classPre
	}
	return t
}

// tokenize splits a lower-case version into numbers and words, without zeros at the end of numbers.
// Punctuation separates only.
func tokenize(s string, known map[string]word) []token { return canonical(split(s, known)) }

func split(s string, known map[string]word) []token {
	out := make([]token, 0, 6)
	for i := 0; i < len(s); {
		j := i
		switch c := s[i]; {
		case isDigit(c):
			for j < len(s) && isDigit(s[j]) {
				j++
			}
			out = append(out, number(s[i:j]))
		case isLetter(c):
			for j < len(s) && isLetter(s[j]) {
				j++
			}
			out = append(out, wordToken(s[i:j], known))
		default:
			j++
		}
		i = j
	}
	return out
}

// canonical drops zeros at the end of every run of numbers, so that 5.5 equals 5.5.0.
func canonical(in []token) []token {
	out := in[:0]
	for i, t := range in {
		out = append(out, t)
		if i+1 < len(in) && in[i+1].class == classNumber {
			continue
		}
		for len(out) > 1 && out[len(out)-1].num == "0" && out[len(out)-2].class == classNumber {
			out = out[:len(out)-1]
		}
	}
	return out
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 0x80 }

func trimZeros(s string) string {
	s = strings.TrimLeft(s, "0")
	if s == "" {
		return "0"
	}
	return s
}

// compareDigits orders two digit strings without leading zeros, of any length.
func compareDigits(a, b string) Order {
	if len(a) != len(b) {
		return compareInts(len(a), len(b))
	}
	return Order(strings.Compare(a, b))
}

func compareInts(a, b int) Order {
	switch {
	case a < b:
		return Less
	case a > b:
		return Greater
	}
	return Equal
}

func (t token) compare(o token) Order {
	if t.class != o.class {
		return compareInts(t.class, o.class)
	}
	switch t.class {
	case classNumber:
		return compareDigits(t.num, o.num)
	case classEnd: // only Debian's carry a number
		return compareDigits(trimZeros(t.num), trimZeros(o.num))
	case classLine:
		if t.word != o.word {
			return Incomparable
		}
		return Equal
	}
	if t.rank != o.rank {
		return compareInts(t.rank, o.rank)
	}
	return Order(strings.Compare(t.word, o.word))
}

// compareTokens orders two token lists and says how precise the decisive element was: a number is
// exact while only numbers and known words came before it.
func compareTokens(a, b []token, known map[string]word) (Order, Precision) {
	p := Exact
	for i := 0; i < len(a) || i < len(b); i++ {
		x, y := token{class: classEnd}, token{class: classEnd}
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if unknownWord(x, known) || unknownWord(y, known) {
			p = Rough
		}
		switch o := x.compare(y); {
		case o == Incomparable:
			return o, Exact
		case o != Equal:
			if x.isWord() && y.isWord() && x.rank == y.rank {
				p = Rough // two words whose order nobody knows
			}
			return o, p
		}
	}
	return Equal, p
}

func (t token) isWord() bool { return t.class == classWord || t.class == classPre }

func unknownWord(t token, known map[string]word) bool {
	if !t.isWord() || t.rank != 0 {
		return false
	}
	_, ok := known[t.word]
	return !ok
}

// compare is a product order over the parts that both keys state.
func (k *key) compare(o *key, known map[string]word) (Order, Precision) {
	if k.group != o.group && k.group != "" && o.group != "" {
		return Incomparable, Exact
	}
	result, p, decided := Equal, Exact, false
	if len(k.tokens) > 0 && len(o.tokens) > 0 {
		result, p = compareTokens(upTo(k.tokens, o.depth), upTo(o.tokens, k.depth), known)
		if result == Incomparable || result == Equal && k.depth != o.depth {
			return Incomparable, Exact // of different lines, or equal as far as the coarser one goes
		}
		decided = true
	}
	switch {
	case k.build != "" && o.build != "":
		b := compareDigits(trimZeros(k.build), trimZeros(o.build))
		switch {
		case !decided || result == Equal:
			result = b
		case b != result:
			return Incomparable, Exact // the version says newer, the build date older or the same: two lines of one day
		}
	case !decided:
		return Incomparable, Exact
	case result == Equal && k.build != o.build:
		return Incomparable, Exact // same version, only one states its build
	}
	if result == Equal && k.group != o.group && !k.patched && !o.patched {
		return Incomparable, Exact // same number, only one states which model's it is
	}
	if k.coarse || o.coarse {
		p = min(p, Rough)
	}
	return result, p
}

// upTo gives what a version of that depth can be compared with.
func upTo(t []token, depth int) []token {
	if depth == 0 || depth >= len(t) {
		return t
	}
	return t[:depth]
}
