-- Tokens: @text is text in byte order, @blob bytes, @rowless the tail of a table without a hidden row id.
-- Times are microseconds since 1970 in UTC, 0 is none. Truth values are 0 and 1. body is the noun as JSON.

CREATE TABLE site (name @text PRIMARY KEY, body @text NOT NULL) @rowless;

CREATE TABLE network (prefix @text PRIMARY KEY, site @text NOT NULL, bits BIGINT NOT NULL, body @text NOT NULL) @rowless;

CREATE TABLE observation (
	id @text PRIMARY KEY, device @text NOT NULL, site @text NOT NULL, addr @text NOT NULL, port BIGINT NOT NULL,
	probe @text NOT NULL, at BIGINT NOT NULL, latest BIGINT NOT NULL, pinned BIGINT NOT NULL, hash @text NOT NULL,
	body @text NOT NULL
) @rowless;
CREATE INDEX observation_key ON observation (addr, probe, port, latest);
CREATE INDEX observation_device ON observation (device, probe, latest, at);

CREATE TABLE device (
	id @text PRIMARY KEY, name @text NOT NULL, name_key @text NOT NULL, site @text NOT NULL, network @text NOT NULL,
	zone @text NOT NULL, class @text NOT NULL, family @text NOT NULL, vendor @text NOT NULL, model @text NOT NULL,
	hardware @text NOT NULL, serial @text NOT NULL, serial_key @text NOT NULL, firmware @text NOT NULL,
	addrs @text NOT NULL, macs @text NOT NULL, origin @text NOT NULL, owner @text NOT NULL, function @text NOT NULL,
	criticality BIGINT NOT NULL, location @text NOT NULL, spare BIGINT NOT NULL, lab BIGINT NOT NULL,
	never_contain BIGINT NOT NULL, exposed BIGINT NOT NULL, released_from BIGINT NOT NULL, released_to BIGINT NOT NULL,
	retired BIGINT NOT NULL, first_seen BIGINT NOT NULL, search @text NOT NULL
) @rowless;
CREATE INDEX device_site ON device (site, id);
CREATE INDEX device_class ON device (class, id);
CREATE INDEX device_family ON device (family, id);
CREATE INDEX device_vendor ON device (vendor, id);
CREATE INDEX device_name ON device (name_key);
CREATE INDEX device_serial ON device (serial_key);

CREATE TABLE device_addr (addr @text, device @text, PRIMARY KEY (addr, device)) @rowless;
CREATE INDEX device_addr_device ON device_addr (device);

CREATE TABLE device_key (
	field @text, vendor @text, value @text, device @text, origin @text, PRIMARY KEY (field, value, vendor, device, origin)
) @rowless;
CREATE INDEX device_key_device ON device_key (device);

CREATE TABLE device_seen (device @text PRIMARY KEY, at BIGINT NOT NULL, addr @text NOT NULL) @rowless;

CREATE TABLE device_history (
	seq BIGINT PRIMARY KEY, device @text NOT NULL, at BIGINT NOT NULL, field @text NOT NULL, before @text NOT NULL,
	after @text NOT NULL, actor @text NOT NULL, source @text NOT NULL
);
CREATE INDEX device_history_device ON device_history (device, seq);

CREATE TABLE device_alias (id @text PRIMARY KEY, device @text NOT NULL) @rowless;
CREATE INDEX device_alias_device ON device_alias (device);

CREATE TABLE device_merge (from_device @text PRIMARY KEY, into_device @text NOT NULL, body @text NOT NULL) @rowless;

CREATE TABLE device_apart (one @text, other @text, at BIGINT NOT NULL, actor @text NOT NULL, PRIMARY KEY (one, other)) @rowless;
CREATE INDEX device_apart_other ON device_apart (other);

CREATE TABLE device_count (site @text, class @text, n BIGINT NOT NULL, PRIMARY KEY (site, class)) @rowless;

CREATE TABLE identity (device @text PRIMARY KEY, body @text NOT NULL) @rowless;

CREATE TABLE transmission (
	addr @text, seq BIGINT, at BIGINT NOT NULL, device @text NOT NULL, network @text NOT NULL, port BIGINT NOT NULL,
	purpose @text NOT NULL, bytes @blob NOT NULL, total BIGINT NOT NULL, PRIMARY KEY (addr, seq)
) @rowless;

CREATE TABLE feed (name @text PRIMARY KEY, body @text NOT NULL) @rowless;

CREATE TABLE advisory (
	id @text, source @text, feed @text NOT NULL, published BIGINT NOT NULL, modified BIGINT NOT NULL,
	title @text NOT NULL, body @blob NOT NULL, PRIMARY KEY (id, source)
);
CREATE INDEX advisory_feed ON advisory (feed, source, id);

CREATE TABLE advisory_product (
	vendor @text, product @text, part @text, source @text, id @text, PRIMARY KEY (vendor, product, part, source, id)
) @rowless;
CREATE INDEX advisory_product_id ON advisory_product (id, source);

CREATE TABLE exploited (id @text, feed @text, added BIGINT NOT NULL, body @text NOT NULL, PRIMARY KEY (id, feed)) @rowless;
CREATE INDEX exploited_feed ON exploited (feed);

CREATE TABLE likelihood (
	id @text, feed @text, score DOUBLE PRECISION NOT NULL, percentile DOUBLE PRECISION NOT NULL, model @text NOT NULL,
	dated BIGINT NOT NULL, PRIMARY KEY (id, feed)
) @rowless;
CREATE INDEX likelihood_feed ON likelihood (feed);

CREATE TABLE lifecycle (
	vendor_key @text, product_key @text, branch @text, feed @text, body @text NOT NULL,
	PRIMARY KEY (vendor_key, product_key, branch, feed)
) @rowless;
CREATE INDEX lifecycle_feed ON lifecycle (feed);

CREATE TABLE finding (
	device @text, advisory @text, verdict @text NOT NULL, is_open BIGINT NOT NULL, exploited BIGINT NOT NULL,
	closed BIGINT NOT NULL, body @text NOT NULL, PRIMARY KEY (device, advisory)
) @rowless;
CREATE INDEX finding_advisory ON finding (advisory, device);
CREATE INDEX finding_exploited ON finding (exploited, is_open, device, advisory);

CREATE TABLE finding_count (verdict @text, exploited BIGINT, n BIGINT NOT NULL, PRIMARY KEY (verdict, exploited)) @rowless;

CREATE TABLE exception (
	id @text PRIMARY KEY, device @text NOT NULL, advisory @text NOT NULL, expires BIGINT NOT NULL, body @text NOT NULL
) @rowless;
CREATE INDEX exception_device ON exception (device, id);

CREATE TABLE firmware_release (
	id @text PRIMARY KEY, family @text NOT NULL, sha256 @text NOT NULL, withdrawn BIGINT NOT NULL, body @text NOT NULL
) @rowless;
CREATE INDEX release_family ON firmware_release (family, id);

CREATE TABLE staging (sha256 @text, path @text, model @text, hardware @text, body @text NOT NULL, PRIMARY KEY (sha256, path, model, hardware)) @rowless;

CREATE TABLE rollout (
	id @text PRIMARY KEY, release @text NOT NULL, state @text NOT NULL, next_due BIGINT NOT NULL, version BIGINT NOT NULL,
	body @text NOT NULL
) @rowless;
CREATE INDEX rollout_due ON rollout (next_due);

CREATE TABLE target (
	rollout @text, device @text, wave BIGINT NOT NULL, state @text NOT NULL, in_flight BIGINT NOT NULL,
	next_due BIGINT NOT NULL, body @text NOT NULL, PRIMARY KEY (rollout, device)
) @rowless;
CREATE INDEX target_due ON target (next_due, rollout);
CREATE INDEX target_flight ON target (rollout, in_flight, device);
CREATE INDEX target_state ON target (rollout, state, device);
CREATE INDEX target_device ON target (device);

CREATE TABLE claim (kind @text, name @text, rollout @text NOT NULL, device @text NOT NULL, PRIMARY KEY (kind, name)) @rowless;
CREATE INDEX claim_device ON claim (device);

CREATE TABLE image_grant (path @text PRIMARY KEY, sha256 @text NOT NULL, addr @text NOT NULL, expires BIGINT NOT NULL) @rowless;

CREATE TABLE workorder (
	id @text PRIMARY KEY, device @text NOT NULL, state @text NOT NULL, is_open BIGINT NOT NULL, due BIGINT NOT NULL, body @text NOT NULL
) @rowless;
CREATE INDEX workorder_device ON workorder (device, id);
CREATE INDEX workorder_due ON workorder (is_open, due);

CREATE TABLE containment (
	id @text PRIMARY KEY, device @text NOT NULL, state @text NOT NULL, is_open BIGINT NOT NULL, next_due BIGINT NOT NULL, body @text NOT NULL
) @rowless;
CREATE INDEX containment_device ON containment (device, id);
CREATE INDEX containment_due ON containment (next_due);

CREATE TABLE nextstep (
	device @text PRIMARY KEY, site @text NOT NULL, kind @text NOT NULL, bucket @text NOT NULL, ease BIGINT NOT NULL,
	due BIGINT NOT NULL, body @text NOT NULL
) @rowless;
CREATE INDEX nextstep_order ON nextstep (ease, due, device);
CREATE INDEX nextstep_bucket ON nextstep (bucket, ease, due, device);
CREATE INDEX nextstep_kind ON nextstep (kind, ease, due, device);

CREATE TABLE nextstep_count (kind @text, bucket @text, n BIGINT NOT NULL, PRIMARY KEY (kind, bucket)) @rowless;

CREATE TABLE relation (from_device @text, to_device @text, kind @text, body @text NOT NULL, PRIMARY KEY (from_device, to_device, kind)) @rowless;
CREATE INDEX relation_to ON relation (to_device);

CREATE TABLE token (id @text PRIMARY KEY, hash @text NOT NULL UNIQUE, body @text NOT NULL) @rowless;

CREATE TABLE secret (scope @text PRIMARY KEY, username @text NOT NULL, ciphertext @blob NOT NULL, at BIGINT NOT NULL) @rowless;

CREATE TABLE event (seq BIGINT PRIMARY KEY, at BIGINT NOT NULL, kind @text NOT NULL, subject @text NOT NULL, body @text NOT NULL);

CREATE TABLE setting (name @text PRIMARY KEY, value @text NOT NULL) @rowless;

CREATE TABLE command (
	id @text PRIMARY KEY, kind @text NOT NULL, subject @text NOT NULL, payload @text NOT NULL, not_before BIGINT NOT NULL,
	state @text NOT NULL, lease_owner @text NOT NULL, lease_until BIGINT NOT NULL, attempt BIGINT NOT NULL,
	created BIGINT NOT NULL, sent BIGINT NOT NULL, finished BIGINT NOT NULL, outcome @text NOT NULL
) @rowless;
CREATE INDEX command_state ON command (state, not_before, id);

CREATE TABLE audit_leaf (
	id BIGINT PRIMARY KEY, seq BIGINT UNIQUE, at BIGINT NOT NULL, actor @text NOT NULL, action @text NOT NULL,
	subject @text NOT NULL, detail @text NOT NULL
);
CREATE INDEX audit_leaf_subject ON audit_leaf (subject, id);

CREATE TABLE audit_hash (idx BIGINT PRIMARY KEY, hash @blob NOT NULL);

CREATE TABLE audit_checkpoint (size BIGINT PRIMARY KEY, note @text NOT NULL, public_key @text NOT NULL);

CREATE TABLE audit_lease (name @text PRIMARY KEY, held BIGINT NOT NULL) @rowless;
