-- What was seen of the work: spans for the timelines, and where an unexpected error was met. Times are wall milliseconds.

-- A ring: the writer drops the oldest rows. Each row holds spans of one trace and one item that ended together.
CREATE TABLE spans (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    trace_id TEXT NOT NULL,
    item TEXT NOT NULL,                          -- the uid
    spans TEXT NOT NULL                          -- JSON list of observability.spans.SpanRecord
) STRICT;
CREATE INDEX spans_item ON spans (item, id);

ALTER TABLE errors ADD COLUMN kind TEXT NOT NULL DEFAULT '';   -- the exception's class
ALTER TABLE errors ADD COLUMN place TEXT NOT NULL DEFAULT '';  -- of the last time: stage, route or actor
ALTER TABLE errors ADD COLUMN role TEXT NOT NULL DEFAULT '';
ALTER TABLE errors ADD COLUMN item TEXT;                       -- uid of the last item it was met with
ALTER TABLE errors ADD COLUMN correlation_id TEXT;
CREATE INDEX errors_seen ON errors (last_seen);
