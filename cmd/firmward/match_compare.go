package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/firmward/firmward/cpe"
	firmware "github.com/firmward/firmward/version"
)

// MatchCompareCmd compares two firmware versions.
type MatchCompareCmd struct {
	A       string `arg:"" help:"Version."`
	B       string `arg:"" help:"Version."`
	Vendor  string `help:"Vendor, as CPE names it." placeholder:"NAME"`
	Product string `help:"Product of the vendor, as CPE names it; any firmware of the vendor unless given." placeholder:"NAME"`
	Scheme  string `help:"Scheme by which to compare; one that does not exist is answered with all that do." placeholder:"NAME"`
}

// Help gives examples.
func (MatchCompareCmd) Help() string {
	return "Prints <, =, > or ?, then the scheme and how far the answer can be trusted. A question mark is an answer: the\n" +
		"vendor's rule does not relate the two versions, and neither may be taken for the newer one.\n\n" +
		"The exit code is 0 whenever there is an answer, ? among them.\n\n" +
		examples("firmward match compare 6.49rc1 6.49 --vendor mikrotik --product routeros",
			"firmward match compare 'V5.36(ABUH.1)' '5.36 Patch 2' --vendor zyxel",
			"firmward match compare 18.4R2 18.4R2-S3",
			"firmward match compare 16.12.5 16.12.5b --scheme cisco-ios-xe --json")
}

// comparison is what match compare prints as JSON.
type comparison struct {
	A         string `json:"a"`
	B         string `json:"b"`
	Relation  string `json:"relation"`
	Order     string `json:"order"`
	Scheme    string `json:"scheme"`
	About     string `json:"about"`
	Precision string `json:"precision"`
	Guessed   bool   `json:"guessed"`
}

var relationSigns = map[firmware.Order]string{firmware.Less: "<", firmware.Equal: "=", firmware.Greater: ">", firmware.Incomparable: "?"}

var trustWords = map[firmware.Precision]string{
	firmware.Exact:   "exact: the rule of the scheme decides",
	firmware.Natural: "natural: plain numbers decide, no vendor's rule",
	firmware.Rough:   "rough: decided on words or shapes that no rule explains",
}

// Run carries it out.
func (c *MatchCompareCmd) Run(_ context.Context, a *app) error {
	for _, v := range []string{c.A, c.B} {
		if strings.TrimSpace(v) == "" {
			return usageError("an empty version compares with nothing")
		}
	}
	scheme, why, err := c.scheme()
	if err != nil {
		return err
	}
	order, precision := firmware.Compare(scheme, c.A, c.B)
	guessed := why == guessedScheme || why == unknownProduct
	if guessed {
		precision = min(precision, firmware.Natural)
	}
	out := comparison{
		A: c.A, B: c.B, Relation: relationSigns[order], Order: order.String(),
		Scheme: scheme, About: firmware.About(scheme), Precision: precision.String(), Guessed: guessed,
	}
	if done, err := a.asJSON(out); done {
		return err
	}
	words := trustWords[precision]
	if order == firmware.Incomparable {
		words = "incomparable: the scheme does not relate the two"
	}
	fmt.Fprintln(a.out, out.Relation)
	a.para(0, fmt.Sprintf("scheme %s (%s): %s", scheme, why, out.About))
	a.para(0, words)
	return nil
}

const (
	guessedScheme  = "guessed from the versions; --vendor or --scheme makes it sure"
	unknownProduct = "guessed from the versions, since the scheme of this product is not known"
)

// scheme picks the scheme: the one that was named, the vendor's, or a guess. It says where it has it from.
func (c *MatchCompareCmd) scheme() (name, why string, err error) {
	switch {
	case c.Scheme != "" && !firmware.Known(c.Scheme):
		return "", "", usageError(fmt.Sprintf("there is no scheme %q; there are %s", c.Scheme, strings.Join(firmware.Schemes(), ", ")))
	case c.Scheme != "":
		return c.Scheme, "as asked", nil
	case c.Vendor == "" && c.Product != "":
		return "", "", usageError("--product wants --vendor beside it")
	case c.Vendor != "":
		if name := c.ofVendor(); name != "" {
			return name, "of the product", nil
		}
		return firmware.Guess(c.A, c.B), unknownProduct, nil
	}
	return firmware.Guess(c.A, c.B), guessedScheme, nil
}

// ofVendor looks the product up under the name that was given and under the usual one.
func (c *MatchCompareCmd) ofVendor() string {
	vendor, product := cpeName(c.Vendor), cpeName(c.Product)
	for _, v := range []string{vendor, cpe.Vendor(vendor)} {
		for _, p := range []string{product, product + "_firmware"} {
			if product == "" {
				p = ""
			}
			if name := firmware.ForProduct(v, p); name != "" {
				return name
			}
		}
	}
	return ""
}

// cpeName writes a name as CPE does: lower case, _ for space.
func cpeName(s string) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimSpace(s)), " ", "_")
}
