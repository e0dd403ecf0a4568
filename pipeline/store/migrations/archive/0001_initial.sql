-- archive.db: raw bodies by the SHA-256 of their bytes.
CREATE TABLE bodies (
    hash TEXT PRIMARY KEY,
    size INTEGER NOT NULL,                       -- bytes before compression
    stored_at INTEGER NOT NULL,
    data BLOB NOT NULL                           -- zstd
) STRICT;
