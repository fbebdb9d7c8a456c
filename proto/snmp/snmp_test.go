package snmp_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/firmward/firmward/proto/snmp"
)

// FuzzResponse reads any datagram: never a panic, never more values than bytes.
func FuzzResponse(f *testing.F) {
	req, err := snmp.GetRequest("public", 7, []string{"1.3.6.1.2.1.1.1.0"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(req)
	f.Add([]byte{0x30, 0x82, 0xff, 0xff})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		values, err := snmp.Response(b, 7)
		if err != nil && values != nil || len(values) > len(b) {
			t.Errorf("%d values of %d bytes, %v", len(values), len(b), err)
		}
		for oid, v := range values {
			if !utf8.ValidString(v) || strings.HasPrefix(oid, ".") {
				t.Errorf("%q is %q", oid, v)
			}
		}
	})
}
