-- What sources took back, so that older documents do not bring it again: an advisory, or with an empty id all that a
-- source said. See Import.

CREATE TABLE advisory_withdrawn (
	id @text, source @text, feed @text NOT NULL, modified BIGINT NOT NULL, PRIMARY KEY (id, source)
) @rowless;
CREATE INDEX advisory_withdrawn_feed ON advisory_withdrawn (feed, source)
