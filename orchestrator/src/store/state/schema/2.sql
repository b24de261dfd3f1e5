-- The address plan: the pool stands in `meta`, and each edge keeps its place in it.
CREATE TABLE subnet (
    edge TEXT PRIMARY KEY,
    slot INTEGER NOT NULL UNIQUE CHECK (slot >= 0)
) STRICT, WITHOUT ROWID;

-- Which image of this machine a reference stands for, once it was pulled or packed and checked.
CREATE TABLE image (
    reference TEXT PRIMARY KEY,
    id TEXT NOT NULL,
    version TEXT
) STRICT, WITHOUT ROWID;

-- Credentials that were replaced, and whose old value was not yet seen to be refused.
CREATE TABLE rotation (
    edge TEXT PRIMARY KEY,
    old INTEGER NOT NULL CHECK (old >= 1),
    begun_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
