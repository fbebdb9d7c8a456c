// Package report answers people who were not there: an evidence file that anyone can verify, the monthly check in plain
// words, and evidence sorted by the clauses of a rule book.
//
// A report decides nothing. It reads what the house wrote (package store), says it in another order, and names what is
// missing. It never says that somebody complies with anything: that is for whoever holds the rule book.
//
// # The evidence file
//
// Evidence writes one file of JSON lines about one device or one rollout. docs/evidence.md is its full description,
// with a script of the reader's own that needs nothing of firmward. In short:
//
//	header        whom it is about, who asked for it and when, the log's origin and public key
//	facts         what the database said then, one fact a line
//	leaves        numbers of all audit leaves that concern it
//	seal          SHA-256 of all bytes before it, and the number of the leaf that holds this digest
//	checkpoint    the signed note over the log, that leaf included
//	earlier       proof that the log begins with the one of an older checkpoint (only when asked for)
//	leaf …        each of those leaves with its Merkle inclusion proof; last the one that holds the digest
//
// # What it proves
//
// Each leaf stood in the log that the checkpoint signs, exactly so. The facts are those of which the last leaf holds
// the digest, and no leaf that the file lists is missing. Against a checkpoint that was kept outside, the log begins
// with what was signed then.
//
// It does not prove that the facts are true: they are the database's word of that moment. So Verify tells how many of
// the decisions among them are told by a leaf too, written when they happened. Nor does it prove that every leaf about the subject
// was listed: only the whole log can (firmward audit export).
package report

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// line is the one spelling of a line: compact JSON, nothing escaped for HTML, a line feed.
func line(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("write report: %w", err)
	}
	return buf.Bytes(), nil
}

// plural counts things.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
