-- Doing again what is kept, without losing it. Times are wall milliseconds in UTC.

-- Set while an item that was done is fetched again or replayed: what it goes back to when that fails, as JSON of
-- kept.Kept. NULL at all other times.
ALTER TABLE items ADD COLUMN kept TEXT;

-- The document that was kept, from when a new one takes its place until the item has ended.
CREATE TABLE kept_documents (
    item_id INTEGER PRIMARY KEY REFERENCES items (id),
    title TEXT,
    author TEXT,
    site TEXT,
    published TEXT,
    language TEXT,
    description TEXT,
    text TEXT NOT NULL,
    markdown TEXT NOT NULL,
    html TEXT NOT NULL,
    images TEXT NOT NULL,
    links TEXT NOT NULL,
    word_count INTEGER,
    reading_minutes INTEGER,
    summary TEXT,
    phrases TEXT NOT NULL,
    method TEXT NOT NULL,
    text_hash TEXT,
    content_hash TEXT,
    extracted_at INTEGER NOT NULL
) STRICT;
CREATE INDEX kept_documents_text_hash ON kept_documents (text_hash) WHERE text_hash IS NOT NULL;

-- Dead letters by what went wrong.
CREATE INDEX items_failed ON items (json_extract(reason, '$.code'), host) WHERE state = 'dead' AND deleted_at IS NULL;
