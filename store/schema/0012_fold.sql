-- Targets are counted, and who waits or is due is found, without reading them all. soaked is 1 for a target that was looked at after
-- its soak.
ALTER TABLE target ADD COLUMN soaked BIGINT NOT NULL DEFAULT 0;
UPDATE target SET soaked = 1 WHERE body LIKE '%"SoakedAt":"%' AND body NOT LIKE '%"SoakedAt":"0001-01-01T00:00:00Z"%';
DROP INDEX target_due;
DROP INDEX target_flight;
CREATE INDEX target_wave ON target (rollout, wave, state, soaked);
CREATE INDEX target_waits ON target (rollout, wave, device) WHERE state = 'pending';
CREATE INDEX target_flies ON target (rollout, next_due) WHERE in_flight = 1;
CREATE INDEX target_soaks ON target (rollout, wave, next_due) WHERE state = 'succeeded' AND soaked = 0;

-- An edition grows with each change of what it names, so that what was read can be kept until then.
CREATE TABLE edition (name @text PRIMARY KEY, n BIGINT NOT NULL) @rowless;

-- Outcomes that changed nothing, by why they did not.
CREATE TABLE stray (why @text PRIMARY KEY, n BIGINT NOT NULL, at BIGINT NOT NULL) @rowless;
