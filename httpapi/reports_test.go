package httpapi_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/httpapi"
	"github.com/firmward/firmward/report"
	"github.com/firmward/firmward/store"
)

// TestEvidence: who may read may have evidence written, in their own name; what is not there is a problem and no half file.
func TestEvidence(t *testing.T) {
	h := newHouse(t)
	h.fill(t, 3)
	p := h.serve(t, firmward.Viewer)
	resp := p.request(http.MethodPost, "/api/v1/reports/evidence", httpapi.EvidenceWanted{Ref: "dev-000001"})
	file, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/jsonl" {
		t.Fatalf("%d %v %v: %s", resp.StatusCode, resp.Header, err, file)
	}
	v, err := report.Verify(bytes.NewReader(file), report.Options{Key: h.control.Signer.Public()})
	if err != nil || !v.OK || v.By != "viewer-person" || v.Subject != "dev-000001" {
		t.Errorf("%+v, %v", v, err)
	}
	leaves, _, err := h.store.FindLeaves(t.Context(), store.LeafFilter{Action: "evidence-write"}, store.Page{})
	if err != nil || len(leaves) != 1 || leaves[0].Actor != "viewer-person" || leaves[0].Subject != "dev-000001" {
		t.Errorf("%+v, %v", leaves, err)
	}
	for _, token := range h.tokens {
		if strings.Contains(string(file), token) {
			t.Error("a token is in the file")
		}
	}
	p.problem(http.MethodPost, "/reports/evidence", httpapi.EvidenceWanted{Ref: "nobody"}, firmward.NotFound)
	p.problem(http.MethodPost, "/reports/evidence", httpapi.EvidenceWanted{Ref: "dev-000001", Earlier: 1 << 40}, firmward.NotFound)
	p.problem(http.MethodPost, "/reports/evidence", httpapi.EvidenceWanted{}, firmward.Invalid)
	p.problem(http.MethodGet, "/reports/check?site=nowhere", nil, firmward.NotFound)
	p.problem(http.MethodGet, "/reports/clauses?pack=nothing", nil, firmward.NotFound)
	var packs httpapi.Packs
	p.do(http.MethodGet, "/reports/packs", nil, 200, &packs)
	for _, pack := range packs.Items {
		var r report.ClauseReport
		p.do(http.MethodGet, "/reports/clauses?pack="+pack.ID, nil, 200, &r)
		if len(r.Clauses) == 0 {
			t.Errorf("%s has no clauses", pack.ID)
		}
	}
}
