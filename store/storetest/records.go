package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/audit"
	"github.com/firmward/firmward/store"
)

var records = []check{
	{"transactions", transactions},
	{"audit", auditLog},
	{"audit and change are one", oneTransaction},
	{"tokens, secrets, settings", people},
	{"events", events},
	{"dump and load", dump},
}

func transactions(t *testing.T, s *store.Store) {
	ctx := t.Context()
	before := s.Commits()
	broken := errors.New("broken")
	site := func(name string, end error) func(*store.Tx) error {
		return func(tx *store.Tx) error { return errors.Join(tx.PutSite(ctx, firmward.Site{Name: name}), end) }
	}
	if err := s.Tx(ctx, site("a", broken)); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		s.Tx(ctx, func(tx *store.Tx) error { panic(errors.Join(site("a", nil)(tx), broken)) })
	}()
	_, err := s.Site(ctx, "a")
	wantCode(t, err, firmward.NotFound)
	write(t, s, func(tx *store.Tx) error {
		if err := tx.PutSite(ctx, firmward.Site{Name: "a"}); err != nil {
			return err
		}
		_, outside := s.Site(ctx, "a")
		wantCode(t, outside, firmward.NotFound)
		_, inside := tx.Site(ctx, "a")
		return inside
	})
	if n := s.Commits() - before; n != 1 {
		t.Errorf("%d commits", n)
	}
	if a, b := store.NewID("dev"), store.NewID("dev"); a == b || !strings.HasPrefix(a, "dev-") || len(a) != 17 {
		t.Errorf("ids %s %s", a, b)
	}
}

func signer(t *testing.T) *audit.Signer {
	t.Helper()
	private, _, err := audit.GenerateKey("test")
	if err != nil {
		t.Fatal(err)
	}
	s, err := audit.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func record(t *testing.T, s *store.Store, n int) {
	t.Helper()
	for i := range n {
		write(t, s, func(tx *store.Tx) error {
			return tx.Record(t.Context(), audit.Leaf{At: t0, Actor: "anna\x00", Action: "device-add", Subject: fmt.Sprint("d", i), Detail: map[string]string{"site": "<ü>"}})
		})
	}
}

func auditLog(t *testing.T, s *store.Store) {
	ctx := t.Context()
	key := signer(t)
	wantCode(t, s.ExportAudit(ctx, new(bytes.Buffer)), firmward.NotFound)
	var checkpoints []audit.Checkpoint
	for _, n := range []int{3, 1, 7} {
		record(t, s, n)
		c, got, err := s.Sequence(ctx, t0, key)
		if err != nil || got != n {
			t.Fatalf("sequenced %d of %d: %v", got, n, err)
		}
		checkpoints = append(checkpoints, c)
	}
	c, n, err := s.Sequence(ctx, t0.Add(1), key)
	if err != nil || n != 0 || !bytes.Equal(c.Note, checkpoints[2].Note) {
		t.Errorf("nothing new: %v, %d, %v", c, n, err)
	}
	var bundle bytes.Buffer
	if err := s.ExportAudit(ctx, &bundle); err != nil {
		t.Fatal(err)
	}
	report, err := audit.Verify(bytes.NewReader(bundle.Bytes()), audit.Options{Key: key.Public(), Earlier: checkpoints})
	if err != nil || !report.OK || report.Leaves != 11 || report.Checkpoints != 3 || report.Earlier != 3 {
		t.Errorf("report %+v, %v", report, err)
	}
	for seq := range int64(11) {
		l, c, proof, err := s.CheckInclusion(ctx, seq)
		if err != nil || l.Seq != seq || c.Included(l, proof) != nil {
			t.Errorf("inclusion of %d: %v", seq, err)
		}
		l.Actor = "mallory"
		if c.Included(l, proof) == nil {
			t.Errorf("a changed leaf %d was accepted", seq)
		}
	}
	_, _, _, err = s.CheckInclusion(ctx, 11)
	wantCode(t, err, firmward.NotFound)
	leaves := must[[]audit.Leaf](t)(s.Leaves(ctx, 9, 100))
	if len(leaves) != 2 || leaves[0].Seq != 9 || leaves[0].Actor != "anna\uFFFD" {
		t.Errorf("leaves %+v", leaves)
	}
	record(t, s, 1)
	found := each(t, 1, func(p store.Page) ([]audit.Leaf, string, error) {
		return s.FindLeaves(ctx, store.LeafFilter{Subject: "d0"}, p)
	})
	if len(found) != 4 || found[0].Seq != -1 || found[1].Seq != 4 {
		t.Errorf("of a subject: %+v", found)
	}
}

func oneTransaction(t *testing.T, s *store.Store) {
	ctx := t.Context()
	err := s.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.Record(ctx, audit.Leaf{At: t0, Action: "lie"}); err != nil {
			return err
		}
		return errors.New("the change failed")
	})
	if err == nil {
		t.Fatal("no error")
	}
	if _, n, err := s.Sequence(ctx, t0, signer(t)); err != nil || n != 0 {
		t.Errorf("%d leaves of a change that never was, %v", n, err)
	}
}

func sequenceRace(t *testing.T, a, b *store.Store) {
	record(t, a, 60)
	key := signer(t)
	race(6, func(i int) {
		if _, _, err := []*store.Store{a, b}[i%2].Sequence(t.Context(), t0, key); err != nil {
			t.Error(err)
		}
	})
	var bundle bytes.Buffer
	if err := b.ExportAudit(t.Context(), &bundle); err != nil {
		t.Fatal(err)
	}
	if r, err := audit.Verify(&bundle, audit.Options{}); err != nil || !r.OK || r.Leaves != 60 || r.Checkpoints != 1 {
		t.Errorf("report %+v, %v", r, err)
	}
}

func people(t *testing.T, s *store.Store) {
	ctx := t.Context()
	k := store.Token{ID: "t1", Hash: "aa", Person: firmward.Person{Name: "eva", Role: firmward.Approver}, Created: t0}
	wide := store.Secret{Scope: "family:axis@home", User: "root", Ciphertext: []byte{0, 1, 0xff}, At: t0}
	narrow := store.Secret{Scope: "device:a", User: "admin", Ciphertext: []byte{2}, At: t0}
	stop := store.StopAll{On: true, By: "eva", At: t0, Why: "smoke"}
	write(t, s, func(tx *store.Tx) error {
		return errors.Join(tx.PutToken(ctx, k), tx.PutSecret(ctx, wide), tx.PutSecret(ctx, narrow), tx.PutSetting(ctx, "a", "1"), tx.PutSetting(ctx, "a", "2"), tx.PutStopAll(ctx, stop))
	})
	diff(t, "token", k, must[store.Token](t)(s.TokenByHash(ctx, "aa")))
	wantCode(t, s.Tx(ctx, func(tx *store.Tx) error { return tx.PutToken(ctx, store.Token{ID: "t2", Hash: "aa"}) }), firmward.Conflict)
	write(t, s, func(tx *store.Tx) error { return tx.DeleteToken(ctx, "t1") })
	_, err := s.TokenByHash(ctx, "aa")
	wantCode(t, err, firmward.NotFound)
	diff(t, "narrow", narrow, must[store.Secret](t)(s.SecretFor(ctx, "device:a", "family:axis@home")))
	diff(t, "wide", wide, must[store.Secret](t)(s.SecretFor(ctx, "device:b", "family:axis@home")))
	kept := store.Secret{Scope: "config:a:1", User: "1.0", Ciphertext: []byte{4}, At: t0}
	write(t, s, func(tx *store.Tx) error {
		return errors.Join(tx.PutSecret(ctx, kept), tx.PutSecret(ctx, store.Secret{Scope: "config:ab:1", Ciphertext: []byte{5}, At: t0}))
	})
	diff(t, "under a prefix", []store.Secret{kept}, must[[]store.Secret](t)(s.SecretsUnder(ctx, "config:a:")))
	_, err = s.SecretsUnder(ctx, "config:a")
	wantCode(t, err, firmward.Invalid)
	_, err = s.SecretFor(ctx, "device:b")
	wantCode(t, err, firmward.NotFound)
	diff(t, "setting", "2", must[string](t)(s.Setting(ctx, "a")))
	diff(t, "no setting", "", must[string](t)(s.Setting(ctx, "b")))
	diff(t, "red button", stop, must[store.StopAll](t)(s.StopAll(ctx)))
}

func events(t *testing.T, s *store.Store) {
	ctx := t.Context()
	write(t, s, func(tx *store.Tx) error {
		for i := range 10_010 {
			if err := tx.Emit(ctx, firmward.Event{At: t0, Kind: "device", Subject: fmt.Sprint(i)}); err != nil {
				return err
			}
		}
		return nil
	})
	got := must[[]firmward.Event](t)(s.EventsAfter(ctx, 0, 2))
	diff(t, "oldest kept", []firmward.Event{{Seq: 11, At: t0, Kind: "device", Subject: "10"}, {Seq: 12, At: t0, Kind: "device", Subject: "11"}}, got)
	if n := must[int64](t)(s.LastEvent(ctx)); n != 10_010 {
		t.Errorf("last event %d", n)
	}
}

// Fill writes a little of everything, for tests of whole stores.
func Fill(t *testing.T, s *store.Store) {
	t.Helper()
	steps(t, s)
	devices(t, s)
	findings(t, s)
	imports(t, s)
	orders(t, s)
	outbox(t, s)
	auditLog(t, s)
	transmissions(t, s)
}

func dump(t *testing.T, s *store.Store) {
	ctx := t.Context()
	Fill(t, s)
	var out bytes.Buffer
	if err := s.Dump(ctx, &out); err != nil {
		t.Fatal(err)
	}
	wantCode(t, s.Load(ctx, bytes.NewReader(out.Bytes())), firmward.Conflict)
}

// Bubble checks that a store works inside a testing/synctest bubble and leaves nothing running. open must not use
// t.Cleanup to close.
func Bubble(t *testing.T, open func(t *testing.T) *store.Store) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		outbox(t, s)
		race(4, func(i int) { put(t, s, t0, device(fmt.Sprint("d", i), nil)) })
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}
