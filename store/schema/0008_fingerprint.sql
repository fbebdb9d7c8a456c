-- Fingerprints: what verdicts rest on, once for all devices that share it. fingerprint_answer tells what was last written to their
-- findings: a sum, when the advisory was added to a list of exploited ones (-1: it
-- is on none), its EPSS.

CREATE TABLE fingerprint (id @text PRIMARY KEY, body @text NOT NULL) @rowless;

CREATE TABLE fingerprint_product (product @text, fingerprint @text, PRIMARY KEY (product, fingerprint)) @rowless;
CREATE INDEX fingerprint_product_of ON fingerprint_product (fingerprint);

CREATE TABLE fingerprint_answer (
	fingerprint @text, advisory @text, sum @text NOT NULL, exploited BIGINT NOT NULL, likelihood DOUBLE PRECISION NOT NULL,
	PRIMARY KEY (fingerprint, advisory)
) @rowless;

CREATE TABLE device_fingerprint (device @text PRIMARY KEY, fingerprint @text NOT NULL) @rowless;
CREATE INDEX device_fingerprint_of ON device_fingerprint (fingerprint, device)
