-- What findings say, once for all devices of which it is said. A row of finding or finding_history keeps in its body what is its own,
-- and names the rest by its sum; one that was written before keeps all in its body. used is when a row last began to name it.

CREATE TABLE finding_text (id @text PRIMARY KEY, used BIGINT NOT NULL, text @blob NOT NULL);

ALTER TABLE finding ADD COLUMN said @text NOT NULL DEFAULT '';

ALTER TABLE finding_history ADD COLUMN said @text NOT NULL DEFAULT '';

ALTER TABLE finding_history ADD COLUMN judged @text NOT NULL DEFAULT ''
