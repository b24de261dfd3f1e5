//! Owns the tables of the address plan and of images, and every statement on them.
//!
//! It does not know how either is chosen (`service::subnets`, `image`).

use rusqlite::OptionalExtension;
use rusqlite::params;

use super::Tx;
use crate::id::EdgeId;
use crate::runtime::ImageId;
use crate::service::subnets::Cidr;
use crate::service::subnets::SubnetTable;
use crate::store::error::StoreError;

/// The name in `meta` under which the pool stands.
const POOL: &str = "address_pool";

/// What a reference to an image was found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownImage {
    /// The image.
    pub id: ImageId,
    /// The version that its program printed, where it was asked.
    pub version: Option<String>,
}

impl Tx<'_> {
    /// Returns the address plan, once one was made.
    pub fn subnets(&self) -> Result<Option<SubnetTable>, StoreError> {
        let text: Option<String> = self.sql(
            "reading the address pool",
            self.transaction
                .query_row("SELECT value FROM meta WHERE name = ?1", [POOL], |row| {
                    row.get(0)
                })
                .optional(),
        )?;
        let Some(text) = text else {
            return Ok(None);
        };
        let pool = Cidr::parse(&text).map_err(|_| self.damaged("the address pool"))?;
        let mut table = SubnetTable::new(pool);
        let rows = self.rows(
            "reading the address plan",
            "SELECT edge, slot FROM subnet",
            [],
            |row| Ok((row.get::<_, String>(0)?, row.get::<_, u32>(1)?)),
        )?;
        for (edge, slot) in rows {
            let edge = EdgeId::try_from(edge).map_err(|_| self.damaged("the address plan"))?;
            table.insert(edge, slot);
        }
        Ok(Some(table))
    }

    /// Keeps the address plan in place of the one before.
    pub fn keep_subnets(&self, table: &SubnetTable) -> Result<(), StoreError> {
        self.execute(
            "keeping the address pool",
            "INSERT INTO meta (name, value) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            params![POOL, table.pool.to_string()],
        )?;
        self.execute("clearing the address plan", "DELETE FROM subnet", [])?;
        for (edge, slot) in table.iter() {
            self.execute(
                "keeping an edge's place in the address plan",
                "INSERT INTO subnet (edge, slot) VALUES (?1, ?2)",
                params![edge.to_string(), slot],
            )?;
        }
        Ok(())
    }

    /// Returns what `reference` was found to be.
    pub fn image(&self, reference: &str) -> Result<Option<KnownImage>, StoreError> {
        self.sql(
            "reading an image",
            self.transaction
                .query_row(
                    "SELECT id, version FROM image WHERE reference = ?1",
                    [reference],
                    |row| {
                        Ok(KnownImage {
                            id: ImageId(row.get(0)?),
                            version: row.get(1)?,
                        })
                    },
                )
                .optional(),
        )
    }

    /// Keeps what `reference` was found to be.
    pub fn keep_image(&self, reference: &str, image: &KnownImage) -> Result<(), StoreError> {
        self.execute(
            "keeping an image",
            "INSERT INTO image (reference, id, version) VALUES (?1, ?2, ?3)
             ON CONFLICT (reference) DO UPDATE SET id = excluded.id, version = excluded.version",
            params![reference, image.id.0, image.version],
        )
    }
}
