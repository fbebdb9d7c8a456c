-- What each import changed: the index of advisories follows by it. An empty id stands for more than is worth listing. That index
-- finds advisories by product, so that no table has to.

DROP TABLE advisory_product;

CREATE TABLE advisory_change (generation BIGINT, id @text, source @text, PRIMARY KEY (generation, id, source)) @rowless
