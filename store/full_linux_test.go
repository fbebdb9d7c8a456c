package store_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/wire/wiretest/needs"
)

// TestOpenOnFullDisk fills a small disk of its own: opening says so, and once there is space all is there.
func TestOpenOnFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		needs.Missing(t, "a disk of one's own needs root: "+err.Error())
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	path := filepath.Join(dir, "firmward.db")
	s, err := store.Open(t.Context(), store.Options{URL: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Tx(t.Context(), func(tx *store.Tx) error { return tx.PutSetting(t.Context(), "kept", "yes") }); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read the database: %v %v", info.Mode(), err)
	}
	fill := filepath.Join(dir, "fill")
	if err := os.WriteFile(fill, make([]byte, 8<<20), 0o600); err == nil {
		t.Fatal("the disk did not fill")
	}
	_, err = store.Open(t.Context(), store.Options{URL: path})
	wantSaid(t, err, firmward.DiskFull, "Free some space and try again")
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	s, err = store.Open(t.Context(), store.Options{URL: path})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if v, err := s.Setting(t.Context(), "kept"); v != "yes" || err != nil {
		t.Errorf("after the disk was full: %q, %v", v, err)
	}
}
