-- The first schema. Times are wall milliseconds in UTC unless a name says otherwise.

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE items (
    id INTEGER PRIMARY KEY AUTOINCREMENT,        -- never reused, for client protocols
    uid TEXT NOT NULL UNIQUE,                    -- public and sortable
    kind TEXT NOT NULL CHECK (kind IN ('page', 'note')),
    url TEXT,                                    -- as given
    url_key TEXT UNIQUE,                         -- canonical; NULL for notes
    host TEXT,                                   -- of url_key, for site: searches
    given_title TEXT,
    stage INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('deferred', 'ready', 'leased', 'waiting', 'done', 'duplicate', 'dead')),
    reason TEXT,                                 -- JSON of items.Reason
    verdict TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,         -- all failed tries since it was accepted or requeued
    priority INTEGER NOT NULL DEFAULT 0,
    source TEXT NOT NULL,
    duplicate_of INTEGER REFERENCES items (id),
    trace TEXT NOT NULL DEFAULT '{}',
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    raised_at INTEGER NOT NULL,
    read_at INTEGER,
    starred_at INTEGER,
    archived_at INTEGER,
    deleted_at INTEGER,
    CHECK ((kind = 'note') = (url_key IS NULL))
) STRICT;
CREATE INDEX items_raised ON items (raised_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX items_state ON items (state, stage, changed_at) WHERE deleted_at IS NULL;
CREATE INDEX items_host ON items (host) WHERE host IS NOT NULL;
CREATE INDEX items_original ON items (duplicate_of) WHERE duplicate_of IS NOT NULL;

-- Every canonical key an item is known under: the one it was saved as and those its redirects ended at.
CREATE TABLE keys (
    url_key TEXT PRIMARY KEY,
    item_id INTEGER NOT NULL REFERENCES items (id)
) STRICT, WITHOUT ROWID;
CREATE INDEX keys_item ON keys (item_id);

CREATE TABLE tags (
    item_id INTEGER NOT NULL REFERENCES items (id),
    tag TEXT NOT NULL,
    PRIMARY KEY (tag, item_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_item ON tags (item_id);

CREATE TABLE feeds (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uid TEXT NOT NULL UNIQUE,
    url TEXT NOT NULL,
    url_key TEXT NOT NULL UNIQUE,
    title TEXT,
    etag TEXT,
    last_modified TEXT,
    interval_seconds INTEGER NOT NULL,
    next_poll_at INTEGER NOT NULL,
    polled_at INTEGER,
    failures INTEGER NOT NULL DEFAULT 0,
    reason TEXT,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX feeds_due ON feeds (next_poll_at);

CREATE TABLE seen (
    feed_id INTEGER NOT NULL REFERENCES feeds (id),
    entry_key TEXT NOT NULL,
    item_id INTEGER NOT NULL REFERENCES items (id),
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (feed_id, entry_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX seen_item ON seen (item_id);

-- The queue. A row lives as long as there is something to do; its end is written on the item or the feed.
CREATE TABLE work (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    item_id INTEGER UNIQUE REFERENCES items (id),
    feed_id INTEGER UNIQUE REFERENCES feeds (id),
    hundred INTEGER NOT NULL,                    -- the actor it is for
    stage INTEGER NOT NULL,                      -- the number it enters at
    state TEXT NOT NULL CHECK (state IN ('deferred', 'ready', 'leased', 'waiting')),
    priority INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,         -- at this stage
    crashes INTEGER NOT NULL DEFAULT 0,          -- worker deaths at this stage while leased
    lease_token TEXT,
    lease_boot TEXT,                             -- the worker process that holds it
    lease_until REAL,                            -- that machine's monotonic seconds, compared by that worker only
    CHECK ((item_id IS NULL) <> (feed_id IS NULL)),
    CHECK ((state = 'leased') = (lease_token IS NOT NULL))
) STRICT;
CREATE INDEX work_ready ON work (hundred, crashes, priority, due_at, id) WHERE state = 'ready';
CREATE INDEX work_deferred ON work (priority, id) WHERE state = 'deferred';
CREATE INDEX work_waiting ON work (due_at) WHERE state = 'waiting';
CREATE INDEX work_leased ON work (lease_boot, lease_until, crashes) WHERE state = 'leased';

CREATE TABLE steps (
    id INTEGER PRIMARY KEY,
    item_id INTEGER NOT NULL REFERENCES items (id),
    at INTEGER NOT NULL,
    code INTEGER NOT NULL,
    method TEXT NOT NULL DEFAULT '',
    bytes INTEGER,
    duration_ms REAL,
    error TEXT,
    detail TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX steps_item ON steps (item_id, id);

CREATE TABLE captures (
    id INTEGER PRIMARY KEY,
    item_id INTEGER NOT NULL REFERENCES items (id),
    body TEXT NOT NULL,                          -- SHA-256, the key in archive.db
    size INTEGER NOT NULL,
    url TEXT NOT NULL,
    final_url TEXT NOT NULL,
    status INTEGER NOT NULL,
    media_type TEXT NOT NULL,
    charset TEXT,
    etag TEXT,
    last_modified TEXT,
    provider TEXT NOT NULL,
    captured_at INTEGER NOT NULL
) STRICT;
CREATE INDEX captures_item ON captures (item_id, id);

CREATE TABLE documents (
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
    images TEXT NOT NULL DEFAULT '[]',
    links TEXT NOT NULL DEFAULT '[]',
    word_count INTEGER,
    reading_minutes INTEGER,
    summary TEXT,
    phrases TEXT NOT NULL DEFAULT '[]',
    method TEXT NOT NULL,
    text_hash TEXT,
    content_hash TEXT,
    extracted_at INTEGER NOT NULL
) STRICT;
CREATE INDEX documents_text_hash ON documents (text_hash) WHERE text_hash IS NOT NULL;

-- The keys an article links to: related items are those kept under them, in both directions.
CREATE TABLE links (
    item_id INTEGER NOT NULL REFERENCES items (id),
    url_key TEXT NOT NULL,
    PRIMARY KEY (item_id, url_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX links_key ON links (url_key);

-- Full text: rowid is the item's id. The columns hold text in which CJK characters are set apart by spaces,
-- so snippets are cut from the document and not from here. No Python in the schema: any SQLite tool can open it.
CREATE VIRTUAL TABLE search USING fts5 (
    title, text, author, site, tags,
    content = '', contentless_delete = 1,
    tokenize = "unicode61 remove_diacritics 2"
);

CREATE TABLE tokens (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('token', 'session', 'link')),
    scope TEXT NOT NULL CHECK (scope IN ('read', 'write', 'admin')),
    hash TEXT NOT NULL UNIQUE,                   -- SHA-256 of the secret
    prefix TEXT NOT NULL,                        -- its first letters, to recognise it by
    created_at INTEGER NOT NULL,
    used_at INTEGER,
    expires_at INTEGER
) STRICT;
CREATE UNIQUE INDEX tokens_name ON tokens (name) WHERE kind = 'token';

CREATE TABLE idempotency (
    key TEXT PRIMARY KEY,
    request_hash TEXT NOT NULL,
    item_id INTEGER NOT NULL REFERENCES items (id),
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_age ON idempotency (created_at);
CREATE INDEX idempotency_item ON idempotency (item_id);

CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    event TEXT NOT NULL,
    item_id INTEGER REFERENCES items (id),
    payload TEXT NOT NULL
) STRICT;
CREATE INDEX outbox_age ON outbox (at);
CREATE INDEX outbox_item ON outbox (item_id);

CREATE TABLE tombstones (
    item_id INTEGER PRIMARY KEY REFERENCES items (id),
    uid TEXT NOT NULL,
    deleted_at INTEGER NOT NULL
) STRICT;

CREATE TABLE errors (
    id TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL UNIQUE,
    code TEXT NOT NULL,
    message TEXT NOT NULL,
    traceback TEXT NOT NULL,
    stage INTEGER,
    count INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE breakers (
    name TEXT PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('closed', 'open', 'half_open')),
    failures INTEGER NOT NULL,
    opened_at INTEGER,
    probe_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE roles (
    role TEXT PRIMARY KEY,
    boot TEXT NOT NULL,
    pid INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    stopped_at INTEGER,
    report TEXT NOT NULL                         -- JSON: actors with state, restarts, mailbox depth
) STRICT, WITHOUT ROWID;

-- counts(stage, state, n) is kept by the triggers below, in whatever transaction moves an item.
-- Deleted items count under the state 'deleted', so that the sum over all rows is what was ever accepted.
CREATE TABLE counts (
    stage INTEGER NOT NULL,
    state TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (stage, state)
) STRICT, WITHOUT ROWID;

CREATE TABLE totals (
    name TEXT PRIMARY KEY,
    n INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO totals (name, n) VALUES ('accepted', 0), ('drift', 0);

CREATE TRIGGER items_counted AFTER INSERT ON items BEGIN
    INSERT INTO counts (stage, state, n) VALUES (NEW.stage, NEW.state, 1)
        ON CONFLICT (stage, state) DO UPDATE SET n = n + 1;
    UPDATE totals SET n = n + 1 WHERE name = 'accepted';
END;

CREATE TRIGGER items_moved AFTER UPDATE OF stage, state, deleted_at ON items
WHEN OLD.stage <> NEW.stage OR OLD.state <> NEW.state OR (OLD.deleted_at IS NULL) <> (NEW.deleted_at IS NULL)
BEGIN
    UPDATE counts SET n = n - 1
        WHERE stage = OLD.stage AND state = iif(OLD.deleted_at IS NULL, OLD.state, 'deleted');
    INSERT INTO counts (stage, state, n)
        VALUES (NEW.stage, iif(NEW.deleted_at IS NULL, NEW.state, 'deleted'), 1)
        ON CONFLICT (stage, state) DO UPDATE SET n = n + 1;
END;
