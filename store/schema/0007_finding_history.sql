-- The forms that findings had, each with the time for which it stood; until 0 is the one in force. body is a firmward.Form, packed
-- like an advisory.

CREATE TABLE finding_history (
	device @text, advisory @text, since BIGINT, until BIGINT NOT NULL, snapshot BIGINT NOT NULL, body @blob NOT NULL,
	PRIMARY KEY (device, advisory, since)
);
CREATE INDEX finding_history_advisory ON finding_history (advisory, snapshot);

-- Records that an import replaced or removed and by which a finding in history was judged: each stood in all generations before until.

CREATE TABLE advisory_body (id @text, source @text, until BIGINT, body @blob NOT NULL, PRIMARY KEY (id, source, until))
