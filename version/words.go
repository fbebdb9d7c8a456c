package version

import "strings"

// word is what a vocabulary knows of a word: where it stands beside the plain version, and the
// spelling under which it is compared.
type word struct {
	rank int
	as   string
}

// rank is one step of a vocabulary. Words below zero come before the plain version. Spellings of one
// word are joined by =, different words of the same rank are divided by a space: they have no order
// that is known, so what is decided on them is Rough.
type rank struct {
	place int
	words string
}

func vocabulary(ranks ...rank) map[string]word {
	out := map[string]word{}
	for _, r := range ranks {
		for w := range strings.FieldsSeq(r.words) {
			spellings := strings.Split(w, "=")
			for _, s := range spellings {
				out[s] = word{r.place, spellings[0]}
			}
		}
	}
	return out
}

// commonWords holds the words that vendors share.
var commonWords = vocabulary(
	rank{-6, "dev nightly snapshot"}, rank{-5, "alpha"}, rank{-4, "beta"}, rank{-3, "pre=preview"}, rank{-2, "rc"},
	rank{1, "ga"}, rank{2, "build=rel"}, rank{3, "r=rev"}, rank{4, "patch=p=pl update=upd=u"}, rank{5, "sp"}, rank{6, "hotfix=hf s mr"},
)

// dlinkWords: a single b is a build number, not beta.
var dlinkWords = vocabulary(rank{-4, "beta=betab"}, rank{-2, "rc"}, rank{2, "build=b"}, rank{3, "r=rev"}, rank{6, "hotfix=hf"})

// wledWords: a single b is beta.
var wledWords = vocabulary(rank{-6, "dev"}, rank{-5, "alpha"}, rank{-4, "beta=b"}, rank{-2, "rc"})

// siemensWords: updates and hot fixes mend a version or a service pack, and the next service pack
// comes after all of them. A letter marks a later issue (V11.2a).
var siemensWords = func() map[string]word {
	m := vocabulary(
		rank{-4, "beta"}, rank{-2, "rc"}, rank{40, "update=upd=u hotfix=hf=hotfixrev patch=p"}, rank{41, "mp"}, rank{42, "sp"},
	)
	for c := 'a'; c <= 'o'; c++ {
		m[string(c)] = word{int(c-'a') + 1, string(c)}
	}
	return m
}()

// panWords: h is a hot fix, b a beta.
var panWords = vocabulary(rank{-4, "beta=b"}, rank{-2, "rc"}, rank{6, "hotfix=h=hf"})

// qnapWords and calverWords: b is beta.
var (
	qnapWords   = vocabulary(rank{-4, "beta=b"}, rank{-2, "rc"}, rank{2, "build"})
	calverWords = vocabulary(rank{-6, "dev"}, rank{-5, "alpha=a"}, rank{-4, "beta=b"}, rank{-2, "rc"}, rank{3, "r=rev"}, rank{4, "patch=p=pl"}, rank{6, "hotfix=hf"})
)

// letters are rebuild marks in their alphabetic order.
var letters = func() map[string]word {
	m := map[string]word{}
	for c := 'a'; c <= 'z'; c++ {
		m[string(c)] = word{int(c-'a') + 1, string(c)}
	}
	return m
}()
