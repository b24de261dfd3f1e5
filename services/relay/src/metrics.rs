//! Owns the numbers of `/metrics` and their text form (Prometheus).
//!
//! Deliberately does not know any event, key or address: only how often something happened.

use std::fmt::Write as _;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

macro_rules! counters {
    ($($family:literal, $help:literal: $($name:ident $(= $label:literal)?),+;)+) => {
        /// How often each thing happened since the start.
        #[derive(Debug, Default)]
        pub(crate) struct Metrics {
            $($(pub(crate) $name: Counter,)+)+
        }

        impl Metrics {
            fn write_counters(&self, text: &mut String) {
                $(
                    let _ = writeln!(text, "# HELP {} {}\n# TYPE {} counter", $family, $help, $family);
                    $(
                        let label = counters!(@label $($label)?);
                        let _ = writeln!(text, "{}{label} {}", $family, self.$name.get());
                    )+
                )+
            }
        }
    };
    (@label) => { "" };
    (@label $label:literal) => { concat!("{", $label, "}") };
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

counters! {
    "flash_relay_events_total", "Events by what became of them.":
        saved = "outcome=\"saved\"", duplicate = "outcome=\"duplicate\"", replaced = "outcome=\"replaced\"",
        deleted = "outcome=\"deleted\"", ephemeral = "outcome=\"ephemeral\"", refused = "outcome=\"refused\"",
        rate_limited = "outcome=\"rate_limited\"", failed = "outcome=\"failed\"";
    "flash_relay_queries_total", "Queries by kind.":
        req = "kind=\"req\"", count = "kind=\"count\"", negentropy = "kind=\"neg\"";
    "flash_relay_queries_refused_total", "Queries that were refused.": queries_refused;
    "flash_relay_auths_total", "Attempts to authenticate by outcome.":
        auth_accepted = "outcome=\"accepted\"", auth_refused = "outcome=\"refused\"";
    "flash_relay_connections_total", "Connections since the start.":
        connections_accepted = "outcome=\"accepted\"", connections_refused = "outcome=\"refused\"";
    "flash_relay_slow_readers_total", "Connections given up because the reader was too slow.": slow_readers;
}

impl Metrics {
    /// Writes all numbers; `connections` and `subscriptions` are those open now.
    pub(crate) fn text(
        &self,
        connections: usize,
        subscriptions: usize,
        events: Option<usize>,
    ) -> String {
        let mut text = String::with_capacity(2048);
        self.write_counters(&mut text);
        let mut gauge = |name: &str, help: &str, value: usize| {
            let _ = writeln!(
                text,
                "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}"
            );
        };
        gauge("flash_relay_connections", "Open connections.", connections);
        gauge(
            "flash_relay_subscriptions",
            "Open subscriptions.",
            subscriptions,
        );
        if let Some(events) = events {
            gauge("flash_relay_stored_events", "Stored events.", events);
        }
        text
    }
}
