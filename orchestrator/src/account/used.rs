//! Owns when a session or token was used last. Uses that come together are written down together, so that fifty programs
//! which begin to ask at once wait for one write and not for fifty.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::Accounts;
use super::Opened;
use super::lock;
use super::repo;
use crate::clock::UnixMillis;

/// What was used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Used {
    /// A session, by its id.
    Session(String),
    /// A token, by its id.
    Token(String),
}

/// Uses that are not written down yet.
#[derive(Debug, Default)]
pub(super) struct Uses(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    uses: BTreeMap<Used, UnixMillis>,
    /// Whether somebody writes, and will look again.
    writing: bool,
}

impl Uses {
    /// Adds a use. Returns whose turn it is to write: nobody's where somebody writes already.
    fn add(&self, used: Used, at: UnixMillis) -> Option<Turn<'_>> {
        let mut waiting = lock(&self.0);
        waiting.uses.insert(used, at);
        if waiting.writing {
            return None;
        }
        waiting.writing = true;
        Some(Turn(self))
    }
}

/// The turn to write; it is over once nothing waits, or where whoever has it panics.
struct Turn<'a>(&'a Uses);

impl Turn<'_> {
    /// Takes what waits; at the end nothing, and with it the turn is over.
    fn next(&self) -> Option<BTreeMap<Used, UnixMillis>> {
        let mut waiting = lock(&self.0.0);
        waiting.writing = !waiting.uses.is_empty();
        waiting.writing.then(|| std::mem::take(&mut waiting.uses))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // Where it ended by `next`, somebody else may have the turn by now.
        if std::thread::panicking() {
            lock(&self.0.0).writing = false;
        }
    }
}

impl Accounts {
    /// Writes down that something was used now. A disk that takes nothing must not keep people from looking at the node:
    /// what is not written down ends sooner.
    pub(super) fn note_use(&self, opened: &Opened, used: Used) {
        let Some(turn) = self.uses.add(used, self.now()) else {
            return;
        };
        while let Some(uses) = turn.next() {
            let noted = self.write_in(opened, |tx| {
                for (used, at) in &uses {
                    match used {
                        Used::Session(id) => repo::see_session_in_tx(tx, id, *at),
                        Used::Token(id) => repo::use_token_in_tx(tx, id, *at),
                    }
                    .map_err(|e| opened.sql(e))?;
                }
                Ok(())
            });
            if let Err(error) = noted {
                tracing::warn!(%error, "when a session or token was used last is not written down");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(id: &str) -> Used {
        Used::Token(id.to_owned())
    }

    #[test]
    fn what_comes_while_somebody_writes_is_taken_along_at_once() {
        let uses = Uses::default();
        let turn = uses
            .add(token("a"), UnixMillis(1))
            .expect("the first writes");
        assert_eq!(turn.next().expect("one").len(), 1);
        for (id, at) in [("b", 2), ("c", 3), ("b", 4)] {
            assert!(
                uses.add(token(id), UnixMillis(at)).is_none(),
                "{id} waits for nobody"
            );
        }
        let taken = turn.next().expect("what came meanwhile");
        let wanted = [(token("b"), UnixMillis(4)), (token("c"), UnixMillis(3))];
        assert_eq!(taken, BTreeMap::from(wanted));
        assert!(turn.next().is_none());
        // The turn is over although it was not dropped yet, and dropping it takes nobody else's.
        let other = uses
            .add(token("d"), UnixMillis(5))
            .expect("the next writes");
        drop(turn);
        assert!(uses.add(token("e"), UnixMillis(6)).is_none());
        assert_eq!(other.next().expect("both").len(), 2);
    }

    #[test]
    fn whoever_panics_gives_the_turn_back_and_loses_nothing_that_waits() {
        let uses = Uses::default();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _turn = uses
                .add(token("a"), UnixMillis(1))
                .expect("the first writes");
            assert!(uses.add(token("b"), UnixMillis(2)).is_none());
            panic!("as a database might");
        }));
        assert!(panicked.is_err());
        let turn = uses
            .add(token("c"), UnixMillis(3))
            .expect("the turn is free");
        assert_eq!(turn.next().expect("all").len(), 3);
    }
}
