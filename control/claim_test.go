package control_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

// TestCapsOverRollouts: two rollouts of different makers meet at one site, and on one medium. Where the policy takes one device at a
// time there, one rollout waits for the other; without a cap both go at once. What a device held is free afterwards.
func TestCapsOverRollouts(t *testing.T) {
	for key, want := range map[string]string{"": "", "per-site: 1": "site-cap", "per-domain: 1": "domain-cap"} {
		t.Run(key, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFaultStory(t, "")
				s.device([]string{"plug", "p1"})
				s.device([]string{"light", "l1"})
				s.policy = strings.Replace(faultPolicy, "approvals: 0", key, 1)
				s.settle()
				_, err := s.house.LinkDevices(s.house.ctx, anna, s.ids["l1"], firmward.SameMedium, s.ids["p1"])
				s.must(err)
				var runs []string
				for _, of := range []string{"p1 1.4.4", "l1 0.15.3"} {
					s.release(append([]string{"release"}, strings.Fields(of)...))
					s.start()
					runs = append(runs, s.ro)
				}
				most, waited := 0, ""
				for range 900 {
					time.Sleep(2 * time.Second)
					synctest.Wait()
					held, err := s.house.Store.ClaimsOf(s.house.ctx, "")
					s.must(err)
					flying := 0
					for _, c := range held {
						if c.Kind == store.ClaimDevice {
							flying++
						}
					}
					most = max(most, flying)
					for i, name := range []string{"p1", "l1"} {
						g, err := s.house.Store.Target(s.house.ctx, runs[i], s.ids[name])
						s.must(err)
						if g.State == firmward.TargetPending && g.Code != "" {
							waited = g.Code
						}
					}
				}
				if atOnce := map[bool]int{true: 1, false: 2}[want != ""]; most != atOnce || waited != want {
					t.Errorf("%d at once, waited for %q; want %d and %q", most, waited, atOnce, want)
				}
				for _, id := range runs {
					if r, err := s.house.Store.Rollout(s.house.ctx, id); err != nil || r.State != firmward.RolloutFinished || r.Succeeded != 1 || !slices.Equal(r.Sizes, []int{1}) {
						t.Errorf("%s: %s (%s), %d succeeded, waves %v, %v", id, r.State, r.Why, r.Succeeded, r.Sizes, err)
					}
				}
				if held, err := s.house.Store.ClaimsOf(s.house.ctx, ""); err != nil || len(held) > 0 {
					t.Errorf("still held: %v, %v", held, err)
				}
			})
		})
	}
}
