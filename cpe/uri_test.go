package cpe_test

import (
	"testing"

	"github.com/firmward/firmward/cpe"
)

func TestParseURI(t *testing.T) {
	for in, want := range map[string]string{
		"cpe:/o:acme:door_firmware:1.0":                    "cpe:2.3:o:acme:door_firmware:1.0:*:*:*:*:*:*:*",
		"cpe:/h:acme:door:-":                               "cpe:2.3:h:acme:door:-:*:*:*:*:*:*:*",
		"cpe:/a:acme:door%2fgate:1.0:sp1:~~pro~linux~x86~": `cpe:2.3:a:acme:door\/gate:1.0:sp1:*:*:pro:linux:x86:*`,
		"CPE:/o:Acme:Door::beta:x:en":                      "cpe:2.3:o:acme:door:*:beta:x:en:*:*:*:*",
	} {
		n, err := cpe.ParseURI(in)
		if err != nil || n.String() != want {
			t.Errorf("%s: %s, %v", in, n, err)
		}
	}
	for _, in := range []string{"", "cpe:2.3:o:acme:door:1:*:*:*:*:*:*:*", "cpe:/x:acme:door", "cpe:/o:acme:%02", "cpe:/o:a:b:c:d:e:f:g:h", "cpe:/o:acme:%zz"} {
		if n, err := cpe.ParseURI(in); err == nil {
			t.Errorf("%q is read as %s", in, n)
		}
	}
}
