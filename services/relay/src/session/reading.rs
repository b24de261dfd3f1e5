//! Owns the reading of stored events for one reader: who sees what, and when there is too much to look at.
//!
//! Deliberately does not know what is asked or answered. Whether a reading is refused depends on visible events
//! alone, taken in their order: a refusal that hidden events bring about would tell of them.

use nostr::event::Event;
use nostr::filter::Filter;
use nostr::types::Timestamp;

use crate::store::Scan;
use crate::store::Store;
use crate::visibility;
use crate::visibility::Readers;

const TOO_MANY: &str = "blocked: the query looks at too many events; narrow it";
const UNREADABLE: &str = "error: the relay cannot read its database";

/// What one reader may see at one moment.
pub(super) struct View {
    pub(super) readers: Readers,
    pub(super) now: Timestamp,
}

impl View {
    fn shows(&self, event: &Event) -> bool {
        !event.is_expired_at(self.now) && visibility::visible(event, &self.readers)
    }
}

/// A reading of the visible events that match one filter, page by page.
pub(super) struct Reading<'a> {
    scan: Scan,
    view: &'a View,
    wanted: usize,
    /// Visible events that may still be looked at.
    budget: &'a mut usize,
    refused: bool,
}

impl<'a> Reading<'a> {
    /// Begins to read at most `wanted` events in pages of about `page_events`.
    pub(super) fn new(
        store: &Store,
        filter: Filter,
        view: &'a View,
        wanted: usize,
        page_events: usize,
        budget: &'a mut usize,
    ) -> Self {
        Self {
            scan: store.scan(visibility::narrow(filter, &view.readers), page_events),
            view,
            wanted,
            budget,
            refused: false,
        }
    }

    /// Reads the next page; `None` when there is no more. A page may be empty.
    ///
    /// Errors: the text of the refusal; what came before it was in the pages before.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Event>>, &'static str> {
        if self.refused {
            return Err(TOO_MANY);
        }
        if self.wanted == 0 {
            return Ok(None);
        }
        let Some(page) = self.scan.read().await.map_err(|_| UNREADABLE)? else {
            return Ok(None);
        };
        let mut found = Vec::new();
        for event in page {
            if self.wanted == 0 {
                break;
            }
            if !self.view.shows(&event) {
                continue;
            }
            let Some(left) = self.budget.checked_sub(1) else {
                self.refused = true;
                break;
            };
            *self.budget = left;
            if self.scan.wants(&event) {
                self.wanted -= 1;
                found.push(event);
            }
        }
        Ok(Some(found))
    }
}
