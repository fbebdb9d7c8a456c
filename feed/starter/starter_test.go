package starter_test

import (
	"io"
	"testing"
	"time"

	"github.com/firmward/firmward/feed/feedtest"
	"github.com/firmward/firmward/feed/starter"
)

func TestConformance(t *testing.T) {
	b, err := io.ReadAll(starter.Document())
	if err != nil {
		t.Fatal(err)
	}
	feedtest.Run(t, starter.Source{}, b)
}

func TestStarterSet(t *testing.T) {
	got, err := feedtest.Sync(t.Context(), starter.Source{}, starter.Document(), starter.Name)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Refused) > 0 {
		t.Errorf("the starter set refuses its own records: %v", got.Refused)
	}
	if len(got.Advisories) < 60 || len(got.Exploited) < 30 || len(got.Lifecycle) < 8 {
		t.Errorf("%d advisories, %d exploited, %d lifecycle facts: the set has shrunk", len(got.Advisories), len(got.Exploited), len(got.Lifecycle))
	}
	if !got.Dated.Equal(time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("dated %v", got.Dated)
	}
	seen := map[string]bool{}
	for _, a := range got.Advisories {
		if seen[a.ID] {
			t.Errorf("%s stands twice", a.ID)
		}
		seen[a.ID] = true
		if len(a.Configurations) == 0 || len(a.References) == 0 {
			t.Errorf("%s names no product or no source", a.ID)
		}
	}
	for _, x := range got.Exploited {
		if !seen[x.Advisory] || x.Due.Before(x.Added) {
			t.Errorf("%s: exploited without an advisory, or due before it was added", x.Advisory)
		}
	}
	t.Logf("%d advisories, %d exploited, %d lifecycle facts", len(got.Advisories), len(got.Exploited), len(got.Lifecycle))
}
