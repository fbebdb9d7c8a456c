-- How long updates took, one row for each device that came back with its new version: see firmward.UpdateTime.

CREATE TABLE update_time (rollout @text, device @text, model @text NOT NULL, at BIGINT NOT NULL, body @text NOT NULL, PRIMARY KEY (rollout, device)) @rowless;

CREATE INDEX update_time_model ON update_time (model, at)
