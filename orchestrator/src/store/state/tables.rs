//! Owns the tables of `state.db` and every statement on them.
//!
//! It does not know when a transaction begins or ends (`super`).

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::params;
use sha2::Digest;
use sha2::Sha256;

use super::Tx;
use super::record::Accepted;
use super::record::Events;
use super::record::ServiceRecord;
use crate::clock::UnixMillis;
use crate::id::Name;
use crate::id::NodeId;
use crate::id::ServiceId;
use crate::node::Event;
use crate::secret::SecretKey;
use crate::store::error::StoreError;
use crate::store::folder::NodeIdentity;
use crate::store::sqlite::Schema;

/// How many accepted revisions are kept.
pub const REVISIONS_KEPT: usize = 20;
/// How many events are kept, the newest.
pub const EVENTS_KEPT: u64 = 50_000;
/// How many user ids a node may give away in its life.
pub const UIDS_PER_NODE: u32 = 256;

/// First user id of any node: above people and system users.
const FIRST_UID: u32 = 200_000;
/// How many ranges of user ids nodes are spread over; two nodes of one machine rarely share one.
const UID_RANGES: u32 = 1000;
/// The version of a service's record inside its column.
const RECORD_VERSION: u32 = 1;

/// `state.db`. The application id reads `FLSs`.
pub(super) const SCHEMA: Schema = Schema {
    application_id: 0x464c_5373,
    migrations: &[include_str!("schema/1.sql"), include_str!("schema/2.sql")],
};

/// Writes the identity into a database that is being built.
pub(super) fn write_identity(
    transaction: &rusqlite::Transaction<'_>,
    identity: &NodeIdentity,
) -> rusqlite::Result<()> {
    transaction
        .execute(
            "INSERT INTO meta (name, value) VALUES ('node', ?1), ('next_id', '1')",
            [identity.node_id.as_str()],
        )
        .map(|_| ())
}

/// Reads whose database it is.
pub(super) fn read_node(
    transaction: &rusqlite::Transaction<'_>,
    path: &Path,
) -> Result<NodeId, StoreError> {
    let text: Option<String> = transaction
        .query_row("SELECT value FROM meta WHERE name = 'node'", [], |row| {
            row.get(0)
        })
        .optional()
        .map_err(|source| StoreError::sql(path, "reading", source))?;
    text.and_then(|text| NodeId::try_from(text).ok())
        .ok_or_else(|| StoreError::Corrupt {
            path: path.to_owned(),
            detail: "it does not say which node it belongs to".to_owned(),
        })
}

impl Tx<'_> {
    /// Accepts a desired state. Errors: [`StoreError::WentBack`] where its revision is not newer.
    pub fn accept(&self, accepted: &Accepted) -> Result<(), StoreError> {
        let last: i64 = self.sql(
            "reading the accepted revision",
            self.transaction.query_row(
                "SELECT coalesce(max(revision), 0) FROM accepted",
                [],
                |row| row.get(0),
            ),
        )?;
        let revision = i64::try_from(accepted.revision)
            .ok()
            .filter(|revision| *revision > last)
            .ok_or_else(|| StoreError::WentBack {
                what: "the accepted revision".to_owned(),
                from: last.cast_unsigned(),
                to: accepted.revision,
            })?;
        let manifests = serde_json::to_string(&accepted.manifests).expect("texts become JSON");
        self.execute(
            "accepting a revision",
            "INSERT INTO accepted (revision, at, choices, manifests, release, sum) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                revision,
                signed(accepted.at.0),
                accepted.choices,
                manifests,
                accepted.release,
                sum(&[&accepted.choices, &manifests, &accepted.release])
            ],
        )?;
        self.execute(
            "forgetting old revisions",
            "DELETE FROM accepted WHERE revision NOT IN (SELECT revision FROM accepted ORDER BY revision DESC LIMIT ?1)",
            params![count(REVISIONS_KEPT)],
        )
    }

    /// Returns up to `limit` revisions, newest first.
    pub fn history(&self, limit: usize) -> Result<Vec<Accepted>, StoreError> {
        let rows = self.rows(
            "reading the accepted state",
            "SELECT revision, at, choices, manifests, release, sum FROM accepted ORDER BY revision DESC LIMIT ?1",
            params![count(limit)],
            |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    row.get::<_, i64>(1)?,
                    row.get::<_, String>(2)?,
                    row.get::<_, String>(3)?,
                    row.get::<_, String>(4)?,
                    row.get::<_, String>(5)?,
                ))
            },
        )?;
        rows.into_iter()
            .map(|(revision, at, choices, manifests, release, kept)| {
                if kept != sum(&[&choices, &manifests, &release]) {
                    return Err(self.damaged("an accepted revision"));
                }
                Ok(Accepted {
                    revision: revision.cast_unsigned(),
                    at: UnixMillis(at.cast_unsigned()),
                    choices,
                    manifests: serde_json::from_str(&manifests)
                        .map_err(|_| self.damaged("the manifests of an accepted revision"))?,
                    release,
                })
            })
            .collect()
    }

    /// Returns every service's record.
    pub fn records(&self) -> Result<BTreeMap<ServiceId, ServiceRecord>, StoreError> {
        let rows = self.rows(
            "reading the records",
            "SELECT service, version, body, sum FROM record",
            [],
            |row| {
                Ok((
                    row.get::<_, String>(0)?,
                    row.get::<_, u32>(1)?,
                    row.get::<_, String>(2)?,
                    row.get::<_, String>(3)?,
                ))
            },
        )?;
        rows.into_iter()
            .map(|(service, version, body, kept)| {
                if version > RECORD_VERSION {
                    return Err(StoreError::NewerSchema {
                        path: self.database.path().to_owned(),
                        found: version,
                        known: RECORD_VERSION,
                    });
                }
                if kept != sum(&[&body]) {
                    return Err(self.damaged(&format!("the record of service {service}")));
                }
                let record: ServiceRecord = serde_json::from_str(&body).map_err(|error| {
                    self.damaged(&format!("the record of service {service} ({error})"))
                })?;
                if record.service.as_str() != service {
                    return Err(self.damaged(&format!("the record of service {service}")));
                }
                Ok((record.service.clone(), record))
            })
            .collect()
    }

    /// Writes one service's record.
    pub fn put_record(&self, record: &ServiceRecord) -> Result<(), StoreError> {
        let body = serde_json::to_string(record).expect("a record becomes JSON");
        self.execute(
            "writing a record",
            "INSERT INTO record (service, version, body, sum) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (service) DO UPDATE SET version = excluded.version, body = excluded.body, sum = excluded.sum",
            params![record.service.as_str(), RECORD_VERSION, body, sum(&[&body])],
        )
    }

    /// Changes one service's record, or begins it: what is written follows from what is read, with nobody between.
    pub fn update_record(
        &self,
        service: &ServiceId,
        change: impl FnOnce(&mut ServiceRecord),
    ) -> Result<ServiceRecord, StoreError> {
        let mut record = self
            .records()?
            .remove(service)
            .unwrap_or_else(|| ServiceRecord::new(service.clone()));
        change(&mut record);
        self.put_record(&record)?;
        Ok(record)
    }

    /// Forgets one service's record, if there is one.
    pub fn remove_record(&self, service: &ServiceId) -> Result<(), StoreError> {
        self.execute(
            "forgetting a record",
            "DELETE FROM record WHERE service = ?1",
            params![service.as_str()],
        )
    }

    /// Returns a number that was never returned before.
    pub fn next_id(&self) -> Result<u64, StoreError> {
        let next: i64 = self.sql(
            "counting",
            self.transaction.query_row(
                "UPDATE meta SET value = value + 1 WHERE name = 'next_id' RETURNING value - 1",
                [],
                |row| row.get(0),
            ),
        )?;
        Ok(next.cast_unsigned())
    }

    /// Returns every port given away.
    pub fn ports(&self) -> Result<BTreeMap<(ServiceId, Name), u16>, StoreError> {
        self.rows(
            "reading the ports",
            "SELECT service, name, port FROM port",
            [],
            |row| {
                Ok((
                    row.get::<_, String>(0)?,
                    row.get::<_, String>(1)?,
                    row.get::<_, u16>(2)?,
                ))
            },
        )?
        .into_iter()
        .map(|(service, name, port)| {
            let key = ServiceId::new(service).and_then(|service| Ok((service, Name::new(name)?)));
            Ok((key.map_err(|_| self.damaged("the name of a port"))?, port))
        })
        .collect()
    }

    /// Keeps a service's port.
    pub fn keep_port(&self, service: &ServiceId, name: &Name, port: u16) -> Result<(), StoreError> {
        self.execute(
            "keeping a port",
            "INSERT INTO port (service, name, port) VALUES (?1, ?2, ?3)
             ON CONFLICT (service, name) DO UPDATE SET port = excluded.port",
            params![service.as_str(), name.as_str(), port],
        )
    }

    /// Returns the port of the API, once one was chosen.
    pub fn api_port(&self) -> Result<Option<u16>, StoreError> {
        let text: Option<String> = self.sql(
            "reading the port of the API",
            self.transaction
                .query_row(
                    "SELECT value FROM meta WHERE name = 'api_port'",
                    [],
                    |row| row.get(0),
                )
                .optional(),
        )?;
        text.map(|text| {
            text.parse()
                .map_err(|_| self.damaged("the port of the API"))
        })
        .transpose()
    }

    /// Keeps the port of the API.
    pub fn keep_api_port(&self, port: u16) -> Result<(), StoreError> {
        self.execute(
            "keeping the port of the API",
            "INSERT INTO meta (name, value) VALUES ('api_port', ?1)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            params![port.to_string()],
        )
    }

    /// Returns the user id that the service was given, if it was.
    pub fn uid_of(&self, service: &ServiceId) -> Result<Option<u32>, StoreError> {
        self.sql(
            "reading a user id",
            self.transaction
                .query_row(
                    "SELECT uid FROM uid WHERE service = ?1",
                    [service.as_str()],
                    |row| row.get(0),
                )
                .optional(),
        )
    }

    /// Returns the service's user id, its own for good. Errors: [`StoreError::UidsExhausted`].
    pub fn uid_for(&self, service: &ServiceId) -> Result<u32, StoreError> {
        if let Some(uid) = self.uid_of(service)? {
            return Ok(uid);
        }
        let given: u32 = self.sql(
            "counting user ids",
            self.transaction
                .query_row("SELECT count(*) FROM uid", [], |row| row.get(0)),
        )?;
        if given >= UIDS_PER_NODE {
            return Err(StoreError::UidsExhausted {
                count: UIDS_PER_NODE,
            });
        }
        // Rows of this table are never deleted, so their number is the first free place of the range.
        let uid = FIRST_UID + self.node.spread(UID_RANGES) * UIDS_PER_NODE + given;
        self.execute(
            "keeping a user id",
            "INSERT INTO uid (service, uid) VALUES (?1, ?2)",
            params![service.as_str(), uid],
        )?;
        Ok(uid)
    }

    /// Returns the generation of every secret that was ever made.
    pub fn generations(&self) -> Result<BTreeMap<SecretKey, u32>, StoreError> {
        let rows = self.rows(
            "reading the generations",
            "SELECT key, generation FROM generation",
            [],
            |row| Ok((SecretKey(row.get(0)?), row.get::<_, u32>(1)?)),
        )?;
        Ok(rows.into_iter().collect())
    }

    /// Keeps a secret's generation. Errors: [`StoreError::WentBack`] where it would sink.
    pub fn keep_generation(&self, key: &SecretKey, generation: u32) -> Result<(), StoreError> {
        let kept: Option<u32> = self.sql(
            "reading a generation",
            self.transaction
                .query_row(
                    "SELECT generation FROM generation WHERE key = ?1",
                    [&key.0],
                    |row| row.get(0),
                )
                .optional(),
        )?;
        if let Some(kept) = kept
            && kept > generation
        {
            return Err(StoreError::WentBack {
                what: format!("the generation of secret {key}"),
                from: kept.into(),
                to: generation.into(),
            });
        }
        self.execute(
            "keeping a generation",
            "INSERT INTO generation (key, generation) VALUES (?1, ?2)
             ON CONFLICT (key) DO UPDATE SET generation = excluded.generation",
            params![key.0, generation],
        )
    }

    /// Adds an event to the history and returns it with its cursor.
    pub fn append_event(
        &self,
        service: Option<&ServiceId>,
        code: &str,
        text: &str,
        at: UnixMillis,
    ) -> Result<Event, StoreError> {
        self.execute(
            "adding an event",
            "INSERT INTO event (at, service, code, text) VALUES (?1, ?2, ?3, ?4)",
            params![signed(at.0), service.map(ServiceId::as_str), code, text],
        )?;
        let cursor = self.transaction.last_insert_rowid();
        self.execute(
            "forgetting old events",
            "DELETE FROM event WHERE cursor <= ?1",
            params![cursor.saturating_sub_unsigned(EVENTS_KEPT)],
        )?;
        Ok(Event {
            cursor: cursor.cast_unsigned(),
            at: at.0,
            service: service.map(ToString::to_string),
            code: code.to_owned(),
            text: text.to_owned(),
        })
    }

    /// Returns up to `limit` events after `cursor`, oldest first.
    pub fn events_after(&self, cursor: u64, limit: usize) -> Result<Events, StoreError> {
        let (oldest, newest): (i64, i64) = self.sql(
            "reading the history",
            self.transaction.query_row(
                "SELECT coalesce(min(cursor), 0), coalesce(max(cursor), 0) FROM event",
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            ),
        )?;
        let events = self.rows(
            "reading the history",
            "SELECT cursor, at, service, code, text FROM event WHERE cursor > ?1 ORDER BY cursor LIMIT ?2",
            params![signed(cursor), count(limit)],
            event,
        )?;
        Ok(Events {
            events,
            oldest: oldest.cast_unsigned(),
            newest: newest.cast_unsigned(),
        })
    }

    pub(super) fn sql<T>(
        &self,
        action: &'static str,
        outcome: rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        outcome.map_err(|source| self.database.sql(action, source))
    }

    pub(super) fn execute(
        &self,
        action: &'static str,
        statement: &str,
        values: impl rusqlite::Params,
    ) -> Result<(), StoreError> {
        self.sql(action, self.transaction.execute(statement, values))
            .map(|_| ())
    }

    pub(super) fn rows<T>(
        &self,
        action: &'static str,
        statement: &str,
        values: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let read_all = || {
            self.transaction
                .prepare(statement)?
                .query_map(values, read)?
                .collect::<rusqlite::Result<Vec<T>>>()
        };
        self.sql(action, read_all())
    }

    pub(super) fn damaged(&self, what: &str) -> StoreError {
        StoreError::Corrupt {
            path: self.database.path().to_owned(),
            detail: format!("{what} cannot be read"),
        }
    }
}

fn event(row: &Row<'_>) -> rusqlite::Result<Event> {
    Ok(Event {
        cursor: row.get::<_, i64>(0)?.cast_unsigned(),
        at: row.get::<_, i64>(1)?.cast_unsigned(),
        service: row.get(2)?,
        code: row.get(3)?,
        text: row.get(4)?,
    })
}

/// Sums texts up, so that a flipped bit is found when they are read.
fn sum(texts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for text in texts {
        digest.update(text.len().to_le_bytes());
        digest.update(text.as_bytes());
    }
    hex::encode(digest.finalize())
}

fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// SQLite's integers are signed; a time beyond them is the end of time either way.
fn signed(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}
