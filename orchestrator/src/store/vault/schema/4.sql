-- What a person's authenticators made for a name of the node.
CREATE TABLE passkey (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    label TEXT NOT NULL,
    -- The name of the node that it is for: WebAuthn's RP ID.
    site TEXT NOT NULL,
    -- By what an authenticator names it.
    handle BLOB NOT NULL,
    -- The public key, the counter and what else `webauthn-rs` keeps of it, as JSON.
    credential TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    used_at INTEGER,
    UNIQUE (site, handle)
) STRICT, WITHOUT ROWID;

CREATE INDEX passkey_of ON passkey (account);
