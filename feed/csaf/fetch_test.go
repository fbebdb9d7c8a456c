package csaf

import (
	"strings"
	"testing"
)

// FuzzListed: whatever a provider lists, it is read or refused.
func FuzzListed(f *testing.F) {
	f.Add("https://x.example/d/", []byte("2026/a.json,2026-11-20T10:00:00Z\n"))
	f.Add("https://x.example/d/", []byte("../../a.json,2026-11-20T10:00:00Z\n"))
	f.Add("", []byte(`{"feed":{"entry":[{"updated":"2026-11-01T10:00:00Z","content":{"src":"https://x.example/a.json"},"link":[{"rel":"hash","href":"https://x.example/a.json.sha256"}]}]}}`))
	f.Fuzz(func(t *testing.T, folder string, b []byte) {
		all, err := listed(list{"https://x.example/pm.json", folder}, b)
		if err != nil {
			return
		}
		for _, c := range all {
			if folder == "https://x.example/d/" && !strings.HasPrefix(c.URL, "https://x.example/") {
				t.Errorf("%q leads to %q", b, c.URL)
			}
		}
	})
}

func TestBelow(t *testing.T) {
	for name, want := range map[string]string{
		"2024/a.json": "2024/a.json", "csaf_files/OT/white/2024/a.json": "2024/a.json", "OT/white/2024/a.json": "2024/a.json", "white/a.json": "white/a.json", "a.json": "a.json",
	} {
		if got := below("/CSAF/csaf_files/OT/white/", name); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}
