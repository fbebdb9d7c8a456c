-- An observation can be about a device behind the one that answered: child names it in that one's words.

ALTER TABLE observation ADD COLUMN child @text NOT NULL DEFAULT ''
