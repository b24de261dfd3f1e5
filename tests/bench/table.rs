//! Owns the table of measurements: its rows, their form, and what becomes of those of an earlier run.

#![allow(
    unreachable_pub,
    reason = "each target that holds it uses a part of it"
)]
#![allow(clippy::print_stdout, reason = "the table is the program's output")]

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// What was measured, as it comes in.
#[derive(Default)]
pub struct Table {
    rows: Map<String, Value>,
}

impl Table {
    /// Adds a row and prints it. `aim` is what the value should reach, in words.
    pub fn add(&mut self, name: &str, value: f64, unit: &str, aim: &str) {
        self.add_beside(name, value, unit, None, aim);
    }

    /// Adds a row with a rival's value in the same unit.
    pub fn add_beside(
        &mut self,
        name: &str,
        value: f64,
        unit: &str,
        rival: Option<f64>,
        aim: &str,
    ) {
        let short = |number: f64| (number * 1000.0).round() / 1000.0;
        let ratio = rival
            .filter(|rival| *rival != 0.0)
            .map(|rival| value / rival);
        let cell = |number: Option<f64>| {
            number.map_or_else(|| "-".to_owned(), |number| short(number).to_string())
        };
        println!(
            "{name:<58} {:>10} {unit:<9} {:>10} {:>7}  {aim}",
            short(value),
            cell(rival),
            cell(ratio)
        );
        self.rows.insert(
            name.to_owned(),
            json!({
                "value": short(value),
                "unit": unit,
                "rival": rival.map(short),
                "ratio": ratio.map(short),
                "aim": Some(aim).filter(|aim| !aim.is_empty()),
                "measured_at": seconds_now(),
            }),
        );
    }

    /// The text of `bench.json`: the rows of `before`, an earlier text of it, each replaced where it was measured anew.
    /// What is no such text counts as none, and so does a row that says not when it was measured.
    pub fn merged_into(&self, before: &str) -> String {
        let mut rows: Map<String, Value> = serde_json::from_str(before).unwrap_or_default();
        rows.retain(|_, row| row.get("measured_at").is_some());
        rows.extend(self.rows.clone());
        let text = serde_json::to_string_pretty(&Value::Object(rows));
        text.expect("a table becomes JSON") + "\n"
    }
}

/// Units: seconds since 1970.
#[allow(
    clippy::disallowed_methods,
    reason = "a measurement says when it was made"
)]
fn seconds_now() -> u64 {
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
