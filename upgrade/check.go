package upgrade

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/version"
)

var partName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// CheckPart refuses what is no name of a part.
func CheckPart(name string) error {
	if !partName.MatchString(name) {
		return firmward.Errorf(firmward.Invalid, fmt.Sprintf("%q is no name of a part: want small letters, digits and hyphens, such as bootloader", name))
	}
	return nil
}

// Check refuses what contradicts itself in what is said of a release: nothing could ever be installed by it, or
// more than was meant.
func Check(r firmward.Release, scheme string) error {
	above := func(a, b string) bool {
		o, _ := version.Compare(scheme, a, b)
		return a != "" && b != "" && o == version.Greater
	}
	bad := func(format string, args ...any) error {
		return firmward.Errorf(firmward.Invalid, fmt.Sprintf(format, args...))
	}
	if r.Part != "" {
		if err := CheckPart(r.Part); err != nil {
			return err
		}
	}
	switch {
	case above(r.MinFrom, r.MaxFrom):
		return bad("it cannot want %s or newer and %s or older (--min-from, --max-from)", r.MinFrom, r.MaxFrom)
	case above(r.MinFrom, r.Version) && !r.MayDowngrade:
		return bad("%s or newer is above its own version %s: say --may-downgrade if the vendor says that it may go over a newer one", r.MinFrom, r.Version)
	case above(r.Floor, r.Version):
		return bad("the floor %s is above its own version %s: the device would not take it", r.Floor, r.Version)
	case len(r.FromVariants) > 0 && r.Variant == "":
		return bad("it goes over other variants (--from-variant): say which one it is of (--variant)")
	case r.Variant != "" && slices.Contains(r.FromVariants, r.Variant):
		return bad("its own variant %s need not be named as one that it goes over (--from-variant)", r.Variant)
	case r.Part != "" && len(r.FromVariants) > 0:
		return bad("a %s does not change the variant (--from-variant)", r.Part)
	}
	for i, n := range r.Needs {
		if err := CheckPart(n.Part); err != nil {
			return err
		}
		switch {
		case n.AtLeast == "":
			return bad("say which version of its %s it needs (--needs %[1]s=VERSION)", n.Part)
		case n.Part == part(&r):
			return bad("which version of its own part it goes over is said with --min-from, not with --needs")
		case slices.ContainsFunc(r.Needs[:i], func(o firmward.Need) bool { return o.Part == n.Part }):
			return bad("%s is needed twice (--needs)", n.Part)
		}
	}
	return nil
}
