-- Almost the same texts: found by what their sketches have in common, shown beside each other, never merged.

-- The canonical key that a page gives itself (rel=canonical on its own site). No alias: it is compared with, and never answers a save.
CREATE TABLE claimed_keys (
    item_id INTEGER PRIMARY KEY REFERENCES items (id),
    url_key TEXT NOT NULL
) STRICT;
CREATE INDEX claimed_keys_key ON claimed_keys (url_key, item_id);

-- 513 bytes: how it was made, then 128 numbers.
CREATE TABLE sketches (
    item_id INTEGER PRIMARY KEY REFERENCES items (id),
    sketch BLOB NOT NULL
) STRICT;

-- 32 rows an item. The key's order is the order of asking: one band, the newest items first, so many and no more.
CREATE TABLE bands (
    band INTEGER NOT NULL,
    item_id INTEGER NOT NULL REFERENCES items (id),
    PRIMARY KEY (band, item_id)
) STRICT, WITHOUT ROWID;

-- Found when `item_id` was finished; at most 10 an item, and read in both directions.
CREATE TABLE alike (
    item_id INTEGER NOT NULL REFERENCES items (id),
    other_id INTEGER NOT NULL REFERENCES items (id),
    likeness REAL NOT NULL,                      -- 0 to 1
    PRIMARY KEY (item_id, other_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX alike_other ON alike (other_id, likeness);
