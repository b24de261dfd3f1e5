use super::*;

fn in_shm() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap()
}

#[test]
fn folder_on_a_disk_is_passed_over_for_one_in_memory() {
    let disk = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let memory = in_shm();
    let wanted = memory.path().join("node");
    let chosen = choose(&[disk.path().join("node"), wanted.clone()]).unwrap();
    assert_eq!(chosen, wanted);
    assert!(!disk.path().join("node").exists());
    let mode = std::fs::metadata(&chosen).unwrap().permissions().mode() & 0o777;
    assert!(mode == 0o711 || mode == 0o700, "{mode:o}");
}

#[test]
fn nothing_is_chosen_where_no_candidate_is_in_memory() {
    let disk = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let error = choose(&[disk.path().join("node")]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Unsupported);
}

#[test]
fn link_that_somebody_put_in_the_place_is_refused() {
    let memory = in_shm();
    let target = memory.path().join("target");
    std::fs::create_dir(&target).unwrap();
    let trap = memory.path().join("node");
    std::os::unix::fs::symlink(&target, &trap).unwrap();
    assert!(choose(&[trap]).is_err());
}
