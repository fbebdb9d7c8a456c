// Package driver is the family of hands: what firmward can do to a device.
//
// A driver has one required ability, Read, and declares further ones by implementing one-method
// interfaces, found by type assertion. It reports honestly what the device can do: a driver that
// cannot see progress says so, and verification by probes carries the weight. A driver never decides
// and never retries: package rollout does.
package driver

import (
	"context"
	"io"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/wire"
)

// Path is how an image reaches a device.
type Path string

// The delivery paths.
const (
	Pull     Path = "pull"         // the device fetches a URL that we serve
	Push     Path = "push"         // we upload
	Trigger  Path = "trigger-only" // the device gets it from its vendor when told
	CallsIn  Path = "calls-in"
	ByPerson Path = "human"
)

// Info declares a driver's abilities and limits.
type Info struct {
	Name          string // as catalogue files bind it: "shelly-gen2", "axis-vapix"
	Path          Path
	Progress      string // none, percent, events
	Rollback      firmward.Rollback
	NeedsWake     bool
	NeedsInternet bool
	WipesConfig   bool
	Reboots       bool
	Settle        time.Duration // usual time from activation until the device answers again
}

// State is what a device says about its own firmware.
type State struct {
	Version     string
	Inactive    string // version in the other slot, empty when none or unknown
	Variant     string
	Model       string
	Hardware    string
	Serial      string
	Busy        bool          // an update is under way
	Uncommitted bool          // a new version runs on trial
	FallsBackIn time.Duration // dead-man time left; 0 when none runs
	Offered     []string      // versions that the device says it could get
}

// Driver is the required part.
type Driver interface {
	Info() Info
	Read(ctx context.Context, c wire.Conn) (State, error)
}

// Image is a release on its way to one device.
type Image struct {
	Release  firmward.Release
	Open     func() (io.ReadCloser, error) // for push; may be called once per attempt
	URL      string                        // for pull: one-time address that we serve
	FallBack time.Duration                 // dead-man time to arm where the device supports it
}

// Preflighter checks before a byte of the image is sent, and tells what the device says of its power and radio. A *firmward.Error
// with code Refused means: never send this here. Whether there is enough of either is not the driver's to say.
type Preflighter interface {
	Preflight(ctx context.Context, c wire.Conn, img Image) (firmward.Vitals, error)
}

// Installer delivers and activates. A nil error means "accepted", which is not "installed".
type Installer interface {
	Install(ctx context.Context, c wire.Conn, img Image) error
}

// Committer releases the dead-man switch: the new version stays.
type Committer interface {
	Commit(ctx context.Context, c wire.Conn) error
}

// Reverter goes back to the version before.
type Reverter interface {
	Revert(ctx context.Context, c wire.Conn) error
}

// Auto is how a device updates itself.
type Auto struct {
	On bool
	At string // time of day, "03:00", in the device's own time; empty when it is not known
}

// AutoUpdater reads and sets whether a device installs by itself what its maker offers. That a setting holds, only reading it
// again tells.
type AutoUpdater interface {
	AutoUpdates(ctx context.Context, c wire.Conn) (Auto, error)
	SetAutoUpdates(ctx context.Context, c wire.Conn, on bool) error
}

// Backuper fetches the configuration before an update.
type Backuper interface {
	Backup(ctx context.Context, c wire.Conn, w io.Writer) error
}

// Restorer puts a configuration that Backup took from another device of the same kind into one that stands for it, which may restart for
// that. Its name and what ties it to its network stay its own, and nothing that only the other's owner may know goes along.
type Restorer interface {
	Restore(ctx context.Context, c wire.Conn, saved []byte) error
}
