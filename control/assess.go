package control

import (
	"context"
	"fmt"
	"slices"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/assess"
	"github.com/firmward/firmward/cpe"
	"github.com/firmward/firmward/index"
	"github.com/firmward/firmward/store"
)

// productIndex tells without a query whether any advisory names a product.
type productIndex struct {
	generation int64
	ready      bool
	idx        *index.Index
}

// indexNow builds the index anew when the feeds have changed.
func (c *Control) indexNow(ctx context.Context) (*index.Index, int64, error) {
	gen, err := c.Store.Generation(ctx)
	if err != nil {
		return nil, 0, err
	}
	if c.products.ready && c.products.generation == gen {
		return c.products.idx, gen, nil
	}
	pairs := map[cpe.Key]bool{}
	if err := c.Store.VendorProducts(ctx, func(vendor, product string) error {
		pairs[cpe.Key{Vendor: vendor, Product: product}] = true
		return nil
	}); err != nil {
		return nil, 0, fmt.Errorf("build the product index: %w", err)
	}
	block, err := index.Build(func(yield func(cpe.Key, uint32) bool) {
		for k := range pairs {
			if !yield(k, 1) {
				return
			}
		}
	})
	if err != nil {
		return nil, 0, fmt.Errorf("build the product index: %w", err)
	}
	idx, err := index.Open(block)
	if err != nil {
		return nil, 0, fmt.Errorf("build the product index: %w", err)
	}
	c.products = productIndex{generation: gen, ready: true, idx: idx}
	return idx, gen, nil
}

// assess works out the findings of one device from all advisories that name its products.
func (c *Control) assess(ctx context.Context, d firmward.Device) error {
	idx, gen, err := c.indexNow(ctx)
	if err != nil {
		return err
	}
	model := c.Catalog.Model(d)
	id, err := c.Store.Identity(ctx, d.ID)
	if err != nil && firmward.CodeOf(err) != firmward.NotFound {
		return err
	}
	subject := assess.Subject{Device: d, Identity: id, Model: model, Names: assess.Names(model, d)}
	var products []store.Product
	for _, n := range subject.Names {
		for _, vendor := range cpe.Spellings(n.CPE.Vendor.Text()) {
			product := n.CPE.Product.Text()
			hits, err := idx.Lookup(vendor, product)
			if err != nil {
				return fmt.Errorf("look up %s %s: %w", vendor, product, err)
			}
			if p := (store.Product{Vendor: vendor, Product: product}); len(hits) > 0 && !slices.Contains(products, p) {
				products = append(products, p)
			}
		}
	}
	var findings []firmward.Finding
	now := c.Clock.Now()
	if len(products) > 0 {
		advisories, err := c.Store.AdvisoriesFor(ctx, products)
		if err != nil {
			return err
		}
		extras, err := c.extras(ctx, advisories, gen)
		if err != nil {
			return err
		}
		findings = assess.Evaluate(subject, advisories, extras, now)
	}
	evidence := ""
	if cl, ok := id.Best(firmward.FieldFirmware); ok {
		evidence = cl.Observation
	}
	return c.Store.Tx(ctx, func(tx *store.Tx) error {
		changes, err := tx.ReplaceFindings(ctx, d.ID, findings, evidence, now)
		if err != nil {
			return err
		}
		for _, f := range changes.Opened {
			if err := c.leaf(ctx, tx, self, "finding-open", d.ID, map[string]string{"advisory": f.AdvisoryID, "verdict": string(f.Verdict), "reason": f.Reason, "firmware": f.Firmware}); err != nil {
				return err
			}
		}
		for _, f := range changes.Closed {
			if err := tx.PinObservation(ctx, evidence); err != nil {
				return err
			}
			if err := c.leaf(ctx, tx, self, "finding-close", d.ID, map[string]string{"advisory": f.AdvisoryID, "by": f.ClosedBy, "firmware": d.Firmware}); err != nil {
				return err
			}
		}
		if len(changes.Opened)+len(changes.Closed) > 0 {
			return c.emit(ctx, tx, "finding", d.ID, fmt.Sprintf("%s: %d findings opened, %d closed", d.Name, len(changes.Opened), len(changes.Closed)))
		}
		return nil
	})
}

func (c *Control) extras(ctx context.Context, advisories []firmward.Advisory, gen int64) (assess.Extras, error) {
	ids := make([]string, 0, len(advisories))
	for _, a := range advisories {
		ids = append(ids, a.ID)
	}
	exploited, err := c.Store.ExploitedOf(ctx, ids)
	if err != nil {
		return assess.Extras{}, err
	}
	likely, err := c.Store.LikelihoodOf(ctx, ids)
	return assess.Extras{Exploited: exploited, Likelihood: likely, Snapshot: gen}, err
}
