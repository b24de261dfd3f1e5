use std::os::unix::process::ExitStatusExt;

use super::*;
use crate::store::surgery;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().mode() & 0o7777
}

/// What the child of the kill test does; its parent arms it.
#[test]
fn child() {
    let Some((act, dir)) = surgery::child_task("layout") else {
        return;
    };
    assert_eq!(act, "make");
    // As the node's unit starts it.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    make(&dir.join("run/files"), 0o711).unwrap();
}

#[test]
fn a_kill_while_a_folder_is_made_leaves_none_that_is_closed() {
    for (point, kept) in [("layout.folder_made", 0), ("layout.folder_made:2", 1)] {
        let folder = tempfile::tempdir().unwrap();
        let all = ["run", "run/files"].map(|name| folder.path().join(name));
        let test = "runtime::layout::tests::child";
        let status = surgery::run_child(test, "layout", "make", folder.path(), point);
        assert_eq!(status.signal(), Some(9), "not killed at {point}: {status}");
        let there: Vec<u32> = all
            .iter()
            .filter(|one| one.exists())
            .map(|one| mode(one))
            .collect();
        assert_eq!(there, vec![0o711; kept], "{point}");
        make(&all[1], 0o711).unwrap();
        assert_eq!(all.each_ref().map(|one| mode(one)), [0o711; 2], "{point}");
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 1, "nothing lies beside it");
    }
}

#[test]
fn a_folder_that_is_there_keeps_its_mode_and_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("files");
    make(&dir, 0o700).unwrap();
    std::fs::write(dir.join("kept"), "text").unwrap();
    make(&dir, 0o711).unwrap();
    assert_eq!(mode(&dir), 0o700);
    assert_eq!(std::fs::read_to_string(dir.join("kept")).unwrap(), "text");
}
