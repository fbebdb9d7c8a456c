package ipp_test

import (
	"testing"

	"github.com/firmward/firmward/proto/ipp"
)

// FuzzPrinterAttributes reads any body: never a panic, never more attributes than bytes.
func FuzzPrinterAttributes(f *testing.F) {
	req, err := ipp.GetPrinterAttributes(7, "ipp://192.0.2.1/ipp/print", []string{"printer-name"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(req)
	f.Add([]byte{2, 0, 0, 0, 0, 0, 0, 7, 4, 0x41, 0, 4, 'n', 'a', 'm', 'e', 0, 1, 'x', 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		attrs, err := ipp.PrinterAttributes(b, 7)
		if err == nil && len(attrs) > len(b) {
			t.Errorf("%d attributes of %d bytes", len(attrs), len(b))
		}
	})
}
