-- placeholder

CREATE TABLE placeholder (id @text PRIMARY KEY) @rowless
