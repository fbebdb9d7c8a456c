package httpapi

import (
	"context"
	"net/http"
	"net/url"

	"github.com/danielgtaylor/huma/v2"

	"github.com/firmward/firmward"
)

// PassphraseHeader carries the passphrase of a backup, percent-encoded.
const PassphraseHeader = "Firmward-Passphrase"

// minPassphrase is the least length of a backup's passphrase, in characters.
const minPassphrase = 12

func (a *API) backupRoutes() {
	a.stream(spec{
		method: http.MethodGet, path: "/backup", id: "get-backup", role: firmward.Admin, tag: "Backup", summary: "An encrypted copy of everything in the database",
		download: "application/octet-stream",
		doc: "The header " + PassphraseHeader + " carries the passphrase (at least 12 characters, percent-encoded). The key files of the data directory and the " +
			"firmware files are not part of it. Restoring is done offline with 'firmward restore'.",
	}, "firmward-backup.age", func(ctx context.Context, hctx huma.Context, w http.ResponseWriter) error {
		pass, err := url.QueryUnescape(hctx.Header(PassphraseHeader))
		if err != nil || len([]rune(pass)) < minPassphrase {
			return invalid("a backup needs a passphrase of at least 12 characters in the header " + PassphraseHeader)
		}
		return a.Control.Backup(ctx, person(ctx), w, pass)
	})
}
