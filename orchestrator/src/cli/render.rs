//! Owns how a status looks to a person. Plain functions from data to text.
//!
//! It does not know where the data come from.

use console::Style;

use super::screen::plain;
use crate::node::Event;
use crate::status::NodeStatus;
use crate::status::ServiceStatus;
use crate::status::Signal;
use crate::status::VaultStatus;

/// Writes a status as a table with what to do next. Colours are used only where `color` says so.
pub(super) fn status(status: &NodeStatus, color: bool) -> String {
    let mut text = String::new();
    if status.play_money {
        let banner = "PLAY MONEY: nothing on this node is worth anything";
        text.push_str(&paint(banner, Style::new().yellow().bold(), color));
        text.push_str("\n\n");
    }
    text.push_str(&format!(
        "flash-node {}, profile {}, on {}, process {}\n",
        status.version, status.profile, status.network, status.pid
    ));
    text.push_str(&format!(
        "vault  {}: {}\n",
        words(&status.vault.state),
        plain(&status.vault.text)
    ));
    text.push_str(&format!("api    {}\n\n", plain(&status.api)));
    text.push_str(&table(&status.services, color));
    text.push_str(&reasons(&status.services));
    text.push_str(&not_enforced(&status.services));
    let next = next_lines(status);
    if !next.is_empty() {
        text.push('\n');
        text.push_str(&next);
    }
    text
}

fn words(code: &str) -> String {
    plain(code).replace('_', " ")
}

fn paint(text: &str, style: Style, color: bool) -> String {
    if color {
        style.force_styling(true).apply_to(text).to_string()
    } else {
        text.to_owned()
    }
}

/// Writes the table of services and their addresses.
fn table(services: &[ServiceStatus], color: bool) -> String {
    if services.is_empty() {
        return "no services\n".to_owned();
    }
    let head = ["SERVICE", "STATE", "ALIVE", "READY", "SYNCED", "ENDPOINT"];
    let mut rows = vec![head.map(str::to_owned)];
    for service in services {
        let mut addresses = service
            .endpoints
            .iter()
            .map(|endpoint| plain(&format!("{} {}", endpoint.name, endpoint.url)));
        rows.push([
            plain(&service.id),
            words(&service.state),
            mark(&service.alive).to_owned(),
            mark(&service.ready).to_owned(),
            mark(&service.synced).to_owned(),
            addresses.next().unwrap_or_default(),
        ]);
        rows.extend(addresses.map(|address| {
            let empty = String::new;
            [empty(), empty(), empty(), empty(), empty(), address]
        }));
    }
    let widths: Vec<usize> = (0..head.len())
        .map(|column| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, width))| {
                // The last column needs no padding.
                let width = if column + 1 == row.len() { 0 } else { *width };
                let cell = format!("{cell:width$}");
                paint(&cell, style_of(index, column, &cell), color)
            })
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn style_of(row: usize, column: usize, cell: &str) -> Style {
    match (row, column, cell.trim()) {
        (0, _, _) => Style::new().bold(),
        (_, 2..=4, "yes") => Style::new().green(),
        (_, 2..=4, "no") => Style::new().red(),
        _ => Style::new(),
    }
}

fn mark(signal: &Signal) -> &'static str {
    match signal.ok {
        Some(true) => "yes",
        Some(false) => "no",
        None if signal.code == "not_applicable" => "-",
        None => "?",
    }
}

/// Says why, for each signal that is not well.
fn reasons(services: &[ServiceStatus]) -> String {
    let mut text = String::new();
    for service in services {
        let signals = [
            ("alive", &service.alive),
            ("ready", &service.ready),
            ("synced", &service.synced),
        ];
        for (name, signal) in signals {
            if mark(signal) == "yes" || mark(signal) == "-" {
                continue;
            }
            let line = format!("{} {name}: {} ({})\n", service.id, signal.text, signal.code);
            text.push_str(&keep_line(&line));
        }
        if let Some(at) = service.synced_at {
            let line = format!("{} synced: on about {} UTC\n", service.id, &utc(at)[..16]);
            text.push_str(&keep_line(&line));
        }
    }
    if text.is_empty() {
        text
    } else {
        format!("\n{text}")
    }
}

fn keep_line(line: &str) -> String {
    format!("{}\n", plain(line))
}

/// Says which confinement is missing, once for all services that lack the same.
fn not_enforced(services: &[ServiceStatus]) -> String {
    let mut codes: Vec<&str> = services
        .iter()
        .flat_map(|service| service.not_enforced.iter().map(String::as_str))
        .collect();
    codes.sort_unstable();
    codes.dedup();
    if codes.is_empty() {
        return String::new();
    }
    let line = format!("not enforced by this runtime: {}", codes.join(", "));
    format!("\n{}", keep_line(&line))
}

/// Writes what the operator should do, one line each.
pub(super) fn next_lines(status: &NodeStatus) -> String {
    let mut text = String::new();
    if status.vault.state == "sealed" {
        text.push_str(&format!("next: {}\n", to_open(&status.vault)));
    }
    for service in &status.services {
        if let Some(next) = &service.next {
            text.push_str(&keep_line(&format!("next: {}: {next}", service.id)));
        }
    }
    text
}

/// Says what opens a sealed vault.
pub(super) fn to_open(vault: &VaultStatus) -> &'static str {
    if !vault.exists {
        "flash-node passphrase change"
    } else if vault.passphrase_set {
        "flash-node unlock"
    } else {
        "mend what keeps the vault from opening itself, then start the node again"
    }
}

/// Writes the addresses worth showing, aligned.
pub(super) fn addresses(status: &NodeStatus) -> String {
    let mut rows: Vec<(String, String)> = Vec::new();
    for service in &status.services {
        for endpoint in &service.endpoints {
            rows.push((
                format!("{} {}", service.id, endpoint.name),
                endpoint.url.clone(),
            ));
        }
    }
    rows.push(("api".to_owned(), status.api.clone()));
    let width = rows
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0);
    rows.iter()
        .map(|(name, url)| keep_line(&format!("  {name:width$}  {url}")))
        .collect()
}

/// Writes one event as a line. Its time is UTC.
pub(super) fn event(event: &Event) -> String {
    let service = event.service.as_deref().unwrap_or("node");
    plain(&format!(
        "{}  {service}: {} ({})",
        utc(event.at),
        event.text,
        event.code
    ))
}

/// Writes a time as `YYYY-MM-DD HH:MM:SS`.
///
/// Units: milliseconds since the Unix epoch. Source: Howard Hinnant, "chrono-compatible low-level date algorithms",
/// `civil_from_days`, for days since 1970.
pub(super) fn utc(millis: u64) -> String {
    let seconds = millis / 1000;
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}
