-- Requests that their askers gave a key, so that each is carried out once.
CREATE TABLE request (
    seq INTEGER PRIMARY KEY,
    asker TEXT NOT NULL,
    key TEXT NOT NULL,
    begun_at INTEGER NOT NULL,
    -- The answer's status; null as long as it is not known how it ended.
    status INTEGER,
    UNIQUE (asker, key)
) STRICT;

CREATE INDEX request_of ON request (asker, seq);
CREATE INDEX request_at ON request (begun_at);
