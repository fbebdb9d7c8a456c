-- The order of work is the deadline, then the risk. What only waits or carries an accepted risk has no deadline.

DROP INDEX nextstep_order;
DROP INDEX nextstep_bucket;
DROP INDEX nextstep_kind;
CREATE INDEX nextstep_order ON nextstep (due, ease, device);
CREATE INDEX nextstep_bucket ON nextstep (bucket, due, ease, device);
CREATE INDEX nextstep_kind ON nextstep (kind, due, ease, device);
UPDATE nextstep SET due = 9223372036854775807 WHERE bucket IN ('watch', 'accept');

-- Earlier scores of a vulnerability, as JSON, the newest first.
ALTER TABLE likelihood ADD COLUMN past @text NOT NULL DEFAULT ''
