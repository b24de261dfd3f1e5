//! Owns what the machine has and how much of it is used, now and over the last day.
//!
//! What was seen is kept in memory: it begins anew with the daemon.

use std::collections::VecDeque;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::app::services::RealServices;
use crate::clock::Clock;
use crate::store::folder;
use crate::view::Disk;
use crate::view::Machine;
use crate::view::Room;
use crate::view::Sample;

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// How many looks are kept: those of a day.
const KEPT: usize = 24 * 60;
/// The name of the disk that holds the data folder.
const DATA: &str = "data";

/// What was seen, oldest first.
#[derive(Debug, Default)]
pub(super) struct Samples(Mutex<VecDeque<Sample>>);

impl Samples {
    fn push(&self, sample: Sample) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(sample);
    }

    fn all(&self) -> Vec<Sample> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().cloned().collect()
    }
}

/// Which disks are looked at: the data folder's, and the operator's storage roots.
pub(super) fn disks(services: &RealServices, data: &Path) -> Vec<(String, PathBuf)> {
    let world = services.world();
    let roots = world.choices.storage.iter();
    let roots = roots.map(|(name, root)| (name.to_string(), root.path.clone()));
    std::iter::once((DATA.to_owned(), data.to_owned()))
        .chain(roots)
        .collect()
}

/// Looks at the machine. Blocks: a disk may hang.
pub(super) fn look(disks: &[(String, PathBuf)], samples: &Samples) -> Machine {
    let room = |(name, path): &(String, PathBuf)| {
        let space = folder::free_space(path).ok()?;
        Some(Disk {
            name: name.clone(),
            total: space.total,
            used: space.total.saturating_sub(space.free),
        })
    };
    Machine {
        cores: std::thread::available_parallelism().map_or(1, |cores| cores.get()),
        memory: memory(&std::fs::read_to_string("/proc/meminfo").unwrap_or_default()),
        disks: disks.iter().filter_map(room).collect(),
        samples: samples.all(),
    }
}

/// Reads how much memory there is, and how much of it is not to be had. Source: proc(5), `/proc/meminfo`.
fn memory(text: &str) -> Room {
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

/// Looks at the machine until the token is cancelled.
pub(super) async fn watch(
    samples: Arc<Samples>,
    services: Arc<RealServices>,
    data: PathBuf,
    clock: Arc<dyn Clock>,
    token: CancellationToken,
) {
    loop {
        let (looks_at, kept) = (disks(&services, &data), Arc::clone(&samples));
        let looked = tokio::task::spawn_blocking(move || look(&looks_at[..1], &kept)).await;
        match looked {
            Ok(machine) => samples.push(Sample {
                at: clock.wall().0,
                memory_used: machine.memory.used,
                disk_used: machine.disks.first().map_or(0, |disk| disk.used),
            }),
            Err(error) => tracing::warn!(%error, "the machine could not be looked at"),
        }
        // Nothing is held across the wait.
        tokio::select! {
            () = token.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn used_memory_is_what_is_not_to_be_had() {
        let text = "MemTotal:       16384 kB\nMemFree:  100 kB\nMemAvailable:    4096 kB\n";
        let room = memory(text);
        assert_eq!((room.total, room.used), (16 << 20, 12 << 20));
        assert_eq!(memory("").total, 0);
    }

    #[test]
    fn a_day_is_kept_and_no_more() {
        let samples = Samples::default();
        for at in 0..2000 {
            samples.push(Sample {
                at,
                memory_used: 1,
                disk_used: 2,
            });
        }
        let all = samples.all();
        assert_eq!(all.len(), KEPT);
        assert_eq!((all[0].at, all[KEPT - 1].at), (560, 1999));
    }

    #[test]
    fn this_machine_has_room() {
        let folder = tempfile::tempdir().unwrap();
        let gone = folder.path().join("gone");
        let disks = [
            ("data".to_owned(), folder.path().to_owned()),
            ("gone".to_owned(), gone),
        ];
        let machine = look(&disks, &Samples::default());
        assert!(machine.cores > 0 && machine.memory.total > machine.memory.used);
        // A disk that is not there is left out: that a service misses it is said elsewhere.
        assert_eq!(machine.disks.len(), 1);
        assert!(machine.disks[0].total > machine.disks[0].used);
    }
}
