-- People who are told: see firmward.Recipient. Their addresses are in table secret.

CREATE TABLE recipient (name @text PRIMARY KEY, body @text NOT NULL) @rowless
