package store

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/firmward/firmward"
)

// The history of a score. EPSS moves in its fifth decimal every day, on all of 300,000 vulnerabilities: what is kept is
// what a person would call a change, a first score to measure it by, and one a month.
const (
	changesKept = 30   // earlier scores of one vulnerability
	aChange     = .005 // least difference between two scores of one model
	aScore      = .01  // below it nobody asks how a score came about
	aMonth      = 25 * 24 * time.Hour
)

// pastScore is one earlier score in column past.
type pastScore struct {
	Score      float64 `json:"s"`
	Percentile float64 `json:"p,omitempty"`
	Model      string  `json:"m,omitempty"`
	Dated      int64   `json:"d"` // microseconds
}

// past reads column past.
type past []pastScore

func (p *past) Scan(src any) error {
	var text []byte
	switch v := src.(type) {
	case string:
		text = []byte(v)
	case []byte:
		text = v
	default:
		return fmt.Errorf("read earlier scores: column holds %T", src)
	}
	*p = nil
	if len(text) == 0 {
		return nil
	}
	return json.Unmarshal(text, p)
}

func (p past) text() (string, error) {
	if len(p) == 0 {
		return "", nil
	}
	b, err := json.Marshal(p)
	return string(b), err
}

// storeLikelihoods writes the scores, each with the earlier ones of the same feed.
func (i *Import) storeLikelihoods(ctx context.Context, tx *Tx) error {
	if len(i.likelihoods) == 0 {
		return nil
	}
	known := map[string]past{}
	err := tx.each(ctx, "SELECT id, score, percentile, model, dated, past FROM likelihood WHERE feed = $1", func(s scan) error {
		var id string
		var now pastScore
		var before past
		err := s(&id, &now.Score, &now.Percentile, &now.Model, &now.Dated, &before)
		known[id] = append(past{now}, before...)
		return err
	}, i.feed)
	if err != nil {
		return err
	}
	for n, row := range i.likelihoods { // id, feed, score, percentile, model, dated
		fresh := pastScore{Score: row[2].(float64), Model: row[4].(string), Dated: row[5].(int64)}
		text, err := earlier(fresh, known[row[0].(string)]).text()
		if err != nil {
			return err
		}
		i.likelihoods[n] = append(row, text)
	}
	return tx.bulk(ctx, load{
		table: "likelihood", columns: []string{"id", "feed", "score", "percentile", "model", "dated", "past"}, keys: 2, rows: i.likelihoods,
	})
}

// earlier gives what is kept as the past of a fresh score. known is the score so far with its own past.
func earlier(fresh pastScore, known past) past {
	if len(known) == 0 {
		return nil
	}
	now, before := known[0], known[1:]
	same := now.Model == fresh.Model
	switch {
	case now.Dated >= fresh.Dated:
		return before // the document came again
	case len(before) == 0 && same && max(now.Score, fresh.Score) < aScore:
		return nil
	case len(before) > 0 && same && before[0].Model == fresh.Model && math.Abs(before[0].Score-fresh.Score) < aChange &&
		math.Abs(before[0].Score-now.Score) < aChange && now.Dated-before[0].Dated < aMonth.Microseconds():
		return before
	}
	return known[:min(len(known), changesKept)]
}

// LikelihoodTrend gives the earlier scores of each of these advisories that has some, the newest first.
func (r Reader) LikelihoodTrend(ctx context.Context, ids []string) (map[string][]firmward.Likelihood, error) {
	out := map[string][]firmward.Likelihood{}
	err := r.each(ctx, "SELECT id, past FROM likelihood WHERE past <> '' AND id IN ("+r.d.elements("$1")+") ORDER BY dated, feed", func(s scan) error {
		var id string
		var before past
		if err := s(&id, &before); err != nil {
			return err
		}
		out[id] = nil // of two feeds the one whose score is newer tells its own history
		for _, p := range before {
			out[id] = append(out[id], firmward.Likelihood{Advisory: id, Score: p.Score, Percentile: p.Percentile, Model: p.Model, Dated: time.UnixMicro(p.Dated).UTC()})
		}
		return nil
	}, js{ids})
	return out, err
}
