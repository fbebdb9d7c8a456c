package control

import (
	"context"
	"fmt"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/assess"
	"github.com/firmward/firmward/cpe"
	"github.com/firmward/firmward/index"
	"github.com/firmward/firmward/priority"
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
		pairs[cpe.Key{Vendor: cpe.Vendor(vendor), Product: product}] = true // the index resolves aliases when it is asked
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
	for _, k := range assess.Keys(subject.Names) {
		hits, err := idx.Lookup(k.Vendor, k.Product)
		if err != nil {
			return fmt.Errorf("look up %s %s: %w", k.Vendor, k.Product, err)
		}
		if len(hits) == 0 {
			continue
		}
		for _, vendor := range cpe.Spellings(k.Vendor) {
			products = append(products, store.Product{Vendor: vendor, Product: k.Product})
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
		if err := c.threats(ctx, findings, advisories, extras); err != nil {
			return err
		}
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

// threats keeps with each finding what sources say of the use of its vulnerability.
func (c *Control) threats(ctx context.Context, findings []firmward.Finding, advisories []firmward.Advisory, extras assess.Extras) error {
	ids := make([]string, 0, len(findings))
	for _, f := range findings {
		ids = append(ids, f.AdvisoryID)
	}
	trend, err := c.Store.LikelihoodTrend(ctx, ids)
	if err != nil {
		return err
	}
	all := priority.Threats(advisories, extras.Likelihood, trend)
	for i, f := range findings {
		findings[i].Threat = all[f.AdvisoryID]
	}
	return nil
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
