package remedy_test

import (
	"fmt"
	"testing"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/remedy"
)

// BenchmarkChoose weighs one device with so many open findings, each with scores of three sources.
func BenchmarkChoose(b *testing.B) {
	for _, n := range []int{1, 10, 300} {
		b.Run(fmt.Sprint(n, "-findings"), func(b *testing.B) {
			f := healthy()
			f.Policy.Regimes = []firmward.Regime{firmward.RegimePolicy, firmward.RegimeSSVC, firmward.RegimeBOD}
			for i := range n {
				f.Findings = append(f.Findings, finding(func(x *firmward.Finding) {
					x.AdvisoryID, x.Likelihood, x.FixedIn = fmt.Sprint("CVE-2031-", i), .1, fmt.Sprint("2.", i%20)
					x.Threat.Scores = []firmward.Score{
						{Version: "3.1", Vector: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", Base: 9.8},
						{Version: "4.0", Vector: "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", Base: 9.3},
						{Version: "2.0", Vector: "AV:N/AC:L/Au:N/C:C/I:C/A:C", Base: 10},
					}
				}))
			}
			f.Releases = []firmward.Release{release("2.9")}
			for b.Loop() {
				remedy.Choose(f, now)
			}
		})
	}
}
