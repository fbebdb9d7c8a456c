-- How feeds are fetched over the network, and how far: see firmward.FeedFetch.

CREATE TABLE feed_fetch (name @text PRIMARY KEY, body @text NOT NULL) @rowless
