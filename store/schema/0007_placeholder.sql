-- placeholder

CREATE TABLE placeholder7 (id @text PRIMARY KEY) @rowless
