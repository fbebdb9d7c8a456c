-- Times in which a person lets nothing start at a site: see firmward.Freeze.

CREATE TABLE site_freeze (site @text, name @text, body @text NOT NULL, PRIMARY KEY (site, name)) @rowless
