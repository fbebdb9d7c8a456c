package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

// share takes a place, together with the device as a start does.
func share(t *testing.T, s *store.Store, device, rollout string, sh store.Share) error {
	return hold(t, s, rollout, store.Claimant{Device: device, Shares: []store.Share{sh}})
}

func shares(t *testing.T, s *store.Store) {
	north := func(most int) store.Share { return store.Share{Kind: store.ClaimSite, Name: "north/1 ä", Most: most} }
	if err := errors.Join(
		share(t, s, "a", "r1", north(2)), share(t, s, "a", "r1", north(1)), // again: no error and no second place
		share(t, s, "b", "r2", north(0)),
	); err != nil {
		t.Fatal(err)
	}
	wantCode(t, share(t, s, "c", "r3", north(2)), firmward.Conflict)
	for _, other := range []store.Share{ // names that a careless prefix would take for the same
		{Kind: store.ClaimSite, Name: "north", Most: 1},
		{Kind: store.ClaimSite, Name: "north/1 ä/2", Most: 1},
		{Kind: store.ClaimSite, Name: "", Most: 1},
		{Kind: store.ClaimDomain, Name: "north/1 ä", Most: 1},
	} {
		if err := share(t, s, "d-"+other.Kind+other.Name, "r4", other); err != nil {
			t.Error(err)
		}
	}
	got := map[string]int{}
	for _, c := range must[[]store.Claim](t)(s.ClaimsOf(t.Context(), "")) {
		if c.Kind == store.ClaimSite {
			got[c.Name]++
		}
	}
	diff(t, "held", map[string]int{"north/1 ä": 2, "north": 1, "north/1 ä/2": 1, "": 1}, got)
	write(t, s, func(tx *store.Tx) error { return tx.Unclaim(t.Context(), "r1", "a") })
	if err := share(t, s, "c", "r3", north(2)); err != nil {
		t.Error(err)
	}
	wantCode(t, share(t, s, "e", "r3", north(2)), firmward.Conflict)
}

// sharesRace lets many start at once: never are there more than the cap, and all places get used.
func sharesRace(t *testing.T, a, b *store.Store) {
	var mu sync.Mutex
	won := 0
	race(12, func(i int) {
		s := []*store.Store{a, b}[i%2]
		err := share(t, s, fmt.Sprintf("share%d", i), fmt.Sprintf("r%d", i%3), store.Share{Kind: store.ClaimDomain, Name: "behind ap", Most: 3})
		switch {
		case err == nil:
			mu.Lock()
			won++
			mu.Unlock()
		case firmward.CodeOf(err) != firmward.Conflict:
			t.Error(err)
		}
	})
	if won != 3 {
		t.Errorf("%d of 12 took one of 3 places", won)
	}
}
