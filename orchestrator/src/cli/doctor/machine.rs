//! Owns what `doctor` looks at outside of the node: the disk's encryption, the clock, the container engine.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::Finding;
use crate::app::EngineFacts;
use crate::app::engine_facts;
use crate::cli::manager;

/// Where the kernel shows block devices by number. Source: linux, Documentation/ABI/stable/sysfs-dev.
const DEVICES: &str = "/sys/dev/block";
/// Exists once systemd-timesyncd has set the clock. Source: systemd-timesyncd.service(8).
const SYNCHRONISED: &str = "/run/systemd/timesync/synchronized";
/// Debian's engine ends every container within this time when it is stopped. Units: seconds.
const ENGINE_GRACE: u32 = 10;
/// The oldest version of the engine's API that this node speaks. Source: Docker Engine 20.10.
const OLDEST_API: (u32, u32) = (1, 41);

/// Says whether the disk of `data`, or where it will lie, is encrypted.
pub(super) fn encryption(data: &Path) -> Finding {
    let shown = data.display();
    let device = data
        .ancestors()
        .find_map(|folder| std::fs::metadata(folder).ok())
        .map(|meta| meta.dev());
    let Some(device) = device else {
        return Finding::note(
            format!("whether the disk of {shown} is encrypted is not known"),
            "look at it with lsblk",
        );
    };
    let number = format!(
        "{}:{}",
        rustix::fs::major(device),
        rustix::fs::minor(device)
    );
    if encrypted(Path::new(DEVICES), &number, 0) {
        return Finding::good(format!("the disk of {shown} is encrypted"));
    }
    Finding::note(
        format!("no encryption was found below {shown}"),
        "who takes the disk reads the volumes (not the vault); LUKS protects them, at the installation of the system",
    )
}

/// Whether a device, or any that it lies on, is a LUKS or plain dm-crypt mapping.
fn encrypted(devices: &Path, number: &str, depth: u32) -> bool {
    let folder = devices.join(number);
    let crypt = |folder: &Path| {
        std::fs::read_to_string(folder.join("dm/uuid")).is_ok_and(|uuid| uuid.starts_with("CRYPT-"))
    };
    if crypt(&folder) {
        return true;
    }
    // Devices stand on devices only a few storeys high; a circle would be a fault of the kernel.
    if depth > 8 {
        return false;
    }
    let below = std::fs::read_dir(folder.join("slaves"));
    let below = below.into_iter().flatten().flatten();
    below
        .filter_map(|entry| std::fs::read_to_string(entry.path().join("dev")).ok())
        .any(|number| encrypted(devices, number.trim(), depth + 1))
}

/// Says whether something keeps the clock.
pub(super) fn clock() -> Finding {
    if Path::new(SYNCHRONISED).exists() {
        return Finding::good("the clock is set from the network");
    }
    for (program, pid) in [
        ("chrony", "/run/chrony/chronyd.pid"),
        ("ntpd", "/run/ntpd.pid"),
    ] {
        if Path::new(pid).exists() {
            return Finding::good(format!("{program} keeps the clock"));
        }
    }
    Finding::note(
        "nothing was found that keeps the clock",
        "bitcoind refuses blocks and invoices expire wrongly with a clock that is off: timedatectl set-ntp true",
    )
}

/// Says what the container engine is like.
pub(super) async fn engine(node: &str) -> Vec<Finding> {
    let facts = match engine_facts().await {
        Ok(facts) => facts,
        Err(error) => {
            return vec![Finding::bad(
                format!("the container engine does not answer: {error}"),
                "systemctl start docker (`make up PROFILE=regtest` installs it)",
            )];
        }
    };
    judge(&facts, manager::stops_at_halt(node))
}

fn judge(facts: &EngineFacts, installed: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let named = format!(
        "the container engine is {} (API {})",
        facts.version, facts.api
    );
    let (major, minor) = OLDEST_API;
    let api = facts
        .api
        .split_once('.')
        .and_then(|(a, b)| Some((a.parse::<u32>().ok()?, b.parse::<u32>().ok()?)));
    findings.push(match api {
        Some(api) if api >= OLDEST_API => Finding::good(named),
        _ => Finding::bad(
            format!("{named}, and {major}.{minor} is the oldest that is spoken here"),
            "install a newer one: Debian's docker.io will do",
        ),
    });
    findings.push(match (facts.live_restore, installed) {
        (true, true) => Finding::good("services outlive the engine, and are stopped before the machine halts"),
        (true, false) => Finding::note(
            "services outlive the engine; when the machine halts they are killed, whatever time they need",
            "flash-node service install",
        ),
        (false, true) => Finding::note(
            "an upgrade of the engine ends every container; when the machine halts, services are stopped before",
            "put {\"live-restore\": true} into /etc/docker/daemon.json, then systemctl reload docker",
        ),
        (false, false) => Finding::note(
            format!(
                "the engine ends every container within {ENGINE_GRACE} s when it is stopped or the machine halts; bitcoind may need 900"
            ),
            "flash-node service install, and {\"live-restore\": true} in /etc/docker/daemon.json",
        ),
    });
    findings
}

#[cfg(test)]
mod tests;
