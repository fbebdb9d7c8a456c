-- A staging verdict is bound to the configuration class of the device that was used too: those from before have none. A rehearsal is
-- kept step by step: see firmward.Rehearsal. ended is 1 once its verdict was given.

ALTER TABLE staging RENAME TO staging_before;

CREATE TABLE staging (
	sha256 @text, path @text, model @text, hardware @text, config @text, body @text NOT NULL, PRIMARY KEY (sha256, path, model, hardware, config)
) @rowless;

INSERT INTO staging (sha256, path, model, hardware, config, body) SELECT sha256, path, model, hardware, '', body FROM staging_before;

DROP TABLE staging_before;

CREATE TABLE rehearsal (rollout @text PRIMARY KEY, release @text NOT NULL, ended BIGINT NOT NULL, body @text NOT NULL) @rowless;

CREATE INDEX rehearsal_open ON rehearsal (ended, release)
