CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE secret (
    key TEXT NOT NULL,
    generation INTEGER NOT NULL CHECK (generation >= 1),
    value BLOB NOT NULL,
    made_at INTEGER NOT NULL,
    PRIMARY KEY (key, generation)
) STRICT, WITHOUT ROWID;
