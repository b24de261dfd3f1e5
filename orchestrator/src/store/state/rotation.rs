//! Owns the table of credentials that were replaced and not yet proved dead, and every statement on it.
//!
//! It holds generations, never a value.

use rusqlite::params;

use super::Tx;
use crate::clock::UnixMillis;
use crate::id::EdgeId;
use crate::store::error::StoreError;

/// A credential that was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// Whose.
    pub edge: EdgeId,
    /// The generation that must be refused from now on.
    pub old: u32,
    /// When it was replaced.
    pub begun_at: UnixMillis,
}

impl Tx<'_> {
    /// Lists the rotations that are not proved yet, by edge.
    pub fn rotations(&self) -> Result<Vec<Rotation>, StoreError> {
        let rows = self.rows(
            "reading the rotations",
            "SELECT edge, old, begun_at FROM rotation ORDER BY edge",
            [],
            |row| {
                Ok((
                    row.get::<_, String>(0)?,
                    row.get::<_, u32>(1)?,
                    row.get::<_, i64>(2)?,
                ))
            },
        )?;
        rows.into_iter()
            .map(|(edge, old, begun_at)| {
                Ok(Rotation {
                    edge: EdgeId::try_from(edge).map_err(|_| self.damaged("a rotation"))?,
                    old,
                    begun_at: UnixMillis(begun_at.cast_unsigned()),
                })
            })
            .collect()
    }

    /// Notes that a credential was replaced. One that was replaced before and not proved keeps its first generation:
    /// all that came since are refused with it.
    pub fn begin_rotation(&self, rotation: &Rotation) -> Result<(), StoreError> {
        self.execute(
            "noting a rotation",
            "INSERT INTO rotation (edge, old, begun_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (edge) DO UPDATE SET begun_at = excluded.begun_at",
            params![
                rotation.edge.to_string(),
                rotation.old,
                rotation.begun_at.0.cast_signed()
            ],
        )
    }

    /// Forgets a rotation whose outcome is told.
    pub fn end_rotation(&self, edge: &EdgeId) -> Result<(), StoreError> {
        self.execute(
            "ending a rotation",
            "DELETE FROM rotation WHERE edge = ?1",
            params![edge.to_string()],
        )
    }
}
