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

// token is one element of a version. The order of classes is the order of the elements:
// a pre-release word, the end, a word, a number.
type token struct {
	class int
	num   string // digits without leading zeros
	word  string
	rank  int
}

const (
	classEnd    = 1
	classPre    = 0
	classWord   = 2
	classNumber = 3
)

// commonWords ranks the words that vendors share. Negative words come before the plain version.
var commonWords = map[string]int{
	"dev": -6, "nightly": -6, "snapshot": -6, "alpha": -5, "beta": -4, "pre": -3, "preview": -3, "rc": -2,
	"ga": 1, "build": 2, "rel": 2, "r": 3, "rev": 3, "p": 4, "patch": 4, "pl": 4, "u": 4, "update": 4, "upd": 4,
	"sp": 5, "hotfix": 6, "hf": 6, "s": 6, "mr": 6,
}

// tokenize splits a lower-case version into numbers and words. Punctuation separates only.
func tokenize(s string, known map[string]int) []token {
	var out []token
	for i := 0; i < len(s); {
		c := s[i]
		j := i
		switch {
		case isDigit(c):
			for j < len(s) && isDigit(s[j]) {
				j++
			}
			out = append(out, token{class: classNumber, num: trimZeros(s[i:j])})
		case isLetter(c):
			for j < len(s) && isLetter(s[j]) {
				j++
			}
			w := s[i:j]
			t := token{class: classWord, word: w, rank: known[w]}
			if t.rank < 0 {
				t.class = classPre
			}
			out = append(out, t)
		default:
			j++
		}
		i = j
	}
	return canonical(out)
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
		if len(a) < len(b) {
			return Less
		}
		return Greater
	}
	return Order(strings.Compare(a, b))
}

func (t token) compare(o token) Order {
	if t.class != o.class {
		if t.class < o.class {
			return Less
		}
		return Greater
	}
	switch t.class {
	case classNumber:
		return compareDigits(t.num, o.num)
	case classEnd: // only Debian's carry a number
		return compareDigits(trimZeros(t.num), trimZeros(o.num))
	case classPre, classWord:
		if t.rank != o.rank {
			if t.rank < o.rank {
				return Less
			}
			return Greater
		}
		return Order(strings.Compare(t.word, o.word))
	}
	return Equal
}

// compareTokens orders two token lists and says how precise the decisive element was: a number is
// exact while only numbers and known words came before it.
func compareTokens(a, b []token, known map[string]int) (Order, Precision) {
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
		if o := x.compare(y); o != Equal {
			return o, p
		}
	}
	return Equal, p
}

func unknownWord(t token, known map[string]int) bool {
	if t.class != classWord && t.class != classPre {
		return false
	}
	_, ok := known[t.word]
	return !ok
}

// compare is a product order over the parts that both keys state.
func (k *key) compare(o *key, known map[string]int) (Order, Precision) {
	if k.group != o.group && k.group != "" && o.group != "" {
		return Incomparable, Exact
	}
	result, p, decided := Equal, Exact, false
	if len(k.tokens) > 0 && len(o.tokens) > 0 {
		x, y := k.tokens, o.tokens
		if k.depth != o.depth {
			n := max(1, min(k.depth, o.depth))
			x, y = x[:min(n, len(x))], y[:min(n, len(y))]
		}
		result, p = compareTokens(x, y, known)
		if result == Equal && k.depth != o.depth {
			return Incomparable, Exact // equal as far as the coarser one goes
		}
		decided = true
	}
	switch {
	case k.build != "" && o.build != "":
		b := compareDigits(trimZeros(k.build), trimZeros(o.build))
		switch {
		case !decided || result == Equal:
			result = b
		case b != Equal && b != result:
			return Incomparable, Exact // the version says newer, the build date says older
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
