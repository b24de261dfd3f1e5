use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use tempfile::TempDir;

use super::*;
use crate::entropy::SystemEntropy;
use crate::store::surgery;

fn new() -> NewNode<'static> {
    NewNode {
        profile: ProfileName::Demo,
        runtime: RuntimeKind::Process,
        at: UnixMillis(1_700_000_000_000),
        entropy: &SystemEntropy,
    }
}

fn made() -> (TempDir, PathBuf, NodeIdentity) {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().canonicalize().unwrap().join("deep/data");
    let mut folder = DataFolder::create(&path, new()).unwrap();
    folder.mark_initialised().unwrap();
    let identity = folder.identity().clone();
    (temporary, path, identity)
}

fn refusal(path: &Path) -> FolderError {
    DataFolder::open(path).unwrap_err()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a folder is copied as people copy it"
)]
fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp")
        .arg("-a")
        .args([from, to])
        .status()
        .unwrap();
    assert!(copied.success());
}

#[test]
fn a_folder_is_made_once_and_opens_again_as_the_same_node() {
    let (_temporary, path, identity) = made();
    assert_eq!(identity.canonical_path, path);
    let folder = DataFolder::open_or_create(&path, new()).unwrap();
    assert_eq!(folder.identity(), &identity);
    assert!(folder.initialised());
    let mode = |name: &str| path.join(name).metadata().unwrap().mode() & 0o777;
    assert_eq!([mode(""), mode("volumes")], [folder_mode(), folder_mode()]);
    assert_eq!(
        [mode("logs"), mode("node.json"), mode("lock")],
        [0o700, 0o600, 0o600]
    );
    drop(folder);
    let error = DataFolder::create(&path, new()).unwrap_err();
    assert_eq!(error.code(), "store_exists");
}

#[test]
fn a_folder_that_others_may_write_is_closed_to_them() {
    let (_temporary, path, _) = made();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).unwrap();
    drop(DataFolder::open(&path).unwrap());
    assert_eq!(path.metadata().unwrap().mode() & 0o777, folder_mode());
}

#[test]
fn a_folder_of_another_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: giving a folder away needs root");
        return;
    }
    let (_temporary, path, _) = made();
    std::os::unix::fs::chown(&path, Some(12_345), None).unwrap();
    let error = refusal(&path);
    assert!(
        matches!(error, FolderError::NotOurs { owner: 12_345, .. }),
        "{error}"
    );
}

#[test]
fn a_second_orchestrator_is_told_who_runs_already() {
    let (_temporary, path, _) = made();
    let first = DataFolder::open(&path).unwrap();
    let error = refusal(&path);
    assert_eq!(error.code(), "already_running");
    let sentence = error.to_string();
    assert!(
        sentence.contains(&std::process::id().to_string()),
        "{sentence}"
    );
    let error = DataFolder::accept_move(&path).unwrap_err();
    assert_eq!(error.code(), "already_running");
    drop(first);
    DataFolder::open(&path).unwrap();
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the lock is left behind with a child, as a killed orchestrator leaves it"
)]
fn a_lock_that_a_dead_orchestrator_left_with_a_child_is_waited_for_and_no_longer() {
    let (_temporary, path, _) = made();
    let mut ended = Command::new("true").spawn().unwrap();
    ended.wait().unwrap();
    let left = |seconds: &str| {
        let mut file = lock(&path).unwrap();
        file.set_len(0).unwrap();
        file.rewind().unwrap();
        writeln!(file, "{}", ended.id()).unwrap();
        let mut sleep = Command::new("sleep");
        sleep.arg(seconds).stdin(file).spawn().unwrap()
    };
    let mut child = left("0.5");
    drop(DataFolder::open(&path).unwrap());
    child.wait().unwrap();
    let mut child = left("60");
    assert_eq!(refusal(&path).code(), "already_running");
    child.kill().unwrap();
    // Nobody has looked at the end of this one, so that its number is still there.
    let mut zombie = Command::new("true").spawn().unwrap();
    while lives(zombie.id()) {
        std::thread::yield_now();
    }
    child.wait().unwrap();
    zombie.wait().unwrap();
}

#[test]
fn a_copied_folder_is_refused_until_told_and_never_beside_its_original() {
    let (_temporary, path, identity) = made();
    let moved = path.with_file_name("elsewhere");
    copy(&path, &moved);
    let error = refusal(&moved);
    assert_eq!(error.code(), "folder_moved");
    assert!(error.to_string().contains("elsewhere"), "{error}");
    let error = DataFolder::accept_move(&moved).unwrap_err();
    assert_eq!(error.code(), "folder_original_exists");
    assert_eq!(refusal(&moved).code(), "folder_moved");

    std::fs::remove_dir_all(&path).unwrap();
    let accepted = DataFolder::accept_move(&moved).unwrap();
    assert_eq!(accepted.node_id, identity.node_id);
    let folder = DataFolder::open(&moved).unwrap();
    assert_eq!(folder.identity(), &accepted);
    assert!(folder.initialised());
}

#[test]
fn a_link_to_the_folder_is_the_folder() {
    let (_temporary, path, identity) = made();
    let link = path.with_file_name("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert_eq!(DataFolder::open(&link).unwrap().identity(), &identity);
}

#[test]
fn a_damaged_identity_is_refused_with_a_sentence_and_never_made_anew() {
    let (_temporary, path, _) = made();
    let card = path.join("node.json");
    let whole = std::fs::read_to_string(&card).unwrap();
    for damaged in [
        String::new(),
        whole[..whole.len() / 2].to_owned(),
        whole.replace("\"node_id\": \"", "\"node_id\": \"z"),
        whole.replace("demo", "casino"),
    ] {
        std::fs::write(&card, &damaged).unwrap();
        let error = DataFolder::open_or_create(&path, new()).unwrap_err();
        assert_eq!(error.code(), "identity_damaged", "{error}");
        assert!(error.hint().contains("backup"));
        assert_eq!(std::fs::read_to_string(&card).unwrap(), damaged);
    }
    std::fs::write(&card, whole.replace("\"schema\": 1", "\"schema\": 2")).unwrap();
    assert_eq!(refusal(&path).code(), "identity_newer");
}

#[test]
fn a_missing_identity_is_refused_wherever_a_node_left_something() {
    for left in [
        "state.db",
        "state.db-wal",
        "vault.slots",
        "vault.db",
        "volumes/lnd",
    ] {
        let (_temporary, path, _) = made();
        std::fs::remove_file(path.join("node.json")).unwrap();
        std::fs::create_dir_all(path.join(left)).unwrap();
        let error = DataFolder::open_or_create(&path, new()).unwrap_err();
        assert_eq!(error.code(), "identity_missing", "{left}");
        assert!(error.to_string().contains(left), "{error}");
        assert!(!path.join("node.json").exists());
    }
}

#[test]
fn a_folder_of_something_else_is_left_alone_but_prepared_choices_are_kept() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("data");
    assert_eq!(refusal(&path).code(), "folder_not_a_node");
    assert!(!path.exists());
    std::fs::create_dir(&path).unwrap();
    std::fs::write(path.join("thesis.odt"), "x").unwrap();
    let error = DataFolder::open_or_create(&path, new()).unwrap_err();
    assert_eq!(error.code(), "folder_not_empty");
    std::fs::remove_file(path.join("thesis.odt")).unwrap();
    std::fs::write(path.join("node.toml"), "# mine\n").unwrap();
    DataFolder::open_or_create(&path, new()).unwrap();
    assert_eq!(
        std::fs::read_to_string(path.join("node.toml")).unwrap(),
        "# mine\n"
    );
}

#[test]
fn another_profile_or_runtime_is_refused() {
    let (_temporary, path, _) = made();
    let folder = DataFolder::open(&path).unwrap();
    folder
        .expect(ProfileName::Demo, RuntimeKind::Process)
        .unwrap();
    let profile = folder.expect(ProfileName::Mainnet, RuntimeKind::Process);
    assert_eq!(profile.unwrap_err().code(), "other_profile");
    let runtime = folder.expect(ProfileName::Demo, RuntimeKind::Docker);
    assert_eq!(runtime.unwrap_err().code(), "other_runtime");
}

/// What the child of the next test does; its parent arms it.
#[test]
fn child() {
    if let Some((_, path)) = surgery::child_task("folder") {
        DataFolder::create(&path, new()).unwrap();
    }
}

#[test]
fn a_first_start_that_was_cut_short_is_begun_again_but_a_completed_one_never() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("data");
    let point = "folder.identity_written";
    let status = surgery::run_child(
        "store::folder::tests::child",
        "folder",
        "create",
        &path,
        point,
    );
    assert_eq!(status.signal(), Some(9), "{status}");
    let mut folder = DataFolder::open_or_create(&path, new()).unwrap();
    assert!(!folder.initialised());
    let state =
        crate::store::state::StateDb::create(&folder.state_db(), folder.identity()).unwrap();
    drop(state);
    folder.clear_unfinished().unwrap();
    assert!(!folder.state_db().exists());
    crate::store::state::StateDb::create(&folder.state_db(), folder.identity()).unwrap();
    folder.mark_initialised().unwrap();
    assert_eq!(
        folder.clear_unfinished().unwrap_err().code(),
        "store_exists"
    );
    assert!(folder.state_db().exists());
}

#[test]
fn a_storage_root_without_its_mark_is_a_missing_disk_and_never_an_empty_one() {
    let (_temporary, path, identity) = made();
    let disk = path.with_file_name("disk");
    let at = UnixMillis(1);
    let mine = &identity.node_id;
    let code = |outcome: Result<(), FolderError>| outcome.unwrap_err().code();
    assert_eq!(
        code(accept_storage_root(&disk, mine, at)),
        "storage_missing"
    );
    assert!(!disk.exists());
    std::fs::create_dir(&disk).unwrap();
    assert_eq!(code(check_storage_root(&disk, mine)), "storage_missing");
    accept_storage_root(&disk, mine, at).unwrap();
    accept_storage_root(&disk, mine, at).unwrap();
    check_storage_root(&disk, mine).unwrap();

    let other = surgery::identity(1).node_id;
    assert_eq!(code(check_storage_root(&disk, &other)), "storage_other");
    assert_eq!(
        code(accept_storage_root(&disk, &other, at)),
        "storage_other"
    );
    surgery::truncate(&disk.join(MARKER), 190);
    assert_eq!(code(check_storage_root(&disk, mine)), "storage_damaged");
    surgery::truncate(&disk.join(MARKER), 0);
    assert_eq!(
        code(accept_storage_root(&disk, mine, at)),
        "storage_damaged"
    );
    std::fs::remove_dir_all(&disk).unwrap();
    assert_eq!(code(check_storage_root(&disk, mine)), "storage_missing");
}

#[test]
fn a_data_folder_whose_volumes_went_away_is_refused() {
    let (_temporary, path, _) = made();
    std::fs::rename(path.join("volumes"), path.join("run/volumes")).unwrap();
    std::fs::create_dir(path.join("volumes")).unwrap();
    assert_eq!(refusal(&path).code(), "storage_missing");
}

#[test]
fn free_space_is_what_the_file_system_says() {
    let space = free_space(Path::new("/")).unwrap();
    assert!(space.total > 0 && space.free <= space.total, "{space:?}");
    assert_eq!(
        free_space(Path::new("/no/such/folder")).unwrap_err().code(),
        "store_missing"
    );
}

#[test]
fn a_file_is_no_folder_and_names_are_written_as_they_are_typed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = DataFolder::open(&file).unwrap_err();
    assert!(matches!(error, FolderError::NotAFolder { .. }), "{error}");
    let other = FolderError::OtherProfile {
        found: ProfileName::Demo,
        asked: ProfileName::Signet,
    };
    assert!(other.to_string().contains("profile demo, not signet"));
    let other = FolderError::OtherRuntime {
        found: RuntimeKind::Process,
        asked: RuntimeKind::Docker,
    };
    assert!(other.to_string().contains("runtime process, not docker"));
}
