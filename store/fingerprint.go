package store

import (
	"context"
	"slices"
	"strconv"
)

// Fingerprint is what the verdicts on many devices rest on (assess.Essence), kept once for all of them.
type Fingerprint struct {
	ID       string
	Essence  []byte   // JSON
	Products []string // under which advisories for it are looked up; only written
}

// Answer is what the findings of all devices of a fingerprint say of one advisory: those that concern it and those that do not.
type Answer struct {
	Advisory   string
	Sum        string  // assess.Sum
	Exploited  int64   // when it was added to a list of exploited ones, in microseconds since 1970 (0: nobody knows); -1 when it is on none
	Likelihood float64 // EPSS as it is written in the findings
}

// PutFingerprint adds a fingerprint with its answers, which are those of the device that is assessed by it now. One that is there already keeps the answers that its
// other devices have; where this device has another one, because it knows of a newer import, the answer equals nothing until all have the same.
func (t *Tx) PutFingerprint(ctx context.Context, f Fingerprint, answers []Answer) error {
	n, err := t.exec(ctx, "INSERT INTO fingerprint (id, body) VALUES ($1, $2) ON CONFLICT DO NOTHING", f.ID, string(f.Essence))
	switch {
	case err != nil:
		return err
	case n == 0:
		return t.disagree(ctx, f.ID, answers)
	}
	for _, p := range f.Products {
		if err := t.put(ctx, "INSERT INTO fingerprint_product (product, fingerprint) VALUES ($1, $2) ON CONFLICT DO NOTHING", p, f.ID); err != nil {
			return err
		}
	}
	return t.putAnswers(ctx, f.ID, answers, nil)
}

// disagree marks the answers of a fingerprint that are not those of one of its devices.
func (t *Tx) disagree(ctx context.Context, id string, device []Answer) error {
	have, err := t.Answers(ctx, []string{id})
	if err != nil {
		return err
	}
	others := make(map[string]Answer, len(have[id]))
	for _, a := range have[id] {
		others[a.Advisory] = a
	}
	var apart []Answer
	for _, a := range device {
		if was, there := others[a.Advisory]; !there || was.Sum != a.Sum {
			apart = append(apart, Answer{Advisory: a.Advisory, Exploited: a.Exploited, Likelihood: a.Likelihood})
		}
		delete(others, a.Advisory)
	}
	for _, a := range others {
		a.Sum = ""
		apart = append(apart, a)
	}
	return t.putAnswers(ctx, id, apart, nil)
}

// putAnswers writes answers and removes others.
func (t *Tx) putAnswers(ctx context.Context, fingerprint string, answers []Answer, gone []string) error {
	if len(gone) > 0 {
		err := t.put(ctx, "DELETE FROM fingerprint_answer WHERE fingerprint = $1 AND advisory IN ("+t.d.elements("$2")+")", fingerprint, array(gone))
		if err != nil {
			return err
		}
	}
	for _, a := range answers {
		err := t.put(ctx, `INSERT INTO fingerprint_answer (fingerprint, advisory, sum, exploited, likelihood) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (fingerprint, advisory) DO UPDATE SET sum = excluded.sum, exploited = excluded.exploited, likelihood = excluded.likelihood`,
			fingerprint, a.Advisory, a.Sum, a.Exploited, a.Likelihood)
		if err != nil {
			return err
		}
	}
	return nil
}

// dropFingerprint forgets a fingerprint that no device has any more.
func (t *Tx) dropFingerprint(ctx context.Context, id string) error {
	for _, where := range []string{"fingerprint WHERE id", "fingerprint_product WHERE fingerprint", "fingerprint_answer WHERE fingerprint"} {
		if err := t.put(ctx, "DELETE FROM "+where+" = $1", id); err != nil {
			return err
		}
	}
	return nil
}

// SetFingerprint says which fingerprint a device has. Its findings are to be those of the fingerprint from then on.
func (t *Tx) SetFingerprint(ctx context.Context, device, fingerprint string) error {
	return t.put(ctx, `INSERT INTO device_fingerprint (device, fingerprint) VALUES ($1, $2)
		ON CONFLICT (device) DO UPDATE SET fingerprint = excluded.fingerprint WHERE device_fingerprint.fingerprint <> excluded.fingerprint`,
		device, fingerprint)
}

// FingerprintOf gives the fingerprint by which a device was last assessed, empty when it never was.
func (r Reader) FingerprintOf(ctx context.Context, device string) (id string, err error) {
	_, err = r.row(ctx, "SELECT fingerprint FROM device_fingerprint WHERE device = $1", args(device), &id)
	return id, err
}

// devicesOf gives up to n devices of a fingerprint with an id greater than after, sorted.
func (r Reader) devicesOf(ctx context.Context, fingerprint, after string, n int) ([]string, error) {
	return list(ctx, r, texts, "SELECT device FROM device_fingerprint WHERE fingerprint = $1 AND device > $2 ORDER BY device LIMIT $3",
		fingerprint, after, n)
}

// array is a list that is an array in JSON even when it is empty.
func array(list []string) js { return js{append([]string{}, list...)} }

// Fingerprints gives some fingerprints, sorted by id.
func (r Reader) Fingerprints(ctx context.Context, ids []string) ([]Fingerprint, error) {
	return list(ctx, r, func(s scan) (f Fingerprint, err error) {
		err = s(&f.ID, &f.Essence)
		return f, err
	}, "SELECT id, body FROM fingerprint WHERE id IN ("+r.d.elements("$1")+") ORDER BY id", array(ids))
}

// Answers gives the answers of some fingerprints, by fingerprint.
func (r Reader) Answers(ctx context.Context, fingerprints []string) (map[string][]Answer, error) {
	out := make(map[string][]Answer, len(fingerprints))
	err := r.each(ctx, "SELECT fingerprint, advisory, sum, exploited, likelihood FROM fingerprint_answer WHERE fingerprint IN ("+
		r.d.elements("$1")+") ORDER BY fingerprint, advisory", func(s scan) error {
		var id string
		var a Answer
		err := s(&id, &a.Advisory, &a.Sum, &a.Exploited, &a.Likelihood)
		out[id] = append(out[id], a)
		return err
	}, array(fingerprints))
	return out, err
}

// AllFingerprints gives the ids of all fingerprints, sorted.
func (r Reader) AllFingerprints(ctx context.Context) ([]string, error) {
	return list(ctx, r, texts, "SELECT id FROM fingerprint ORDER BY id")
}

// FingerprintsNaming gives the fingerprints that are looked up under one of these products, sorted.
func (r Reader) FingerprintsNaming(ctx context.Context, products []string) ([]string, error) {
	return list(ctx, r, texts, "SELECT DISTINCT fingerprint FROM fingerprint_product WHERE product IN ("+r.d.elements("$1")+") ORDER BY fingerprint", array(products))
}

// FingerprintsBehind gives the fingerprints with an answer on an advisory that is listed as exploited otherwise than its findings say,
// or whose EPSS moved: of that, moved is asked with the score in the findings and the one that is known.
func (r Reader) FingerprintsBehind(ctx context.Context, moved func(from, to float64) bool) ([]string, error) {
	out, err := list(ctx, r, texts, `SELECT DISTINCT a.fingerprint FROM fingerprint_answer a
		WHERE a.exploited <> COALESCE((SELECT MIN(e.added) FROM exploited e WHERE e.id = a.advisory), -1)`)
	if err != nil {
		return nil, err
	}
	scores := map[string]float64{} // of advisories whose findings may say another one
	err = r.each(ctx, `SELECT l.id, l.score FROM likelihood l WHERE l.id IN (SELECT a.advisory FROM fingerprint_answer a) ORDER BY l.dated, l.feed`,
		func(s scan) error {
			var id string
			var score float64
			err := s(&id, &score)
			scores[id] = score
			return err
		})
	if err != nil {
		return nil, err
	}
	err = r.each(ctx, "SELECT advisory, likelihood, fingerprint FROM fingerprint_answer", func(s scan) error {
		var id, fingerprint string
		var was float64
		if err := s(&id, &was, &fingerprint); err != nil {
			return err
		}
		if moved(was, scores[id]) {
			out = append(out, fingerprint)
		}
		return nil
	})
	slices.Sort(out)
	return slices.Compact(out), err
}

// assessed is the setting that keeps the generation that the answers of all fingerprints reflect.
const assessed = "assessed-generation"

// Assessed gives the generation that the findings of all fingerprints reflect. What was imported since is still to be worked out.
func (r Reader) Assessed(ctx context.Context) (int64, error) { return r.number(ctx, assessed) }

// SetAssessed says that the findings of all fingerprints reflect a generation.
func (t *Tx) SetAssessed(ctx context.Context, generation int64) error {
	return t.PutSetting(ctx, assessed, strconv.FormatInt(generation, 10))
}
