package control_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control/controltest"
)

// BenchmarkImportDevices imports an inventory of 2000 devices by CSV.
func BenchmarkImportDevices(b *testing.B) {
	var file strings.Builder
	file.WriteString("name,site,vendor,model,firmware,serial,mac,address,owner\n")
	for i := range 2000 {
		fmt.Fprintf(&file, "cam-%d,ward,Axis,AXIS P3265-LV,10.12.%d,B8A44F%06X,B8:A4:4F:00:%02X:%02X,10.0.%d.%d,Anna\n", i, i%300, i, i>>8, i&255, i>>8, i&255)
	}
	for b.Loop() {
		b.StopTimer()
		c := controltest.Open(b, nil)
		if _, err := c.AddSite(b.Context(), anna, firmward.Site{Name: "ward", TimeZone: "UTC"}); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if n, _, err := c.ImportDevices(b.Context(), anna, "inv.csv", strings.NewReader(file.String())); err != nil || n != 2000 {
			b.Fatal(n, err)
		}
	}
	b.ReportMetric(2000*float64(b.N)/b.Elapsed().Seconds(), "devices/s")
}
