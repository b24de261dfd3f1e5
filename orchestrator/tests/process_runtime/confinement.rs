//! What a program inherits, what it may not, and who it is.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use flash_node::runtime::Runtime;
use flash_node::runtime::RuntimeError;
use flash_node::runtime::Unit;
use flash_node::secret::SecretBytes;
use flash_node::service::spec::NetworkSpec;

use crate::bench::Machine;
use crate::bench::ignored_signals;
use crate::bench::mount;
use crate::bench::runs;
use crate::bench::session;
use crate::bench::status_of;
use crate::bench::until;

const SLEEPS: &str = "exec sleep 100000";

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn limit_of(pid: u32, name: &str) -> String {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap().split_whitespace().next().unwrap().to_owned()
}

/// What the process `pid` has open, by number.
fn open_files(pid: u32) -> Vec<(u32, PathBuf)> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let mut open: Vec<(u32, PathBuf)> = entries
        // What was closed between two looks is not open.
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let number = path.file_name()?.to_str()?.parse().ok()?;
            Some((number, std::fs::read_link(path).ok()?))
        })
        .collect();
    open.sort();
    open
}

fn root() -> bool {
    rustix::process::geteuid().is_root()
}

#[tokio::test]
async fn program_has_its_own_session_no_lock_of_ours_and_no_core() {
    let machine = Machine::new();
    let unit = machine.shell("alpha", SLEEPS);
    machine.runtime.ensure(&unit).await.unwrap();
    let pid = machine.pid(&unit.service).await;
    let supervisor = machine.supervisor(&unit.service);
    // A terminal's Ctrl-C reaches a group of its own session alone.
    assert_eq!(session(pid), Some(u64::from(pid)));
    assert_ne!(session(supervisor), session(std::process::id()));
    assert_ne!(session(supervisor), session(pid));
    // Nothing is open but nothing to read, and the log. The program itself opens its locale for a moment when it
    // begins; what it was given would stay open.
    let log = std::fs::canonicalize(machine.log(&unit.service)).unwrap();
    let expected = [(0, PathBuf::from("/dev/null")), (1, log.clone()), (2, log)];
    until(|| open_files(pid) == expected);
    assert_eq!(limit_of(pid, "Max core file size"), "0");
    assert_eq!(status_of(pid, "NoNewPrivs"), "1");
    assert_eq!(ignored_signals(pid), 0);
    assert_eq!(status_of(pid, "SigBlk"), "0000000000000000");
    // The supervisor has no secret to lose in its environment.
    let environment = std::fs::read(format!("/proc/{supervisor}/environ")).unwrap();
    assert!(environment.is_empty());
    machine.go_down(&unit.service).await;
}

#[tokio::test]
async fn records_and_logs_hold_no_secret() {
    let machine = Machine::new();
    let secret = "hunter2-and-then-some";
    let unit = Unit {
        files: BTreeMap::from([("a.key".to_owned(), SecretBytes::from(secret.to_owned()))]),
        ..machine.shell("alpha", SLEEPS)
    };
    machine.runtime.ensure(&unit).await.unwrap();
    let mut folders = vec![machine.root().to_owned()];
    let mut looked_at = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                let text =
                    String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap()).into_owned();
                assert!(!text.contains(secret), "{}", entry.path().display());
                looked_at += 1;
            }
        }
    }
    assert!(looked_at >= 5, "{looked_at}");
    let file = machine.runtime.files_dir(&unit.service).join("a.key");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), secret);
    machine.go_down(&unit.service).await;
    assert!(!file.exists());
    assert!(!machine.runtime.files_dir(&unit.service).exists());
}

#[tokio::test]
async fn files_that_are_no_longer_given_go_at_the_next_start() {
    let machine = Machine::new();
    let with = |name: &str| Unit {
        files: BTreeMap::from([(name.to_owned(), SecretBytes::from("x".to_owned()))]),
        ..machine.shell("alpha", "exit 0")
    };
    for name in ["one", "two"] {
        machine.runtime.ensure(&with(name)).await.unwrap();
        let since = flash_node::clock::SystemClock::new();
        while !machine.dir(&with(name).service).join("exit.json").exists() {
            crate::bench::within(&since);
        }
        let dir = machine.runtime.files_dir(&with(name).service);
        let found: Vec<_> = std::fs::read_dir(&dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(found, [name]);
        machine
            .drop(&with(name).service, flash_node::runtime::DropStage::Kill)
            .await;
        until(|| crate::bench::processes_naming(machine.root()).is_empty());
        std::fs::remove_file(machine.dir(&with(name).service).join("exit.json")).unwrap();
    }
    machine.go_down(&with("two").service).await;
}

#[tokio::test]
async fn file_name_that_leaves_its_folder_is_refused() {
    let machine = Machine::new();
    for name in ["../out", "a/b", "/abs", "..", ""] {
        let unit = Unit {
            files: BTreeMap::from([(name.to_owned(), SecretBytes::from("x".to_owned()))]),
            ..machine.shell("alpha", SLEEPS)
        };
        let refused = machine.runtime.ensure(&unit).await;
        assert!(
            matches!(refused, Err(RuntimeError::Io { .. })),
            "{name}: {refused:?}"
        );
    }
    assert!(!machine.memory().join("files").join("out").exists());
}

#[tokio::test]
async fn services_that_start_at_once_all_have_identities_of_their_own() {
    if !root() {
        eprintln!("SKIPPED: identities of their own need root");
        return;
    }
    let machine = Machine::new();
    set_mode(machine.root(), 0o755);
    set_mode(machine.memory(), 0o755);
    // Whoever is asked first makes the folder that all share, open from the moment at which anybody looks.
    let shared = machine.memory().join("files");
    assert!(!shared.exists());
    assert_eq!(machine.runtime.uid_problem(), None);
    assert_eq!(std::fs::metadata(&shared).unwrap().mode() & 0o777, 0o711);
    std::fs::remove_dir(&shared).unwrap();

    let units: Vec<Unit> = (0..8)
        .map(|number| Unit {
            uid: Some(900_200 + number),
            files: BTreeMap::from([("a.key".to_owned(), SecretBytes::from("x".to_owned()))]),
            ..machine.shell(&format!("service-{number}"), SLEEPS)
        })
        .collect();
    for unit in &units {
        set_mode_of_parents(&machine, unit);
    }
    let starts = units.iter().map(|unit| machine.runtime.ensure(unit));
    for started in futures::future::join_all(starts).await {
        started.unwrap();
    }
    for unit in &units {
        let pid = machine.pid(&unit.service).await;
        let uid = unit.uid.unwrap();
        assert_eq!(status_of(pid, "Uid"), format!("{uid}\t{uid}\t{uid}\t{uid}"));
    }
    for unit in &units {
        machine.go_down(&unit.service).await;
    }
}

/// Lets others pass the folders above a volume, as a node's data folder does.
fn set_mode_of_parents(machine: &Machine, unit: &Unit) {
    let volume = machine.volume(&unit.service);
    let parent = volume.parent().unwrap();
    std::fs::create_dir_all(parent).unwrap();
    let within = |folder: &&Path| folder.starts_with(machine.root());
    for folder in parent.ancestors().take_while(within) {
        set_mode(folder, 0o755);
    }
}

#[tokio::test]
async fn service_of_a_root_node_has_an_identity_of_its_own() {
    if !root() {
        eprintln!("SKIPPED: identities of their own need root");
        return;
    }
    let machine = Machine::new();
    set_mode(machine.root(), 0o755);
    set_mode(machine.memory(), 0o755);
    assert_eq!(machine.runtime.uid_problem(), None);
    let uid = 900_123;
    let script = "cat $FILES/a.key > $HOME/copy && exec sleep 100000";
    let files = machine.memory().join("files").join("alpha");
    let mut unit = Unit {
        uid: Some(uid),
        files: BTreeMap::from([("a.key".to_owned(), SecretBytes::from("value".to_owned()))]),
        env: BTreeMap::from([("FILES".to_owned(), files.to_string_lossy().into_owned())]),
        ..machine.shell("alpha", script)
    };
    // What an earlier life left in the volume becomes its own; what a link points to does not.
    let volume = machine.volume(&unit.service);
    std::fs::create_dir_all(volume.join("deep")).unwrap();
    set_mode(volume.parent().unwrap(), 0o755);
    std::fs::write(volume.join("deep").join("old"), "").unwrap();
    let outside = machine.root().join("outside");
    std::fs::write(&outside, "").unwrap();
    std::os::unix::fs::symlink(&outside, volume.join("link")).unwrap();

    machine.runtime.ensure(&unit).await.unwrap();
    let pid = machine.pid(&unit.service).await;
    until(|| std::fs::read_to_string(volume.join("copy")).is_ok_and(|copy| copy == "value"));
    let ids = format!("{uid}\t{uid}\t{uid}\t{uid}");
    assert_eq!(status_of(pid, "Uid"), ids);
    assert_eq!(status_of(pid, "Gid"), ids);
    assert_eq!(status_of(pid, "Groups"), "");
    assert_eq!(status_of(pid, "CapEff"), "0000000000000000");
    assert_eq!(limit_of(pid, "Max processes"), "64");
    for owned in [
        files.clone(),
        files.join("a.key"),
        volume.clone(),
        volume.join("deep").join("old"),
    ] {
        assert_eq!(
            std::fs::metadata(&owned).unwrap().uid(),
            uid,
            "{}",
            owned.display()
        );
    }
    assert_eq!(std::fs::metadata(&outside).unwrap().uid(), 0);
    machine.go_down(&unit.service).await;

    // A program behind a closed folder still runs, under its own name.
    let closed = machine.root().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::copy("/bin/sleep", closed.join("sleep")).unwrap();
    set_mode(&closed, 0o700);
    unit.program = closed.join("sleep");
    unit.args = vec!["100000".to_owned()];
    machine.runtime.ensure(&unit).await.unwrap();
    let pid = machine.pid(&unit.service).await;
    assert!(runs(pid));
    assert_eq!(status_of(pid, "Uid"), ids);
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    let line = String::from_utf8_lossy(&line).into_owned();
    assert!(line.starts_with(unit.program.to_str().unwrap()), "{line}");
    machine.go_down(&unit.service).await;
}

#[tokio::test]
async fn closed_data_folder_is_named_and_the_service_runs_as_the_node() {
    if !root() {
        eprintln!("SKIPPED: identities of their own need root");
        return;
    }
    let machine = Machine::new();
    set_mode(machine.root(), 0o700);
    let problem = machine.runtime.uid_problem().unwrap();
    assert!(
        problem.contains(machine.root().to_str().unwrap()),
        "{problem}"
    );
    assert!(machine.runtime.not_enforced().contains(&"own_uid"));
    let unit = Unit {
        uid: Some(900_124),
        ..machine.shell("alpha", SLEEPS)
    };
    machine.runtime.ensure(&unit).await.unwrap();
    let pid = machine.pid(&unit.service).await;
    assert_eq!(status_of(pid, "Uid"), "0\t0\t0\t0");
    machine.go_down(&unit.service).await;
}

#[tokio::test]
async fn volume_on_a_closed_disk_is_refused_rather_than_run_as_the_node() {
    if !root() {
        eprintln!("SKIPPED: identities of their own need root");
        return;
    }
    let machine = Machine::new();
    set_mode(machine.root(), 0o755);
    set_mode(machine.memory(), 0o755);
    let disk = tempfile::tempdir().unwrap();
    set_mode(disk.path(), 0o700);
    let unit = Unit {
        uid: Some(900_125),
        image: None,
        folder: None,
        volumes: vec![mount(disk.path().join("data"))],
        network: NetworkSpec::default(),
        ..machine.shell("alpha", SLEEPS)
    };
    let refused = machine.runtime.ensure(&unit).await;
    let Err(RuntimeError::Io { source, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(source.kind(), std::io::ErrorKind::PermissionDenied);
    assert!(machine.seen(&unit.service).await.is_none());
}
