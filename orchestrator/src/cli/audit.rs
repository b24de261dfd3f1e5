//! Owns the commands about the audit log: who did what, and whether that is still what was written.
//!
//! It does not know how the log is kept (`account`).

use serde::Deserialize;

use super::Context;
use super::args;
use super::exit::Exit;
use super::exit::Failure;
use super::render;
use crate::account::AuditRow;
use crate::account::Verdict;

/// The most rows that one question may ask for. Source: GET /api/v1/audit-log.
const PAGE: usize = 500;

#[derive(Deserialize)]
struct Page {
    items: Vec<AuditRow>,
    next: Option<u64>,
}

pub(super) async fn audit(context: &mut Context, wanted: args::Audit) -> Result<Exit, Failure> {
    match wanted {
        args::Audit::List { tail } => list(context, tail).await,
        args::Audit::Verify => verify(context).await,
    }
}

/// Prints the newest `tail` rows, the newest last.
async fn list(context: &mut Context, tail: usize) -> Result<Exit, Failure> {
    let client = context.client()?;
    let mut rows: Vec<AuditRow> = Vec::new();
    let mut before = None;
    while rows.len() < tail {
        let limit = PAGE.min(tail - rows.len());
        let from = before.map_or_else(String::new, |before: u64| format!("&before={before}"));
        let path = format!("/api/v1/audit-log?limit={limit}{from}");
        let page: Page = client.get(&path).await?;
        rows.extend(page.items);
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    if rows.is_empty() && tail > 0 {
        context.screen.note("nobody did anything yet");
    }
    for row in rows.iter().rev() {
        let line = format!(
            "{}  {}  {}: {} ({})",
            row.seq,
            render::utc(row.at),
            row.actor,
            row.text,
            row.action
        );
        context.screen.foreign_line(&line);
    }
    Ok(Exit::Ok)
}

/// Looks at the whole audit log.
async fn verify(context: &mut Context) -> Result<Exit, Failure> {
    let verdict: Verdict = context
        .client()?
        .post("/api/v1/audit-log/verify", None)
        .await?;
    match verdict.first_bad {
        None => {
            let text = format!("the audit log is intact: {} rows\n", verdict.rows);
            context.screen.print(&text);
            Ok(Exit::Ok)
        }
        Some(row) => Err(Failure::new(
            Exit::Failed,
            format!("row {row} of the audit log is not as it was written"),
            "somebody with the open vault changed it: keep a copy of the data folder, and rotate every credential",
        )),
    }
}
