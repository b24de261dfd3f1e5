use super::*;

const FIRST: &str = "2026-11-26T11:42:00.573040344Z";

#[test]
fn a_line_is_told_from_its_timestamp() {
    let line = format!("{FIRST} hello world\n");
    assert_eq!(split(line.as_bytes()), Some((FIRST, &b"hello world\n"[..])));
    assert_eq!(split(b"no timestamp at all, and long enough for one"), None);
    assert_eq!(split(b"short"), None);
}

#[test]
fn what_was_written_and_not_noted_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("current.log");
    let mark = append(&log, "a", b"one\n", FIRST.to_owned()).unwrap();
    std::fs::write(&log, "one\ntwo\n").unwrap();
    assert_eq!(resume(&log, "a").unwrap(), Some(mark));
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "one\n");
    // Another container begins at its own beginning, behind what is there.
    assert_eq!(resume(&log, "b").unwrap(), None);
    std::fs::write(folder.path().join("current.mark"), "torn").unwrap();
    assert_eq!(resume(&log, "a").unwrap(), None);
}
