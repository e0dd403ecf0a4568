-- Getting a page elsewhere, and leaving alone who does not answer. Times are wall milliseconds in UTC.

-- Providers that were asked for this row already, as a JSON list, and when it came to the actor it is for.
ALTER TABLE work ADD COLUMN spent TEXT NOT NULL DEFAULT '[]';
ALTER TABLE work ADD COLUMN entered_at INTEGER NOT NULL DEFAULT 0;

-- How like the page that was asked for a copy found elsewhere is: 0 to 1, NULL where nothing was compared.
ALTER TABLE captures ADD COLUMN similarity REAL;

ALTER TABLE breakers ADD COLUMN successes INTEGER NOT NULL DEFAULT 0;  -- good probes in a row
ALTER TABLE breakers ADD COLUMN opens INTEGER NOT NULL DEFAULT 0;      -- times it opened without closing in between
ALTER TABLE breakers ADD COLUMN reason TEXT NOT NULL DEFAULT '';

-- What providers with a daily limit were asked, counted before they are asked.
CREATE TABLE quotas (
    name TEXT NOT NULL,
    day TEXT NOT NULL,                           -- as the provider counts days: 2026-11-24
    used INTEGER NOT NULL,
    PRIMARY KEY (name, day)
) STRICT, WITHOUT ROWID;
