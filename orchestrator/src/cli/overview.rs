//! Owns the commands that answer a shop owner's first questions: `tasks`, `shop` and `machine`.
//!
//! It does not know how an answer is found (`http::tasks`, `app::machine`).

use serde::Deserialize;

use super::Context;
use super::exit::Exit;
use super::exit::Failure;
use super::screen::plain;
use crate::view::Machine;

#[derive(Deserialize)]
struct Tasks {
    tasks: Vec<Task>,
}

#[derive(Deserialize)]
struct Task {
    level: String,
    text: String,
    hint: String,
}

#[derive(Deserialize)]
struct Shop {
    open: Option<bool>,
    text: String,
}

/// Prints what needs somebody; 1 where something is urgent.
pub(super) async fn tasks(context: &mut Context) -> Result<Exit, Failure> {
    let found: Tasks = context.client()?.get("/api/v1/tasks").await?;
    if found.tasks.is_empty() {
        context.screen.print("nothing needs you\n");
    }
    let mut urgent = false;
    for task in &found.tasks {
        urgent |= task.level == "now";
        let text = format!("{:<5} {}\n", plain(&task.level), plain(&task.text));
        context.screen.print(&text);
        if !task.hint.is_empty() {
            let hint = format!("      next: {}\n", plain(&task.hint));
            context.screen.print(&hint);
        }
    }
    Ok(if urgent { Exit::Failed } else { Exit::Ok })
}

/// Prints whether the shop is open; 1 where it is not, or where that is not known.
pub(super) async fn shop(context: &mut Context) -> Result<Exit, Failure> {
    let shop: Shop = context.client()?.get("/api/v1/shop").await?;
    let word = match shop.open {
        Some(true) => "open",
        Some(false) => "closed",
        None => "unknown",
    };
    let text = format!("{word}: {}\n", plain(&shop.text));
    context.screen.print(&text);
    Ok(if shop.open == Some(true) {
        Exit::Ok
    } else {
        Exit::Failed
    })
}

/// Prints how much the machine has, and how much of it is used.
pub(super) async fn machine(context: &mut Context) -> Result<Exit, Failure> {
    let machine: Machine = context.client()?.get("/api/v1/machine").await?;
    context.screen.print(&text(&machine));
    Ok(Exit::Ok)
}

fn text(machine: &Machine) -> String {
    let memory = &machine.memory;
    let mut rows = vec![
        ("cores".to_owned(), machine.cores.to_string()),
        ("memory".to_owned(), used(memory.used, memory.total)),
    ];
    for disk in &machine.disks {
        let name = format!("disk {}", plain(&disk.name));
        rows.push((name, used(disk.used, disk.total)));
    }
    let width = rows.iter().map(|(name, _)| name.chars().count()).max();
    let width = width.unwrap_or_default();
    rows.iter()
        .map(|(name, value)| format!("{name:width$}  {value}\n"))
        .collect()
}

/// Writes bytes as gigabytes, a tenth exactly.
fn used(used: u64, total: u64) -> String {
    let tenths = |bytes: u64| {
        let tenths = bytes / 100_000_000;
        format!("{}.{}", tenths / 10, tenths % 10)
    };
    format!("{} of {} GB used", tenths(used), tenths(total))
}

#[cfg(test)]
mod tests {
    use super::text;
    use crate::view::Disk;
    use crate::view::Machine;
    use crate::view::Room;

    #[test]
    fn machine_is_written_with_what_is_used_of_each() {
        let machine = Machine {
            cores: 2,
            memory: Room {
                total: 24_696_061_952,
                used: 999_999_999,
            },
            disks: vec![Disk {
                name: "data\u{1b}".to_owned(),
                total: 252_000_000_000,
                used: 42_050_000_000,
            }],
            samples: Vec::new(),
        };
        assert_eq!(
            text(&machine),
            "cores      2\nmemory     0.9 of 24.6 GB used\ndisk data  42.0 of 252.0 GB used\n"
        );
    }
}
