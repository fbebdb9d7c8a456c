package sources_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/feed"
	"github.com/firmward/firmward/feed/feedtest"
	"github.com/firmward/firmward/feed/sources"
)

// samples hold one small sound document per format, written for these tests.
var samples = map[string]string{
	"nvd11": `{"CVE_data_type":"CVE","CVE_data_format":"MITRE","CVE_data_version":"4.0","CVE_data_numberOfCVEs":"2","CVE_data_timestamp":"2024-01-01T08:01Z","unheard":{"of":[1,{"x":2}]},
"CVE_Items":[{"cve":{"CVE_data_meta":{"ID":"CVE-2031-0001"},"problemtype":{"problemtype_data":[{"description":[{"lang":"en","value":"CWE-78"}]}]},"references":{"reference_data":[{"url":"x"}]},"description":{"description_data":[{"lang":"en","value":"A door stands open."}]}},
"configurations":{"nodes":[{"operator":"AND","children":[{"operator":"OR","cpe_match":[{"vulnerable":true,"cpe23Uri":"cpe:2.3:o:acme:door_firmware:*:*:*:*:*:*:*:*","versionEndExcluding":"1.2"}]},{"operator":"OR","cpe_match":[{"vulnerable":false,"cpe23Uri":"cpe:2.3:h:acme:door:-:*:*:*:*:*:*:*"}]}]}]},
"impact":{"baseMetricV3":{"cvssV3":{"version":"3.1","vectorString":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H","baseScore":9.8}}},"publishedDate":"2018-01-10T22:29Z","lastModifiedDate":"2019-10-09T23:31Z"},
{"cve":{"CVE_data_meta":{"ID":"CVE-2031-0002"},"description":{"description_data":[{"lang":"en","value":"** REJECT ** Not used."}]}},"configurations":{"nodes":[]},"impact":{},"publishedDate":"2018-01-10T22:29Z","lastModifiedDate":"2019-10-09T23:31Z"}]}`,
	"nvd20": `{"resultsPerPage":2,"startIndex":0,"totalResults":2,"format":"NVD_CVE","version":"2.0","timestamp":"2026-03-14T03:00:00.6258976","vulnerabilities":[
{"cve":{"id":"CVE-2031-0003","published":"2026-01-01T09:15:51.113","lastModified":"2026-01-06T19:25:10.050","vulnStatus":"Deferred","cveTags":[{"tags":["unsupported-when-assigned"]}],"descriptions":[{"lang":"es","value":"x"},{"lang":"en","value":"A lamp burns."}],
"metrics":{"cvssMetricV40":[{"source":"a","cvssData":{"version":"4.0","vectorString":"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:L/VI:L/VA:L/SC:N/SI:N/SA:N","baseScore":6.9}}],"unheard":7},"weaknesses":[{"description":[{"lang":"en","value":"CWE-74"}]}],
"configurations":[{"operator":"AND","nodes":[{"operator":"OR","negate":false,"cpeMatch":[{"vulnerable":true,"criteria":"cpe:2.3:o:acme:lamp_firmware:-:*:*:*:*:*:*:*"}]},{"operator":"OR","negate":false,"cpeMatch":[{"vulnerable":false,"criteria":"cpe:2.3:h:acme:lamp:-:*:*:*:*:*:*:*"}]}]}],"references":[{"url":"y"}]}},
{"cve":{"id":"CVE-2031-0004","published":"2026-01-01T09:15:51.113","lastModified":"2026-01-06T19:25:10.050","vulnStatus":"Rejected","descriptions":[{"lang":"en","value":"Rejected reason: a double."}],"metrics":{},"references":[]}}]}`,
	"cve5": `{"dataType":"CVE_RECORD","dataVersion":"5.1","cveMetadata":{"cveId":"CVE-2031-0005","state":"PUBLISHED","datePublished":"2026-02-01T10:00:00Z","dateUpdated":"2026-02-03T10:00:00.123Z"},"containers":{"cna":{"providerMetadata":{"shortName":"acme"},"descriptions":[{"lang":"en","value":"A bell rings."}],"affected":[{"vendor":"Acme Inc.","product":"Bell","versions":[{"version":"1.0 through 1.4","status":"affected"}]}],"x_unheard":{"of":[1]}}}}
{"dataType":"CVE_RECORD","dataVersion":"5.1","cveMetadata":{"cveId":"CVE-2031-0006","state":"REJECTED","datePublished":"2026-02-01T10:00:00Z"},"containers":{"cna":{"rejectedReasons":[{"lang":"en","value":"Not used."}]}}}
`,
	"csaf": `{"document":{"category":"csaf_vex","csaf_version":"2.0","title":"Bells","publisher":{"name":"Acme","namespace":"https://acme.example"},"tracking":{"id":"AC-31-7","status":"final","initial_release_date":"2026-02-01T10:00:00Z","current_release_date":"2026-02-03T10:00:00Z"}},
"product_tree":{"branches":[{"category":"vendor","name":"Acme","branches":[{"category":"product_name","name":"Bell","product":{"product_id":"B","name":"Bell"}}]}]},
"vulnerabilities":[{"cve":"CVE-2031-0007","product_status":{"known_not_affected":["B"]},"flags":[{"label":"component_not_present","product_ids":["B"]}]},{"cve":"CVE-2031-0008","product_status":{"under_investigation":["B"]}}]}`,
	"openvex": `{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://acme.example/vex/1","author":"Acme","timestamp":"2026-03-01T10:00:00Z","version":1,"statements":[
{"vulnerability":{"name":"CVE-2031-0009"},"products":[{"@id":"cpe:2.3:o:acme:bell_firmware:1.2:*:*:*:*:*:*:*"}],"status":"fixed"},
{"vulnerability":{"name":"CVE-2031-0010"},"products":[{"@id":"pkg:generic/acme/bell@1.2"}],"status":"not_affected","justification":"component_not_present"}]}`,
	"overrides": `{"_annotation":{"cve_id":"CVE-2031-0011","reason":"Not analysed.","published":"2026-03-01"},"cve":{"configurations":[{"nodes":[{"operator":"OR","cpeMatch":[{"vulnerable":true,"criteria":"cpe:2.3:o:acme:bell_firmware:*:*:*:*:*:*:*:*"}]}]}]}}
{"_annotation":{"cve_id":"CVE-2031-0012","reason":"Nor this.","published":"2026-03-01"},"cve":{}}
`,
	"openeox": `{"$schema":"https://docs.oasis-open.org/openeox/tbd/schema/shell.json","statements":[
{"core":{"end_of_life":"2027-12-31T12:00:00Z","end_of_security_support":"tba","last_updated":"2026-02-01T12:00:00Z"},"vendorName":"Acme","productName":"Lamp OS","productVersion":"1.2"},
{"core":{"end_of_life":"tba","end_of_security_support":"tba","last_updated":"2026-02-01T12:00:00Z"},"vendorName":"Acme","productName":"Door OS","productVersion":"1.2"}]}`,
	"endoflife": `{"schema_version":"1.2.0","generated_at":"2026-03-05T01:02:03+00:00","total":1,"result":[{"name":"lamp-os","label":"Lamp OS","category":"os","identifiers":[{"type":"cpe","id":"cpe:2.3:o:acme:lamp_os"}],"releases":[
{"name":"2","isEol":false,"eolFrom":"2027-01-31","latest":{"name":"2.4"}},{"name":"1","isEol":true,"eolFrom":null,"latest":null}]}]}`,
	"fda": `{"meta":{"terms":"https://open.fda.gov/terms/","last_updated":"2026-03-04"},"results":[
{"recall_number":"Z-1234-2031","classification":"Class I","product_description":"Drip, Model 7","recalling_firm":"Acme","reason_for_recall":"It may stop.","recall_initiation_date":"20260102"},
{"recall_number":"Z-1235-2031","classification":"Class II","product_description":"Lamp 9","recalling_firm":"Acme","reason_for_recall":"It burns.","recall_initiation_date":"20260102"}]}`,
	"kev": `{"title":"Catalog","catalogVersion":"2026.03.13","dateReleased":"2026-03-13T16:38:24.564Z","count":2,"vulnerabilities":[
{"cveID":"CVE-2031-0001","dateAdded":"2026-03-01","dueDate":"2026-03-22","requiredAction":"Update.","knownRansomwareCampaignUse":"Known"},
{"cveID":"CVE-2031-0003","dateAdded":"2026-03-02","dueDate":"2026-03-23","requiredAction":"Retire.","knownRansomwareCampaignUse":"Unknown"}]}`,
	"epss": "#model_version:v2025.03.14,score_date:2026-08-22T12:55:00Z\ncve,epss,percentile\nCVE-2031-0001,0.94436,0.99987\nCVE-2031-0003,0.00042,0.05\n",
	"eol": `{"format":"firmward-lifecycle/1","dated":"2026-11-22","products":[
{"vendor":"Acme","product":"Lamp","end_of_support":"2025-01-31","status":"announced","source":"vendor page","dated":"2026-01-10"},
{"vendor":"Acme","product":"Door","branch":"1.2","ended":true,"status":"by-hand","source":"anna","dated":"2026-01-10"}]}`,
}

func source(t *testing.T, doc []byte) feed.Source {
	t.Helper()
	d, err := feed.OpenBytes(doc, "sample")
	if err != nil {
		t.Fatal(err)
	}
	s, ok := sources.Detect(d)
	if !ok {
		t.Fatal("no source knows the document")
	}
	return s
}

func TestConformance(t *testing.T) {
	for name, doc := range samples {
		t.Run(name, func(t *testing.T) {
			s := source(t, []byte(doc))
			if got := fmt.Sprintf("%T", s); got != name+".Source" {
				t.Errorf("Detect gave %s", got)
			}
			feedtest.Run(t, s, []byte(doc))
		})
	}
}

func TestDetectOnePerDocument(t *testing.T) {
	for name, doc := range samples {
		n := 0
		for _, s := range sources.All() {
			if s.Detect([]byte(doc)[:min(len(doc), 4096)], name) {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s: %d sources take it", name, n)
		}
	}
}

// A broken record is refused, counted, and leaves the others alone.
func TestOneBrokenRecord(t *testing.T) {
	for name, swap := range map[string][2]string{
		"nvd11": {`"ID":"CVE-2031-0001"`, `"ID":"CVE-x"`}, "nvd20": {`"published":"2026-01-01T09:15:51.113"`, `"published":7`},
		"cve5": {`"CVE-2031-0005"`, `"CVE-31-5"`}, "csaf": {`"CVE-2031-0007"`, `"CVE-31-7"`}, "openvex": {`"status":"fixed"`, `"status":"fine"`}, "overrides": {`"CVE-2031-0011"`, `"CVE-31-11"`}, "openeox": {`"end_of_security_support":"tba"`, `"end_of_security_support":"soon"`}, "endoflife": {`"2027-01-31"`, `"soon"`}, "fda": {`"Class I"`, `"Class X"`}, "kev": {`"dateAdded":"2026-03-01"`, `"dateAdded":"soon"`}, "epss": {"0.94436", "1.94436"}, "eol": {`"status":"announced"`, `"status":"rumour"`},
	} {
		doc := strings.Replace(samples[name], swap[0], swap[1], 1)
		got, err := feedtest.Sync(t.Context(), source(t, []byte(doc)), strings.NewReader(doc), name)
		if err != nil || len(got.Refused) != 1 || got.Records() != 1 {
			t.Errorf("%s: %v, refused %v, %d records", name, err, got.Refused, got.Records())
		}
	}
}

func TestContent(t *testing.T) {
	sync := func(name string) feedtest.Result {
		got, err := feedtest.Sync(t.Context(), source(t, []byte(samples[name])), strings.NewReader(samples[name]), name)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	old, now := sync("nvd11").Advisories, sync("nvd20").Advisories
	if a := old[0]; a.Title != "A door stands open." || len(a.Configurations[0].Nodes[0].Children) != 2 || a.Scores[0].Base != 9.8 || a.Weakness[0] != "CWE-78" || a.Rejected {
		t.Errorf("%+v", a)
	}
	if !old[1].Rejected || !now[1].Rejected {
		t.Error("a rejected record is not marked")
	}
	if a := now[0]; a.Title != "A lamp burns." || !a.NoFix || a.Configurations[0].Operator != "AND" || len(a.Configurations[0].Nodes) != 2 || a.Scores[0].Version != "4.0" {
		t.Errorf("%+v", a)
	}
	if x := sync("kev").Exploited; !x[0].Ransomware || x[1].Ransomware || x[0].Due.Day() != 22 {
		t.Errorf("%+v", x)
	}
	if l := sync("epss").Likelihood[0]; l.Score != 0.94436 || l.Model != "v2025.03.14" || l.Dated.Year() != 2026 {
		t.Errorf("%+v", l)
	}
	if l := sync("eol").Lifecycle; !l[1].Ended || l[0].EndOfSupport.Year() != 2025 || l[0].Origin.Document != "vendor page" {
		t.Errorf("%+v", l)
	}
}

func FuzzSources(f *testing.F) {
	for _, doc := range samples {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, s := range sources.All() {
			if _, err := feedtest.Sync(t.Context(), s, bytes.NewReader(b), "fuzz"); err != nil {
				_, positioned := errors.AsType[*feed.PositionError](err)
				if code := firmward.CodeOf(err); !positioned && code == firmward.Internal {
					t.Errorf("%T: an error without position: %v", s, err)
				}
			}
		}
	})
}

func TestRealDocuments(t *testing.T) {
	dir := feedtest.Data(t)
	for _, c := range []struct {
		file    string
		records int
	}{
		{"nvd-1.1/nvdcve-1.1-2017.json.gz", 16000},
		{"nvd-1.1/nvdcve-1.1-2018.json.gz", 16000},
		{"nvd-2.0/nvdcve-2.0-2026.json.gz", 7346},
		{"nvd-2.0/nvdcve-modified-2026-03-11-51f834f6.json.gz", 2689},
		{"nvd-2.0/nvdcve-modified-2026-03-15-030580e7.json.gz", 2286},
		{"kev/kev-2026-03-15.json.gz", 1542},
	} {
		d, err := feed.Open(filepath.Join(dir, c.file))
		if err != nil {
			t.Fatal(err)
		}
		s, ok := sources.Detect(d)
		if !ok {
			t.Errorf("%s: no source knows it", c.file)
			continue
		}
		got, err := feedtest.Sync(t.Context(), s, d, d.Name)
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
		}
		rejected := 0
		for _, a := range got.Advisories {
			if a.Rejected {
				rejected++
			}
		}
		t.Logf("%-52s %6d records, %4d rejected, %d refused, dated %s", c.file, got.Records(), rejected, len(got.Refused), got.Dated.Format("2006-01-02"))
		if got.Records() < c.records || len(got.Refused) > 0 {
			t.Errorf("%s: %d records, want %d; refused %v", c.file, got.Records(), c.records, got.Refused[:min(5, len(got.Refused))])
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

func BenchmarkNVD2018(b *testing.B) {
	packed, err := os.ReadFile(filepath.Join(feedtest.Data(b), "nvd-1.1/nvdcve-1.1-2018.json.gz"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		d, err := feed.OpenBytes(packed, "2018.json.gz")
		if err != nil {
			b.Fatal(err)
		}
		s, _ := sources.Detect(d)
		n := 0
		if _, err := s.Sync(b.Context(), "", feed.Input{Reader: d, Document: d.Name}, feed.Sink{Advisory: func(firmward.Advisory) error { n++; return nil }}); err != nil || n < 16000 {
			b.Fatal(n, err)
		}
	}
}

// A gzip that ends early is an error even where its lines are whole.
func TestCutTransport(t *testing.T) {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, _ = w.Write([]byte(samples["epss"]))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	d, err := feed.OpenBytes(z.Bytes()[:z.Len()-6], "epss.csv.gz")
	if err == nil {
		s, _ := sources.Detect(d)
		if s == nil {
			s = sources.All()[4]
		}
		_, err = feedtest.Sync(t.Context(), s, d, d.Name)
	}
	if err == nil {
		t.Error("a cut gzip was taken for whole")
	}
}

// TestFetchers: what a source asks for first lies on the hosts that it declares, over a closed line; a cursor that it does not
// understand is an error.
func TestFetchers(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	var names []string
	for _, s := range sources.All() {
		f, ok := s.(feed.Fetcher)
		if !ok {
			continue
		}
		i := s.Info()
		names = append(names, i.Name)
		urls := i.URLs
		if len(urls) == 0 {
			urls = []string{"https://vendor.example/provider-metadata.json"}
		}
		if err := feed.CheckURLs(urls); err != nil || strings.Contains(strings.Join(urls, " "), "http:") {
			t.Errorf("%s: %v, %v", i.Name, urls, err)
		}
		b, err := f.Next(feed.Fetching{URLs: urls, Now: now})
		if err != nil || len(b.Requests) == 0 {
			t.Errorf("%s asks for nothing: %v", i.Name, err)
		}
		for _, q := range b.Requests {
			if host := feed.Hosts([]string{q.URL})[0]; !slices.Contains(feed.Hosts(urls), host) || q.Name == "" {
				t.Errorf("%s asks for %+v", i.Name, q)
			}
		}
		if _, err := f.Next(feed.Fetching{At: "{?", URLs: urls, Now: now}); err == nil && !slices.Contains([]string{"kev", "epss", "endoflife", "vex", "overrides", "openeox", "lifecycle"}, i.Name) {
			t.Errorf("%s takes any cursor", i.Name)
		}
	}
	if !slices.Equal(names, []string{"nvd", "kev", "epss", "lifecycle", "cve", "csaf", "vex", "overrides", "openeox", "endoflife"}) {
		t.Errorf("over the network come %v", names)
	}
}
