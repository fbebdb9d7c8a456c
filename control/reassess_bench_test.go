package control_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/control/controltest"
	"github.com/firmward/firmward/store"
)

// fleet is many devices of a few fingerprints: five versions of each product. Two advisories name each product, each by two sources.
type fleet struct {
	*control.Control
	path            string
	products, clone int // clone: devices of each fingerprint
}

const versionsOf = 5

// BenchmarkReassess imports a delta that changes one in a hundred fingerprints, and measures from the end of the import until the findings
// of all their devices are written. FIRMWARD_FLEET=1000000 is the size of which docs/architecture.md speaks; the default is smaller.
// Set-up is 200 devices a fingerprint (20 by default): one is assessed by itself, the others are its copies.
func BenchmarkReassess(b *testing.B) {
	f := fleet{products: 100, clone: 20}
	if n, err := strconv.Atoi(os.Getenv("FIRMWARD_FLEET")); err == nil && n > 0 {
		f.clone = 200
		f.products = max(1, n/f.clone/versionsOf)
	}
	begun := time.Now()
	f.open(b)
	b.Logf("set-up: %v, %d devices, %d fingerprints, database %d MB", time.Since(begun).Round(time.Second), f.products*versionsOf*f.clone, f.products*versionsOf, f.size(b)>>20)
	devices, turn := 0, 0
	var wrote int64
	var longest, seal time.Duration
	for b.Loop() {
		b.StopTimer()
		touched := f.delta(b, turn)
		turn++
		wrote -= written()
		b.StartTimer()
		at := time.Now()
		if err := f.Reassess(b.Context()); err != nil {
			b.Fatal(err)
		}
		longest = max(longest, time.Since(at))
		b.StopTimer()
		wrote += written()
		got := len(f.Marked())
		if got != touched {
			b.Fatalf("%d devices were written, not %d", got, touched)
		}
		devices += got
		at = time.Now()
		if _, _, err := f.Store.Sequence(b.Context(), at, f.Signer); err != nil {
			b.Fatal(err)
		}
		seal += time.Since(at)
		b.StartTimer()
	}
	b.StopTimer()
	exploited, listed := f.exploited(b)
	all := float64(f.products * versionsOf * f.clone)
	b.ReportMetric(float64(devices)/float64(turn), "devices/op")
	b.ReportMetric(float64(devices)/b.Elapsed().Seconds(), "devices/s")
	b.ReportMetric(longest.Seconds(), "s-longest")
	b.ReportMetric(float64(wrote)/float64(turn)/1e6, "MB-to-disk/op")
	b.ReportMetric(seal.Seconds()/float64(turn), "s-seal/op") // beside it in a server that runs
	b.ReportMetric(exploited.Seconds(), "s-exploited")
	b.ReportMetric(float64(listed), "devices-exploited")
	at := time.Now()
	if _, err := f.Store.ForgetTexts(b.Context(), at.AddDate(0, 0, 1)); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(time.Since(at).Seconds(), "s-forget") // once a day
	alone, decided := f.alone(b)
	b.ReportMetric(alone.Seconds()*1e6, "µs-alone/device")
	b.ReportMetric(decided.Seconds()*1e6, "µs-decide/device")
	b.ReportMetric(alone.Seconds()*all/(b.Elapsed().Seconds()/float64(turn)), "times-all-alone")
}

func (f *fleet) open(b *testing.B) {
	f.path = filepath.Join(b.TempDir(), "firmward.db")
	s, err := store.Open(b.Context(), store.Options{URL: f.path})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	f.Control = controltest.Open(b, func(cfg *control.Config) { cfg.Store = s })
	var advisories []firmward.Advisory
	for p := range f.products {
		advisories = append(advisories, f.advisory(p, 0, "3.0")...)
		advisories = append(advisories, f.advisory(p, 1, "4.0")...)
	}
	f.feed(b, advisories)
	var ids []string
	err = s.Tx(b.Context(), func(tx *store.Tx) error {
		for p := range f.products {
			for v := range versionsOf {
				d := firmward.Device{
					ID: fmt.Sprintf("dev-%05d%d", p, v), Name: fmt.Sprintf("cam %d", p), Site: fmt.Sprintf("site%d", p%50), Class: firmward.ClassCamera,
					Vendor: vendorOf(p), Model: modelOf(p), Firmware: fmt.Sprintf("%d.5", v), Origin: firmward.OriginSeen,
				}
				ids = append(ids, d.ID)
				if err := tx.PutDevice(b.Context(), d, store.Change{Actor: "bench"}); err != nil {
					return err
				}
				err := tx.PutIdentity(b.Context(), d.ID, firmward.Identity{Claims: []firmward.Claim{
					{Field: firmward.FieldModel, Value: d.Model, Confidence: 95, Source: "vapix", Observation: "obs-" + d.ID, Rule: "model"},
					{Field: firmward.FieldFirmware, Value: d.Firmware, Confidence: 95, Source: "vapix", Observation: "obs-" + d.ID, Rule: "firmware"},
				}})
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	for _, id := range ids {
		d, err := s.Device(b.Context(), id)
		if err != nil {
			b.Fatal(err)
		}
		if err := f.AssessAlone(b.Context(), d); err != nil {
			b.Fatal(err)
		}
	}
	if err := f.Reassess(b.Context()); err != nil {
		b.Fatal(err)
	}
	f.copies(b)
	f.Marked()
}

// copies writes the other devices of each fingerprint into the tables.
func (f *fleet) copies(b *testing.B) {
	db, err := sql.Open("sqlite", "file:"+f.path+"?_pragma=synchronous(OFF)&_pragma=cache_size(-500000)&_pragma=busy_timeout(60000)")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	run := func(query string) {
		if _, err := db.ExecContext(b.Context(), query); err != nil {
			b.Fatalf("%s: %v", query, err)
		}
	}
	run("BEGIN")
	for table, key := range map[string]string{"device": "id", "identity": "device", "device_fingerprint": "device", "finding": "device"} {
		rows, err := db.QueryContext(b.Context(), "SELECT name FROM pragma_table_info('"+table+"')")
		if err != nil {
			b.Fatal(err)
		}
		var into, from []string
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				b.Fatal(err)
			}
			into = append(into, name)
			if name == key {
				name = "o." + key + " || n.text"
			}
			from = append(from, name)
		}
		rows.Close()
		run("INSERT INTO " + table + " (" + strings.Join(into, ", ") + ") WITH RECURSIVE n(i, text) AS (SELECT 1, '-001' UNION ALL SELECT i+1, printf('-%03d', i+1) FROM n WHERE i < " +
			strconv.Itoa(f.clone-1) + ") SELECT " + strings.Join(from, ", ") + " FROM (SELECT * FROM " + table + ") o CROSS JOIN n ORDER BY o." + key + ", n.i")
	}
	run("UPDATE finding_count SET n = n * " + strconv.Itoa(f.clone))
	run("COMMIT")
	run("PRAGMA wal_checkpoint(TRUNCATE)")
}

func vendorOf(p int) string { return fmt.Sprintf("vendor%d", p%200) }
func modelOf(p int) string  { return fmt.Sprintf("model-%d", p) }

// advisory is what two sources say of one flaw of a product.
func (f *fleet) advisory(p, n int, below string) []firmward.Advisory {
	criteria := func(part string) string {
		return fmt.Sprintf("cpe:2.3:%s:%s:%s_firmware:*:*:*:*:*:*:*:*", part, vendorOf(p), modelOf(p))
	}
	of := func(source, part string) firmward.Advisory {
		return firmward.Advisory{
			ID: fmt.Sprintf("CVE-2026-%05d%03d", p, n), Source: source, Title: "A flaw in the web server lets a remote attacker run commands",
			Published: time.Unix(1_700_000_000, 0), Modified: time.Now(),
			Scores: []firmward.Score{{Version: "3.1", Vector: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", Base: 9.8, Source: source}},
			Configurations: []firmward.Configuration{{Nodes: []firmward.Node{{Operator: "OR", Matches: []firmward.CPEMatch{
				{Vulnerable: true, Criteria: criteria(part), VersionEndExcluding: below},
			}}}}},
			References: []string{"https://vendor.example/security/advisory"},
		}
	}
	return []firmward.Advisory{of("nvd", "o"), of("cve", "*")}
}

// delta imports a new advisory for one product in a hundred and narrows or widens one that is known, and tells how many devices that concerns.
func (f *fleet) delta(b *testing.B, turn int) int {
	n := max(1, f.products/100)
	var list []firmward.Advisory
	for i := range n {
		p := (turn*n + i) % f.products
		list = append(list, f.advisory(p, 10+turn, "9.0")...)
		list = append(list, f.advisory(p, 0, []string{"2.0", "3.0"}[turn*n/f.products%2])...)
	}
	f.feed(b, list)
	return n * versionsOf * f.clone
}

func (f *fleet) feed(b *testing.B, list []firmward.Advisory) {
	_, err := f.Store.Import(b.Context(), "nvd", store.ImportOptions{Kind: "advisories", Document: "nvd.json", Now: time.Now()}, func(i *store.Import) error {
		for _, a := range list {
			if err := i.Advisory(a); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

// exploited lists an advisory of one product in a hundred as exploited, one that was never changed, and measures as above.
func (f *fleet) exploited(b *testing.B) (took time.Duration, devices int) {
	_, err := f.Store.Import(b.Context(), "kev", store.ImportOptions{Kind: "exploited", Document: "kev.json", Now: time.Now(), ReplaceAll: true}, func(i *store.Import) error {
		for p := range max(1, f.products/100) {
			if err := i.Exploited(firmward.Exploited{Advisory: f.advisory(p, 1, "")[0].ID, Added: time.Now()}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	at := time.Now()
	if err := f.Reassess(b.Context()); err != nil {
		b.Fatal(err)
	}
	took = time.Since(at)
	return took, len(f.Marked())
}

// alone measures the way of one device on some that were written before: assessment, and decision.
func (f *fleet) alone(b *testing.B) (assess, decide time.Duration) {
	n := min(300, f.clone*versionsOf)
	for i := range n {
		id := fmt.Sprintf("dev-%05d%d-%03d", i%max(1, f.products/100), i%versionsOf, 1+i%(f.clone-1))
		d, err := f.Store.Device(b.Context(), id)
		if err != nil {
			b.Fatal(err)
		}
		at := time.Now()
		if err := f.AssessAlone(b.Context(), d); err != nil {
			b.Fatal(err)
		}
		assess += time.Since(at)
		at = time.Now()
		if err := f.Weigh(b.Context(), id); err != nil {
			b.Fatal(err)
		}
		decide += time.Since(at)
	}
	return assess / time.Duration(n), decide / time.Duration(n)
}

func (f *fleet) size(b *testing.B) int64 {
	info, err := os.Stat(f.path)
	if err != nil {
		b.Fatal(err)
	}
	return info.Size()
}

// written gives the bytes that this process handed to disks, 0 where the system does not tell.
func written() int64 {
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if n, ok := strings.CutPrefix(line, "write_bytes: "); ok {
			v, err := strconv.ParseInt(strings.TrimSpace(n), 10, 64)
			if err == nil {
				return v
			}
		}
	}
	return 0
}
