package httpapi

import (
	"context"
	"net/http"
	"net/url"

	"github.com/firmward/firmward"
)

// PassphraseHeader carries the passphrase of a backup, percent-encoded.
const PassphraseHeader = "Firmward-Passphrase"

// MinPassphrase is the least length of a backup's passphrase, in characters.
const MinPassphrase = 12

// BackupInput says how a backup is encrypted and what it holds.
type BackupInput struct {
	Download
	Passphrase string `header:"Firmward-Passphrase" doc:"at least 12 characters, percent-encoded"`
	Keys       string `query:"keys" enum:"true,false" default:"true" doc:"false leaves the key files out: then credentials must be entered anew, unless the keys are kept elsewhere"`
}

func (a *API) backupRoutes() {
	stream(a, spec{
		method: http.MethodGet, path: "/backup", id: "get-backup", role: firmward.Admin, tag: "Backup", summary: "An encrypted copy of the database and its keys",
		download: "application/octet-stream",
		doc:      "The firmware files are not part of it. Restoring is done offline with 'firmward restore'.",
	}, "firmward-backup.age", func(ctx context.Context, in *BackupInput, w http.ResponseWriter) error {
		pass, err := url.QueryUnescape(in.Passphrase)
		if err != nil || len([]rune(pass)) < MinPassphrase {
			return invalid("a backup needs a passphrase of at least 12 characters in the header " + PassphraseHeader)
		}
		return a.Control.Backup(ctx, person(ctx), w, pass, in.Keys != "false")
	})
}
