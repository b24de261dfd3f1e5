//! Owns REQ and COUNT: what may be asked, and the reading of stored events for one reader.
//!
//! Deliberately does not decide who may read what (visibility.rs). Events that the reader may not see are
//! left out *before* the limit is applied, so that an answer's length tells nothing about them.

use std::collections::HashSet;

use nostr::event::EventId;
use nostr::filter::Filter;
use nostr::types::Timestamp;

use super::Session;
use super::reading::Reading;
use super::reading::View;
use crate::limits::Limits;
use crate::message;
use crate::message::Name;
use crate::outbound::Gone;
use crate::visibility;

/// Events of the first page of an answer, at most; later pages grow.
const FIRST_PAGE_EVENTS: usize = 32;
/// Events of the first page where only ids are kept.
const COUNT_PAGE_EVENTS: usize = 256;

const AUTH_REQUIRED: &str = "auth-required: private messages are served to those who may read them";
const RATE_LIMITED: &str = "rate-limited: too many queries";

/// Why an answer came to an early end.
enum Cut {
    Reader(Gone),
    Refused(&'static str),
}

impl Session {
    /// Answers REQ with what is stored, and leaves a subscription open for what comes.
    pub(super) async fn subscribe(&mut self, name: Name, filters: Vec<Filter>) -> Result<(), Gone> {
        self.shared.metrics.req.add();
        // The same name again replaces the old subscription, even when the new one is refused.
        self.connection.close(&name);
        let filters = match self.prepare(filters) {
            Ok(filters) => filters,
            Err(text) => {
                self.refuse_query(&name, text);
                return Ok(());
            }
        };
        if let Err(text) = self
            .connection
            .open(&name, filters.clone(), &self.shared.limits)
        {
            self.refuse_query(&name, text);
            return Ok(());
        }
        let mut sent = HashSet::new();
        for filter in filters {
            match self.send_stored(&name, filter, &mut sent).await {
                Ok(()) => {}
                Err(Cut::Reader(gone)) => return Err(gone),
                Err(Cut::Refused(text)) => {
                    self.connection.close(&name);
                    self.refuse_query(&name, text);
                    return Ok(());
                }
            }
        }
        self.connection.go_live(&name, &sent);
        Ok(())
    }

    async fn send_stored(
        &self,
        name: &Name,
        filter: Filter,
        sent: &mut HashSet<EventId>,
    ) -> Result<(), Cut> {
        let max = self.shared.limits.max_limit;
        let wanted = filter.limit.unwrap_or(max).min(max);
        let (view, name_json) = (self.view(), name.json());
        let mut budget = self.shared.limits.scan_events;
        let page_events = wanted.clamp(1, FIRST_PAGE_EVENTS);
        let store = &self.shared.store;
        let mut reading = Reading::new(store, filter, &view, wanted, page_events, &mut budget);
        while let Some(page) = reading.next().await.map_err(Cut::Refused)? {
            let mut frames = Vec::new();
            for event in page {
                if sent.insert(event.id) {
                    frames.push(message::event(&name_json, &event.as_json()));
                }
            }
            self.connection
                .outbound
                .answer(frames)
                .await
                .map_err(Cut::Reader)?;
        }
        Ok(())
    }

    /// Answers COUNT with the number of events that this reader may see.
    pub(super) async fn count(&self, name: &Name, filters: Vec<Filter>) {
        self.shared.metrics.count.add();
        let counted = match self.prepare(filters) {
            Ok(filters) => self.collect(filters, self.shared.limits.count_events).await,
            Err(text) => Err(text),
        };
        match counted {
            Ok(events) => self
                .connection
                .outbound
                .push(message::count(name, events.len())),
            Err(text) => self.refuse_query(name, text),
        }
    }

    /// Reads which events this reader may see; a filter's own limit counts, unlike the relay's.
    ///
    /// Errors: the text of the refusal when more than `budget` visible events would be looked at.
    pub(super) async fn collect(
        &self,
        filters: Vec<Filter>,
        mut budget: usize,
    ) -> Result<HashSet<(EventId, Timestamp)>, &'static str> {
        let view = self.view();
        let mut found = HashSet::new();
        for filter in filters {
            let wanted = filter.limit.unwrap_or(usize::MAX);
            let store = &self.shared.store;
            let mut reading =
                Reading::new(store, filter, &view, wanted, COUNT_PAGE_EVENTS, &mut budget);
            while let Some(page) = reading.next().await? {
                found.extend(page.iter().map(|event| (event.id, event.created_at)));
            }
        }
        Ok(found)
    }

    /// Checks the filters of a query and drops those that can match nothing.
    ///
    /// Errors: the text of the refusal.
    pub(super) fn prepare(&self, filters: Vec<Filter>) -> Result<Vec<Filter>, &'static str> {
        let readers = self.connection.readers();
        if !self.shared.rates.request(self.address, readers.keys()) {
            return Err(RATE_LIMITED);
        }
        if filters.len() > self.shared.limits.filters_per_request {
            return Err("blocked: too many filters");
        }
        for filter in &filters {
            check_size(filter, &self.shared.limits)?;
            if readers.anonymous() && visibility::asks_only_for_private(filter) {
                return Err(AUTH_REQUIRED);
            }
        }
        Ok(filters.into_iter().filter(can_match).collect())
    }

    /// Words the end or the refusal of a query.
    pub(super) fn refuse_query(&self, name: &Name, text: &str) {
        self.shared.metrics.queries_refused.add();
        self.connection.outbound.push(message::closed(name, text));
    }

    fn view(&self) -> View {
        View {
            readers: self.connection.readers(),
            now: self.shared.clock.now(),
        }
    }
}

/// Refuses filters that cost more index look-ups than one client may have.
fn check_size(filter: &Filter, limits: &Limits) -> Result<(), &'static str> {
    if filter.search.is_some() {
        return Err("unsupported: this relay does not search");
    }
    let ids = filter.ids.as_ref().map_or(0, |ids| ids.len());
    let authors = filter.authors.as_ref().map_or(0, |authors| authors.len());
    let kinds = filter.kinds.as_ref().map_or(0, |kinds| kinds.len());
    let values: usize = filter
        .generic_tags
        .values()
        .map(|values| values.len())
        .sum();
    let mut texts = filter.generic_tags.values().flatten();
    if texts.any(|text| text.len() > limits.filter_value_bytes) {
        return Err("blocked: the filter has too long a value");
    }
    if ids + authors + kinds + values > limits.filter_values {
        return Err("blocked: the filter has too many values");
    }
    let look_ups = authors
        .max(1)
        .saturating_mul(kinds.max(1))
        .saturating_mul(values.max(1));
    if ids == 0 && look_ups > limits.filter_combinations {
        return Err("blocked: the filter has too many combinations of values");
    }
    Ok(())
}

/// An empty list names nothing and so matches nothing; the libraries below take it for "anything".
fn can_match(filter: &Filter) -> bool {
    let empty_ids = filter.ids.as_ref().is_some_and(|ids| ids.is_empty());
    let empty_authors = filter
        .authors
        .as_ref()
        .is_some_and(|authors| authors.is_empty());
    let empty_kinds = filter.kinds.as_ref().is_some_and(|kinds| kinds.is_empty());
    let empty_tag = filter.generic_tags.values().any(|values| values.is_empty());
    !(empty_ids || empty_authors || empty_kinds || empty_tag)
}

#[cfg(test)]
mod tests;
