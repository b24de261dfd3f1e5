//! Owns `state.db`: what was accepted, what was applied, what is being done, what was given away, what happened.
//!
//! It deliberately knows no secret value, and does not decide anything: the reconciler reads and writes it.

mod address;
mod record;
mod rotation;
mod tables;

use std::collections::BTreeMap;
use std::path::Path;

pub use address::KnownImage;
pub use record::Accepted;
pub use record::Applied;
pub use record::Events;
pub use record::Intent;
pub use record::IntentKind;
pub use record::SeenExit;
pub use record::ServiceRecord;
pub use rotation::Rotation;
pub use tables::EVENTS_KEPT;
pub use tables::REVISIONS_KEPT;
pub use tables::UIDS_PER_NODE;

use crate::clock::UnixMillis;
use crate::id::Name;
use crate::id::NodeId;
use crate::id::ServiceId;
use crate::node::Event;
use crate::secret::SecretKey;
use crate::service::subnets::SubnetTable;
use crate::store::durable;
use crate::store::error::StoreError;
use crate::store::folder::NodeIdentity;
use crate::store::sqlite;
use crate::store::sqlite::Database;

/// The node's memory. Each method that writes is one transaction: when it returns, it is on the disk.
#[derive(Debug)]
pub struct StateDb {
    database: Database,
    node: NodeId,
}

/// A transaction on the node's memory: everything done in it happens, or nothing.
pub struct Tx<'a> {
    database: &'a Database,
    transaction: &'a rusqlite::Transaction<'a>,
    node: &'a NodeId,
}

impl StateDb {
    /// Makes the database of a new node, then opens it.
    ///
    /// Errors: [`StoreError::Exists`] where anything lies there already, and what [`StateDb::open`] returns.
    pub fn create(path: &Path, identity: &NodeIdentity) -> Result<Self, StoreError> {
        sqlite::refuse_existing(path)?;
        let unfinished = durable::beside(path, ".new");
        sqlite::build(&unfinished, &tables::SCHEMA, None, |transaction| {
            tables::write_identity(transaction, identity)
        })?;
        durable::rename(&unfinished, path)?;
        Self::open(path)
    }

    /// Opens the database of an existing node, checks all of it, and migrates it where it is older.
    ///
    /// Errors: a missing, empty, truncated or damaged file is one, and is left as it is; it is never made anew.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let database = Database::open(path, &tables::SCHEMA, None)?;
        let node = database.read(|transaction| tables::read_node(transaction, path))?;
        Ok(Self { database, node })
    }

    /// Opens the database and refuses that of another node. Errors: as [`StateDb::open`], and
    /// [`StoreError::OtherNode`].
    pub fn open_of(path: &Path, node: &NodeId) -> Result<Self, StoreError> {
        let state = Self::open(path)?;
        if state.node == *node {
            return Ok(state);
        }
        Err(StoreError::OtherNode {
            path: path.to_owned(),
            found: state.node.to_string(),
            expected: node.to_string(),
        })
    }

    /// Returns the node whose memory this is.
    #[must_use]
    pub fn node(&self) -> &NodeId {
        &self.node
    }

    /// Lets every write fail as after an error of the disk, or not any more.
    #[cfg(test)]
    pub(crate) fn fail_writes(&self, fail: bool) {
        self.database.fail_writes(fail);
    }

    /// Does everything that `write` does, or nothing: a record, its event and its generation belong together.
    pub fn transaction<T, E: From<StoreError>>(
        &self,
        write: impl FnOnce(&Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let points = ("state.before_commit", "state.after_commit");
        self.database.write(points, |transaction| {
            write(&Tx {
                database: &self.database,
                transaction,
                node: &self.node,
            })
        })
    }

    /// Reads several things as they stood at one moment.
    pub fn snapshot<T>(
        &self,
        read: impl FnOnce(&Tx<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.database.read(|transaction| {
            read(&Tx {
                database: &self.database,
                transaction,
                node: &self.node,
            })
        })
    }

    /// Returns the desired state accepted last, or nothing before the first.
    pub fn accepted(&self) -> Result<Option<Accepted>, StoreError> {
        self.snapshot(|tx| Ok(tx.history(1)?.pop()))
    }

    /// Returns the revisions still kept, newest first.
    pub fn history(&self) -> Result<Vec<Accepted>, StoreError> {
        self.snapshot(|tx| tx.history(REVISIONS_KEPT))
    }

    /// Accepts a desired state. Errors: [`StoreError::WentBack`] where its revision is not newer.
    pub fn accept(&self, accepted: &Accepted) -> Result<(), StoreError> {
        self.transaction(|tx| tx.accept(accepted))
    }

    /// Returns every service's record.
    pub fn records(&self) -> Result<BTreeMap<ServiceId, ServiceRecord>, StoreError> {
        self.snapshot(|tx| tx.records())
    }

    /// Writes one service's record.
    pub fn put_record(&self, record: &ServiceRecord) -> Result<(), StoreError> {
        self.transaction(|tx| tx.put_record(record))
    }

    /// Forgets one service's record, if there is one. Its user id and ports stay given away.
    pub fn remove_record(&self, service: &ServiceId) -> Result<(), StoreError> {
        self.transaction(|tx| tx.remove_record(service))
    }

    /// Returns a number that was never returned before, for an [`Intent`].
    pub fn next_id(&self) -> Result<u64, StoreError> {
        self.transaction(|tx| tx.next_id())
    }

    /// Returns every port given away.
    pub fn ports(&self) -> Result<BTreeMap<(ServiceId, Name), u16>, StoreError> {
        self.snapshot(|tx| tx.ports())
    }

    /// Keeps a service's port for good.
    pub fn keep_port(&self, service: &ServiceId, name: &Name, port: u16) -> Result<(), StoreError> {
        self.transaction(|tx| tx.keep_port(service, name, port))
    }

    /// Returns the address plan, once one was made.
    pub fn subnets(&self) -> Result<Option<SubnetTable>, StoreError> {
        self.snapshot(|tx| tx.subnets())
    }

    /// Returns what `reference` was found to be.
    pub fn image(&self, reference: &str) -> Result<Option<KnownImage>, StoreError> {
        self.snapshot(|tx| tx.image(reference))
    }

    /// Keeps what `reference` was found to be.
    pub fn keep_image(&self, reference: &str, image: &KnownImage) -> Result<(), StoreError> {
        self.transaction(|tx| tx.keep_image(reference, image))
    }

    /// Lists the rotations that are not proved yet.
    pub fn rotations(&self) -> Result<Vec<Rotation>, StoreError> {
        self.snapshot(|tx| tx.rotations())
    }

    /// Returns the port of the API, once one was chosen.
    pub fn api_port(&self) -> Result<Option<u16>, StoreError> {
        self.snapshot(|tx| tx.api_port())
    }

    /// Keeps the port of the API.
    pub fn keep_api_port(&self, port: u16) -> Result<(), StoreError> {
        self.transaction(|tx| tx.keep_api_port(port))
    }

    /// Returns the service's user id: its own for good, even after it is removed.
    ///
    /// Errors: [`StoreError::UidsExhausted`] once [`UIDS_PER_NODE`] were given.
    pub fn uid_for(&self, service: &ServiceId) -> Result<u32, StoreError> {
        if let Some(uid) = self.snapshot(|tx| tx.uid_of(service))? {
            return Ok(uid);
        }
        self.transaction(|tx| tx.uid_for(service))
    }

    /// Returns the generation of every secret that was ever made. No values.
    pub fn generations(&self) -> Result<BTreeMap<SecretKey, u32>, StoreError> {
        self.snapshot(|tx| tx.generations())
    }

    /// Keeps a secret's generation. Errors: [`StoreError::WentBack`] where it would sink.
    pub fn keep_generation(&self, key: &SecretKey, generation: u32) -> Result<(), StoreError> {
        self.transaction(|tx| tx.keep_generation(key, generation))
    }

    /// Adds an event to the history and returns it with its cursor.
    pub fn append_event(
        &self,
        service: Option<&ServiceId>,
        code: &str,
        text: &str,
        at: UnixMillis,
    ) -> Result<Event, StoreError> {
        self.transaction(|tx| tx.append_event(service, code, text, at))
    }

    /// Returns up to `limit` events after `cursor`, oldest first.
    pub fn events_after(&self, cursor: u64, limit: usize) -> Result<Events, StoreError> {
        self.snapshot(|tx| tx.events_after(cursor, limit))
    }
}

#[cfg(test)]
mod tests;
