package store

import (
	"fmt"
	"path/filepath"

	"github.com/gofrs/flock"

	"github.com/firmward/firmward"
)

// LockDir makes this process the one owner of a data directory until release is called or the process ends. Locked
// says what to do when another one owns it.
func LockDir(dir string) (release func() error, err error) {
	lock := flock.New(filepath.Join(dir, "firmward.lock"))
	got, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock data directory %s: %w", dir, err)
	}
	if !got {
		return nil, firmward.Errorf(firmward.Locked, "another firmward works in "+dir+
			". Use that one (the command line finds it by itself when it serves), stop it, or choose another --data directory")
	}
	return lock.Unlock, nil
}
