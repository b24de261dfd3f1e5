//! Owns what the machine has and how much of it is used, now and over the last day.
//!
//! One task looks, and whoever asks is told what it saw: a disk that hangs holds up one look and nobody's question. What
//! was seen is kept in memory: it begins anew with the daemon.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::app::services::RealServices;
use crate::clock::Clock;
use crate::node::Refusal;
use crate::store::folder;
use crate::view::Disk;
use crate::view::Machine;
use crate::view::Room;
use crate::view::Sample;

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Every how many looks one is kept: once a minute.
const SAMPLE_EVERY: usize = 6;
/// How many looks are kept: those of a day.
const KEPT: usize = 24 * 60;
/// How long a disk may take to answer.
const LONGEST_LOOK: Duration = Duration::from_secs(10);
/// How long whoever asks waits for the first look.
const PATIENCE: Duration = Duration::from_secs(2);
/// The name of the disk that holds the data folder.
const DATA: &str = "data";

/// What is known of the machine: nothing before the first look, and nothing while a disk does not answer.
pub(super) type Seen = watch::Receiver<Option<Machine>>;

/// Returns what was seen last. Errors: a disk does not answer.
pub(super) async fn last(mut seen: Seen) -> Result<Machine, Refusal> {
    let waited = tokio::time::timeout(PATIENCE, seen.wait_for(Option::is_some)).await;
    let found = waited.ok().and_then(Result::ok);
    found
        .and_then(|found| found.clone())
        .ok_or_else(|| Refusal {
            code: "disk_silent".to_owned(),
            message: "a disk of this node does not answer".to_owned(),
            hint: "`flash-node doctor` names it; look at its cable and at `dmesg`".to_owned(),
        })
}

/// Looks at the machine until the token is cancelled, and tells `seen`.
pub(super) async fn watch(
    seen: watch::Sender<Option<Machine>>,
    services: Arc<RealServices>,
    data: PathBuf,
    clock: Arc<dyn Clock>,
    token: CancellationToken,
) {
    let mut samples = VecDeque::new();
    for number in 0_usize.. {
        // The data folder's, and the operator's storage roots.
        let world = services.world();
        let roots = world.choices.storage.iter();
        let roots = roots.map(|(name, root)| (name.to_string(), root.path.clone()));
        let places: Vec<(String, PathBuf)> = std::iter::once((DATA.to_owned(), data.clone()))
            .chain(roots)
            .collect();
        let mut looking = tokio::task::spawn_blocking(move || look(&places));
        // A thread that waits for a disk cannot be ended: there is one at most, and nobody else waits for it.
        let looked = tokio::select! {
            () = token.cancelled() => return,
            looked = tokio::time::timeout(LONGEST_LOOK, &mut looking) => looked,
        };
        let looked = match looked {
            Ok(looked) => looked,
            Err(_) => {
                seen.send_replace(None);
                tokio::select! {
                    () = token.cancelled() => return,
                    looked = looking => looked,
                }
            }
        };
        match looked {
            Ok((memory, disks)) => {
                if number % SAMPLE_EVERY == 0 {
                    keep(
                        &mut samples,
                        Sample {
                            at: clock.wall().0,
                            memory_used: memory.used,
                            disk_used: disks.first().map_or(0, |disk| disk.used),
                        },
                    );
                }
                seen.send_replace(Some(Machine {
                    cores: std::thread::available_parallelism().map_or(1, |cores| cores.get()),
                    memory,
                    disks,
                    samples: samples.iter().cloned().collect(),
                }));
            }
            Err(error) => tracing::warn!(%error, "the machine could not be looked at"),
        }
        // Nothing is held across the wait.
        tokio::select! {
            () = token.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

fn keep(samples: &mut VecDeque<Sample>, sample: Sample) {
    if samples.len() == KEPT {
        samples.pop_front();
    }
    samples.push_back(sample);
}

/// Looks at memory and disks. Blocks: a disk may hang.
fn look(places: &[(String, PathBuf)]) -> (Room, Vec<Disk>) {
    let room = |(name, path): &(String, PathBuf)| {
        let space = folder::free_space(path).ok()?;
        Some(Disk {
            name: name.clone(),
            total: space.total,
            used: space.total.saturating_sub(space.free),
        })
    };
    (memory(), places.iter().filter_map(room).collect())
}

/// Returns how much memory the machine has, and how much of it is not to be had; nothing of it where that cannot be read.
pub(super) fn memory() -> Room {
    memory_in(&std::fs::read_to_string("/proc/meminfo").unwrap_or_default())
}

/// Source: proc(5), `/proc/meminfo`.
fn memory_in(text: &str) -> Room {
    let of = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
        kib.checked_mul(1024)
    };
    let total = of("MemTotal:").unwrap_or_default();
    let free = of("MemAvailable:").unwrap_or_default();
    Room {
        total,
        used: total.saturating_sub(free),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn used_memory_is_what_is_not_to_be_had() {
        let text = "MemTotal:       16384 kB\nMemFree:  100 kB\nMemAvailable:    4096 kB\n";
        let room = memory_in(text);
        assert_eq!((room.total, room.used), (16 << 20, 12 << 20));
        assert_eq!(memory_in("").total, 0);
        assert!(memory().total > memory().used);
    }

    #[test]
    fn a_day_is_kept_and_no_more() {
        let mut samples = VecDeque::new();
        for at in 0..2000 {
            let sample = Sample {
                at,
                memory_used: 1,
                disk_used: 2,
            };
            keep(&mut samples, sample);
        }
        assert_eq!(samples.len(), KEPT);
        assert_eq!((samples[0].at, samples[KEPT - 1].at), (560, 1999));
    }

    #[test]
    fn a_disk_that_is_not_there_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let gone = folder.path().join("gone");
        let places = [
            ("data".to_owned(), folder.path().to_owned()),
            ("gone".to_owned(), gone),
        ];
        // That a service misses it is said elsewhere.
        let (_, disks) = look(&places);
        assert_eq!(disks.len(), 1);
        assert!(disks[0].total > disks[0].used);
    }

    #[tokio::test]
    async fn whoever_asks_is_told_what_was_seen_or_that_a_disk_is_silent() {
        let (tell, seen) = watch::channel(None);
        let refused = last(seen.clone()).await.unwrap_err();
        assert_eq!(refused.code, "disk_silent");
        let machine = Machine {
            cores: 2,
            memory: memory_in(""),
            disks: Vec::new(),
            samples: Vec::new(),
        };
        tell.send_replace(Some(machine.clone()));
        assert_eq!(last(seen.clone()).await.unwrap(), machine);
        tell.send_replace(None);
        assert_eq!(last(seen).await.unwrap_err().code, "disk_silent");
    }
}
