-- placeholder

CREATE TABLE placeholder5 (id @text PRIMARY KEY) @rowless
