// Package sources is the one list of all sources of knowledge in the product.
package sources

import (
	"github.com/firmward/firmward/feed"
	"github.com/firmward/firmward/feed/csaf"
	"github.com/firmward/firmward/feed/cve5"
	"github.com/firmward/firmward/feed/endoflife"
	"github.com/firmward/firmward/feed/eol"
	"github.com/firmward/firmward/feed/epss"
	"github.com/firmward/firmward/feed/fda"
	"github.com/firmward/firmward/feed/kev"
	"github.com/firmward/firmward/feed/nvd11"
	"github.com/firmward/firmward/feed/nvd20"
	"github.com/firmward/firmward/feed/openeox"
	"github.com/firmward/firmward/feed/openvex"
	"github.com/firmward/firmward/feed/overrides"
	"github.com/firmward/firmward/feed/starter"
)

// All lists every source. Formats that share one feed name (those of NVD, those of endoflife.date) feed one set of records.
func All() []feed.Source {
	return []feed.Source{
		starter.Source{},
		nvd20.Source{},
		nvd11.Source{},
		kev.Source{},
		epss.Source{},
		eol.Source{},
		cve5.Source{},
		csaf.Source{},
		openvex.Source{},
		overrides.Source{},
		overrides.Own{},
		openeox.Source{},
		endoflife.Source{},
		endoflife.Pages{},
		fda.Source{},
	}
}

// Detect finds the source that reads the document, by content. It reports false when none does.
func Detect(d *feed.Document) (feed.Source, bool) {
	for _, s := range All() {
		if s.Detect(d.Head(), d.Name) {
			return s, true
		}
	}
	return nil, false
}
