package upgrade_test

import (
	"strings"
	"testing"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/upgrade"
)

func TestCheck(t *testing.T) {
	for text, want := range map[string]string{
		"2.0 min=1.0 max=1.9 floor=2.0 variant=eu over=us needs=bootloader/1": "",
		"2.0 part=bootloader needs=firmware/1.0":                              "",
		"1.0 min=1.5 down":                                                    "",
		"2.0 min=1.9 max=1.0":                                                 "1.9 or newer and 1.0 or older",
		"2.0 min=2.1":                                                         "above its own version 2.0",
		"2.0 floor=2.1":                                                       "floor 2.1 is above",
		"2.0 over=us":                                                         "say which one it is of",
		"2.0 variant=us over=us":                                              "need not be named",
		"2.0 part=bootloader variant=us over=eu":                              "does not change the variant",
		"2.0 part=Boot":                                                       `"Boot" is no name of a part`,
		"2.0 needs=x_y/1":                                                     `"x_y" is no name of a part`,
		"2.0 needs=bootloader/":                                               "which version of its bootloader",
		"2.0 needs=firmware/1":                                                "--min-from, not with --needs",
		"2.0 part=bootloader needs=bootloader/1":                              "--min-from, not with --needs",
		"2.0 needs=bootloader/1 needs=bootloader/1.1":                         "bootloader is needed twice",
	} {
		err := upgrade.Check(release(t, text), "dotted")
		if want == "" && err != nil || want != "" && (firmward.CodeOf(err) != firmward.Invalid || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
