CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- `sum` tells a flipped bit inside a text, which SQLite's own check of a page does not see.
CREATE TABLE accepted (
    revision INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    choices TEXT NOT NULL,
    manifests TEXT NOT NULL,
    release TEXT NOT NULL,
    sum TEXT NOT NULL
) STRICT;

CREATE TABLE record (
    service TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    body TEXT NOT NULL,
    sum TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE port (
    service TEXT NOT NULL,
    name TEXT NOT NULL,
    port INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535),
    PRIMARY KEY (service, name)
) STRICT, WITHOUT ROWID;

-- Rows are never deleted: a user id that owned files once is not given to another service.
CREATE TABLE uid (service TEXT PRIMARY KEY, uid INTEGER NOT NULL UNIQUE) STRICT, WITHOUT ROWID;

CREATE TABLE generation (
    key TEXT PRIMARY KEY,
    generation INTEGER NOT NULL CHECK (generation >= 1)
) STRICT, WITHOUT ROWID;

-- AUTOINCREMENT: a cursor is not used again, even when every event was forgotten.
CREATE TABLE event (
    cursor INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    service TEXT,
    code TEXT NOT NULL,
    text TEXT NOT NULL
) STRICT;
